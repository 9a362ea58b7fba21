"""Clocks: how far a device's may run ahead of the receiver's."""

from __future__ import annotations

from typing import Final

from penstock.period import SECOND_US

SKEW_US: Final = 300 * SECOND_US
"""How far a device's clock may run ahead of the receiver's [us]."""
