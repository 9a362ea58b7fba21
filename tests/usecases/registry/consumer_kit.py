"""A registry where homes draw: a roof's certified hours, and what two homes drew, certified as consumption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from device_kit import START_US, hours, key_of
from registry_kit import Registry

from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import ReadingsVerified, SiteRegistered
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Right, Technology
from penstock.usecases.certify import HOURLY
from penstock.usecases.enrol import NewDevice, enrol_device, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.registry.consume import consume
from penstock.usecases.registry.match_hours import Hours
from penstock.usecases.workspace import Workspace

HOMES = ("home", "mill")
IMPORTS = {home: number for number, home in enumerate(HOMES, 1)}
"""Register numbers of what homes drew; the roof's is 0."""


class Consumers(Registry):
    """Hours 1 to 4: the roof generates 1,000, 1,500, 500 and 2,000 Wh; the homes draw by their own readings."""

    def __init__(self, zone: str = "XX") -> None:
        super().__init__()
        for home in HOMES:
            site = SiteRegistered(f"site of {home}", zone, "", home)
            self.tell(register_site(self.world, site), START_US)
            device = NewDevice(
                home,
                site.site,
                Technology.LOAD,
                key_of(home).public,
                5_000,
                START_US,
                ("import",),
                (Right.CONSUMPTION,),
            )
            self.tell(enrol_device(self.world, device))

    def drew(self, home: str, *readings: tuple[float, int]) -> Columns:
        raw = self.next_packet(key_of(home), readings, home)
        at_us = hours(readings[-1][0] + 0.01)
        entries = ingest(self.world, [raw], at_us)
        self.tell(entries, at_us)
        (columns,) = [one.segment.columns for one in entries if one.segment and isinstance(one.fact, ReadingsVerified)]
        return columns

    def consumed(self, home: str, *readings: tuple[float, int], zone: str = "XX", **terms: Any) -> Consumers:
        columns = self.drew(home, *readings)
        self.tell(consume(self.world, [columns], zone, replace(HOURLY, **terms)))
        return self

    def drawn(self, home: str) -> list[tuple[int, int, str, str]]:
        """Start, stop, holder and state of a home's consumption certificates."""
        rows = self.world.books.titles[Right.CONSUMPTION].columns()
        picked = rows["register"] == IMPORTS[home]
        holders = [self.world.books.accounts.name(one) for one in rows["holder"][picked].tolist()]
        states = [TITLE_STATES[code].value for code in rows["state"][picked].tolist()]
        return list(zip(rows["start"][picked].tolist(), rows["stop"][picked].tolist(), holders, states, strict=True))


def kept(folder: Path, story: Callable[[Consumers], object]) -> Workspace:
    """A workspace in which a story is recorded."""
    told: list[Sequence[Entry]] = []

    class Told(Consumers):
        def tell(self, entries: Sequence[Entry], at_us: int = START_US) -> Told:
            told.append(entries)
            super().tell(entries, at_us)
            return self

    story(Told())
    workspace = Workspace(folder)
    for number, entries in enumerate(told):
        workspace.submit(f"told:{number}", b"", hours(4), lambda _, entries=entries: entries)  # type: ignore[misc]
    return workspace


def asked(account: str = "owner", consumers: Sequence[str] = HOMES, **changes: Any) -> Hours:
    return replace(Hours(account, hours(0), hours(10), tuple(consumers)), **changes)
