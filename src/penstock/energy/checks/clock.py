"""Clocks: how far one may run ahead, how early a time can be, and what the meter says of its own."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.message import Clock
from penstock.energy.verdict import ReadingVerdict
from penstock.period import SECOND_US, parse_iso

SKEW_US: Final = 300 * SECOND_US
"""How far a device's clock may run ahead of the receiver's [us]."""
EARLIEST_US: Final = parse_iso("2010-01-01T00:00:00Z")
"""No device this house knows is older; a clock that was never set says 1970 or 2000."""


def from_the_future(at_us: Ints, received_us: Ints | int) -> Findings:
    """A time more than five minutes after it was received. A slow clock cannot be told from a late message."""
    return marked(at_us > received_us + SKEW_US, ReadingVerdict.FROM_THE_FUTURE)


def before_time(at_us: Ints, commissioned_us: Ints) -> Findings:
    """A time before the device was commissioned, or before 2010: validly signed 1970s exist."""
    return marked(at_us < np.maximum(commissioned_us, EARLIEST_US), ReadingVerdict.BEFORE_TIME)


def clock_status(clock: Ints) -> Findings:
    """Never set refuses; informative or relative is noted: right for durations, no proof of the hour (OCMF 1.4, TM)."""
    unset = marked(clock == Clock.UNSET, ReadingVerdict.CLOCK_UNSET)
    informative = (clock == Clock.INFORMATIVE) | (clock == Clock.RELATIVE)
    return unset | marked(informative, ReadingVerdict.CLOCK_INFORMATIVE)
