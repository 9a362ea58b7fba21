"""From what a facility draws to what its racks' IT draws: the overhead of cooling, conversion and light.

Power usage effectiveness (PUE, ISO/IEC 30134-2) is facility energy over IT energy. Where racks have meters of their
own, a facility's energy is shared over them by what those count; elsewhere a stated PUE splits each figure, and the
receipt says that it was stated.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.errors import Invalid
from penstock.journal.cutting import cut_down, ratio_down
from penstock.journal.segment import Column

PUE_ONE_BP: Final = 10_000
PUE_MAX_BP: Final = 100_000


def it_mj_down(meter_mj: Column, pue_bp: int) -> Column:
    """IT's part of facility energy by a stated PUE [bp, 10,000 = 1.0], cut at floors of the running total [mJ].

    So the parts of a long interval are those of its pieces: overhead never gains a millijoule by finer samples.

    Raises:
        Invalid: ``pue.range`` below 1 or above 10; as `ratio_down`.
    """
    check_pue(pue_bp)
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(meter_mj, dtype=np.int64)])
    return np.diff(ratio_down(running, PUE_ONE_BP, pue_bp))


def check_pue(pue_bp: int) -> None:
    """Raises Invalid ``pue.range`` below 1 or above 10 [bp]."""
    if not PUE_ONE_BP <= pue_bp <= PUE_MAX_BP:
        raise Invalid("pue.range", "A facility's PUE is from 1 to 10, in basis points.", pue_bp=pue_bp)


def facility_shares(facility_mj: int, rack_it_mj: Column) -> Column:
    """A facility's energy shared over its racks by their metered IT energy [mJ], exact; overhead comes along.

    Raises:
        Invalid: ``pue.below_it`` if the facility drew less than its racks; as `cut_down`.
    """
    if facility_mj < int(rack_it_mj.sum()):
        raise Invalid("pue.below_it", "A facility draws at least what its racks draw.", facility_mj=facility_mj)
    return np.diff(cut_down(facility_mj, rack_it_mj))
