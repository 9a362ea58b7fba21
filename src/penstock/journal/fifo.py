"""First in, first out: which charge a discharge rests on, and how much of that charge is loss. Exact, without choice.

At an efficiency of ``num / den`` the first ``y`` Wh of charge support ``floor(y * num / den)`` Wh of discharge, and
``x`` Wh of discharge use up ``ceil(x * den / num)`` Wh of charge: cumulative positions since the efficiency began to
hold, so that remainders are carried and never rounded up. A cut where a charge record ends falls under the same
rule: a Wh discharged belongs to the record that holds the last Wh of charge it used.

Source: EnergyTag Granular Certificate Scheme Standard, storage (allocation fixed in advance; output within input).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.journal.cutting import Positions, positions_of, ratio_down, ratio_up

Ints = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a storage is: Wh of charge used up (``drawn``), discharged from it (``given``) and lost, all cumulative.

    ``num / den`` holds since ``base_in`` Wh had been drawn and ``base_out`` given.
    """

    drawn: int = 0
    given: int = 0
    lost: int = 0
    base_in: int = 0
    base_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Charge:
    """Charge records in order: where each begins and the last ends in all that was charged (n + 1 positions)."""

    at: Positions
    interval_us: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Pieces of charge, in order: each lies in one charge record and serves one discharge.

    ``charge`` (row of the record), ``into`` (position in that record), ``drawn`` [Wh of it], of which ``out`` are
    discharged and the others lost; ``discharge`` (row), ``at`` (position in it); ``supported`` is how much of each
    discharge has charge behind it [Wh]. ``drawn_to``, ``given_to``: how far the storage is behind each piece.
    """

    charge: Ints
    into: Ints
    drawn: Ints
    out: Ints
    discharge: Ints
    at: Ints
    drawn_to: Ints
    given_to: Ints
    supported: Ints
    standing: Standing


def draw(charge: Charge, standing: Standing, num: int, den: int, size: Ints, interval_us: Ints) -> Draw:
    """Lay discharges of ``size`` Wh, in order of their intervals, along the charge of the same or earlier intervals.

    What has no charge behind it is not ``supported`` and draws nothing. ``0 < num <= den``.
    """
    given_at = _given_at(charge, standing, num, den, size, interval_us)
    drawn_at = standing.base_in + ratio_up(given_at - standing.base_out, den, num)
    inner = charge.at[(charge.at > standing.drawn) & (charge.at < drawn_at[-1])]
    cuts = np.unique(np.concatenate([drawn_at, inner]))
    given = standing.base_out + ratio_down(cuts - standing.base_in, num, den)
    drawn, out = np.diff(cuts), np.diff(given)
    row = np.searchsorted(charge.at, cuts[:-1], side="right") - 1
    discharge = np.searchsorted(drawn_at[1:], cuts[1:], side="left")
    after = Standing(
        int(drawn_at[-1]), int(given_at[-1]), standing.lost + int((drawn - out).sum()), standing.base_in,
        standing.base_out,
    )  # fmt: skip
    return Draw(
        charge=row,
        into=cuts[:-1] - charge.at[row],
        drawn=drawn,
        out=out,
        discharge=discharge,
        at=given[:-1] - given_at[discharge],
        drawn_to=cuts[1:],
        given_to=given[1:],
        supported=np.diff(given_at),
        standing=after,
    )


def _given_at(charge: Charge, standing: Standing, num: int, den: int, size: Ints, interval_us: Ints) -> Positions:
    """How much is given behind each discharge, from what was before all: never above what its charge supports."""
    reached = charge.at[np.searchsorted(charge.interval_us, interval_us, side="right")]
    most = standing.base_out + ratio_down(np.maximum(reached - standing.base_in, 0), num, den)
    asked = positions_of(size)[1:]
    behind = np.minimum(np.minimum.accumulate(most - asked), standing.given) + asked
    return np.append(np.int64(standing.given), behind)
