"""A registry in a real workspace: a roof whose hours are certified, and a mill that drew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penstock.journal.device_rows import write_identities
from penstock.journal.fact import Entry
from penstock.journal.formats import DEVICES, MOVES, READINGS, TITLES
from penstock.journal.kinds.energy import DevicesEnrolled, ReadingsVerified, SiteRegistered, TitlesIssued
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import TECHNOLOGIES, Assurance, Right, Technology
from penstock.period import HOUR_US
from penstock.usecases.workspace import Workspace

START_US = 1_700_000_000_000_000 // HOUR_US * HOUR_US
LATER_US = START_US + 1_000 * HOUR_US
ROOF, MILL = 0, 1
TITLE_WH = 1_000


def certified(path: Path, titles: int, accounts: Sequence[str]) -> Workspace:
    """``titles`` hours of 1,000 Wh of register ROOF, held by the first account; MILL drew 100,000 Wh."""
    workspace = Workspace(path)
    opened = [Entry(SiteRegistered("park", "DK1", "", "operator")), *(Entry(AccountOpened(name)) for name in accounts)]
    ends = np.array([titles * TITLE_WH, 100 * TITLE_WH])
    entries = [*opened, _device("roof", "export", Right.ATTRIBUTE), _device("mill", "import"), _read(ends)]
    workspace.submit("opened", b"", START_US, lambda _: entries)
    workspace.submit("issued", b"", START_US, lambda _: [_issued(titles)])
    return workspace


def moves_of(*rows: tuple[int, ...]) -> dict[str, Any]:
    """Columns of move/1 on ROOF but ``state``, of rows (start, stop, source, target)."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    columns = dict(zip(("start", "stop", "source", "target"), table, strict=True))
    dtypes = dict(MOVES.fixed)
    return {name: column.astype(dtypes[name]) for name, column in columns.items()} | {
        "register": np.full(len(rows), ROOF, np.int32)
    }


def _device(name: str, channel: str, *issues: Right) -> Entry:
    columns: dict[str, Any] = {column: np.zeros(1, dtype) for column, dtype in DEVICES.fixed}
    columns["technology"][0] = TECHNOLOGIES.index(Technology.SOLAR_PV)
    columns["capacity_w"][0], columns["commissioned_us"][0] = 1_000_000, START_US
    columns["identity"] = write_identities([name], [name.encode().ljust(32)], ["u1zr"])
    segment = Segment(DEVICES, columns)
    return Entry(DevicesEnrolled(segment.ref(), "park", (channel,), issues), segment)


def _read(position_wh: Any) -> Entry:
    columns: Columns = {
        "register": np.arange(2, dtype=np.int32),
        "at_us": np.full(2, LATER_US),
        "position_wh": position_wh,
        "packet": np.zeros(2, np.int32),
        "verdict": np.zeros(2, np.uint8),
    }
    segment = Segment(READINGS, columns)
    return Entry(ReadingsVerified(segment.ref(), bytes(32), "test", Assurance.METER_SIGNED, 0, ()), segment)


def _issued(titles: int) -> Entry:
    start = TITLE_WH * np.arange(titles)
    columns: Columns = {
        "register": np.full(titles, ROOF, np.int32),
        "start": start,
        "stop": start + TITLE_WH,
        "holder": np.zeros(titles, np.int32),
        "interval_us": START_US + HOUR_US * np.arange(titles),
    }
    segment = Segment(TITLES, columns)
    fact = TitlesIssued(
        segment.ref(), Right.ATTRIBUTE, "DK1", Technology.SOLAR_PV, Assurance.METER_SIGNED, HOUR_US, titles * TITLE_WH
    )
    return Entry(fact, segment)
