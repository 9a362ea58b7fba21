"""A day on which a battery keeps noon for the evening's answers, and certificates live every life there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from small_world import DAY, ZONE, SmallWorld, StoredRecord, key_of

from penstock.energy.foreign_csv import read_foreign
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.lift import ReturnCause
from penstock.journal.kinds.storage import EfficiencyStated
from penstock.journal.segment import Column
from penstock.journal.words import TITLE_STATES, LinkKind, Right, Technology, TitleState
from penstock.period import DAY_US, HOUR_US, SECOND_US, iso
from penstock.trace.lineage import answer_span
from penstock.trace.walk import walk
from penstock.usecases import certify
from penstock.usecases.enrol import NewDevice, enrol_device, open_accounts, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.match import available_wh, buy
from penstock.usecases.registry.consume import consume
from penstock.usecases.registry.expire import expire
from penstock.usecases.registry.export_certificates import Export, export
from penstock.usecases.registry.import_certificates import Import, import_certificates
from penstock.usecases.registry.lift import ON_CHAIN, UNCLAIMED, Lifting, lift
from penstock.usecases.registry.lower import Burn, lapsed, returned
from penstock.usecases.registry.match_hours import Hours, match_hours
from penstock.usecases.registry.reserve import Release, Reserve, release, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named, Selection, select
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.storage import NewStorage, issue_stored, register_storage, state_efficiency
from penstock.usecases.registry.storage_records import Metered, charge, discharge
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw

BATTERY, STORE, OWNER = "battery-1", "cell", "storage"
DISCHARGE, CHARGE = f"{BATTERY}/discharge", f"{BATTERY}/charge"
NUM, DEN, SURPLUS_WH = 83, 100, 30
HOLDER = bytes(range(20))
TERMS = certify.Terms(carbon_mg_per_kwh=11_000, valid_us=30 * DAY_US, support="feed-in")
IMPORTED = "import/other.example/turbine-9"
Span = tuple[str, int, int]


class StoredWorld(SmallWorld):
    """As the small world; ``spans`` names certificates by what became of them."""

    def _enrol(self) -> None:
        self.spans: dict[str, Span] = {}
        super()._enrol()
        self._do("vault", lambda _: open_accounts(["trader", ON_CHAIN, UNCLAIMED]))
        for name, kind, owner in ((BATTERY, Technology.BATTERY, OWNER), ("home", Technology.LOAD, "home")):
            site = SiteRegistered(name, ZONE, "", owner)
            self._do(f"site of {name}", lambda world, site=site: register_site(world, site), DAY.start_us)  # type: ignore[misc]
            channels = ("discharge", "charge") if name == BATTERY else ("import",)
            device = NewDevice(name, name, kind, key_of(name).public, 20_000, DAY.start_us, channels)
            if name == "home":
                device = replace(device, issues=(Right.CONSUMPTION,))
            self._do(name, lambda world, device=device: enrol_device(world, device), DAY.start_us)  # type: ignore[misc]
        new = NewStorage(STORE, OWNER, CHARGE, DISCHARGE)
        self._do("cell", lambda world: register_storage(world, new), DAY.start_us)
        basis = (DAY.start_us - 30 * DAY_US, DAY.start_us)
        stated = EfficiencyStated(STORE, NUM, DEN, DAY.start_us, DAY.stop_us, DEN, NUM, *basis, "meters of a month")
        self._do("efficiency", lambda world: state_efficiency(world, stated), DAY.start_us)

    def _certify(self, key: str, readings: int) -> None:
        columns = self._columns(readings)
        self._do(key, lambda world: certify.certify(world, [columns], ZONE, TERMS))

    def _columns(self, seq: int) -> dict[str, Column]:
        return dict(StoredRecord(self.store, "").columns(seq))

    def _roofs_send(self) -> None:
        super()._roofs_send()
        self._draws_at_home()
        hours, energy = self.sequencer.read(lambda world: available_wh(world, DAY))
        hour = (hours - DAY.start_us) // HOUR_US
        noon = (hour >= 10) & (hour < 14)
        charged = np.zeros(24, dtype=np.int64)
        charged[hour[noon]] = energy[noon] * 35 // 100
        given = np.zeros(24, dtype=np.int64)
        given[18:22] = np.diff(np.arange(5) * (int(charged.sum()) * NUM // DEN - 3) // 4)
        given[8] = SURPLUS_WH  # before anything was charged
        receipt = self._do("battery meter", lambda world: ingest(world, self._battery(charged, given), DAY.stop_us))
        columns, wanted = [self._columns(receipt.first_seq + 1)], charged[hour[noon]]
        self._do("buy", lambda world: buy(world, hours[noon], wanted, OWNER))
        self._do("charge", lambda world: charge(world, Metered(STORE), columns, DAY.stop_us))
        self._do("discharge", lambda world: discharge(world, Metered(STORE, surplus=True), columns))
        self._do("issue", lambda world: issue_stored(world, STORE))

    def _battery(self, charged: Column, given: Column) -> list[bytes]:
        raws, previous = [], FIRST
        for hour in range(24):
            at_us = DAY.start_us + (hour + 1) * HOUR_US
            positions = int(given[: hour + 1].sum()), int(charged[: hour + 1].sum())
            raws.append(sign(Packet(BATTERY, hour, previous, (at_us, at_us), positions, (0, 1)), key_of(BATTERY)))
            previous = packet_hash(raws[-1])
        return raws

    def _draws_at_home(self) -> None:
        at_us = list(range(DAY.start_us + HOUR_US, DAY.stop_us + 1, HOUR_US))
        raws = self._send("home", at_us, [40 * (hour + 1) for hour in range(24)], 1)
        receipt = self._do("home meter", lambda world: ingest(world, raws, DAY.stop_us))
        columns = self._columns(receipt.first_seq + 1)
        self._do("consume", lambda world: consume(world, [columns], ZONE))

    def _anchor(self) -> None:
        self._live()
        super()._anchor()

    def titles(self) -> list[tuple[str, int, int, str, str]]:
        """Every certificate: register, start, stop, state, holder."""
        books = self.world.books
        rows = books.titles[Right.ATTRIBUTE].columns()
        columns = (rows[name].tolist() for name in ("register", "start", "stop", "state", "holder"))
        return [
            (books.registers.urn(register), start, stop, TITLE_STATES[state].value, books.accounts.name(holder))
            for register, start, stop, state, holder in zip(*columns, strict=True)
        ]

    @property
    def evening(self) -> int:
        """The number of the first answer whose energy left the battery."""
        books = self.world.books
        battery, links = books.registers.id_of(DISCHARGE), books.links[LinkKind.ALLOCATE].columns()
        rack = self.world.compute.racks["rack-1"]
        first = int(links["target_start"][links["source"] == battery].min())
        tokens = books.registers.id_of(rack.token_register)
        for number in range(len(books.links[LinkKind.SERVE])):
            back = walk(books, tokens, answer_span(books, rack, number), is_back=True)
            drawn = back.levels[3]
            if int(drawn["start"][0]) >= first:
                return number
        raise AssertionError("no answer in the evening")

    def _held(self, wh: int, account: str) -> Span:
        """Some units that an account holds in one certificate."""
        parts = self.sequencer.read(lambda world: select(world, account, Selection(quantity_wh=wh)))
        assert len(parts["start"]) == 1, "asked for more than one certificate"
        return self.world.books.registers.urn(int(parts["register"][0])), int(parts["start"][0]), int(parts["stop"][0])

    def _live(self) -> None:
        at_us = DAY.stop_us
        named = self._several_hands(at_us)
        self._on_chain(at_us, named)
        self._other_ends(at_us)

    def _several_hands(self, at_us: int) -> Span:
        """One certificate is cut, handed on, reserved, released, retired in part and lifted in part."""
        register, start, stop = span = self._whole("roof-a")
        cut, mid = start + 10, start + 30
        whole = Named(register, start, stop)
        self._do("split", lambda world: split(world, Split("roof-a", whole, (10, 20)), at_us))
        one, two = (Selection((Named(register, *part),)) for part in ((start, cut), (cut, mid)))
        both = Selection((Named(register, start, cut), Named(register, cut, mid)))
        self._do("hand on", lambda world: transfer(world, Transfer("roof-a", "trader", both), at_us))
        self._do("keep", lambda world: reserve(world, Reserve("trader", one, "buyer", 0, "an offer"), at_us))
        self._do("free", lambda world: release(world, Release("trader", one, "buyer"), at_us))
        self._do("hand on again", lambda world: transfer(world, Transfer("trader", "buyer", one), at_us))
        asked = Retirement("buyer", one, "customers", "a green event", "one hour of sun")
        self._do("retire", lambda world: retire(world, asked, at_us))
        asked = Retirement("trader", two, "customers", "another event")
        self._do("retire too", lambda world: retire(world, asked, at_us))
        self.spans |= {"retired": (register, start, cut), "several": span}
        return span

    def _whole(self, account: str) -> Span:
        """The oldest whole certificate of an account with 60 Wh or more."""
        books = self.world.books
        rows = books.titles[Right.ATTRIBUTE].owned(books.accounts.id_of(account), (TitleState.HELD,))
        size = rows["stop"] - rows["start"]
        row = int(np.flatnonzero(size >= 60)[0])
        return books.registers.urn(int(rows["register"][row])), int(rows["start"][row]), int(rows["stop"][row])

    def _on_chain(self, at_us: int, named: Span) -> None:
        """Units are lifted; the first are lowered, the next retired and claimed there; the last were never minted."""
        register, start, _ = named
        asked = Lifting("roof-a", HOLDER, at_us // SECOND_US + 60)
        for number, (first, last) in enumerate(((start + 30, start + 42), (start + 42, start + 45))):
            parts = self.sequencer.read(
                lambda world, a=first, b=last: select(world, "roof-a", Selection((Named(register, a, b),)))  # type: ignore[misc]
            )
            receipt = self._do(f"lift {number}", lambda world, parts=parts: lift(world, parts, asked, at_us))  # type: ignore[misc]
        fact = self.world.books.vault.lift_of(receipt.first_seq).fact
        causes = [ReturnCause.LOWERED, ReturnCause.RETIRED, ReturnCause.CLAIMED]
        for number, cause in enumerate(causes):
            burn = Burn(cause, number, fact.certificate, 3, HOLDER, "buyer", number, "a friend", "a climate action")
            self._do(f"burn {number}", lambda world, burn=burn: returned(world, burn))  # type: ignore[misc]
        minted = np.zeros(1, dtype=bool)
        self._do("lapse", lambda world: lapsed(world, receipt.first_seq, minted))
        self.spans["lifted"] = (register, start + 30, start + 45)
        self.spans["burned"] = (register, start + 33, start + 36)

    def _other_ends(self, at_us: int) -> None:
        """Claimed at home, withdrawn, exported, imported, expired."""
        asked = Hours("roof-b", DAY.start_us, DAY.stop_us, ("home",), "a friend", statement="breakfast by sun")
        self._do("claim at home", lambda world: match_hours(world, asked, at_us))
        self.spans["withdrawn"] = self._held(5, "roof-c")
        selection = Selection((Named(*self.spans["withdrawn"]),))
        self._do("withdraw", lambda world: withdraw(world, Withdrawal(selection, "a wrong meter"), at_us))
        self.spans["exported"] = self._held(5, "roof-c")
        leaving = Selection((Named(*self.spans["exported"]),))
        self._do("export", lambda world: export(world, Export("roof-c", "other.example", leaving), at_us))
        offered = read_foreign(_foreign(), "energytag", "other.example")
        coming = Import("buyer", "other.example", "energytag", bytes(32))
        self._do("import", lambda world: import_certificates(world, offered, coming, at_us))
        self.spans["imported"] = (IMPORTED, 0, 1_000)
        late_us = at_us + 40 * DAY_US
        self._do("expire", lambda world: expire(world, late_us, 3), late_us)


def _foreign() -> bytes:
    said = {
        "device_id": "turbine-9", "bundle_id_range_start": "101", "bundle_id_range_end": "1100",
        "bundle_quantity": "1000", "face_value": "1", "energy_source": "Wind",
        "production_starting_interval": iso(DAY.start_us), "production_ending_interval": iso(DAY.start_us + HOUR_US),
        "issue_market_zone": "YY", "emissions_factor_production_device": "11.25", "certificate_status": "Active",
    }  # fmt: skip
    return (",".join(said) + "\n" + ",".join(said.values()) + "\n").encode()
