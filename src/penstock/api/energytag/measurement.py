"""EnergyTag paths of measurements: whole certified intervals of a device; readings come in signed, at ``/readings``."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path

from penstock.api.energytag import words
from penstock.api.energytag.forms import Measurement, Measurements
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.state import following
from penstock.journal.words import Right
from penstock.period import HOUR_US, iso
from penstock.usecases.api_keys import READ
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Number = Annotated[int, Path(ge=0, lt=2**31)]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/energytag/measurement``."""
    router = APIRouter(prefix="/measurement", tags=["energytag: measurement"], responses=WITH_A_KEY)

    @router.get("/{device_id}")
    def measured(device_id: Number, shown: Credentials, after: After = 0, limit: Limit = 100) -> Measurements:
        """What a device counted in each certified interval [Wh]; a reading is brought signed, to ``POST /readings``."""
        gate.member(shown, READ)
        total, rows = workspace.read(lambda world: _measured(world, device_id, after, limit))
        return Measurements(total=total, next_after=following(after, limit, total), measurements=rows)

    return router


def _measured(world: World, number: int, after: int, limit: int) -> tuple[int, list[Measurement]]:
    """Sums of a device's titles by interval, split as they may be."""
    register = world.books.registers.id_of(words.main_register(world, number))
    book, lots = world.books.titles[Right.ATTRIBUTE], world.books.lots
    titles = book.within(register, 0, 2**62)
    at_us, first, slot = np.unique(titles["interval_us"], return_index=True, return_inverse=True)
    energy_wh = np.zeros(len(at_us), dtype=np.int64)
    np.add.at(energy_wh, slot, titles["stop"] - titles["start"])
    length_us = lots.column("interval_us")[titles["lot"][first]]
    rows = zip(at_us.tolist(), length_us.tolist(), energy_wh.tolist(), strict=True)
    shown = list(rows)[after : after + limit]
    return len(at_us), [_row(number, *row) for row in shown]


def _row(number: int, at_us: int, length_us: int, energy_wh: int) -> Measurement:
    return Measurement(
        device_id=number,
        interval_start_datetime=iso(at_us),
        interval_end_datetime=iso(at_us + (length_us or HOUR_US)),
        interval_usage=energy_wh,
        gross_net_indicator="Gross",
    )
