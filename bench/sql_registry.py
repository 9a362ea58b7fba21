"""The same registry the plain way: one row a certificate in SQLite, changed by sets, each batch one durable commit.

What a batch names is loaded into a table beside, sorted by key, and one statement does the work; where it does not
reach every row that was asked for, all of it is rolled back. The plus signs and the CROSS JOIN keep the planner from
walking over all certificates instead of over the batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -1000000;
CREATE TABLE title (register INTEGER, start INTEGER, stop INTEGER, holder INTEGER, state INTEGER, interval_us INTEGER,
                    PRIMARY KEY (register, start)) WITHOUT ROWID;
CREATE TEMP TABLE asked (register INTEGER, start INTEGER, stop INTEGER, source INTEGER, target INTEGER, state INTEGER,
                         PRIMARY KEY (register, start)) WITHOUT ROWID;
"""
INSERT: Final = "INSERT INTO title VALUES (?, ?, ?, ?, 0, ?)"
ASK: Final = "INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?)"
MOVE: Final = """
UPDATE title SET holder = asked.target, state = asked.state FROM asked
WHERE title.register = +asked.register AND title.start = +asked.start AND title.stop = asked.stop
  AND title.holder = asked.source AND title.state = 0
"""
REST: Final = """
INSERT INTO title SELECT title.register, asked.stop, title.stop, title.holder, title.state, title.interval_us
FROM asked CROSS JOIN title ON title.register = asked.register AND title.start = asked.start
WHERE asked.stop < title.stop AND title.holder = asked.source AND title.state = 0
"""
CUT: Final = """
UPDATE title SET stop = asked.stop, holder = asked.target FROM asked
WHERE title.register = +asked.register AND title.start = +asked.start
"""


class SqlRegistry:
    """Certificates as rows."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(SCHEMA)

    def issue(self, titles: Columns) -> None:
        """Insert certificates; the key refuses one that begins where another does."""
        names = ("register", "start", "stop", "holder", "interval_us")
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(INSERT, _rows(titles, names))

    def move(self, moves: Columns) -> None:
        """Whole certificates to other holders or states."""
        self._change(moves, [MOVE])

    def split(self, moves: Columns) -> None:
        """Certificates cut in two: the first part to the target."""
        self._change(moves, [REST, CUT])

    def _change(self, moves: Columns, statements: Sequence[str]) -> None:
        names, wanted = ("register", "start", "stop", "source", "target", "state"), len(moves["start"])
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(ASK, _rows(moves, names))
            for statement in statements:
                if self.connection.execute(statement).rowcount != wanted:
                    raise ValueError("not all of these can change so")
            self.connection.execute("DELETE FROM asked")

    def titles(self) -> Columns:
        """All certificates, sorted by (register, start)."""
        query = "SELECT register, start, stop, holder, state, interval_us FROM title ORDER BY register, start"
        cursor, parts = self.connection.execute(query), []
        while rows := cursor.fetchmany(1_000_000):
            parts.append(np.array(rows, dtype=np.int64))
        table = np.concatenate(parts).T
        return dict(zip(("register", "start", "stop", "holder", "state", "interval_us"), table, strict=True))

    def close(self) -> None:
        """Give the file back."""
        self.connection.close()


def _rows(columns: Columns, names: Sequence[str]) -> Any:
    """Rows in the key's order, which suits the tree best."""
    register, start = columns["register"], columns["start"]
    same = register[1:] == register[:-1]
    if not ((register[1:] > register[:-1]) | (same & (start[1:] > start[:-1]))).all():
        order = np.lexsort((start, register))
        columns = {name: columns[name][order] for name in names}
    return zip(*(columns[name].tolist() for name in names), strict=True)
