"""Scope 2, hour by hour: the figures of one zone from what was drawn, what was matched and the grid's factors.

All figures are whole micrograms: 1 Wh at 1 mg CO2e per kWh is 1 µg, so sums are exact and nothing is rounded on the
way. Where a figure has to be divided, what was emitted is rounded up and what was matched or avoided down.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final, Self

import numpy as np

from penstock.energy.carbon.factors import BASIS_POINTS, Factors
from penstock.journal.segment import Column

METHOD: Final = "penstock-scope2/1"
"""The version of these formulas; a figure without it says nothing."""
FORMULAS: Final = {
    "location": "Σ C_h · EF_average,h",
    "market_annual": "max(0, Σ C − Σ V) · mean(EF_residual,h) + Σ V · EF_certificate",
    "market_hourly": "Σ (C_h − M_h) · EF_residual,h + Σ M_h · EF_certificate",
    "matched_share": "Σ M_h / Σ C_h",
    "carbon_free_share": "Σ (M_h + (C_h − M_h) · CFE_grid,h) / Σ C_h",
    "avoided": "Σ M_h · EF_marginal,h of the certificate's zone and hour",
}
"""C drawn, M matched in its hour, V the year's certificates; each by zone, then summed."""
UG_PER_G: Final = 1_000_000
_SAFE: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Inventory:
    """Exact figures of a period; ``+`` puts those of several zones together.

    Energy [Wh]: ``drawn``, ``matched`` in its hour, ``volume`` of the year's certificates, and what was drawn where
    the grid's factor is not known (``without_...``; such energy is in no figure of that factor). ``carbon_free`` is
    in Wh basis points. Emissions [µg CO2e]: ``location``, ``market_annual``, ``market_hourly``, ``avoided``.
    """

    drawn_wh: int = 0
    matched_wh: int = 0
    volume_wh: int = 0
    without_average_wh: int = 0
    without_residual_wh: int = 0
    without_carbon_free_wh: int = 0
    without_marginal_wh: int = 0
    location_ug: int = 0
    market_annual_ug: int = 0
    market_hourly_ug: int = 0
    avoided_ug: int = 0
    carbon_free_wh_bp: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def matched_bp_down(self) -> int:
        """Matched share of what was drawn [basis points]."""
        return self.matched_wh * BASIS_POINTS // max(self.drawn_wh, 1)

    @property
    def carbon_free_bp_down(self) -> int:
        """Carbon-free energy score [basis points]; of an hour whose grid is not known only what was matched counts."""
        return self.carbon_free_wh_bp // max(self.drawn_wh, 1)


@dataclass(frozen=True, slots=True)
class Volume:
    """Certificates used for a zone's consumption: ``hourly`` [Wh, µg of their own], and of all the ``year``."""

    hourly_own_ug: int
    year_wh: int
    year_own_ug: int


def reckon(drawn: Column, matched: Column, grid: Factors, year: Factors, volume: Volume) -> Inventory:
    """The figures of one zone, without ``avoided``.

    Args:
        drawn, matched: by interval [Wh]; no interval has more matched than drawn.
        grid: the zone's factors of each interval; year: those whose mean residual is the annual one.
        volume: what certificates cover.
    """
    open_wh = drawn - matched
    left_wh = max(int(drawn.sum()) - volume.year_wh, 0)
    mean = mean_residual(year)
    free, known = np.maximum(grid.carbon_free_bp, 0), grid.carbon_free_bp >= 0
    return Inventory(
        drawn_wh=int(drawn.sum()),
        matched_wh=int(matched.sum()),
        volume_wh=volume.year_wh,
        without_average_wh=_without(drawn, grid.average),
        without_residual_wh=_without(open_wh, grid.residual) if mean is not None else left_wh,
        without_carbon_free_wh=int(open_wh[~known].sum()),
        location_ug=emitted_ug(drawn, grid.average),
        market_annual_ug=ug_up(left_wh * (mean or Fraction(0))) + volume.year_own_ug,
        market_hourly_ug=emitted_ug(open_wh, grid.residual) + volume.hourly_own_ug,
        carbon_free_wh_bp=int(matched.sum()) * BASIS_POINTS + dot(open_wh, free),
    )


def mean_residual(year: Factors) -> Fraction | None:
    """The residual factor of a year: the plain mean over its intervals [mg per kWh]; None where none is known."""
    known = year.residual[year.residual >= 0]
    return Fraction(int(known.sum()), len(known)) if len(known) else None


def emitted_ug(energy_wh: Column, factor: Column) -> int:
    """Σ energy · factor over the intervals whose factor is known [µg]."""
    return dot(energy_wh, np.maximum(factor, 0))


def dot(amount: Column, factor: Column) -> int:
    """Σ amount · factor, exact whatever its size; neither is negative."""
    if len(amount) and float(amount.max()) * float(factor.max()) * len(amount) >= _SAFE:
        return int(np.dot(amount.astype(object), factor.astype(object)))
    return int(np.dot(amount, factor))


def rows_ug(energy_wh: Column, factor: Column) -> Column:
    """`emitted_ug` of each register: energy of shape (registers, intervals), a total a row."""
    known = np.maximum(factor, 0)
    if energy_wh.size and float(energy_wh.max()) * float(known.max()) * len(known) >= _SAFE:
        return np.array([dot(row, known) for row in energy_wh], dtype=object)
    total: Column = energy_wh @ known
    return total


def ug_up(exact: Fraction) -> int:
    """Rounded up to a microgram."""
    return -(-exact.numerator // exact.denominator)


def _without(energy_wh: Column, factor: Column) -> int:
    return int(energy_wh[factor < 0].sum())
