"""Revised history: a source says otherwise about what counted. It waits, and is believed or given up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_plant import DAYS, ZONE, Plant, key_of
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.energy.forms.carried import Carried, messages_of, origin_of
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Refused, Unverified
from penstock.journal.fact import Entry, Recorded
from penstock.journal.formats import MOVES
from penstock.journal.kinds.device import EpochOpened, RegisterCorrected
from penstock.journal.kinds.energy import DeviceEnrolled, SiteRegistered, TitlesMoved
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import TITLE_STATES, Assurance, Form, RegisterKind, Right, Technology, TitleState, Unit
from penstock.period import QUARTER_HOUR_US
from penstock.usecases.audit import audit_workspace
from penstock.usecases.certify import certify
from penstock.usecases.correct import Asked, correct_device
from penstock.usecases.ingest import ingest
from penstock.usecases.recheck import Recheck
from penstock.usecases.release import release_device
from penstock.usecases.world import World

R = ReadingVerdict
AT_US = DAYS[0].stop_us
EXPORT = "inverter/export"


@pytest.fixture
def cloud(plant: Plant) -> Plant:
    """An inverter whose vendor spoke of two hours, both certified: 100 Wh a quarter."""
    register = RegisterOpened(EXPORT, Unit.WH, RegisterKind.COUNTED, (Right.ATTRIBUTE, Right.ENERGY))
    device = DeviceEnrolled(
        device="inverter",
        site="inverter",
        technology=Technology.WIND,
        public_key=key_of("inverter").public,
        register=EXPORT,
        capacity_w=9_000,
        commissioned_us=DAYS[0].start_us,
        assurance=Assurance.VENDOR_ATTESTED,
    )
    site = SiteRegistered("inverter", ZONE, "", "inverter")
    plant.do("inverter", lambda _: [Entry(one) for one in (AccountOpened("inverter"), site, register, device)])
    certified(plant, "first", taken(plant, "first", [100 * quarter for quarter in range(1, 9)]))
    return plant


def taken(plant: Plant, key: str, wh: list[int], first: int = 1) -> Columns:
    at_us = tuple(DAYS[0].start_us + quarter * QUARTER_HOUR_US for quarter in range(first, first + len(wh)))
    said = Carried("cloud", "inverter", 0, Assurance.VENDOR_ATTESTED, origin_of(key.encode()), at_us, tuple(wh))
    messages = [(Form.CARRIED, raw) for raw in messages_of(said)]
    return plant.columns(plant.do(key, lambda world: ingest(world, messages, AT_US)), 1)


def certified(plant: Plant, key: str, *readings: Columns) -> None:
    plant.do(f"certify {key}", lambda world: certify(world, readings, ZONE))


def standing_wh(plant: Plant, right: Right = Right.ATTRIBUTE) -> int:
    rows = plant.world.books.titles[right].columns()
    stands = rows["state"] != TITLE_STATES.index(TitleState.WITHDRAWN)
    return int((rows["stop"] - rows["start"])[stands].sum())


def claimed(plant: Plant, register: str, start: int, stop: int) -> None:
    number = plant.world.books.registers.id_of(register)
    rows = plant.world.books.titles[Right.ATTRIBUTE].within(number, start, stop)
    low, high = np.maximum(rows["start"], start), np.minimum(rows["stop"], stop)
    code = np.full(len(low), TITLE_STATES.index(TitleState.CLAIMED), np.uint8)
    columns = {"register": rows["register"], "start": low, "stop": high, "state": code}
    segment = Segment(MOVES, columns | {"source": rows["holder"], "target": rows["holder"]})
    fact = TitlesMoved(segment.ref(), Right.ATTRIBUTE, TitleState.CLAIMED, "a test", "x", int((high - low).sum()))
    plant.do(f"claim {start}", lambda _: [Entry(fact, segment)])


def revised_down(plant: Plant) -> None:
    """The vendor takes 150 Wh of the second hour back, and goes on; then again a quarter later."""
    verdict = taken(plant, "revised", [500, 550, 600, 650, 750], first=5)["verdict"].tolist()
    assert verdict == [R.DUPLICATE, R.REVISED, R.REVISED, R.REVISED, R.HELD_BACK]
    assert taken(plant, "more", [850, 950, 1_050], first=10)["verdict"].tolist() == [R.HELD_BACK] * 3
    assert plant.read_wh(EXPORT) == 800


def recheck(plant: Plant, forge: bool = False) -> World:
    world = World()
    check = Recheck(world)
    for row in plant.workspace.facts():
        recorded, columns = row.recorded, plant.workspace.columns(row)
        if forge and isinstance(recorded.fact, EpochOpened):
            from dataclasses import replace

            recorded = Recorded(recorded.seq, recorded.at_us, replace(recorded.fact, debt_wh=0), b"")
        check.before(recorded, columns)
        world.apply(recorded, columns)
        check.after(recorded, columns)
    check.settle()
    return world


def test_a_revised_history_is_believed(cloud: Plant) -> None:
    claimed(cloud, EXPORT, 600, 700)
    revised_down(cloud)
    found = correct_device(cloud.workspace, Asked("inverter", None, "operator", "the vendor's bulletin"), AT_US)
    assert {name: found[name] for name in ("cause", "stood_wh", "true_wh", "withdrawn_wh", "debt_wh")} == {
        "cause": "corrected_down",
        "stood_wh": 800,
        "true_wh": 650,
        "withdrawn_wh": 100,
        "debt_wh": 50,
    }
    assert found["judged_again"]["readings accepted"] == 4  # what waited behind it, taken in anew
    assert cloud.read_wh(f"{EXPORT}#2") == 400
    assert list(cloud.world.quarantine.readings()) == []
    readings = [cloud.workspace.columns(row) for row in cloud.workspace.facts()][-1]
    assert readings is not None
    certified(cloud, "after", readings)
    assert standing_wh(cloud) == standing_wh(cloud, Right.ENERGY) == 1_050
    assert audit_workspace(cloud.workspace.path).debts == (
        {"register": f"{EXPORT}#2", "debt_wh": 50, "covered_wh": 50, "owed_wh": 0, "rights": ["attribute", "energy"]},
    )
    assert breaches(cloud.world.books) == ()


def test_an_attester_reproduces_a_correction_and_finds_a_forged_one(cloud: Plant) -> None:
    claimed(cloud, EXPORT, 600, 700)
    revised_down(cloud)
    correct_device(cloud.workspace, Asked("inverter", None, "operator", ""), AT_US)
    assert recheck(cloud).books.digest() == cloud.world.books.digest()
    with pytest.raises(Unverified) as caught:
        recheck(cloud, forge=True)
    assert caught.value.code == "attest.correction_differs"


def test_an_attester_finds_a_debt_that_was_not_covered(cloud: Plant) -> None:
    claimed(cloud, EXPORT, 600, 800)
    correct_device(cloud.workspace, Asked("inverter", 700, "operator", ""), AT_US)
    readings = taken(cloud, "goes on", [800, 900, 1_000, 1_100], first=9)
    cloud.do("certify", lambda world: certify(world, [readings], ZONE)[:2])
    with pytest.raises(Unverified) as caught:
        recheck(cloud)
    assert caught.value.code == "attest.correction_differs"


def test_a_history_revised_upward_counts_later_and_restates_nothing(cloud: Plant) -> None:
    assert taken(cloud, "revised", [600], first=4)["verdict"].tolist() == [R.REVISED]
    before = cloud.world.books.titles[Right.ATTRIBUTE].digest()
    found = correct_device(cloud.workspace, Asked("inverter", None, "operator", ""), AT_US)
    assert (found["cause"], found["true_wh"], found["debt_wh"]) == ("corrected_up", 1_000, 0)
    assert cloud.world.books.titles[Right.ATTRIBUTE].digest() == before
    certified(cloud, "after", taken(cloud, "goes on", [1_100, 1_200, 1_300, 1_400], first=9))
    assert standing_wh(cloud) == 1_400


def test_a_revised_history_is_given_up(cloud: Plant) -> None:
    assert taken(cloud, "revised", [650, 900], first=8)["verdict"].tolist() == [R.REVISED, R.HELD_BACK]
    found = dict(release_device(cloud.workspace, "inverter", ["revised"], "operator", "a fault of theirs", AT_US))
    assert found == {"readings accepted": 1, "readings time_backward": 1}
    assert cloud.read_wh(EXPORT) == 900
    assert recheck(cloud).books.digest() == cloud.world.books.digest()
    with pytest.raises(Refused, match=r"correct\.not_revised"):
        correct_device(cloud.workspace, Asked("inverter", None, "operator", ""), AT_US)


def test_by_hand(cloud: Plant, tmp_path: Path) -> None:
    revised_down(cloud)
    path = str(cloud.workspace.path)
    cloud.workspace.store.close()
    asked = ["meter", "correct", "inverter", "--by", "operator", "--reason", "bulletin", "--workspace", path]
    run = CliRunner().invoke
    assert run(app, asked).exit_code != 0
    assert run(app, [*asked, "--revised", "--true-wh", "3"]).exit_code != 0
    done = run(app, [*asked, "--revised", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["withdrawn_wh"], found["debt_wh"], found["continued_by"]) == (150, 0, f"{EXPORT}#2")
    audited = run(app, ["audit", "--workspace", path, "--json"])
    assert (json.loads(audited.output)["clean"], json.loads(audited.output)["debts"]) == (True, [])


def test_the_fact_says_who_and_why(cloud: Plant) -> None:
    correct_device(cloud.workspace, Asked("inverter", 700, "operator", "ratio of the transformers"), AT_US)
    (fact,) = [row.recorded.fact for row in cloud.workspace.facts() if isinstance(row.recorded.fact, RegisterCorrected)]
    assert (fact.by, fact.reason, fact.true_wh, fact.shown_wh) == ("operator", "ratio of the transformers", 700, 700)
