"""The fees of a period, as attesters recompute them: what stands before debt service in a deal's cash flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from penstock.capital.deal import Deal, Fee, Term
from penstock.errors import Refused
from penstock.money import share_down
from penstock.period import SECOND_US, Period
from penstock.rates.day_count import BASIS_DAYS, days_30_360_of

OWN: Final = frozenset(
    {"money", "measure", "column", "amount", "inflow", "period", "times", "plus", "less", "min", "max"}
)
"""Terms that can be computed without the deal's own balances."""
_DAY_US: Final = 86_400 * SECOND_US


@dataclass(slots=True)
class FeeTerms:
    """What a fee can be charged on: the period, its number, dollars that came in, and measures (``value_of``)."""

    deal: Deal
    number: int
    period: Period
    inflow_usdc_micro: int
    value_of: Callable[[str], int]
    _folded: Mapping[str, Term] = field(init=False)

    def __post_init__(self) -> None:
        self._folded = {one.name: one.term for one in self.deal.amounts}

    def all(self) -> int:
        """All fees of the period [micro-dollars], one floor each. Raises Refused ``measure.circular_fee``."""
        return sum(self.of(fee) for fee in self.deal.fees)

    def of(self, fee: Fee) -> int:
        """One fee [micro-dollars], as the deal's program computes it. Raises as `all`."""
        due = fee.amount_usdc_micro
        if fee.per_unit:
            due += share_down(max(0, self._measure(fee, fee.measure)), fee.per_unit.numerator, fee.per_unit.denominator)
        due += share_down(self.inflow_usdc_micro, fee.of_inflow.numerator, fee.of_inflow.denominator)
        if fee.due is not None:
            due += self.term(fee, fee.due)
        return due + self._accrued(fee)

    def term(self, fee: Fee, term: Term) -> int:
        """A term, never below 0. Raises Refused ``measure.circular_fee`` for one that rests on balances."""
        parts = [self.term(fee, one) for one in term.parts]
        match term.kind:
            case "money":
                return term.value
            case "measure":
                return max(0, self._measure(fee, term.names[0]))
            case "column":
                values = next(one.values for one in self.deal.schedule if one.name == term.names[0])
                return values[min(self.number, len(values) - 1)]
            case "amount":
                return self.term(fee, self._folded[term.names[0]])
            case "inflow":
                return self.inflow_usdc_micro
            case "period":
                return self.number + 1
            case "times":
                return share_down(parts[0], term.ratio.numerator, term.ratio.denominator)
            case "plus":
                return sum(parts)
            case "less":
                return max(0, parts[0] - parts[1])
            case "min":
                return min(parts)
            case "max":
                return max(parts)
        raise circular(fee)

    def _accrued(self, fee: Fee) -> int:
        if not fee.rate or fee.base is None:
            return 0
        start_s, stop_s = self.period.start_us // SECOND_US, self.period.stop_us // SECOND_US
        actual = (self.period.stop_us - self.period.start_us) // _DAY_US
        days = days_30_360_of(start_s, stop_s) if fee.count == "30/360" else actual
        yearly = fee.rate * Fraction(days, BASIS_DAYS[fee.count])
        return share_down(self.term(fee, fee.base), yearly.numerator, yearly.denominator)

    def _measure(self, fee: Fee, name: str) -> int:
        if name in circular_names(self.deal):
            raise circular(fee)
        return self.value_of(name)


def circular_names(deal: Deal) -> frozenset[str]:
    """Measures that fees lower, by the name the deal gives them."""
    return frozenset(one.name for one in deal.measures if (one.of or one.name) == "cfads")


def circular(fee: Fee) -> Refused:
    """A fee that nobody can compute before the figure that it lowers."""
    hint = "Charge it on another measure, or do not report cfads."
    return Refused(
        "measure.circular_fee", f"The fee {fee.name} is charged on what fees lower.", hint=hint, fee=fee.name
    )


def check_fees(deal: Deal) -> None:
    """That attesters can compute the fees of a deal that reports cfads; Refused ``measure.circular_fee``."""
    if not circular_names(deal):
        return
    amounts = {one.name: one.term for one in deal.amounts}
    for fee in deal.fees:
        if fee.per_unit and fee.measure in circular_names(deal):
            raise circular(fee)
        waiting = [one for one in (fee.due, fee.base) if one is not None]
        while waiting:
            term = waiting.pop()
            own = term.kind in OWN and not (term.kind == "measure" and term.names[0] in circular_names(deal))
            if not own:
                raise circular(fee)
            waiting += [*term.parts, *([amounts[term.names[0]]] if term.kind == "amount" else [])]
