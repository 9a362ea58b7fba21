"""Storage: which certificates supply which charge, and how efficient a storage was. Pure; whole Wh.

Source: EnergyTag Granular Certificate Scheme Standard, storage: a charge record is bound to cancelled certificates of
the same interval; losses, standby included, are total out over total in of a stated period.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal.cutting import positions_of
from penstock.journal.lots import Lots
from penstock.journal.segment import Columns
from penstock.journal.storage_rules import RATE_MAX, SAME

Ints = NDArray[Any]
NONE: Final = -1
_COARSE: Final = 10**9


def origins(lots: Lots, lot: Ints) -> Ints:
    """For each lot the first of those given that has the same properties: one number for one origin."""
    if not len(lot):
        return lot
    said = np.column_stack([lots.column(name)[lot] for name in SAME])
    _, first, group = np.unique(said, axis=0, return_index=True, return_inverse=True)
    one: Ints = lot[first[group.ravel()]]
    return one


def supply(charged: Columns, certificates: Columns, target: int) -> tuple[Columns, Ints]:
    """Lay certificates along the charge of their interval: links (columns of ``link/1``), and the origin of each.

    Within an interval one origin follows the other, each by register and position; what is above the charge is left.

    Args:
        charged: start, stop [Wh] and interval_us of each interval, one row an interval, in order.
        certificates: register, start, stop, interval_us and ``origin``.
    """
    interval = np.searchsorted(charged["interval_us"], certificates["interval_us"])
    order = np.lexsort((certificates["start"], certificates["register"], certificates["origin"], interval))
    rows, interval = {name: column[order] for name, column in certificates.items()}, interval[order]
    reach = positions_of(rows["stop"] - rows["start"])
    first = np.searchsorted(interval, interval)
    begin = charged["start"][interval] + reach[:-1] - reach[first]
    end = np.minimum(begin + rows["stop"] - rows["start"], charged["stop"][interval])
    used = end > begin
    links = {
        "source": rows["register"],
        "source_start": rows["start"],
        "source_stop": rows["start"] + (end - begin),
        "target": np.full(len(begin), target, dtype=np.int32),
        "target_start": begin,
        "target_stop": end,
    }
    return {name: column[used] for name, column in links.items()}, rows["origin"][used]


def charge_records(charged: Columns, links: Columns, origin: Ints) -> dict[str, Ints]:
    """Columns of ``charge/1``: each interval's charge, cut where its origin changes; what no link fills has none."""
    start, stop = links["target_start"], links["target_stop"]
    row = np.searchsorted(charged["start"], start, side="right") - 1
    changes = np.r_[True, (np.diff(origin) != 0) | (np.diff(row) != 0)][: len(origin)]
    first = np.flatnonzero(changes)
    last = np.r_[first[1:], len(origin)][: len(first)] - 1
    filled = charged["start"].copy()
    np.maximum.at(filled, row, stop)
    bare = filled < charged["stop"]
    found = {
        "start": np.r_[start[first], filled[bare]],
        "stop": np.r_[stop[last], charged["stop"][bare]],
        "lot": np.r_[origin[first], np.full(int(bare.sum()), NONE)].astype(np.int32),
    }
    of = np.r_[row[first], np.flatnonzero(bare)]
    found |= {name: charged[name][of] for name in ("register", "interval_us", "assurance")}
    order = np.argsort(found["start"])
    return {name: column[order] for name, column in found.items()}


def efficiency(in_wh: int, out_wh: int) -> tuple[int, int]:
    """``out_wh / in_wh`` as the ratio of an efficiency, in lowest terms; rounded down where those are too long.

    Raises:
        Refused: ``storage.output_above_input`` unless ``0 < out_wh <= in_wh``.
    """
    if not 0 < out_wh <= in_wh:
        raise Refused("storage.output_above_input", f"{out_wh} Wh came out of {in_wh} Wh put in.")
    if in_wh // gcd(in_wh, out_wh) > RATE_MAX:
        in_wh, out_wh = _COARSE, out_wh * _COARSE // in_wh
    both = gcd(in_wh, out_wh)
    return out_wh // both, in_wh // both
