"""Commitments of challengers as a provider keeps them: each with the report that was its newest then, in one file."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from penstock.errors import Conflict, Refused, Unavailable

FILE: Final = "challenges.sqlite"
WAITING_MAX: Final = 256
"""Commitments of one challenger that no later report has come for yet."""
_SCHEMA: Final = """
create table if not exists commitment(place integer primary key, challenger text not null, digest blob not null unique,
  rows int not null, after_report int not null) strict;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A commitment: its place in order, whose, how many rows it draws, and the newest report then (-1: none)."""

    place: int
    challenger: str
    rows: int
    after_report: int


class Commitments(AbstractContextManager["Commitments"]):
    """The file in ``folder``. Raises Unavailable ``challenge.store_failed`` (all methods)."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._sql = sqlite3.connect(folder / FILE, check_same_thread=False, isolation_level=None, timeout=0.2)
            self._sql.execute("pragma synchronous=full")
            self._sql.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise Unavailable("challenge.store_failed", "Commitments cannot be kept now.") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._sql.close()

    def keep(self, challenger: str, digest: bytes, rows: int, after_report: int) -> int:
        """Keep a commitment, durably; its place.

        Raises:
            Conflict: ``challenge.committed``. Refused: ``challenge.too_many``.
        """
        with self._lock:
            waiting = self._sql.execute(
                "select count(*) from commitment where challenger = ? and after_report >= ?", (challenger, after_report)
            ).fetchone()[0]
            if waiting >= WAITING_MAX:
                raise Refused("challenge.too_many", "Too many commitments wait for the next report.")
            try:
                self._sql.execute(
                    "insert into commitment(challenger, digest, rows, after_report) values (?, ?, ?, ?)",
                    (challenger, digest, rows, after_report),
                )
            except sqlite3.IntegrityError as error:
                raise Conflict("challenge.committed", "This commitment was made already.", id=digest.hex()) from error
            except sqlite3.Error as error:
                raise Unavailable("challenge.store_failed", "Commitments cannot be kept now.") from error
            return int(self._sql.execute("select place from commitment where digest = ?", (digest,)).fetchone()[0])

    def find(self, digest: bytes) -> Kept | None:
        """A commitment; None where nobody made it here."""
        with self._lock:
            found = self._sql.execute(
                "select place, challenger, rows, after_report from commitment where digest = ?", (digest,)
            ).fetchone()
        return Kept(*found) if found else None
