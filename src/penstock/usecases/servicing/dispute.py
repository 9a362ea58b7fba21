"""Dispute: an obligor says it does not owe an amount; until that is resolved the amount backs nothing."""

from __future__ import annotations

from penstock.capital.bills import NO_BILL
from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import AssetDisputed, DisputeOutcome, DisputeResolved
from penstock.usecases.world import World


def dispute(world: World, fact: AssetDisputed) -> list[Entry]:
    """The fact of a dispute.

    Raises:
        Conflict: ``dispute.known``. NotFound: ``asset.unknown``, ``asset.not_held``, ``bill.unknown``,
        ``deal.unknown``. Invalid: ``dispute.amount``. Refused: ``bill.elsewhere``, ``servicing.not_appointed``.
    """
    world.capital.servicing.check_dispute(fact)
    return [Entry(fact)]


def disputed(deal: str, name: str, asset: str, usdc_micro: int, reason: str, by: str = "") -> AssetDisputed:
    """A dispute about an asset, of no bill in particular."""
    return AssetDisputed(deal, name, asset, NO_BILL, usdc_micro, reason, by)


def resolve(
    world: World, deal: str, name: str, outcome: DisputeOutcome, credited_usdc_micro: int, reason: str, by: str = ""
) -> list[Entry]:
    """The fact that a dispute ended; what is credited is not owed on its bill any more.

    Raises:
        NotFound: ``dispute.unknown``, ``deal.unknown``. Refused: ``dispute.credit``, ``bill.overpaid``,
        ``servicing.not_appointed``.
    """
    fact = DisputeResolved(deal, name, outcome, credited_usdc_micro, reason, by)
    world.capital.servicing.check_resolve(fact)
    return [Entry(fact)]
