"""The measures of a deal's report: what attesters recompute, each from facts that the journal holds.

Definition (its hash is signed with every report):
``energy`` is what the rack's meter counted over the period; ``answers`` the tokens it served; ``cfads`` the dollars
released to the deal for the period, less every fee of the deal, which ranks before debt service. A dollar belongs
to the period in whose last instant it was released.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.deal import Deal
from penstock.capital.report import Report
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.compute import AnswersServed, CreditsRedeemed
from penstock.journal.segment import Columns
from penstock.money import share_down
from penstock.period import SECOND_US, Period
from penstock.units import MJ_PER_WH

DEFINITION: Final = keccak(
    b"penstock/measures/1: energy = metered Wh of the rack; cfads = dollars released - fees; answers = tokens served"
)
VALID_S: Final = 20 * 365 * 86_400
"""How long a report speaks after its as-of [s]: long, because a replayed week lies years back."""


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


def fees_usdc_micro(deal: Deal, delivered: Delivered, inflow_usdc_micro: int) -> int:
    """All fees of a period [micro-dollars], as the deal's program computes them: one floor each.

    A fee per unit is charged on the measure it names; on cfads, which fees themselves lower, none can be.

    Raises:
        Refused: ``measure.circular_fee``.
    """
    names = [measure.name for measure in deal.measures]
    units = dict(zip(names[::2], (delivered.energy_wh, delivered.tokens), strict=False))
    due = 0
    for fee in deal.fees:
        if fee.per_unit and fee.measure not in units:
            raise Refused("measure.circular_fee", f"The fee {fee.name} is charged on what fees lower.", fee=fee.name)
        due += fee.amount_usdc_micro
        due += share_down(units.get(fee.measure, 0), fee.per_unit.numerator, fee.per_unit.denominator)
        due += share_down(inflow_usdc_micro, fee.of_inflow.numerator, fee.of_inflow.denominator)
    return due


def report_of(deal: Deal, performance: Performance, collect_account: str, period: Period) -> Report:
    """The report of ``period`` by `DEFINITION`. Raises NotFound ``measure.nothing_served``."""
    delivered = performance.of(period)
    released = performance.released_to(collect_account, period)
    cfads = released - fees_usdc_micro(deal, delivered, released)
    as_of_s = period.stop_us // SECOND_US
    return Report((delivered.energy_wh, cfads, delivered.tokens), as_of_s, as_of_s + VALID_S)
