"""The attester's own memory of what it signed: one line a word, on disk before the word leaves the machine."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from penstock.errors import Corrupt, Refused, Unavailable

_FORMAT: Final = "penstock/vote/1"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a word is about; one attester never signs two words for one of these."""

    chain_id: int
    anchor: bytes
    subject: bytes
    as_of_s: int
    definition: bytes


class VoteJournal(AbstractContextManager["VoteJournal"]):
    """An append-only file of one attester, held by one process at a time.

    Raises:
        Unavailable: ``attest.in_use`` where another process holds it.
        Corrupt: ``attest.journal_damaged`` for a line that is none of this file's. A last line without its end was
            never acted upon and is dropped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Unavailable("attest.in_use", "Another process attests with this key.", journal=path) from None
        self._words = self._read()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next process in; harmless when repeated."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def word(self, about: Measured) -> int | None:
        """The word signed about this, if any."""
        return self._words.get(about)

    def commit(self, about: Measured, word: int) -> None:
        """Remember ``word`` before it is signed; durable when this returns, harmless when repeated.

        Raises:
            Refused: ``attest.two_words`` where another word was signed about the same.
        """
        before = self._words.get(about)
        if before is not None and before != word:
            hint = "Two words for one as-of expel an attester. Find out which record changed."
            raise Refused("attest.two_words", "This key signed another word for this as-of.", hint=hint, before=before)
        if before is None:
            self._append(_line(about, word))
            self._words[about] = word

    def _append(self, line: bytes) -> None:
        if os.write(self._file, line) != len(line):
            raise Unavailable("attest.disk", "The vote could not be written down; nothing was signed.")
        os.fsync(self._file)

    def _read(self) -> dict[Measured, int]:
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        os.ftruncate(self._file, len(whole))
        os.lseek(self._file, len(whole), os.SEEK_SET)
        return dict(self._entry(line) for line in whole.splitlines())

    def _entry(self, line: bytes) -> tuple[Measured, int]:
        try:
            held = json.loads(line)
            addresses = (bytes.fromhex(held["anchor"]), bytes.fromhex(held["subject"]))
            about = Measured(held["chain_id"], *addresses, held["as_of_s"], bytes.fromhex(held["definition"]))
            word = int(held["word"])
        except (ValueError, TypeError, KeyError):
            raise Corrupt("attest.journal_damaged", "A line is no vote.", journal=self._path) from None
        if _line(about, word) != line + b"\n":
            raise Corrupt("attest.journal_damaged", "A line is no vote of this format.", journal=self._path)
        return about, word


def _line(about: Measured, word: int) -> bytes:
    held = {
        "anchor": about.anchor.hex(),
        "as_of_s": about.as_of_s,
        "chain_id": about.chain_id,
        "definition": about.definition.hex(),
        "format": _FORMAT,
        "subject": about.subject.hex(),
        "word": str(word),
    }
    return json.dumps(held, sort_keys=True, separators=(",", ":")).encode() + b"\n"
