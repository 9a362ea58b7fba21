"""The measures of a deal's report: what attesters recompute, each from facts that the journal holds.

Definition 2 (its hash is signed with every report). A dollar belongs to the period in whose last instant it came; what
is recorded when that period's data are complete counts in the next, and no period is restated. A measure of unit
``rate`` is the mark of its name. `DEFINED` says every other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.deal import Deal, Measure
from penstock.capital.fees import FeeTerms, check_fees
from penstock.capital.pool_value import PoolView
from penstock.capital.report import Report
from penstock.capital.serviced import Serviced, plain
from penstock.capital.servicing_book import ServicingBook
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.compute import AnswersServed, CreditsRedeemed
from penstock.journal.kinds.servicing import CollectionKind
from penstock.journal.segment import Columns
from penstock.period import SECOND_US, Period
from penstock.units import MJ_PER_WH

DEFINED: Final = {
    "energy": "Wh that the rack's meter counted",
    "answers": "tokens that the rack served",
    "revenue": "dollars released to the deal for answers, and collections of revenue",
    "interest": "collections of interest",
    "principal": "collections of principal",
    "recoveries": "collections on assets written off",
    "collections": "collections of any kind but calls, and dollars released",
    "cfads": "as collections, less every fee of the deal, which ranks before debt service",
    "losses": "balances written off",
    "purchases": "balances of assets pooled after the first period began",
    "milestone": "the builder's milestones, from the mark <deal>/milestone",
    "pool": "balances of assets not in default, without what is disputed, as of the tape",
    "delinquent": "balances more than 30 days past due and not in default",
    "defaulted": "balances left of assets more than 120 days past due, or written off in part",
    "value": "what assets not in default are worth, times the mark value/<technology>",
    "borrowing_base": "what the deal's pool section lends on eligible assets, less what is beyond its caps",
}
"""Every measure by the name of its definition. The first eleven are of a period and may look back over several."""
FLOWS: Final = frozenset(tuple(DEFINED)[:11])
DEFINITION: Final = keccak(b"penstock/measures/2: " + "; ".join(f"{a} = {b}" for a, b in DEFINED.items()).encode())
VALID_S: Final = 20 * 365 * 86_400
"""How long a report speaks after its as-of [s]: long, because a replayed week lies years back."""
_CASH: Final = tuple(one for one in CollectionKind if one is not CollectionKind.CALL)
_KINDS: Final = {
    "interest": (CollectionKind.INTEREST,),
    "principal": (CollectionKind.PRINCIPAL,),
    "recoveries": (CollectionKind.RECOVERY,),
}
_BY_UNIT: Final = {"Wh": "energy", "tokens": "answers"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a rack delivered in a period: energy drawn [Wh] and tokens."""

    period: Period
    energy_wh: int
    tokens: int


@dataclass(slots=True)
class Performance:
    """What the journal says of deliveries and of dollars released, in order."""

    delivered: list[Delivered] = field(default_factory=list)
    released: list[tuple[int, str, int]] = field(default_factory=list)

    def apply(self, recorded: Recorded, _columns: Columns | None) -> None:
        """Fold one fact."""
        match recorded.fact:
            case AnswersServed() as served:
                period = Period(served.start_us, served.stop_us)
                self.delivered.append(Delivered(period, served.energy_mj // MJ_PER_WH, served.tokens))
            case CreditsRedeemed() as redeemed:
                for transfer in redeemed.transfers:
                    self.released.append((recorded.at_us, transfer.target, transfer.usdc_micro))

    def of(self, period: Period) -> Delivered:
        """All that was delivered inside ``period``. Raises NotFound ``measure.nothing_served``."""
        inside = [one for one in self.delivered if period.start_us <= one.period.start_us < period.stop_us]
        if not inside:
            raise NotFound("measure.nothing_served", f"Nothing was served in {period}.")
        return Delivered(period, sum(one.energy_wh for one in inside), sum(one.tokens for one in inside))

    def released_to(self, account: str, period: Period) -> int:
        """Dollars released to ``account`` after the period's start, up to and with its end [micro-dollars]."""
        inside = (micro for at_us, target, micro in self.released if target == account and _falls_in(at_us, period))
        return sum(inside)


def _falls_in(at_us: int, period: Period) -> bool:
    return period.start_us < at_us <= period.stop_us


def definition_of(measure: Measure) -> str:
    """The definition a measure follows, ``mark`` for a rate; Refused ``measure.undefined``, ``measure.window``."""
    name = measure.of or measure.name
    found = "mark" if measure.unit == "rate" else name if name in DEFINED else _BY_UNIT.get(measure.unit, "")
    if not found:
        hint = f"Write `of:` one of: {', '.join(DEFINED)}."
        raise Refused("measure.undefined", f"Nobody knows how to compute {measure.name}.", hint=hint, measure=name)
    if measure.over > 1 and found not in FLOWS:
        raise Refused("measure.window", f"{measure.name} stands at an instant and has no look-back.", measure=name)
    return found


def check_measures(deal: Deal) -> None:
    """That attesters can compute all that a deal reports.

    Raises:
        Refused: ``measure.undefined``, ``measure.window``, ``measure.no_pool``. As `check_fees`.
    """
    if "borrowing_base" in {definition_of(one) for one in deal.measures} and deal.pool is None:
        raise Refused("measure.no_pool", "A borrowing base needs the deal's pool section.", deal=deal.name)
    check_fees(deal)


@dataclass(frozen=True, slots=True)
class Measuring:
    """Computes the measures of one deal from what facts say."""

    deal: Deal
    name: str
    performance: Performance
    book: ServicingBook

    @property
    def kept(self) -> Serviced:
        """The deal as its servicer keeps it."""
        return self.book.of(self.name)

    def value(self, measure: Measure, number: int) -> int:
        """A measure as of a period's end, in its own unit.

        Raises:
            NotFound: ``measure.nothing_served``, ``measure.no_tape``, ``measure.mark_missing``, ``measure.mark_stale``.
            As `definition_of`.
        """
        definition = definition_of(measure)
        if definition == "mark":
            stop_us = self.kept.periods.of(number).stop_us
            return self.book.marks.latest(measure.of or measure.name, stop_us).value_e8
        if definition in FLOWS:
            first = max(0, number - measure.over + 1)
            return sum(self.flow(definition, one, needed=one == number) for one in range(first, number + 1))
        return self._stock(definition, number)

    def flow(self, definition: str, number: int, *, needed: bool = True) -> int:
        """A measure of one period; where it is ``needed``, nothing served is an error and not 0."""
        if definition in ("energy", "answers"):
            return self._delivered(definition, number, needed=needed)
        kept = self.kept
        amounts = {"losses": kept.lost, "purchases": kept.purchased, "milestone": kept.earned}
        if definition in amounts:
            return plain(amounts[definition], number)
        if definition in _KINDS:
            return kept.collected(number, _KINDS[definition], self._related)
        came_in = self._released(number) + self._collected(definition, number)
        return came_in - self._fees(number, came_in, needed=needed) if definition == "cfads" else came_in

    @property
    def _related(self) -> bool:
        return self.deal.pool is not None and self.deal.pool.related

    def _collected(self, definition: str, number: int) -> int:
        kinds = (CollectionKind.REVENUE,) if definition == "revenue" else _CASH
        return self.kept.collected(number, kinds, self._related)

    def _released(self, number: int) -> int:
        collect = f"{self.name}/{self.deal.accounts[0].name}"
        return self.performance.released_to(collect, self.kept.periods.of(number))

    def _delivered(self, definition: str, number: int, *, needed: bool) -> int:
        try:
            found = self.performance.of(self.kept.periods.of(number))
        except NotFound:
            if needed:
                raise
            return 0
        return found.energy_wh if definition == "energy" else found.tokens

    def _fees(self, number: int, inflow_usdc_micro: int, *, needed: bool) -> int:
        return FeeTerms(
            self.deal, number, self.kept.periods.of(number), inflow_usdc_micro, self._by_name(number, needed=needed)
        ).all()

    def _by_name(self, number: int, *, needed: bool) -> Callable[[str], int]:
        def value_of(name: str) -> int:
            measure = next(one for one in self.deal.measures if one.name == name)
            definition = definition_of(measure)
            if definition in FLOWS and measure.over == 1:
                return self.flow(definition, number, needed=needed)
            return self.value(measure, number)

        return value_of

    def _stock(self, definition: str, number: int) -> int:
        tape = self.kept.tapes.get(number)
        if tape is None:
            hint = "Record the servicer's tape: penstock deal collect tape."
            raise NotFound("measure.no_tape", f"No tape of period {number} is recorded.", hint=hint, deal=self.name)
        view = PoolView(self.book.assets, self.book.marks, tape)
        found: dict[str, Callable[[], int]] = {
            "pool": lambda: view.performing_usdc_micro,
            "delinquent": lambda: view.delinquent_usdc_micro,
            "defaulted": lambda: view.defaulted_usdc_micro,
            "value": view.value_usdc_micro,
            "borrowing_base": lambda: view.borrowing_base_usdc_micro(self.deal),
        }
        return found[definition]()

    def report(self, number: int) -> Report:
        """The report of a period, its pages filled up with zeros. Raises as `value`."""
        as_of_s = self.kept.periods.of(number).stop_us // SECOND_US
        values = [self.value(measure, number) for measure in self.deal.measures]
        return Report.of(values, as_of_s, as_of_s + VALID_S)
