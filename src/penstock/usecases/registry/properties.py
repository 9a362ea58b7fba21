"""Properties: what titles are on chain, where units of one id are alike."""

from __future__ import annotations

import numpy as np

from penstock.energy.certificate_id import Properties, properties_of
from penstock.journal.segment import Column, Columns
from penstock.usecases.world import World


def properties(world: World, parts: Columns) -> tuple[list[Properties], Column]:
    """What titles are on chain, each kind once, and which each row is of. Raises Refused ``lift.word``."""
    commissioned_us = np.where(world.books.lots.column("stored")[parts["lot"]], 0, _commissioned_us(world, parts))
    return properties_of(world.books.lots, parts["lot"], parts["interval_us"], commissioned_us)


def _commissioned_us(world: World, parts: Columns) -> Column:
    """When the device of each title's register was commissioned; 0 where no device counts it."""
    register, device_of = parts["register"], world.energy.device_of
    device = np.where(register < len(device_of), device_of[np.minimum(register, len(device_of) - 1)], -1)
    return np.where(device >= 0, world.energy.commissioned_us[device], 0)
