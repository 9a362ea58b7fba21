"""Collateral: posted by its provider, and released to it where nothing sold needs it."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import CollateralCause
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Collateral:
    """A provider posts or takes back so many micro-dollars."""

    provider: str
    usdc_micro: int
    cause: CollateralCause = CollateralCause.POSTED
    reason: str = "collateral"


def move_collateral(world: World, asked: Collateral) -> list[Entry]:
    """The fact of collateral posted or released; raises as `Providers.reckon`, and Refused ``ledger.overdrawn``."""
    fact = world.capacity.providers.reckon(asked.provider, asked.cause, asked.usdc_micro, asked.reason)
    world.books.check_transfers(fact.transfers)
    return [Entry(fact)]
