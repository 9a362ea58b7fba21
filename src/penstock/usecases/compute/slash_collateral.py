"""Slash: after a judged challenge with failures a provider's collateral goes to the holders of what it sold."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.compute.slash import reckon_slash
from penstock.journal.fact import Entry
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Slash:
    """All collateral of a provider, for a reason."""

    provider: str
    reason: str = "work shown to be false"


def slash_collateral(world: World, asked: Slash) -> list[Entry]:
    """The fact of it; raises as `reckon_slash`."""
    fact = reckon_slash(world.capacity, asked.provider, asked.reason)
    world.books.check_transfers(fact.transfers)
    return [Entry(fact)]
