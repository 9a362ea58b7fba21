"""An agent's folder: its mandate, its key, its book, its log, and the file that stops it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.agent.decision_log import DecisionLog
from penstock.agent.mandate import Mandate
from penstock.agent.mandate_file import BYTES_MAX, read_mandate
from penstock.agent.spending import STOP, Book
from penstock.errors import Conflict, Invalid, NotFound
from penstock.keys import ChainKey

MANDATE: Final = "mandate.yaml"
KEY: Final = "agent.key"
BOOK: Final = "spending.sqlite"
LOG: Final = "decisions.jsonl"
OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder at ``path``."""

    path: Path

    @property
    def book(self) -> Book:
        """The book of payments."""
        return Book(self.path / BOOK)

    @property
    def log(self) -> DecisionLog:
        """The log of decisions."""
        return DecisionLog(self.path / LOG)

    def mandate(self) -> Mandate:
        """The mandate. Raises NotFound ``agent.no_mandate``, and as `read_mandate`."""
        return read_mandate(read_text(self.path / MANDATE))

    def key(self) -> ChainKey:
        """The agent's key.

        Raises:
            NotFound: ``agent.no_key``. Invalid: ``agent.key``. Conflict: ``agent.key_open`` where others may read it.
        """
        path = self.path / KEY
        if not path.is_file():
            raise NotFound("agent.no_key", f"There is no {KEY} in the folder.", hint="Run: penstock agent key")
        if path.stat().st_mode & 0o077:
            raise Conflict("agent.key_open", "Others may read the agent's key.", hint=f"chmod 600 {KEY}")
        try:
            return ChainKey(bytes.fromhex(path.read_text("ascii").strip()))
        except (ValueError, Invalid):
            raise Invalid("agent.key", f"{KEY} holds no key: 64 hexadecimal digits.") from None

    def make_key(self, secret: bytes) -> ChainKey:
        """Write a new key, for its owner alone. Raises Conflict ``agent.key_exists``; a key is never overwritten."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(self.path / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        except FileExistsError:
            raise Conflict("agent.key_exists", "There is a key in this folder already.") from None
        with os.fdopen(file, "w") as opened:
            opened.write(secret.hex() + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        return ChainKey(secret)

    def stop(self, why: str) -> None:
        """Nothing is paid from now on, by any process."""
        (self.path / STOP).write_text(why + "\n", "utf-8")

    def go_on(self) -> None:
        """Payments may be made again."""
        (self.path / STOP).unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """A mandate's text. Raises NotFound ``agent.no_mandate``, Invalid ``agent.mandate_text`` where it is no text."""
    if not path.is_file():
        raise NotFound("agent.no_mandate", f"There is no {path.name} here.", hint="docs/agents.md shows one.")
    with path.open("rb") as opened:
        raw = opened.read(BYTES_MAX + 1)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid("agent.mandate_text", f"{path.name} is no text in UTF-8.") from None
