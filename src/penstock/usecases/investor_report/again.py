"""A deal's closed periods run again from the record alone, word for word; a report stands on what came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.deal_book import DealBook
from penstock.capital.exact import Closing, DealState
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.errors import Corrupt, NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.capital import DealLaunched, DealOriginated, IncomePulled, PeriodClosed, ReportAttested
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.usecases.reclose import reclosed
from penstock.usecases.workspace import Workspace

FOLLOWED: Final = (
    DealOriginated, DealLaunched, ReportAttested, PeriodClosed, IncomePulled, DealAmended, TestWaived, PayeeReplaced,
)  # fmt: skip
"""Kinds of fact that a deal's state follows from."""


@dataclass(frozen=True, slots=True)
class Again:
    """One closed period: its facts by number, the deal and program in force, and the close as it ran again."""

    closed: PeriodClosed
    seq: int
    deal: Deal
    program: Program
    before: DealState
    closing: Closing
    report: ReportAttested | None
    compiler: str

    def lane(self, name: str, after: bool = True) -> int:
        """A lasting lane by name, after the close or before it; 0 where the deal has none of that name."""
        number = self.program.lanes.get(name)
        state = self.closing.state if after else self.before
        return 0 if number is None else state.lane(number)


@dataclass(slots=True)
class History:
    """A deal from its origination to the last period asked for, with the numbers of the facts it rests on."""

    name: str
    until: int
    book: DealBook = field(default_factory=DealBook)
    launched: DealLaunched | None = None
    founding: list[int] = field(default_factory=list)
    periods: list[Again] = field(default_factory=list)
    reports: dict[int, tuple[int, ReportAttested]] = field(default_factory=dict)
    pulls: dict[int, list[tuple[int, IncomePulled]]] = field(default_factory=dict)

    @property
    def last(self) -> Again:
        """The period the report is about."""
        return self.periods[-1]

    def take(self, recorded: Recorded) -> None:
        """Fold one fact of this deal; what comes after its last period changes nothing."""
        fact, seq = recorded.fact, recorded.seq
        match fact:
            case IncomePulled() if fact.period <= self.until:
                self.pulls.setdefault(fact.period, []).append((seq, fact))
            case _ if self._is_told():
                return
            case DealLaunched():
                self.launched = fact
                self.founding.append(seq)
            case ReportAttested():
                self.reports[fact.period] = seq, fact
            case PeriodClosed():
                self.periods.append(self._closed_again(fact, seq))
            case _:
                self.founding.append(seq)
        self.book.apply(recorded, None)

    def _is_told(self) -> bool:
        return bool(self.periods) and self.last.closed.period >= self.until

    def _closed_again(self, closed: PeriodClosed, seq: int) -> Again:
        """A close run as it must have run: with its report, or without one where only that gives its words."""
        record = self.book.deal(self.name)
        deal, program = compiled(record.originated.text)
        attested = self.reports.get(closed.period, (0, None))[1]
        found = reclosed(program, record.state, closed, attested)
        if found is not None:
            return Again(closed, seq, deal, program, record.state, *found, record.originated.compiler)
        hint = "Do not rely on this record; run: penstock audit."
        sentence = "A closed period does not come out as recorded."
        raise Corrupt("deal.rerun_differs", sentence, hint=hint, deal=self.name, seq=seq)


def history_of(workspace: Workspace, name: str, size: int, period: int) -> History:
    """Every period of a deal up to and with ``period``, from the first ``size`` facts, each run again.

    Raises:
        NotFound: ``deal.unknown``, ``deal.period_unknown``.
        Corrupt: ``deal.rerun_differs`` where a close does not come out as recorded.
    """
    found = History(name, period)
    for row in workspace.facts(0, size):
        fact = row.recorded.fact
        if isinstance(fact, FOLLOWED) and fact.deal == name:
            found.take(row.recorded)
    found.book.deal(name)
    if not found.periods or found.last.closed.period != period:
        hint = "See: penstock deal periods."
        raise NotFound("deal.period_unknown", "This period is not closed.", hint=hint, deal=name, period=period + 1)
    return found


@lru_cache(maxsize=8)
def compiled(text: str) -> tuple[Deal, Program]:
    """The deal and program of a text, compiled once for all its periods."""
    deal = load_deal(text)
    return deal, compile_deal(deal)
