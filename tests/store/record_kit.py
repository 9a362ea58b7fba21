"""Small facts and segments for tests of the record."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

import numpy as np

from penstock.journal.fact import encode
from penstock.journal.formats import PACKETS, TITLES
from penstock.journal.kinds.energy import PacketsReceived, TitlesIssued
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Column, Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.store.ports import NewFact, OutboxRow, Write

AT_US = 1_700_000_000_000_000


def titles(count: int, start: int = 0) -> Segment:
    """``count`` titles of 10 Wh each on register 0, from ``start``."""
    starts = start + 10 * np.arange(count, dtype=np.int64)
    columns: dict[str, Column] = {"register": np.zeros(count, np.int32), "start": starts, "stop": starts + 10}
    columns |= {"holder": np.arange(count, dtype=np.int32) % 7, "interval_us": np.full(count, AT_US)}
    return Segment(TITLES, columns)


def packets(raws: Sequence[bytes]) -> Segment:
    """Packets of any bytes."""
    count = len(raws)
    columns: dict[str, Column] = {
        "device": np.arange(count, dtype=np.int32),
        "sequence": np.arange(count),
        "packet": _objects(raws),
    }
    columns |= {"received_us": np.full(count, AT_US), "verdict": np.zeros(count, np.uint8)}
    return Segment(PACKETS, columns)


def issued(segment: Segment) -> TitlesIssued:
    """The fact that seals ``segment``."""
    quantity = int((segment.columns["stop"] - segment.columns["start"]).sum())
    return TitlesIssued(segment.ref(), Right.ENERGY, "XX", Technology.SOLAR_PV, Assurance.METER_SIGNED, AT_US, quantity)


def account(key: str, name: str = "") -> Write:
    """A command that opens one account."""
    return Write(key, b"i" * 32, [small(name or key)])


def small(name: str) -> NewFact:
    """A fact without a segment."""
    return NewFact("account.opened", AT_US, encode(AccountOpened(name), AT_US))


def bulk(segment: Segment) -> NewFact:
    """A fact with titles."""
    return NewFact("titles.issued", AT_US, encode(issued(segment), AT_US), segment)


def raw_packets(segment: Segment) -> NewFact:
    """A fact with packets."""
    return NewFact("packets.received", AT_US, encode(PacketsReceived(segment.ref(), "r1", ()), AT_US), segment)


def planned(name: str, **changes: object) -> OutboxRow:
    """An outbox row on its way."""
    return OutboxRow(name, b"s" * 20, b"t" * 20, b"data", **changes)  # type: ignore[arg-type]


def failing(point: str, error: BaseException | None = None, times: int = 1) -> Callable[[str], None]:
    """An `AtPoint` that raises, by default that the disk is full, the first ``times`` times at ``point``."""
    left = [times]

    def at_point(name: str) -> None:
        if name == point and left[0]:
            left[0] -= 1
            raise error or OSError(errno.ENOSPC, "No space left on device")

    return at_point


def _objects(raws: Sequence[bytes]) -> Column:
    column = np.empty(len(raws), dtype=object)
    column[:] = raws
    return column
