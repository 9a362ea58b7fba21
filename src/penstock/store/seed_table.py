"""Seeds: the secrets from which the salts of erasable rows are made, one for each subject and day.

A seed stands before any row that it salts is sealed. Once it is gone, a leaf hash that is left tells nothing of its
row. What was drawn before an erasure is not sealed after it: `Salting.erasures` says how many had been.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, func, select

from penstock.errors import Corrupt
from penstock.journal.segment import Columns, Salting, SegmentFormat
from penstock.journal.tree_kernel import HASH_BYTES, Bytes2D
from penstock.period import DAY_US
from penstock.store.ports import Forgotten
from penstock.store.sql import Into, Sql, driver, text_of
from penstock.store.tables import SEED

_C: Final = SEED.c
_DAYS_KEPT: Final = 8
_CHUNK: Final = 500
Ints = NDArray[np.int64]
Group = tuple[int, NDArray[np.intp]]


class SeedTable:
    """Draws, finds and drops seeds. Threads may share it."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._into = Into(SEED, ("scope", "day", "subject", "seed"), sql.dialect)
        of_day = (_C.scope == bindparam("scope")) & (_C.day == bindparam("day"))
        self._of_day = text_of(select(_C.subject, _C.seed).where(of_day).order_by(_C.subject), sql.dialect)
        self._known: dict[tuple[str, int], tuple[Ints, Bytes2D]] = {}
        self._lock = threading.Lock()
        self.erasures = 0

    def draw(self, fmt: SegmentFormat, columns: Columns) -> Salting:
        """A seed for every row of an erasable format, new ones durable on return."""
        with self._lock:
            erasures, groups = self.erasures, list(_by_day(fmt, columns))
            new = [(day, subject) for day, rows in groups for subject in self._unknown(fmt, columns, day, rows)]
            if new:
                dice = os.urandom(HASH_BYTES * len(new))
                seeds = [dice[at : at + HASH_BYTES] for at in range(0, len(dice), HASH_BYTES)]
                drawn = [(fmt.subject, *pair, seed) for pair, seed in zip(new, seeds, strict=True)]
                self._sql.write(lambda connection: self._sql.add_new(connection, self._into, drawn))
                self._known.clear()
            return Salting(self._gather(fmt, columns, groups), erasures)

    def seeds_of(self, fmt: SegmentFormat, columns: Columns) -> Bytes2D:
        """The seed of every row, (rows, 32) uint8. Raises Corrupt ``store.seed_missing``."""
        with self._lock:
            return self._gather(fmt, columns, list(_by_day(fmt, columns)))

    def drop(self, connection: Connection, forgotten: Forgotten) -> None:
        """Delete seeds inside the connection's transaction."""
        where = [_C.scope == forgotten.scope]
        if forgotten.before_day is not None:
            where.append(_C.day < forgotten.before_day)
        subjects = forgotten.subjects
        if subjects is None:
            connection.execute(delete(SEED).where(*where))
            return
        for at in range(0, len(subjects), _CHUNK):
            connection.execute(delete(SEED).where(*where, _C.subject.in_(list(subjects[at : at + _CHUNK]))))

    def dropped(self, erasures: int) -> None:
        """Take note that the record now stands after so many erasures."""
        with self._lock:
            self.erasures = erasures
            self._known.clear()

    def count(self) -> int:
        """How many there are."""
        return int(self._sql.read(lambda connection: connection.scalar(select(func.count()).select_from(SEED))) or 0)

    def _unknown(self, fmt: SegmentFormat, columns: Columns, day: int, rows: NDArray[np.intp]) -> list[int]:
        subjects = columns[fmt.subject][rows].astype(np.int64)
        new: list[int] = np.unique(subjects[~_among(self._day(fmt.subject, day)[0], subjects)]).tolist()
        return new

    def _gather(self, fmt: SegmentFormat, columns: Columns, groups: Sequence[Group]) -> Bytes2D:
        seeds = np.empty((len(columns[fmt.subject]), HASH_BYTES), dtype=np.uint8)
        for day, rows in groups:
            known, found = self._day(fmt.subject, day)
            subjects = columns[fmt.subject][rows]
            if not _among(known, subjects).all():
                sentence = "A salted row has no seed: its leaf cannot be made."
                raise Corrupt("store.seed_missing", sentence, hint="Restore a backup.", scope=fmt.subject, day=day)
            seeds[rows] = found[np.searchsorted(known, subjects)]
        return seeds

    def _day(self, scope: str, day: int) -> tuple[Ints, Bytes2D]:
        """All seeds of a day, by subject."""
        if (scope, day) not in self._known:
            if len(self._known) >= _DAYS_KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[scope, day] = self._sql.read(lambda connection: self._read(connection, scope, day))
        return self._known[scope, day]

    def _read(self, connection: Connection, scope: str, day: int) -> tuple[Ints, Bytes2D]:
        rows = driver(connection).execute(self._of_day, (scope, day)).fetchall()
        subjects = np.array([row[0] for row in rows], dtype=np.int64)
        return subjects, np.frombuffer(b"".join([row[1] for row in rows]), dtype=np.uint8).reshape(-1, HASH_BYTES)


def day_of(instants_us: NDArray[Any]) -> NDArray[Any]:
    """Days since 1970 [UTC] of instants [us]."""
    return instants_us // DAY_US


def _among(known: Ints, subjects: NDArray[Any]) -> NDArray[np.bool_]:
    """Which subjects are among the known, which are sorted; no sorting of a million others."""
    if not len(known):
        return np.zeros(len(subjects), dtype=np.bool_)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, subjects), len(known) - 1)] == subjects
    return found


def _by_day(fmt: SegmentFormat, columns: Columns) -> Iterator[Group]:
    """The rows of each day."""
    days = day_of(columns[fmt.instant])
    order = np.argsort(days, kind="stable")
    cuts = np.flatnonzero(np.diff(days[order])) + 1
    for rows in np.split(order, cuts) if len(days) else ():
        yield int(days[rows[0]]), rows
