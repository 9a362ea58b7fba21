"""Publish: standard accelerators, and what an hour of one yields of a model."""

from __future__ import annotations

from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import ConversionPublished, SkuPublished
from penstock.usecases.world import World


def publish_sku(world: World, fact: SkuPublished) -> list[Entry]:
    """The fact of a standard accelerator; raises as `Tables.check_sku`."""
    world.capacity.tables.check_sku(fact)
    return [Entry(fact)]


def publish_conversion(world: World, fact: ConversionPublished) -> list[Entry]:
    """The fact of a conversion; raises as `Tables.check_conversion`."""
    world.capacity.tables.check_conversion(fact)
    return [Entry(fact)]
