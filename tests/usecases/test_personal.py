"""Readings of people are sealed so that they can be erased; others are not; an attester agrees either way."""

from __future__ import annotations

import pytest
from small_plant import DAYS, ZONE, Plant, key_of, roof_packets, signed

from penstock.energy.forms.cose import FIRST
from penstock.errors import Unverified
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import DeviceEnrolled, PacketsReceived, ReadingsVerified, SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.kinds.quarantine import QuarantineLifted
from penstock.journal.words import Form, RegisterKind, Right, Technology, Unit
from penstock.period import QUARTER_HOUR_US
from penstock.usecases.intake import answer, prepare, record, sealed, take
from penstock.usecases.recheck import Recheck
from penstock.usecases.release import lift
from penstock.usecases.workers import Workers
from penstock.usecases.world import World

AT_US = DAYS[0].stop_us


@pytest.fixture
def home(plant: Plant) -> Plant:
    """A home beside the roofs, whose readings are personal."""
    plant.do(
        "home",
        lambda _: [
            Entry(AccountOpened("home")),
            Entry(SiteRegistered("home", ZONE, "", "home", personal=True)),
            Entry(RegisterOpened("home/export", Unit.WH, RegisterKind.COUNTED, (Right.ATTRIBUTE, Right.ENERGY))),
            Entry(
                DeviceEnrolled(
                    "home", "home", Technology.BATTERY, key_of("home").public, "home/export", 9_000, DAYS[0].start_us
                )
            ),
        ],
    )
    return plant


def home_packets() -> list[tuple[Form, bytes]]:
    """Two hours; at the seventh reading the register falls back to nothing."""
    at_us = [DAYS[0].start_us + quarter * QUARTER_HOUR_US for quarter in range(1, 9)]
    return [(Form.COSE, raw) for raw in signed("home", at_us, [500, 900, 1_300, 1_700, 2_100, 2_500, 9, 99], 0, FIRST)]


def taken(plant: Plant, messages: list[tuple[Form, bytes]]) -> tuple[PacketsReceived, ReadingsVerified]:
    with Workers() as workers:
        found = take(plant.workspace, messages, AT_US, workers)
        again = take(plant.workspace, messages, AT_US, workers)
    assert again.receipt.repeated
    assert again.receipt.first_seq == found.receipt.first_seq
    received, verified = plant.facts(found.receipt)
    assert isinstance(received, PacketsReceived)
    assert isinstance(verified, ReadingsVerified)
    return received, verified


def rechecked(plant: Plant, spoil: str = "") -> None:
    world = World()
    recheck = Recheck(world)
    for row in plant.workspace.facts():
        columns = plant.workspace.columns(row)
        if columns is not None and spoil == row.recorded.fact.KIND:
            columns = {name: column.copy() for name, column in columns.items()}
            columns["verdict"][0] = 4
        recheck.before(row.recorded, columns)
        world.apply(row.recorded, columns)
        recheck.after(row.recorded, columns)
    recheck.settle()
    assert world.energy.digest() == plant.world.energy.digest()


def test_what_is_personal_is_salted_and_the_rest_is_not(home: Plant) -> None:
    roofs = [(Form.COSE, raw) for raw in roof_packets(1)[:8]]
    assert [fact.segment.format for fact in taken(home, roofs)] == ["packet/2", "reading/2"]
    received, verified = taken(home, home_packets())
    assert (received.segment.format, verified.segment.format) == ("packet/2+salt", "reading/2+salt")
    assert verified.packets_root == received.segment.root
    rechecked(home)


def test_a_release_of_personal_readings_is_salted_too(home: Plant) -> None:
    taken(home, home_packets())

    def decide(world: World) -> list[Entry]:
        return sealed(home.workspace, world, lift(world, ["home/export"], ["reset"], "operator", "looked into"))

    said, verified = home.facts(home.do("lift", decide))
    assert isinstance(said, QuarantineLifted)
    assert isinstance(verified, ReadingsVerified)
    assert verified.segment.format == "reading/2+salt"
    rechecked(home)


@pytest.mark.parametrize("kind", [PacketsReceived.KIND, ReadingsVerified.KIND])
def test_a_salted_row_that_differs_is_found(home: Plant, kind: str) -> None:
    taken(home, home_packets())
    with pytest.raises(Unverified) as caught:
        rechecked(home, spoil=kind)
    assert caught.value.code == "attest.verdicts_differ"


def test_every_message_and_reading_gets_its_answer(home: Plant) -> None:
    messages = [*home_packets(), (Form.COSE, b"garbled"), (Form.CARRIED, b"\x00")]
    with Workers() as workers:
        receipt = record(home.workspace, prepare(home.workspace, messages, workers), AT_US)
    found = answer(home.workspace, receipt)
    assert found.packets["verdict"].tolist() == [0, 0, 1, 1]
    assert found.packets["form"].tolist() == [Form.COSE, Form.COSE, Form.COSE, Form.CARRIED]
    assert found.readings["packet"].tolist() == [0] * 4 + [1] * 4
    assert found.readings["verdict"].tolist() == [0] * 6 + [11, 21]
