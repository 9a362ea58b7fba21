"""The figures of a report, from the borders of hours and the claims on them; a part of the registers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.carbon.borders import Borders
from penstock.energy.carbon.factors import Factors
from penstock.energy.carbon.inventory import Inventory, Volume, dot, emitted_ug, reckon, rows_ug
from penstock.energy.carbon.matched import lay
from penstock.journal.segment import Column, Columns
from penstock.usecases.report_247.request import Scope

CELLS_MAX: Final = 1 << 20
"""Register-hours reckoned at once: they fit the caches of a processor, and memory stays bounded."""


@dataclass(slots=True, eq=False)
class Figures:
    """All of a report's figures.

    By zone and hour [Wh]: ``drawn``, ``matched``. By register of the scope: its totals [Wh, µg], ``unknown`` hours and
    borders ``filled`` in. ``counted`` is how much of each claim counts in its hour. ``total`` puts ``zones`` together.
    """

    drawn: NDArray[np.int64]
    matched: NDArray[np.int64]
    register_drawn: Column
    register_matched: Column
    register_location_ug: Column
    register_hourly_ug: Column
    register_free_wh_bp: Column
    unknown: Column
    filled: Column
    counted: Column
    zones: list[Inventory]

    @property
    def total(self) -> Inventory:
        """All zones."""
        return sum(self.zones, Inventory())


def tally(scope: Scope, borders: Borders, claims: Columns, hour: Column, grid: list[Factors]) -> Figures:
    """Lay claims on hours and sum up, by register and by zone and hour.

    Args:
        scope, borders: the registers and where they stood.
        claims: columns row, start, stop of what is claimed for, in order of row; hour: that of each certificate.
        grid: each zone's factors by hour.
    """
    hours = borders.position.shape[1] - 1
    made = _nothing(len(scope), len(scope.zones), hours, len(hour))
    made.filled = borders.filled
    bounds = np.searchsorted(claims["row"], np.arange(len(scope) + 1))
    for rows, zone in _parts(scope, hours):
        drawn, known = borders.drawn(rows)
        matched = np.zeros_like(drawn)
        part = slice(int(bounds[rows.start]), int(bounds[rows.stop]))
        made.counted[part] = lay(
            claims["row"][part] - rows.start, claims["start"][part], claims["stop"][part], hour[part],
            borders.position[rows], matched,
        )  # fmt: skip
        _add(made, rows, zone, drawn, matched, grid[zone])
        made.unknown[rows] = hours - known.sum(axis=1)
    return made


def _parts(scope: Scope, hours: int) -> Iterator[tuple[slice, int]]:
    """Runs of registers of one zone, none of more cells than fit."""
    step = max(CELLS_MAX // max(hours, 1), 1)
    bounds = np.searchsorted(scope.zone, np.arange(len(scope.zones) + 1))
    for zone in range(len(scope.zones)):
        for start in range(int(bounds[zone]), int(bounds[zone + 1]), step):
            yield slice(start, min(start + step, int(bounds[zone + 1]))), zone


def _add(made: Figures, rows: slice, zone: int, drawn: Column, matched: Column, grid: Factors) -> None:
    left = drawn - matched
    made.drawn[zone] += drawn.sum(axis=0)
    made.matched[zone] += matched.sum(axis=0)
    made.register_drawn[rows], made.register_matched[rows] = drawn.sum(axis=1), matched.sum(axis=1)
    made.register_location_ug[rows] = rows_ug(drawn, grid.average)
    made.register_hourly_ug[rows] = rows_ug(left, grid.residual)
    made.register_free_wh_bp[rows] = made.register_matched[rows] * 10_000 + rows_ug(left, grid.carbon_free_bp)


def _nothing(registers: int, zones: int, hours: int, claims: int) -> Figures:
    def zeros(*shape: int) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    return Figures(
        drawn=zeros(zones, hours),
        matched=zeros(zones, hours),
        register_drawn=zeros(registers),
        register_matched=zeros(registers),
        register_location_ug=zeros(registers),
        register_hourly_ug=zeros(registers),
        register_free_wh_bp=zeros(registers),
        unknown=zeros(registers),
        filled=zeros(registers),
        counted=zeros(claims),
        zones=[],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Certificates:
    """What claimed and retired certificates are: by claim its ``zone`` (of the consumption), own carbon and Wh.

    ``year_wh`` and ``year_own_ug`` by zone count all of the period's, whatever hour they are for.
    """

    claim_zone: Column
    claim_carbon: Column
    year_wh: list[int]
    year_own_ug: list[int]


def inventories(made: Figures, certificates: Certificates, grid: list[Factors], year: list[Factors]) -> list[Inventory]:
    """The figures of every zone, without what was avoided."""
    found = []
    for zone in range(len(made.drawn)):
        mine = certificates.claim_zone == zone
        own_ug = dot(made.counted[mine], certificates.claim_carbon[mine])
        volume = Volume(own_ug, certificates.year_wh[zone], certificates.year_own_ug[zone])
        found.append(reckon(made.drawn[zone], made.matched[zone], grid[zone], year[zone], volume))
    return found


def avoided(counted: Column, marginal: Column) -> tuple[int, int]:
    """What matched claims avoided [µg], and how much of them has no marginal factor [Wh]."""
    return emitted_ug(counted, marginal), int(counted[marginal < 0].sum())
