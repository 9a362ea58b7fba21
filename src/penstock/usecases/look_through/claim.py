"""Where a holding stands among a deal's claims: claims have addresses too, senior first, one micro-dollar each.

A note's extent is what is outstanding on it, a residual's what of the assets no note stands before. Inside a tranche
its shares lie in a row: so many of them, from the first named on, are an interval of claims. Intervals that tile the
claims of a deal get shares of its assets that tile those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.capital.deal import Deal, Tranche
from penstock.capital.deal_book import DealRecord
from penstock.capital.pooled import Ints
from penstock.capital.program import Program
from penstock.errors import Invalid, NotFound
from penstock.journal.cutting import positions_of, ratio_down
from penstock.usecases.launch import RESIDUAL_SHARES

POSITIONS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a deal: where each tranche's begin and end [micro-dollars], and how many shares it has."""

    starts: Mapping[str, int]
    stops: Mapping[str, int]
    supply: Mapping[str, int]
    whole: int


def claims_of(record: DealRecord, deal: Deal, program: Program, pool_usdc_micro: int) -> Claims:
    """A deal's claims after its last close, in the order of its tranches.

    Where nothing is outstanding and no asset has a balance, the residuals' shares themselves are the extents.
    """
    supply = {one.name: supply_of(one) for one in deal.tranches}
    extents = {one.name: _outstanding(record, program, one) for one in deal.tranches}
    residuals = [one.name for one in deal.tranches if one.residual]
    behind = max(pool_usdc_micro - sum(extents.values()), 0)
    if residuals:
        extents[residuals[-1]] += behind
    if not any(extents.values()):
        extents = {name: supply[name] for name in residuals or extents}
    at = positions_of(np.array(list(extents.values()), dtype=np.int64)).tolist()
    names = list(extents)
    return Claims(dict(zip(names, at[:-1], strict=True)), dict(zip(names, at[1:], strict=True)), supply, at[-1])


def supply_of(tranche: Tranche) -> int:
    """Shares of a tranche: one for each micro-dollar of its face; of one without a face, as launched."""
    return tranche.face_usdc_micro or RESIDUAL_SHARES


def _outstanding(record: DealRecord, program: Program, tranche: Tranche) -> int:
    lane = program.lanes.get(f"{tranche.name}.balance")
    return 0 if lane is None or tranche.residual else record.state.lane(lane)


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """Positions held: of which tranche, from which of its shares on, how many. Columns side by side, any order."""

    tranche: Sequence[str]
    first: Ints
    shares: Ints


def holding(claims: Claims, rows: Sequence[tuple[str, int, int]]) -> Holding:
    """Checked positions (tranche, shares, first share or -1: behind the position before it in that tranche).

    Raises:
        NotFound: ``look_through.no_tranche``.
        Invalid: ``look_through.shares`` for more shares than there are, none, or positions that overlap;
            ``look_through.too_many``.
    """
    if not 0 < len(rows) <= POSITIONS_MAX:
        raise Invalid("look_through.too_many", f"A holding has 1 to {POSITIONS_MAX:,} positions.")
    reached: dict[str, int] = {}
    firsts = []
    for tranche, shares, first in rows:
        if tranche not in claims.supply:
            hint = f"Its tranches: {', '.join(claims.supply)}."
            raise NotFound("look_through.no_tranche", f"The deal has no tranche {tranche}.", hint=hint)
        begin = reached.get(tranche, 0) if first < 0 else first
        if shares <= 0 or begin + shares > claims.supply[tranche]:
            raise _bad_shares(tranche, claims.supply[tranche])
        reached[tranche] = begin + shares
        firsts.append(begin)
    made = Holding([one[0] for one in rows], np.array(firsts), np.array([one[1] for one in rows]))
    _check_apart(made, claims)
    return made


def _check_apart(made: Holding, claims: Claims) -> None:
    names = np.asarray(made.tranche, dtype=object).astype(str)
    for name in set(made.tranche):
        mine = np.flatnonzero(names == name)
        order = mine[np.argsort(made.first[mine], kind="stable")]
        if (made.first[order][1:] < (made.first + made.shares)[order][:-1]).any():
            raise _bad_shares(name, claims.supply[name])


def _bad_shares(tranche: str, supply: int) -> Invalid:
    sentence = f"{tranche} has {supply:,} shares; positions lie among them and do not overlap."
    return Invalid("look_through.shares", sentence, hint="Name fewer shares.", tranche=tranche)


def intervals(claims: Claims, held: Holding) -> tuple[Ints, Ints]:
    """Each position's claims [start, stop): floors of cumulative shares, so that positions side by side tile."""
    start = np.array([claims.starts.get(name, 0) for name in held.tranche], dtype=np.int64)
    extent = np.array([claims.stops.get(name, 0) for name in held.tranche], dtype=np.int64) - start
    supply = np.array([claims.supply[name] for name in held.tranche], dtype=np.int64)
    return start + ratio_down(held.first, extent, supply), start + ratio_down(held.first + held.shares, extent, supply)
