"""Recover: what still comes on assets that were written off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import CollectionKind
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.world import World


def recover(
    world: World, deal: str, reference: str, payments: Sequence[Payment], at_us: int, by: str = ""
) -> list[Entry]:
    """The fact of payments, whatever they are called, as recoveries. Raises as `collect`."""
    recoveries = [replace(one, kind=CollectionKind.RECOVERY) for one in payments]
    return collect(world, deal, reference, recoveries, at_us, by)
