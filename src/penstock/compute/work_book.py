"""What racks' work was recorded: how far each rack has told, and by which number its next report begins.

Reports of a rack follow each other: a number left out, or an interval told twice, is refused by whoever folds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.errors import Invalid, Refused, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated


@dataclass(frozen=True, slots=True)
class Told:
    """How far a rack has told: up to when [us], and which number comes next."""

    stop_us: int
    next_number: int


@dataclass(slots=True)
class WorkBook:
    """Every rack's statements, energy and sales, as far as the next ones depend on them; its last sales."""

    told: dict[str, Told] = field(default_factory=dict)
    sealed_mj: dict[str, int] = field(default_factory=dict)
    sold_usdc_micro: dict[str, int] = field(default_factory=dict)
    last_sales: dict[str, SalesCollected] = field(default_factory=dict)

    def apply(self, recorded: Recorded) -> None:
        """Fold one fact; others are passed over. Raises as the checks."""
        match recorded.fact:
            case WorkStated() as fact:
                self.check_stated(fact)
                self.told[fact.rack] = Told(fact.stop_us, fact.first_number + fact.segment.rows)
            case EnergySealed() as fact:
                check_sealed(fact)
                self.sealed_mj[fact.rack] = self.sealed_mj.get(fact.rack, 0) + fact.meter_mj
            case SalesCollected() as fact:
                check_sales(fact)
                self.sold_usdc_micro[fact.rack] = self.sold_usdc_micro.get(fact.rack, 0) + fact.paid_usdc_micro
                self.last_sales[fact.rack] = fact

    def check_stated(self, fact: WorkStated) -> None:
        """Refused ``work.overlap`` for an interval that was told of, ``work.gap`` where answers are left out."""
        before = self.told.get(fact.rack)
        if fact.stop_us <= fact.start_us:
            raise Invalid("work.rows", "An interval ends after it starts.", rack=fact.rack)
        if before is None:
            return
        if fact.start_us < before.stop_us:
            raise Refused("work.overlap", "This rack has told of that time already.", rack=fact.rack)
        if fact.segment.rows and fact.first_number != before.next_number:
            hint = f"Its next answer is number {before.next_number}: collect its reports in order."
            raise Refused("work.gap", "Answers of this rack are left out.", hint=hint, rack=fact.rack)


def check_sealed(fact: EnergySealed) -> None:
    """Unverified ``work.energy`` unless no part is negative and all of them are what the meter counted."""
    parts = (fact.answers_mj, fact.idle_mj, fact.overhead_mj, fact.unattributed_mj)
    if min(parts) < 0 or sum(parts) != fact.meter_mj:
        raise Unverified("work.energy", "Answers, idle, overhead and unattributed are not what the meter counted.")


def check_sales(fact: SalesCollected) -> None:
    """Invalid ``work.sales`` unless rows, total and transfers agree."""
    moved = sum(one.usdc_micro for one in fact.transfers)
    if not fact.segment.sum == fact.paid_usdc_micro == moved or fact.segment.rows != fact.answers:
        raise Invalid("work.sales", "Sales, their total and the dollars moved do not agree.", rack=fact.rack)
