"""The rows of a bulk enrolment (``device/1``): who the devices are, and which registers they count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cbor2
import numpy as np

from penstock.errors import Invalid
from penstock.journal.segment import Column


class Identities(NamedTuple):
    """Name, public key and location (geohash cell) of each device, in row order."""

    names: list[str]
    keys: list[bytes]
    cells: list[str]


def write_identities(names: Sequence[str], keys: Sequence[bytes], cells: Sequence[str]) -> Column:
    """The column ``identity``: a CBOR array [name, public key, cell] a row."""
    column = np.empty(len(names), dtype=object)
    column[:] = [cbor2.dumps(row) for row in zip(names, keys, cells, strict=True)]
    return column


def read_identities(column: Column) -> Identities:
    """The column read back; raises Invalid ``device.identity``."""
    names, keys, cells = [], [], []
    try:
        for row in column:
            name, key, cell = cbor2.loads(row)
            names.append(name)
            keys.append(key)
            cells.append(cell)
    except (cbor2.CBORError, ValueError, TypeError, LookupError):
        raise _malformed() from None
    if {str} != {*map(type, names), *map(type, cells), str} or not set(map(type, keys)) <= {bytes}:
        raise _malformed()
    return Identities(names, keys, cells)


def register_urns(names: Sequence[str], channels: Sequence[str]) -> list[str]:
    """What the registers of the devices are called, device by device."""
    return [f"{name}/{channel}" for name in names for channel in channels]


def _malformed() -> Invalid:
    return Invalid("device.identity", "A device's row names it, its public key and its cell.")
