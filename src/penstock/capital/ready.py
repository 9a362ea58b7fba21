"""Which periods of a deal can be attested: those whose data a record holds, as far as it is anchored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from penstock.capital.deal import Deal
from penstock.capital.marks import Marks
from penstock.capital.measure import definition_of
from penstock.capital.periods import Periods
from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.compute import AnswersServed, CreditsRedeemed
from penstock.journal.kinds.servicing import AssetsPooled, AssetsReported, MarkSet
from penstock.period import Period

Terms = tuple[Deal, Periods]
PERIODS_AHEAD = 10_000


@dataclass(slots=True)
class Ready:
    """A fold of facts, with their places in the record.

    A deal that pools assets has a period's data with the servicer's tape of it; any other with answers that began in it
    and a release of its dollars up to its last instant. A rate it reports has a mark that speaks at the period's end.
    """

    terms: dict[str, Callable[[], Terms]] = field(default_factory=dict, compare=False)
    _served: list[tuple[int, int]] = field(default_factory=list)
    _released: list[tuple[int, int, str]] = field(default_factory=list)
    _pooled: dict[str, int] = field(default_factory=dict)
    _tapes: dict[str, dict[int, int]] = field(default_factory=dict)
    _marks: list[tuple[int, MarkSet]] = field(default_factory=list)

    def apply(self, recorded: Recorded) -> None:
        """Fold one fact."""
        match recorded.fact:
            case AnswersServed() as served:
                self._served.append((recorded.seq, served.start_us))
            case CreditsRedeemed() as redeemed:
                targets = {transfer.target for transfer in redeemed.transfers}
                self._released += [(recorded.seq, recorded.at_us, target) for target in targets]
            case AssetsPooled() as pooled:
                self._pooled.setdefault(pooled.deal, recorded.seq)
            case AssetsReported() as tape:
                self._tapes.setdefault(tape.deal, {})[tape.period] = recorded.seq
            case MarkSet() as mark:
                self._marks.append((recorded.seq, mark))

    def periods(self, name: str, first: int, size: int) -> Iterator[tuple[int, Period]]:
        """Periods of a deal from number ``first`` on that the first ``size`` facts cover, in order."""
        for number in range(first, first + PERIODS_AHEAD):
            if not self._goes_on(name, number, size):
                return
            if self.covers(name, number, size):
                yield number, self._period(name, number)

    def covers(self, name: str, number: int, size: int) -> bool:
        """Whether the first ``size`` facts hold the data of a period."""
        period = self._period(name, number)
        if self._is_pooled(name, size):
            held = self._tapes.get(name, {}).get(number, size) < size
        else:
            collect = f"{name}/{self.terms[name]()[0].accounts[0].name}"
            released = (at for seq, at, target in self._released if seq < size and target == collect)
            answered = any(seq < size and at_us in period for seq, at_us in self._served)
            held = answered and any(period.start_us < at_us <= period.stop_us for at_us in released)
        return held and self._marked(name, period, size)

    def _goes_on(self, name: str, number: int, size: int) -> bool:
        """Whether anything tells of this period or of a later one."""
        if self._is_pooled(name, size):
            return any(number <= period and seq < size for period, seq in self._tapes.get(name, {}).items())
        start_us = self._period(name, number).start_us
        return any(seq < size and at_us >= start_us for seq, at_us in self._served)

    def _is_pooled(self, name: str, size: int) -> bool:
        return self._pooled.get(name, size) < size

    def _period(self, name: str, number: int) -> Period:
        return self.terms[name]()[1].of(number)

    def _marked(self, name: str, period: Period, size: int) -> bool:
        deal = self.terms[name]()[0]
        rates = [one.of or one.name for one in deal.measures if definition_of(one) == "mark"]
        marks = Marks()
        for seq, mark in self._marks if rates else ():
            if seq < size:
                marks.set(mark)
        try:
            return all(marks.latest(rate, period.stop_us) for rate in rates)
        except NotFound:
            return False
