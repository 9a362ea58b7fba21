"""Idle draw: what an accelerator takes with nobody on it, named apart and never spread over answers unseen.

Two stated ways. *Empty time only*: idle is the draw of the time in which no request was there; while one is, all the
board draws is there for those present. *All the time*: the idle draw of the whole interval is its holder's (who has
rented or reserved the accelerator), and only what is drawn above it is the requests'.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.errors import Invalid
from penstock.journal.cutting import ratio_down
from penstock.journal.segment import Column

NJ_PER_MJ: Final = 1_000_000
QUIET_SHARE: Final = 0.01  # of a sample's time: below it nobody worth naming was there


def idle_mj_down(it_mj: Column, us: Column, idle_mw: int) -> Column:
    """The idle part of each interval [mJ]: ``idle_mw`` [mW] for ``us`` [us], rounded down, never above what was drawn.

    Raises:
        Invalid: ``idle.draw`` for a negative draw.
    """
    if idle_mw < 0:
        raise Invalid("idle.draw", "An idle draw is not negative.", idle_mw=idle_mw)
    return np.minimum(it_mj, ratio_down(us, idle_mw, NJ_PER_MJ))


def observed_idle_mw(it_mj: Column, us: Column, empty_us: Column) -> int | None:
    """The idle draw as the meter shows it: the median draw of samples in which nobody was there [mW].

    None where no sample was empty: then it has to be stated.
    """
    quiet = (us > 0) & (us - empty_us <= QUIET_SHARE * us)
    if not quiet.any():
        return None
    return int(np.median(ratio_down(it_mj[quiet], NJ_PER_MJ, us[quiet])))
