"""A small registry in a real workspace: two generators, a storage, two homes, members, factors; and the unit model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from unit_model import Model

from penstock.energy.carbon.factors import FactorName
from penstock.energy.forms.cose import Packet, sign
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.account import (
    AccountAssigned,
    ApprovalRuled,
    MemberPlaced,
    OrganisationRegistered,
    Role,
)
from penstock.journal.kinds.carbon import Baseline, MethodAdopted
from penstock.journal.kinds.energy import ReadingsVerified, SiteRegistered
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.kinds.storage import EfficiencyStated
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import Assurance, Right, Technology
from penstock.keys import SigningKey, derive_seed
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, iso
from penstock.usecases.audit import audit_workspace
from penstock.usecases.enrol import NewDevice, enrol_device, open_accounts, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.recheck import Recheck
from penstock.usecases.registry.account import say
from penstock.usecases.registry.factors import adopt, factors_of_csv, publish
from penstock.usecases.registry.lift import open_vault
from penstock.usecases.registry.storage import NewStorage, register_storage, state_efficiency
from penstock.usecases.replay import replay
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

START_US: Final = 1_471_849_200_000_000
ORIGIN, OTHER, ZONE = "registry.example", "other.example", "XX"
ROOF, TURBINE, HOME = "roof/export", "turbine/export", "home/import"
CELL, CHARGE, DISCHARGE = "cell", "inlet/charge", "battery/discharge"
ACCOUNTS: Final = ("owner", "trader", "buyer")
TRADER, APPROVER, STRANGER = (f"{number:012x}" for number in range(1, 4))
LIMIT_WH: Final = 25
"""From so many Wh on two members of the owner's organisation are needed."""
Decide = Callable[[World], Sequence[Entry]]
DEVICES: Final[dict[str, dict[str, Any]]] = {
    "roof": {"technology": Technology.SOLAR_PV},
    "turbine": {"technology": Technology.WIND},
    "battery": {"technology": Technology.BATTERY, "channels": ("discharge",)},
    "inlet": {"technology": Technology.BATTERY, "channels": ("charge",), "issues": ()},
    "home": {"technology": Technology.LOAD, "channels": ("import",), "issues": (Right.CONSUMPTION,)},
    "mill": {"technology": Technology.LOAD, "channels": ("import",), "issues": (Right.CONSUMPTION,)},
}


def key_of(device: str) -> SigningKey:
    return SigningKey(derive_seed(b"a registry's meters", device))


class Scene:
    """Time goes on in quarters of an hour. What is asked is recorded, or refused with everything as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder)
        self.model = Model(
            lambda urn: self.world.books.registers.id_of(urn),
            lambda register, right: bool(self.world.books.registers.issues(right)[register]),
        )
        self.quarter, self.folded = 0, 0
        self.counts = dict.fromkeys(DEVICES, 0)
        self.readings: list[Columns] = []
        self.fold()

    @property
    def world(self) -> World:
        return self.workspace.read(lambda world: world)

    start_us = START_US

    @property
    def at_us(self) -> int:
        return START_US + self.quarter * QUARTER_HOUR_US

    def founded(self) -> Scene:
        """Everybody enrolled, storage, members and factors known."""
        self._enrolled()
        return self.with_storage().with_members().with_factors()

    def _enrolled(self) -> None:
        self.do(lambda _: [Entry(WorkspaceOpened(ORIGIN, bytes(32)))])
        self.do(lambda _: open_accounts([name for name in ACCOUNTS if name != "owner"], []))
        for site, owner in (("park", "owner"), ("home", "owner"), ("mill", "buyer")):
            self.do(lambda world, s=site, o=owner: register_site(world, SiteRegistered(s, ZONE, "", o)))  # type: ignore[misc]
        for name, said in DEVICES.items():
            site = name if name in ("home", "mill") else "park"
            new = NewDevice(
                name=name, site=site, public_key=key_of(name).public, capacity_w=5_000, commissioned_us=START_US, **said
            )
            self.do(lambda world, n=new: enrol_device(world, n))  # type: ignore[misc]
        open_vault(self.workspace, START_US)

    def with_storage(self) -> Scene:
        basis = (5, 4, START_US - 2 * DAY_US, START_US - DAY_US)
        fact = EfficiencyStated(CELL, 4, 5, START_US, START_US + 400 * HOUR_US, *basis, "meters over a day")
        self.do(lambda world: register_storage(world, NewStorage(CELL, "owner", CHARGE, DISCHARGE)))
        self.do(lambda world: state_efficiency(world, fact))
        return self

    def with_members(self) -> Scene:
        roles = ((TRADER, (Role.TRADER,)), (APPROVER, (Role.APPROVER, Role.TRADER)))
        said = [
            OrganisationRegistered("cooperative"),
            *(MemberPlaced("cooperative", member, each) for member, each in roles),
            AccountAssigned("owner", "cooperative"),
            ApprovalRuled("cooperative", ("transfer", "retire"), LIMIT_WH),
        ]
        for fact in said:
            self.do(lambda world, f=fact: say(world, f, self.at_us))  # type: ignore[misc]
        return self

    def with_factors(self) -> Scene:
        heads = "zone,start,stop,average_g_per_kwh,residual_g_per_kwh,marginal_g_per_kwh,carbon_free_percent\n"
        hours = range(START_US, START_US + 100 * HOUR_US, HOUR_US)
        lines = (f"{ZONE},{iso(at)},{iso(at + HOUR_US)},100,150,400,50\n" for at in hours)
        zones, columns = factors_of_csv(heads + "".join(lines))
        self.do(lambda world: publish(world, FactorName("grid", "1"), "direct emissions", zones, columns))
        self.do(lambda world: adopt(world, METHOD))
        return self

    def do(self, decide: Decide, at_us: int | None = None) -> None:
        """Record a decision; the model takes in what the store keeps of it."""
        key = f"command:{self.workspace.store.size()}"
        self.workspace.submit(key, b"", self.at_us if at_us is None else at_us, decide)
        self.fold()

    def fold(self) -> None:
        """The model takes in what was recorded since."""
        for row in self.workspace.facts(self.folded):
            self.model.apply(row.recorded, self.workspace.columns(row))
            self.folded += 1

    def ask(self, decide: Decide) -> str:
        """Empty where it was done; else the code of the refusal, and nothing has changed."""
        before, size = self.digest(), self.workspace.store.size()
        try:
            self.do(decide)
        except (Refused, Invalid, NotFound, Conflict) as error:
            assert error.code
            assert (self.digest(), self.workspace.store.size()) == (before, size)
            return error.code
        return ""

    def digest(self) -> tuple[bytes, ...]:
        return digest_of(self.world)

    def meter(self, quarters: int, **gains_wh: int) -> None:
        """Time goes on, and every meter says where it stands."""
        self.quarter += quarters
        raws = []
        for device in DEVICES:
            self.counts[device] += gains_wh.get(device, 0)
            raws.append(self._packet(device, self.counts[device]))
        first = self.workspace.store.size()
        self.do(lambda world: ingest(world, raws, self.at_us))
        for row in self.workspace.facts(first):
            columns = self.workspace.columns(row)
            if isinstance(row.recorded.fact, ReadingsVerified) and columns is not None:
                assert not columns["verdict"].any()
                self.readings.append(columns)

    def _packet(self, device: str, position_wh: int) -> bytes:
        energy = self.world.energy
        number = energy.number(device)
        sequence, previous = int(energy.head_sequence[number]) + 1, energy.head_hash[number].tobytes()
        return sign(Packet(device, sequence, previous, (self.at_us,), (position_wh,)), key_of(device))

    def check(self) -> None:
        """The five laws, and every unit as the model has it."""
        assert breaches(self.world.books) == ()
        self.model.check(self.world)

    def close(self) -> None:
        """The record replays to the same world, an attester takes every fact, and an audit finds nothing."""
        again = World()
        replay(self.workspace.store, KINDS, again)
        assert digest_of(again) == self.digest()
        self._recheck()
        self.workspace.store.close()
        assert audit_workspace(self.folder).findings == ()

    def _recheck(self) -> None:
        world = World()
        recheck = Recheck(world)
        for row in self.workspace.facts():
            columns = self.workspace.columns(row)
            recheck.before(row.recorded, columns)
            world.apply(row.recorded, columns)
            recheck.after(row.recorded, columns)
        recheck.settle()
        assert digest_of(world) == self.digest()


def digest_of(world: World) -> tuple[bytes, ...]:
    rooms = (world.books, world.energy, world.participants, world.foreign, world.carbon, world.reservations)
    return tuple(room.digest() for room in rooms)


METHOD: Final = MethodAdopted(
    method="displaced",
    version="1",
    baseline=Baseline.MARGINAL,
    source="grid",
    factors_version="1",
    additionality="commissioned after the programme began, without other support",
    commissioned_from_us=START_US,
    crediting_years=10,
    technologies=(Technology.SOLAR_PV,),
    assurance=Assurance.METER_SIGNED,
    buffer_bp=1_000,
    buffer="displaced/buffer",
)
