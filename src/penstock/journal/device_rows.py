"""The rows of a bulk enrolment (``device/1``): who the devices are, and which registers they count."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import cbor2
import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid
from penstock.journal.segment import Column
from penstock.units import INT64_MAX


class Identities(NamedTuple):
    """Name, public key, location (geohash cell) and start counts (see `start_counts`) of each device, in row order."""

    names: list[str]
    keys: list[bytes]
    cells: list[str]
    start_counts_wh: list[list[int]]


def write_identities(
    names: Sequence[str],
    keys: Sequence[bytes],
    cells: Sequence[str],
    start_counts_wh: Sequence[Sequence[int]] = (),
) -> Column:
    """The column ``identity``: a CBOR array [name, public key, cell, start counts] a row; no counts: all begin at 0."""
    column = np.empty(len(names), dtype=object)
    starts = start_counts_wh or [()] * len(names)
    column[:] = [cbor2.dumps(row) for row in zip(names, keys, cells, starts, strict=True)]
    return column


def read_identities(column: Column) -> Identities:
    """The column read back; raises Invalid ``device.identity``."""
    names, keys, cells, starts, nothing = [], [], [], [], list[int]()
    try:
        for row in column:
            name, key, cell, start = cbor2.loads(row)
            names.append(name)
            keys.append(key)
            cells.append(cell)
            starts.append(start if start != [] else nothing)  # one list for the many that say nothing
    except (cbor2.CBORError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        raise _malformed() from None
    types = ({*map(type, names), *map(type, cells)}, str), (set(map(type, keys)), bytes), (set(map(type, starts)), list)
    if not all(found <= {wanted} for found, wanted in types):
        raise _malformed()
    return Identities(names, keys, cells, starts)


def start_counts(devices: Sequence[Sequence[int]], channels: int) -> NDArray[np.int64]:
    """What each device's own counters showed when it was commissioned [Wh], a row a device, a column a channel.

    Channels of which a device says nothing began at 0.

    Raises:
        Invalid: ``device.start_count`` for a count below 0 or beyond 63 bits, or of more channels than there are.
    """
    said = list(chain.from_iterable(devices))
    lengths = np.fromiter(map(len, devices), dtype=np.int64, count=len(devices))
    whole = set(map(type, said)) <= {int} and min(said, default=0) >= 0 and max(said, default=0) <= INT64_MAX
    if not whole or lengths.max(initial=0) > channels:
        raise Invalid("device.start_count", "A device's start counts are whole Wh from 0 on, one a channel at most.")
    counts = np.zeros((len(devices), channels), dtype=np.int64)
    counts[np.arange(channels) < lengths[:, None]] = said
    return counts


def register_urns(names: Sequence[str], channels: Sequence[str]) -> list[str]:
    """What the registers of the devices are called, device by device."""
    return [f"{name}/{channel}" for name in names for channel in channels]


def _malformed() -> Invalid:
    return Invalid("device.identity", "A device's row names it, its public key, its cell and its counts.")
