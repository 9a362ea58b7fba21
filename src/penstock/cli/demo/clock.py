"""The demo's chain clock: three days late until a vote has passed, so that a delay of 48 hours can be over by now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock.chain.node import wall_clock

LATE_S: Final = 3 * 86_400


@dataclass(slots=True)
class LateClock:
    """Seconds since 1970, never ahead of the real time; a block's time never goes back, so neither does the chain's."""

    late_s: int = LATE_S

    def __call__(self) -> int:
        """The time as the chain has it."""
        return wall_clock() - self.late_s

    def catch_up(self) -> None:
        """From now on it is right."""
        self.late_s = 0
