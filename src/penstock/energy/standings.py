"""Where registers stand: the last accepted reading, the end of certificates, and what waits. By register number."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.findings import QUARANTINES
from penstock.energy.checks.flat import messages_still
from penstock.energy.verdict import READING_RULES
from penstock.journal.growing import Growing, Layout
from penstock.journal.segment import Columns
from penstock.journal.words import Outcome

Ints = NDArray[Any]
_STANDING: Final = {
    "device_of": Layout("int32", -1),
    "epoch_start_wh": Layout("int64"),
    "rolls_over_wh": Layout("int64"),
    "last_at_us": Layout("int64"),
    "last_wh": Layout("int64"),
    "certified_at_us": Layout("int64"),
    "certified_wh": Layout("int64"),
    "held_since_us": Layout("int64"),
    "above_wh": Layout("int64"),
    "still": Layout("int64"),
    "still_wh": Layout("int64"),
    "doubts": Layout("uint32"),
    "cleared_us": Layout("int64"),
}
STOOD: Final = (
    "last_at_us", "last_wh", "certified_at_us", "certified_wh", "held_since_us",
    "above_wh", "still", "still_wh", "doubts", "cleared_us",
)  # fmt: skip
"""What follows from readings, and is told again when they are erased.

Besides the last reading, certificates and what waits: energy above a clear sky on the last reading's solar day
(``above_wh``); how many messages in a row a charger stood (``still``) at ``still_wh``; findings of reviews that hold it
(``doubts``), and up to which reading somebody overruled such (``cleared_us``)."""
_HOLDS: Final = np.zeros(256, dtype=np.bool_)
_HOLDS[[int(code) for code, rule in READING_RULES.items() if rule.outcome is Outcome.QUARANTINED]] = True


class Standings(Growing):
    """The table; registers that no device counts have ``device_of`` -1."""

    def __init__(self) -> None:
        super().__init__(_STANDING)

    def begin(
        self, register: Ints, device: Ints, at_us: Ints | int, rolls_over_wh: Ints | int, start_wh: Ints | int
    ) -> None:
        """Registers that devices count from an instant on, at 0, when their own count is ``start_wh``."""
        if len(register):
            self.reach(int(register.max()) + 1)
        self["device_of"][register] = device
        self["last_at_us"][register] = at_us
        self["certified_at_us"][register] = at_us
        self["rolls_over_wh"][register] = rolls_over_wh
        self["epoch_start_wh"][register] = start_wh

    def move(self, columns: Columns) -> None:
        """Readings: accepted ones move the standing, quarantined ones hold the register back."""
        register, at_us, position_wh = columns["register"], columns["at_us"], columns["position_wh"]
        counts = np.flatnonzero(columns["verdict"] == 0)
        last = counts[last_of_each(register[counts])]
        self["last_at_us"][register[last]] = at_us[last]
        self["last_wh"][register[last]] = position_wh[last]
        if "above_wh" in columns:
            self["above_wh"][register[last]] = columns["above_wh"][last]
        rests = counts[position_wh[counts] == self["certified_wh"][register[counts]]]
        rests = rests[last_of_each(register[rests])]  # hours without energy need no certificate: the next begin later
        self["certified_at_us"][register[rests]] = at_us[rests]
        held = np.flatnonzero(_HOLDS[columns["verdict"]])[::-1]
        held = held[last_of_each(register[held])]
        held = held[self["held_since_us"][register[held]] == 0]
        self["held_since_us"][register[held]] = at_us[held]

    def certify(self, columns: Columns, interval_us: int) -> None:
        """Certificates were issued (columns of ``title/1``); registers that no device counts stand elsewhere."""
        last = last_of_each(columns["register"])
        last = last[columns["register"][last] < len(self)]
        register = columns["register"][last]
        self["certified_at_us"][register] = columns["interval_us"][last] + interval_us
        self["certified_wh"][register] = columns["stop"][last]

    def stand(self, columns: Columns) -> None:
        """Registers stand where they stood when their readings were erased (columns of ``standing/1``)."""
        for name in STOOD:
            self[name][columns["register"]] = columns[name]

    def stand_still(self, register: Ints, message: Ints, position_wh: Ints) -> None:
        """Readings of chargers as they arrived, whatever was found of them: how often each has stood still by now."""
        order = np.argsort(register, kind="stable")
        register = register[order]
        before = np.where(position_wh[order] == self["still_wh"][register], self["still"][register], 0)
        stands = messages_still(register, message[order], position_wh[order], before)
        last = last_of_each(register[stands.starts])
        register = register[stands.starts[last]]
        self["still"][register], self["still_wh"][register] = stands.times[last], stands.most_wh[last]

    def doubt(self, columns: Columns) -> None:
        """A day's review found something (columns of ``review/1``): what quarantines holds from its reading on."""
        rows = np.flatnonzero(columns["findings"] & QUARANTINES)
        register, at_us = columns["register"][rows], columns["at_us"][rows]
        since_us = self["held_since_us"][register]
        self["held_since_us"][register] = np.where((since_us == 0) | (at_us < since_us), at_us, since_us)
        self["doubts"][register] |= columns["findings"][rows] & QUARANTINES

    def lift(self, registers: list[int]) -> None:
        """Readings of these registers wait no longer; reviews doubt nothing that counted by now."""
        doubted = np.array([one for one in registers if self["doubts"][one]], dtype=np.int64)
        self["cleared_us"][doubted] = self["last_at_us"][doubted]
        self["doubts"][doubted] = 0
        self["held_since_us"][registers] = 0


def last_of_each(key: Ints) -> NDArray[np.int64]:
    """The last row of each key."""
    return len(key) - 1 - np.unique(key[::-1], return_index=True)[1]
