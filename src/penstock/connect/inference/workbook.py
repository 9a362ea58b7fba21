"""The provider's own record in one SQLite file: answers by number, where the meter stood, reports made of them.

An answer is here before it is sent (WAL, synchronous FULL). A payment names one answer: recorded again, the first
stands. What a report has told of is never told again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Corrupt, NotFound, Unavailable

_SCHEMA: Final = """
create table if not exists answer(number integer primary key, payment blob not null unique, model text not null,
  arrived_us int not null, started_us int not null, first_us int not null, done_us int not null,
  prompt_tokens int not null, output_tokens int not null, cpu_us int not null, request blob not null,
  answer blob not null, salt blob not null, scheme int not null, payer blob not null, tx blob not null,
  paid_usdc_micro int not null, asked_body blob not null, answer_body blob not null) strict;
create table if not exists sample(at_us integer primary key, position_mj int not null,
  good int not null) strict;
create table if not exists report(number integer primary key, start_us int not null, stop_us int not null unique,
  first_number int not null, answers int not null, written blob not null) strict;
"""
_WHOLE: Final = ("number", "arrived_us", "started_us", "first_us", "done_us", "prompt_tokens", "output_tokens",
                 "cpu_us", "scheme", "paid_usdc_micro")  # fmt: skip
_BYTES: Final = {"payment": 32, "request": 32, "answer": 32, "salt": 32, "payer": 20, "tx": 32}
_NEXT: Final = "(select coalesce(max(number), -1) + 1 from answer)"
FILE: Final = "work.sqlite"
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer: payment id, instants [us], tokens, processor time [us], digests, who paid how much [micro-dollars].

    ``started_us`` is when its work began, ``salt`` that of its energy leaf; the bodies are kept so that the work can be
    done again elsewhere when a challenge asks for it.
    """

    payment: bytes
    model: str
    arrived_us: int
    started_us: int
    first_us: int
    done_us: int
    prompt_tokens: int
    output_tokens: int
    cpu_us: int
    request: bytes
    answer: bytes
    salt: bytes
    scheme: int
    payer: bytes
    tx: bytes
    paid_usdc_micro: int
    asked_body: bytes
    answer_body: bytes


class Sample(NamedTuple):
    """Where the meter stood: instant [us], position [mJ], and whether all since the sample before was seen."""

    at_us: int
    position_mj: int
    good: bool = True


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report as made: its number, interval [us], first answer, how many, and its text."""

    number: int
    start_us: int
    stop_us: int
    first_number: int
    answers: int
    written: bytes


class Workbook(AbstractContextManager["Workbook"]):
    """The record in ``folder``; one process has it open, any of its threads may call.

    Raises:
        Unavailable: ``workbook.in_use`` where another process has it open.
        Corrupt: ``workbook.damaged``.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._sql = sqlite3.connect(folder / FILE, check_same_thread=False, isolation_level=None, timeout=0)
        try:
            self._sql.execute("pragma locking_mode=exclusive")
            self._sql.execute("pragma journal_mode=wal")
            self._sql.execute("pragma synchronous=full")
            self._sql.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            self._sql.close()
            raise Unavailable("workbook.in_use", "Another process has this provider's record open.") from error
        except sqlite3.DatabaseError as error:
            self._sql.close()
            raise Corrupt("workbook.damaged", "The provider's record is damaged.", file=FILE) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        with self._lock:
            self._sql.close()

    def record(self, row: AnswerRow) -> int:
        """Keep an answer; its number. One whose payment is here already keeps its first row and number."""
        values = tuple(getattr(row, name) for name in AnswerRow.__dataclass_fields__)
        names, marks = ", ".join(AnswerRow.__dataclass_fields__), ", ".join("?" * len(values))
        with self._lock:
            self._sql.execute(
                f"insert into answer(number, {names}) select {_NEXT}, {marks} where true on conflict do nothing",
                values,
            )
            found = self._sql.execute("select number from answer where payment = ?", (row.payment,)).fetchone()
        return int(found[0])

    def given_back(self, payment: bytes) -> None:
        """Note that the dollars of an answer went back, unless a report has told of them."""
        with self._lock:
            self._sql.execute(
                "update answer set paid_usdc_micro = 0 where payment = ? and number >= ?", (payment, self._told())
            )

    def answers(self, first: int, before_us: int) -> Columns:
        """Answers from number ``first`` on done before ``before_us``, a column a field: int64, or uint8[n, width]."""
        names = (*_WHOLE, *_BYTES)
        asked = f"select {', '.join(names)} from answer where number >= ? and done_us < ? order by number"  # noqa: S608
        with self._lock:
            rows = self._sql.execute(asked, (first, before_us)).fetchall()
        fields = list(zip(*rows, strict=True)) or [()] * len(names)
        whole: Columns = {name: np.array(fields[place], dtype=np.int64) for place, name in enumerate(_WHOLE)}
        packed: Columns = {
            name: np.frombuffer(b"".join(fields[len(_WHOLE) + place]), dtype=np.uint8).reshape(-1, width)
            for place, (name, width) in enumerate(_BYTES.items())
        }
        return whole | packed

    def bodies(self, number: int) -> tuple[bytes, bytes]:
        """Request and answer, byte for byte. Raises NotFound ``workbook.no_answer``, ``workbook.body_gone``."""
        with self._lock:
            found = self._sql.execute(
                "select asked_body, answer_body from answer where number = ?", (number,)
            ).fetchone()
        if found is None:
            raise NotFound("workbook.no_answer", "There is no such answer.", number=number)
        asked, answered = found
        if not asked and not answered:
            raise NotFound("workbook.body_gone", "This answer's bodies are kept no longer.", number=number)
        return bytes(asked), bytes(answered)

    def forget_bodies(self, before_us: int) -> int:
        """Drop the bodies of answers done before ``before_us`` that a report has told of; how many. Digests stay."""
        with self._lock:
            return self._sql.execute(
                "update answer set asked_body = x'', answer_body = x'' where done_us < ? and number < ?"
                " and (length(asked_body) > 0 or length(answer_body) > 0)",
                (before_us, self._told()),
            ).rowcount

    def number_of(self, payment: bytes) -> int:
        """The number of the answer that a payment bought. Raises NotFound ``workbook.no_answer``."""
        with self._lock:
            found = self._sql.execute("select number from answer where payment = ?", (payment,)).fetchone()
        if found is None:
            raise NotFound("workbook.no_answer", "No answer was given for this payment.", payment=payment.hex())
        return int(found[0])

    def count(self) -> int:
        """How many answers there are; they are numbered from 0."""
        with self._lock:
            return int(self._sql.execute("select coalesce(max(number), -1) + 1 from answer").fetchone()[0])

    def sample(self, rows: Sequence[Sample]) -> None:
        """Keep where the meter stood; an instant that is known stands."""
        with self._lock:
            self._sql.execute("begin")
            self._sql.executemany("insert into sample values (?, ?, ?) on conflict do nothing", rows)
            self._sql.execute("commit")

    def samples(self, start_us: int, stop_us: int) -> Columns:
        """Samples from ``start_us`` to ``stop_us``, both included: ``at_us``, ``position_mj`` (int64), ``good``."""
        with self._lock:
            rows = self._sql.execute(
                "select at_us, position_mj, good from sample where at_us between ? and ? order by at_us",
                (start_us, stop_us),
            ).fetchall()
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return {"at_us": table[:, 0], "position_mj": table[:, 1], "good": table[:, 2] == 1}

    def first_sample(self) -> Sample | None:
        """The oldest sample kept."""
        return self._sample("order by at_us limit 1")

    def last_sample(self) -> Sample | None:
        """The newest one."""
        return self._sample("order by at_us desc limit 1")

    def _sample(self, where: str) -> Sample | None:
        with self._lock:
            found = self._sql.execute(f"select at_us, position_mj, good from sample {where}").fetchone()  # noqa: S608
        return Sample(int(found[0]), int(found[1]), found[2] == 1) if found else None

    def keep_report(self, report: ReportRow) -> None:
        """Keep a report with its number, start and stop; samples before its start are no longer needed."""
        with self._lock:
            self._sql.execute("begin")
            self._sql.execute(
                "insert into report values (?, ?, ?, ?, ?, ?)",
                (report.number, report.start_us, report.stop_us, report.first_number, report.answers, report.written),
            )
            self._sql.execute("delete from sample where at_us < ?", (report.start_us,))
            self._sql.execute("commit")

    def reports(self, after: int, most: int) -> list[ReportRow]:
        """Reports behind number ``after``, in order, at most ``most``."""
        return self._reports("where number > ? order by number limit ?", after, most)

    def last_report(self) -> ReportRow | None:
        """The newest one."""
        return next(iter(self._reports("order by number desc limit 1")), None)

    def report_of(self, number: int) -> ReportRow | None:
        """The report that told of answer ``number``; None where none has yet."""
        found = self._reports("where first_number <= ? order by first_number desc, number desc limit 1", number)
        return found[0] if found and number < found[0].first_number + found[0].answers else None

    def _reports(self, where: str, *values: int) -> list[ReportRow]:
        with self._lock:
            return [ReportRow(*row) for row in self._sql.execute(f"select * from report {where}", values)]  # noqa: S608

    def _told(self) -> int:
        found = self._sql.execute("select coalesce(max(first_number + answers), 0) from report").fetchone()
        return int(found[0])
