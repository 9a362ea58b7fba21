"""Counters of the field made into registers: they wrap and restart, a register never goes back.

The register that a gateway signs is the gateway's own: it adds what each counter counted. Only two falls are known
well enough to be counted on: a wrap at a declared width, and a restart from zero where the protocol says that
counters restart (Prometheus). Any other fall is shown as it is; a judge refuses or quarantines it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WRAP_SHARE: Final = 16
"""A fall is a wrap when the step across the end is below this part of the width: 268 MWh of a 32-bit Wh counter."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a counter last stood [mJ], and what it had counted before its last wrap or restart [mJ]."""

    base_mj: int
    last_mj: int

    @property
    def position_mj(self) -> int:
        """What the register counted so far."""
        return self.base_mj + self.last_mj


def count_on(standing: Standing | None, now_mj: int, width_mj: int = 0, restarts: bool = False) -> Standing:
    """The standing after the counter says ``now_mj``.

    ``width_mj`` is where the counter begins again (0: nowhere). With ``restarts`` a fall means that it began at zero;
    what it counted between the last visit and its end is lost, never guessed (as Prometheus' ``increase`` has it).
    """
    if standing is None:
        return Standing(0, now_mj)
    if now_mj >= standing.last_mj:
        return Standing(standing.base_mj, now_mj)
    if restarts:
        return Standing(standing.position_mj, now_mj)
    if 0 < (now_mj - standing.last_mj) % max(width_mj, 1) * WRAP_SHARE < width_mj:
        return Standing(standing.base_mj + width_mj, now_mj)
    return Standing(standing.base_mj, now_mj)
