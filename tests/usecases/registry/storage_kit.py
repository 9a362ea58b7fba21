"""A battery beside a roof and a turbine: meters that count by the hour; the laws hold after every act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from device_kit import hours, key_of, new_device
from registry_kit import Registry

from penstock.energy.verdict import ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import ReadingsVerified, TitlesIssued
from penstock.journal.kinds.storage import EfficiencyStated
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Direction, Right, Technology
from penstock.period import DAY_US
from penstock.usecases.certify import Terms, certify
from penstock.usecases.enrol import enrol_device
from penstock.usecases.ingest import ingest
from penstock.usecases.registry.storage import NewStorage, issue_stored, register_storage, state_efficiency
from penstock.usecases.registry.storage_records import Metered, charge, discharge

NAME, CHARGE, DISCHARGE = "cell", "inlet/charge", "battery/discharge"
NEW = NewStorage(NAME, "owner", CHARGE, DISCHARGE)


def efficiency(num: int = 4, den: int = 5, first: float = 0, last: float = 4_000, **changes: Any) -> EfficiencyStated:
    basis = {
        "basis_in_wh": den,
        "basis_out_wh": num,
        "basis_start_us": hours(-48),
        "basis_stop_us": hours(-48) + DAY_US,
    }
    told: dict[str, Any] = {**basis, "method": "meters over a day", **changes}
    return EfficiencyStated(NAME, num, den, hours(first), hours(last), **told)


class Plant(Registry):
    """Roof and turbine generate, a battery charges and discharges; all belong to one owner."""

    def __init__(self, **new: Any) -> None:
        super().__init__()
        outlet = {"channels": ("discharge",), "technology": Technology.BATTERY}
        self.tell(enrol_device(self.world, new_device("turbine", technology=Technology.WIND)))
        self.tell(enrol_device(self.world, new_device("battery", **outlet, **new)))
        inlet = {"channels": ("charge",), "issues": (), "technology": Technology.BATTERY}
        self.tell(enrol_device(self.world, new_device("inlet", **inlet)))
        self.counts = dict.fromkeys(("roof", "turbine", "battery", "inlet"), 0)
        self.taken_in: list[Columns] = []

    def built(self, num: int = 4, den: int = 5) -> Plant:
        self.told(register_storage(self.world, NEW))
        self.told(state_efficiency(self.world, efficiency(num, den)))
        return self

    def told(self, entries: list[Entry], hour: float = 0) -> list[Entry]:
        self.tell(entries, hours(hour))
        assert breaches(self.world.books) == ()
        return entries

    def meter(self, hour: float, **gains_wh: int) -> None:
        """Meters at an hour, each so much above its last reading."""
        for device in self.counts:
            self.counts[device] += gains_wh.get(device, 0)
            raw = self.next_packet(key_of(device), [(hour, self.counts[device])], device)
            entries = ingest(self.world, [raw], hours(hour + 0.001))
            self.tell(entries, hours(hour + 0.001))
            (columns,) = [e.segment.columns for e in entries if e.segment and isinstance(e.fact, ReadingsVerified)]
            assert ReadingVerdict(int(columns["verdict"][0])) is ReadingVerdict.ACCEPTED
            self.taken_in.append(columns)

    def certify(self, hour: float = 0, **terms: Any) -> None:
        self.told(certify(self.world, self.taken_in, "XX", Terms(**terms)), hour)

    def charge(self, hour: float, **asked: Any) -> list[Entry]:
        return self.told(charge(self.world, Metered(NAME, **asked), self.taken_in, hours(hour)), hour)

    def discharge(self, hour: float, **asked: Any) -> list[Entry]:
        return self.told(discharge(self.world, Metered(NAME, **asked), self.taken_in), hour)

    def issue(self, hour: float) -> list[TitlesIssued]:
        entries = self.told(issue_stored(self.world, NAME), hour)
        return [one.fact for one in entries if isinstance(one.fact, TitlesIssued)]

    def register(self, urn: str) -> int:
        return self.world.books.registers.id_of(urn)

    def certificates(self, urn: str = DISCHARGE, right: Right = Right.ATTRIBUTE) -> list[tuple[int, int, str, str]]:
        """Start, stop, technology and state of what a register issued."""
        rows, lots = self.world.books.titles[right].columns(), self.world.books.lots
        at = np.flatnonzero(rows["register"] == self.register(urn))
        return [
            (a, b, lots[lot].technology.value, TITLE_STATES[code].value)
            for a, b, lot, code in zip(
                *(rows[name][at].tolist() for name in ("start", "stop", "lot", "state")), strict=True
            )
        ]

    def records(self, direction: Direction, *names: str) -> list[tuple[int, ...]]:
        held = self.world.storages.records(self.world.storages.named(NAME), direction)
        columns: Sequence[list[int]] = [held[name].tolist() for name in names or ("start", "stop")]
        return list(zip(*columns, strict=True))
