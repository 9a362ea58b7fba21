"""What dated cash flows are worth at a yield. Floats: a price is an estimate, never what is owed."""

from __future__ import annotations

from collections.abc import Sequence


def discounted(flows: Sequence[float], periods: Sequence[float], yield_a_year: float, a_year: int) -> float:
    """Value of ``flows`` that lie ``periods`` (of ``1 / a_year`` years each) ahead.

    Source: ICMA Rule Book, rule 803: compounded ``a_year`` times, broken periods by power.
    """
    factor = 1 / (1 + yield_a_year / a_year)
    return float(sum(flow * factor**ahead for flow, ahead in zip(flows, periods, strict=True)))


def average_life_years(principal: Sequence[float], a_year: int = 12) -> float:
    """Average time to a unit of principal [years]; flows come at the end of each period, ``a_year`` of them a year."""
    total = sum(principal)
    return sum(k * part for k, part in enumerate(principal, 1)) / total / a_year if total else 0.0
