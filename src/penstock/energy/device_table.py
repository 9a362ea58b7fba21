"""The table of devices: a row a device, in order of enrolment; and how a table's columns are shown as properties."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.forms.cose import packet_hash
from penstock.energy.standings import last_of_each
from penstock.journal.growing import Growing, Layout
from penstock.journal.segment import Columns

Ints = NDArray[Any]
NO_ANGLE: Final = -1
_DEVICE: Final = {
    "capacity_w": Layout("int64"),
    "commissioned_us": Layout("int64"),
    "retired_us": Layout("int64"),
    "technology": Layout("uint8"),
    "assurance": Layout("uint8"),
    "tilt_deg": Layout("int16", NO_ANGLE),
    "azimuth_deg": Layout("int16", NO_ANGLE),
    "cell": Layout("int32"),
    "site": Layout("int32"),
    "head_sequence": Layout("int64", -1),
    "head_hash": Layout("uint8", 0, 32),
    "first_channel": Layout("int64"),
    "channels": Layout("uint8"),
}


class Column:
    """A column of one of the tables, as a read-only property."""

    def __init__(self, table: str, name: str = "") -> None:
        self._table, self._column = table, name

    def __set_name__(self, owner: type, name: str) -> None:
        self._column = self._column or name

    def __get__(self, devices: object, owner: type) -> Ints:
        column: Ints = getattr(devices, self._table).view(self._column)
        return column


class DeviceTable(Growing):
    """What is enrolled of each device, and the head of its chain of messages."""

    def __init__(self) -> None:
        super().__init__(_DEVICE)

    def move_heads(self, columns: Columns) -> None:
        """Messages (columns of ``packet/1`` or ``/2``): the last of each device that counted is its head."""
        rows = np.flatnonzero((columns["verdict"] == 0) & (columns["sequence"] >= 0))
        rows = rows[last_of_each(columns["device"][rows])]
        if len(rows):
            device, hashes = columns["device"][rows], [packet_hash(raw) for raw in columns["packet"][rows]]
            self["head_sequence"][device] = columns["sequence"][rows]
            self["head_hash"][device] = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)

    def set_head(self, number: int, sequence: int, hash: bytes) -> None:
        """The next message of a device is the one after ``sequence``, and names ``hash`` as the one before."""
        self["head_sequence"][number] = sequence
        self["head_hash"][number] = np.frombuffer(hash, np.uint8)
