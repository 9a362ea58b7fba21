"""Unsigned sources: counted at their level, once however they come, and asked when they say otherwise later."""

from __future__ import annotations

import pytest
from small_plant import DAYS, ZONE, Plant, key_of, signed

from penstock.energy.forms.carried import Carried, messages_of, origin_of
from penstock.energy.forms.cose import FIRST
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import DeviceEnrolled, SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, Assurance, Form, RegisterKind, Right, Technology, Unit
from penstock.period import QUARTER_HOUR_US
from penstock.usecases.ingest import ingest
from penstock.usecases.recheck import Recheck
from penstock.usecases.world import World

R = ReadingVerdict
AT_US = DAYS[0].stop_us
VENDOR, DECLARED = ASSURANCES.index(Assurance.VENDOR_ATTESTED), ASSURANCES.index(Assurance.DECLARED)


@pytest.fixture
def cloud(plant: Plant) -> Plant:
    """An inverter whose vendor speaks for it."""
    register = RegisterOpened("inverter/export", Unit.WH, RegisterKind.COUNTED, (Right.ATTRIBUTE, Right.ENERGY))
    device = DeviceEnrolled(
        device="inverter",
        site="inverter",
        technology=Technology.WIND,
        public_key=key_of("inverter").public,
        register="inverter/export",
        capacity_w=9_000,
        commissioned_us=DAYS[0].start_us,
        assurance=Assurance.VENDOR_ATTESTED,
    )
    site = SiteRegistered("inverter", ZONE, "", "inverter")
    plant.do("inverter", lambda _: [Entry(one) for one in (AccountOpened("inverter"), site, register, device)])
    return plant


def carried(wh: list[int], level: Assurance = Assurance.VENDOR_ATTESTED, device: str = "inverter", first: int = 1):  # type: ignore[no-untyped-def]
    at_us = tuple(DAYS[0].start_us + quarter * QUARTER_HOUR_US for quarter in range(first, first + len(wh)))
    said = Carried("cloud", device, 0, level, origin_of(b"an answer"), at_us, tuple(wh))
    return [(Form.CARRIED, raw) for raw in messages_of(said)]


def taken(plant: Plant, key: str, messages: list[tuple[Form, bytes]]) -> tuple[Columns, Columns]:
    receipt = plant.do(key, lambda world: ingest(world, messages, AT_US))
    return plant.columns(receipt, 0), plant.columns(receipt, 1)


def test_a_reading_has_the_weakest_level_of_its_way(cloud: Plant) -> None:
    packets, readings = taken(cloud, "vendor", carried([100, 200]))
    assert packets["verdict"].tolist() == [0]
    assert readings["assurance"].tolist() == [VENDOR] * 2
    _, readings = taken(cloud, "file", carried([300], Assurance.DECLARED, first=3))
    assert readings["assurance"].tolist() == [DECLARED]
    assert cloud.read_wh("inverter/export") == 300


def test_an_unsigned_source_cannot_speak_for_a_device_that_signs(cloud: Plant) -> None:
    packets, readings = taken(cloud, "spoof", carried([100], device="roof-a"))
    assert packets["verdict"].tolist() == [MessageVerdict.NOT_TAKEN]
    assert len(readings["verdict"]) == 0


def test_a_device_may_sign_where_its_vendor_could_speak_and_counts_at_its_level(cloud: Plant) -> None:
    raws = signed("inverter", [DAYS[0].start_us + QUARTER_HOUR_US], [100], 0, FIRST)
    packets, readings = taken(cloud, "signed", [(Form.COSE, raw) for raw in raws])
    assert (packets["verdict"].tolist(), readings["assurance"].tolist()) == ([0], [VENDOR])


def test_what_comes_twice_counts_once_and_what_is_revised_is_found(cloud: Plant) -> None:
    taken(cloud, "first", carried([100, 200, 300, 400]))
    _, again = taken(cloud, "again", carried([100, 200, 300, 400, 500]))
    assert again["verdict"].tolist() == [R.DUPLICATE] * 4 + [0]
    _, revised = taken(cloud, "revised", carried([100, 250], first=1))
    assert revised["verdict"].tolist()[0] == R.DUPLICATE
    assert int(revised["findings"][1]) & 1 << R.REVISED
    assert revised["verdict"][1] != 0
    assert cloud.read_wh("inverter/export") == 500


def test_an_attester_and_a_new_process_agree(cloud: Plant) -> None:
    for key, wh in (("first", [100, 200]), ("again", [100, 200, 300]), ("revised", [100, 250])):
        taken(cloud, key, carried(wh))
    world = World()
    recheck = Recheck(world)
    for row in cloud.workspace.facts():
        columns = cloud.workspace.columns(row)
        recheck.before(row.recorded, columns)
        world.apply(row.recorded, columns)
    recheck.settle()
    assert world.energy.digest() == cloud.world.energy.digest()
