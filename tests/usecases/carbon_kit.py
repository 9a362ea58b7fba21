"""A small portfolio on a real workspace, by facts alone: loads, roofs, factors, claims; all numbers are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from penstock.energy.carbon.factors import FactorName
from penstock.journal.fact import Entry
from penstock.journal.formats import TITLES, VERDICTS
from penstock.journal.kinds.carbon import Baseline, MethodAdopted
from penstock.journal.kinds.energy import ReadingsVerified, SiteRegistered, TitlesIssued
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.keys import SigningKey, derive_seed
from penstock.period import HOUR_US, Period, iso, parse_iso
from penstock.usecases import enrol
from penstock.usecases.claim import Claim, claim
from penstock.usecases.registry.factors import adopt, factors_of_csv, publish
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

START_US: Final = parse_iso("2025-06-01T00:00:00Z")
GRID: Final = FactorName("grid operator", "2025-v1")
HEADS: Final = "zone,start,stop,average_g_per_kwh,residual_g_per_kwh,marginal_g_per_kwh,carbon_free_percent\n"
Decide = Callable[[World], Sequence[Entry]]


def hour(number: int) -> int:
    return START_US + number * HOUR_US


class Portfolio:
    """Acts on a workspace; each is one command."""

    def __init__(self, folder: Path, owner: str = "operator") -> None:
        self.workspace = Workspace(folder)
        self.commands = 0
        self.do(lambda _: enrol.open_accounts([owner]))
        self.owner = owner

    def do(self, decide: Decide, at_us: int = START_US) -> Receipt:
        self.commands += 1
        return self.workspace.submit(f"command:{self.commands}", b"", at_us, decide)

    @property
    def world(self) -> World:
        return self.workspace.read(lambda world: world)

    def device(self, name: str, zone: str, channel: str, technology: Technology, since_us: int = START_US) -> str:
        """A site of its own with one meter; its register's name."""
        key = SigningKey(derive_seed(b"a small portfolio", name)).public
        issues = () if channel == "import" else (Right.ATTRIBUTE,)
        self.do(lambda world: enrol.register_site(world, SiteRegistered(name, zone, "", self.owner)))
        new = enrol.NewDevice(name, name, technology, key, 10**9, since_us, (channel,), issues)
        self.do(lambda world: enrol.enrol_device(world, new))
        return f"{name}/{channel}"

    def id_of(self, register: str) -> int:
        return self.world.books.registers.id_of(register)

    def read(self, register: str, at_us: Sequence[int], position_wh: Sequence[int]) -> None:
        """Accepted readings, as if verified."""
        rows = len(at_us)
        columns: Columns = {
            "register": np.full(rows, self.id_of(register), dtype=np.int32),
            "at_us": np.array(at_us, dtype=np.int64),
            "position_wh": np.array(position_wh, dtype=np.int64),
            "packet": np.zeros(rows, dtype=np.int32),
            "assurance": np.zeros(rows, dtype=np.uint8),
            "verdict": np.zeros(rows, dtype=np.uint8),
            "findings": np.zeros(rows, dtype=np.uint32),
            "above_wh": np.zeros(rows, dtype=np.int64),
        }
        segment = Segment(VERDICTS, columns)
        fact = ReadingsVerified(segment.ref(), bytes(32), "test", Assurance.METER_SIGNED, 0, ())
        self.do(lambda _: [Entry(fact, segment)])

    def hourly(self, register: str, energy_wh: Sequence[int]) -> None:
        """A reading at the end of each hour from the start."""
        self.read(register, [hour(n + 1) for n in range(len(energy_wh))], np.cumsum(energy_wh).tolist())

    def certify(
        self, register: str, zone: str, energy_wh: Sequence[int], technology: Technology = Technology.SOLAR_PV,
        carbon_mg_per_kwh: int = 0, assurance: Assurance = Assurance.METER_SIGNED,
    ) -> None:  # fmt: skip
        """A certificate for every hour that has energy, from position 0 and the start."""
        at = np.concatenate([[0], np.cumsum(energy_wh)])
        rows = np.flatnonzero(np.diff(at) > 0)
        owner = self.world.books.accounts.id_of(self.owner)
        columns: Columns = {
            "register": np.full(len(rows), self.id_of(register), dtype=np.int32),
            "start": at[rows],
            "stop": at[rows + 1],
            "holder": np.full(len(rows), owner, dtype=np.int32),
            "interval_us": START_US + rows * HOUR_US,
        }
        segment = Segment(TITLES, columns)
        fact = TitlesIssued(
            segment.ref(), Right.ATTRIBUTE, zone, technology, assurance, HOUR_US, int(at[-1]), carbon_mg_per_kwh
        )
        self.do(lambda _: [Entry(fact, segment)])

    def claim(self, source: str, start: int, target: str, target_start: int, energy_wh: int) -> Receipt:
        """So many Wh of a certificate for so many drawn."""
        links = {
            "source": np.array([self.id_of(source)], dtype=np.int32),
            "source_start": np.array([start]),
            "source_stop": np.array([start + energy_wh]),
            "target": np.array([self.id_of(target)], dtype=np.int32),
            "target_start": np.array([target_start]),
            "target_stop": np.array([target_start + energy_wh]),
        }
        asked = Claim(self.owner, f"consumption of {target}", Period(START_US, hour(24)))
        return self.do(lambda world: claim(world, links, asked))

    def publish(self, lines: str, name: FactorName = GRID) -> Receipt:
        zones, rows = factors_of_csv(HEADS + lines)
        return self.do(lambda world: publish(world, name, "direct emissions", zones, rows))

    def adopt(self, **changed: object) -> MethodAdopted:
        method = method_of(**changed)
        self.do(lambda world: adopt(world, method))
        return method


def line(zone: str, number: int, average: str, residual: str, marginal: str, free: str, hours: int = 1) -> str:
    """A line of factors for some hours from an hour on."""
    return f"{zone},{iso(hour(number))},{iso(hour(number + hours))},{average},{residual},{marginal},{free}\n"


def method_of(**changed: object) -> MethodAdopted:
    said: dict[str, object] = {
        "method": "displaced-marginal",
        "version": "1",
        "baseline": Baseline.MARGINAL,
        "source": GRID.source,
        "factors_version": GRID.version,
        "additionality": "commissioned after the programme began, without other support",
        "commissioned_from_us": START_US,
        "crediting_years": 10,
        "technologies": (Technology.SOLAR_PV,),
        "assurance": Assurance.METER_SIGNED,
        "buffer_bp": 1_000,
        "buffer": "displaced-marginal/buffer",
    }
    return MethodAdopted(**(said | changed))  # type: ignore[arg-type]
