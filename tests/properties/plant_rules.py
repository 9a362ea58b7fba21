"""More of what is done here: storage, corrections, carbon credits, other registries, standing orders, bulk."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from acts import PICK, act
from chain_rules import ANYBODY, LENGTHS, REACHED
from life_rules import LifeRules
from registry_scene import CELL, OTHER, ZONE
from unit_model import Place, Units

from penstock.energy.foreign_csv import read_foreign
from penstock.journal.kinds.account import OrderEnded, OrderPlaced, Recurring
from penstock.journal.kinds.storage import StorageRecordsWithdrawn
from penstock.journal.words import Direction, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.usecases.certify import Terms, certify
from penstock.usecases.correct import Asked, correct, plan
from penstock.usecases.registry.avoid import Crediting, avoid
from penstock.usecases.registry.bulk import Act, BulkAct, bulk_on
from penstock.usecases.registry.export_certificates import Export, certificates_csv, export
from penstock.usecases.registry.import_certificates import Import, import_certificates
from penstock.usecases.registry.recurring import end_order, place_order
from penstock.usecases.registry.recurring_run import run_orders
from penstock.usecases.registry.selection import Selection, Use, usable
from penstock.usecases.registry.storage import issue_stored, withdraw_records
from penstock.usecases.registry.storage_records import Metered, charge, discharge
from penstock.usecases.world import World

ROW = {
    "device_id": "dam-1",
    "face_value": "1",
    "energy_source": "Hydro",
    "issue_market_zone": ZONE,
    "certificate_status": "Active",
}


class PlantRules(LifeRules):
    """All of it."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign = 0

    def free(self, name: str, decide: Any) -> str:
        """An act of which the model says nothing beforehand: it judges what it did, unit by unit."""
        code = self.ask(decide)
        REACHED[f"{name}: {code or 'done'}"] += 1
        return code

    # Storage.

    @act(inlet=st.integers(0, 12), battery=st.integers(0, 8), quarters=st.sampled_from([4, 1, 2]), length_us=LENGTHS)
    def work_storage(self, inlet: int, battery: int, quarters: int, length_us: int) -> None:
        """It charges from the roof, and discharges; each step that can be done is."""
        self.scene.meter(quarters, roof=inlet + 3, inlet=inlet, battery=battery)
        readings, at_us = self.scene.readings, self.at_us
        self.ask(lambda world: certify(world, readings, ZONE, Terms(length_us)))
        asked = Metered(CELL, length_us)
        self.free("charge", lambda world: charge(world, asked, readings, at_us))
        self.free("discharge", lambda world: discharge(world, asked, readings))
        self.free("issue stored", lambda world: issue_stored(world, CELL))

    @act(bare=st.booleans(), surplus=st.booleans(), length_us=LENGTHS)
    def record_storage(self, bare: bool, surplus: bool, length_us: int) -> None:
        asked, at_us = Metered(CELL, length_us, bare=bare, surplus=surplus), self.at_us
        self.free("charge alone", lambda world: charge(world, asked, self.scene.readings, at_us))
        self.free("discharge alone", lambda world: discharge(world, asked, self.scene.readings))

    @act(way=st.sampled_from([Direction.DISCHARGE, Direction.CHARGE]), back=st.integers(0, 1))
    def withdraw_record(self, way: Direction, back: int) -> None:
        held = self.scene.world.storages.records(self.scene.world.storages.named(CELL), way)["number"].tolist()
        number = held[-1 - back] if len(held) > back else 0
        fact = StorageRecordsWithdrawn(CELL, way, number, "x")
        self.free("withdraw record", lambda world: withdraw_records(world, fact))

    # Corrections.

    @act(device=st.sampled_from(["roof", "turbine", "home", "inlet", "battery"]), by_wh=st.integers(-12, 4))
    def correct(self, device: str, by_wh: int) -> None:
        asked = Asked(device, self.scene.counts[device] + by_wh, "operator", "a wrong ratio")
        if not self.free(f"correct {'down' if by_wh < 0 else 'up'}", lambda world: correct(world, plan(world, asked))):
            self.scene.counts[device] += by_wh

    # Carbon credits.

    @act(data=PICK)
    def credit(self, data: st.DataObject) -> None:
        account, asked = self.drawn_asked(data)
        asked = asked if asked.spans else Selection(quantity_wh=4)
        at_us, crediting = self.at_us, Crediting("displaced", "1", account)
        places = self.usable(account, asked, "")

        def decide(world: World) -> Any:
            return avoid(world, usable(world, account, asked, Use(TitleState.RETIRED, ""), at_us), crediting)

        before = dict(self.scene.model.of())
        code = self.free("credit", decide)
        assert places is not None or code
        self.changed(before, {} if code else self.into(places, "retired", account))

    def changed(self, before: Units, expected: Units | None) -> None:
        after = self.scene.model.of()
        assert before | (expected or {}) == after

    # Other registries.

    @act(data=PICK)
    def export(self, data: st.DataObject) -> None:
        account, asked = self.drawn_asked(data)
        asked = asked if asked.spans else Selection(quantity_wh=2)
        at_us, expected = self.at_us, self.into(self.chosen(account, asked), "exported", account)
        self.expects(lambda world: export(world, Export(account, OTHER, asked), at_us), expected, "export")

    @act(data=PICK, to=ANYBODY, twice=st.sampled_from([False, False, True]))
    def come_back(self, data: st.DataObject, to: str, twice: bool) -> None:
        """What was exported comes back, unless it has expired; what was not exported does not."""
        register, start, stop, holder, state = data.draw(st.sampled_from(self.titles()))
        made = self.scene.model.made[Right.ATTRIBUTE][register, start]
        spans = {"register": np.array([register]), "start": np.array([start]), "stop": np.array([stop])}
        text = certificates_csv(self.scene.world, spans)
        text += text.partition("\n")[2] if twice else ""
        comes = state == "exported" and not twice and not made.expired(self.at_us)
        places = [(register, unit) for unit in range(start, stop)]
        expected: Units = dict.fromkeys(places, ("held", self.number(to))) if comes else {}
        REACHED[f"come back: {comes}"] += 1
        before = dict(self.scene.model.of())
        self.take_in(text, to)
        self.changed(before, expected)
        assert holder

    @act(to=ANYBODY, again=st.sampled_from([0, 0, 5, 10]), wh=st.integers(1, 10))
    def take_foreign(self, to: str, again: int, wh: int) -> None:
        """Another registry's certificates; at times some that came before."""
        first = max(self.foreign - again, 0)
        interval_us = self.at_us // HOUR_US * HOUR_US - HOUR_US * (1 + first % 3)
        row = ROW | {
            "bundle_id_range_start": str(first),
            "bundle_id_range_end": str(first + wh - 1),
            "bundle_quantity": str(wh),
            "production_starting_interval": iso(interval_us),
            "production_ending_interval": iso(interval_us + HOUR_US),
        }
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row))
        writer.writeheader()
        writer.writerow(row)
        heads = sum(self.scene.model.heads.values())
        self.take_in(text.getvalue(), to)
        gained = sum(self.scene.model.heads.values()) - heads
        REACHED[f"import: {bool(gained)}"] += 1
        assert gained in ((0,) if first < self.foreign else (0, wh))
        self.foreign = max(self.foreign, first + gained)

    def take_in(self, text: str, to: str) -> None:
        offered = read_foreign(text.encode(), "energytag", OTHER)
        asked, at_us = Import(to, OTHER, "energytag", bytes(32)), self.at_us
        assert self.ask(lambda world: import_certificates(world, offered, asked, at_us)) == ""

    # Standing orders.

    @act(how=st.sampled_from(list(Recurring)), to=ANYBODY, wh=st.integers(0, 3), share=st.integers(1, 10_000))
    def order(self, how: Recurring, to: str, wh: int, share: int) -> None:
        target = {Recurring.TRANSFER: to, Recurring.CLAIM: "home/import"}.get(how, "")
        asked = OrderPlaced(0, "owner", how, target, wh, 0 if wh else share, 0)
        self.free(f"order {how}", lambda world: place_order(world, asked, self.at_us))

    @act(lambda self: self.scene.world.participants.orders.all, number=st.integers(1, 3))
    def end_order(self, number: int) -> None:
        self.free("end order", lambda world: end_order(world, OrderEnded(number), self.at_us))

    @act(roof=st.integers(0, 12))
    def run_orders(self, roof: int) -> None:
        """After an issue; and at once again, when there is nothing left to do."""
        self.scene.meter(1, roof=roof, home=4)
        self.ask(lambda world: certify(world, self.scene.readings, ZONE, Terms(HOUR_US // 4)))
        at_us = self.at_us
        assert self.ask(lambda world: run_orders(world, at_us)) == ""
        size = self.scene.workspace.store.size()
        assert self.ask(lambda world: run_orders(world, at_us)) == ""
        assert self.scene.workspace.store.size() == size

    # Bulk.

    @act(data=PICK, account=ANYBODY, to=ANYBODY, how=st.sampled_from([Act.TRANSFER, Act.RETIRE, Act.RESERVE]))
    def bulk(self, data: st.DataObject, account: str, to: str, how: Act) -> None:
        """Row by row: every row that can be done is, the others are answered."""
        titles = data.draw(st.lists(st.sampled_from(self.titles()), min_size=1, max_size=4, unique=True))
        rows = [(register, start, stop + data.draw(st.sampled_from([0, 0, 1]))) for register, start, stop, *_ in titles]
        whose = data.draw(st.sampled_from([account, titles[0][3]]))
        whose = whose if whose in ("owner", "trader", "buyer") else account
        expected: Units = {}
        for row in rows:
            expected |= self.row(row, whose, to, how) or {}
        done = sum(self.row(row, whose, to, how) is not None for row in rows)
        lines = [f"{self.urn(register)},{start},{stop},{to}" for register, start, stop in rows]
        file = Path(self.temporary.name) / "rows.csv"
        file.write_text("\n".join(["register,start,stop,target", *lines]) + "\n")
        asked = BulkAct(how, whose, beneficiary=to if how is Act.RESERVE else "", reason="x")
        before = dict(self.scene.model.of())
        told = bulk_on(self.scene.workspace, f"bulk:{self.scene.workspace.store.size()}", file, asked, self.at_us)
        self.scene.fold()
        self.changed(before, expected)
        assert (told["rows"], told["done"]) == (len(rows), done)
        REACHED["bulk rows done"] += done

    def row(self, row: tuple[int, int, int], account: str, to: str, how: Act) -> Units | None:
        """What one row does: it lies in one certificate, which may be used so."""
        register, start, stop = row
        model = self.scene.model
        places: list[Place] = [(register, unit) for unit in range(start, stop)]
        whole = not any((register, at) in model.starts[Right.ATTRIBUTE] for at in range(start + 1, stop))
        states = ("held",) if how is Act.RESERVE else ("held", "reserved")
        for place in places:
            state, holder = model.of().get(place, ("", -1))
            late = state and model.made[Right.ATTRIBUTE][place].expired(self.at_us)
            kept = model.kept_from(place, to if how is Act.RESERVE else "", self.at_us)
            if state not in states or holder != self.number(account) or late or kept:
                return None
        if not whole or (how is Act.TRANSFER and not self.receives(account, to)):
            return None
        state = {Act.TRANSFER: "held", Act.RETIRE: "retired"}.get(how, "reserved")
        return dict.fromkeys(places, (state, self.number(to if how is Act.TRANSFER else account)))
