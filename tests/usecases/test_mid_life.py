"""A device enrolled in mid-life: its counter shows something already, and nothing of that is ever issued."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from device_kit import START_US, Yard, hours, key_of, new_device

from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import PenstockError
from penstock.journal.device_rows import start_counts, write_identities
from penstock.journal.fact import Entry
from penstock.journal.formats import DEVICES
from penstock.journal.kinds.energy import DeviceEnrolled, DevicesEnrolled, ReadingsVerified
from penstock.journal.segment import Segment
from penstock.journal.words import EpochCause
from penstock.usecases.certify import certify
from penstock.usecases.enrol import enrol_device
from penstock.usecases.enrol_fleet import enrol_fleet, fleet_of_csv
from penstock.usecases.ingest import ingest
from penstock.usecases.replace import open_epoch, plan_epoch

SHOWN_WH = 9_000_000
ROOF = key_of("roof")
ACCEPTED = MessageVerdict.ACCEPTED, [ReadingVerdict.ACCEPTED]
HEAD = "device,technology,public_key,capacity_w,commissioned,start_counts_wh,rolls_over_wh\n"


def line(name: str, starts: str, width: str = "") -> str:
    return f"{name},wind,{key_of(name).public.hex()},5000,2016-08-22T07:00:00Z,{starts},{width}\n"


@pytest.fixture
def yard() -> Yard:
    return Yard().enrolled(start_counts_wh=(SHOWN_WH,))


def test_only_what_is_counted_since_is_ever_issued(yard: Yard) -> None:
    entries = ingest(yard.world, [yard.next_packet(ROOF, [(1, SHOWN_WH + 40)])], hours(1.1))
    yard.tell(entries, hours(1.1))
    (read,) = [e.segment.columns for e in entries if isinstance(e.fact, ReadingsVerified) and e.segment]
    attribute, _ = certify(yard.world, [read], "XX")
    assert attribute.segment is not None
    spans = {name: attribute.segment.columns[name].tolist() for name in ("start", "stop", "interval_us")}
    assert spans == {"start": [0], "stop": [40], "interval_us": [START_US]}
    assert yard.standing()[2] == 40


def test_unsaid_the_first_reading_would_be_over_capacity() -> None:
    said = Yard().enrolled().send(ROOF, (1, SHOWN_WH + 40))
    assert said == (MessageVerdict.ACCEPTED, [ReadingVerdict.OVER_CAPACITY])


def test_below_where_it_stood_is_backward(yard: Yard) -> None:
    said = yard.send(ROOF, (1, SHOWN_WH - 1))
    assert said == (MessageVerdict.ACCEPTED, [ReadingVerdict.REGISTER_BACKWARD])


def test_each_channel_has_its_own_and_what_is_unsaid_began_at_0() -> None:
    channels = ("export", "import", "charge")
    yard = Yard().enrolled(channels=channels, start_counts_wh=(5, 7))
    assert yard.world.energy.epoch_start_wh.tolist() == [5, 7, 0]
    (*_, entry) = enrol_device(yard.world, new_device("hill"))
    assert isinstance(entry.fact, DeviceEnrolled)
    assert entry.fact.start_counts_wh == ()


def test_a_meter_in_mid_life_rolls_over_at_its_own_last_digit() -> None:
    yard = Yard().enrolled(start_counts_wh=(9_950,), rolls_over_wh=10_000)
    yard.send(ROOF, (1, 9_990))
    assert yard.send(ROOF, (2, 15))[1] == [ReadingVerdict.ROLLED_OVER]
    yard = Yard().enrolled(start_counts_wh=(9_950,), rolls_over_wh=10_000)
    yard.send(ROOF, (1, 9_990))
    epoch = plan_epoch(yard.world, "roof", EpochCause.ROLLED_OVER)
    yard.tell(open_epoch(yard.world, yard.signed_epoch(epoch, ROOF)))
    assert yard.send(ROOF, (2, 15)) == ACCEPTED
    assert yard.standing()[::2] == ("roof/export#2", 25)


@pytest.mark.parametrize(
    "changes",
    [
        {"start_counts_wh": (-1,)},
        {"start_counts_wh": (2**63,)},
        {"start_counts_wh": (1, 1)},
        {"start_counts_wh": (1_000,), "rolls_over_wh": 1_000},
    ],
)
def test_impossible_counts_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PenstockError, match=r"device\.start_count"):
        enrol_device(Yard().world, new_device(**changes))


def test_a_fact_with_a_count_of_no_channel_is_not_taken_in(yard: Yard) -> None:
    *opened, entry = enrol_device(yard.world, new_device("hill"))
    assert isinstance(entry.fact, DeviceEnrolled)
    with pytest.raises(PenstockError, match=r"device\.start_count"):
        yard.tell([*opened, Entry(replace(entry.fact, start_counts_wh=(1, 1)))])
    assert yard.world.energy.number("hill") == -1


def test_a_fleet_counts_from_where_each_counter_stood() -> None:
    yard = Yard()
    fleet = fleet_of_csv(HEAD + line("a", f"{SHOWN_WH} 400") + line("b", "") + line("c", "7"))
    assert fleet.start_counts_wh == ((SHOWN_WH, 400), (), (7,))
    yard.tell(enrol_fleet(yard.world, "site", fleet, ("export", "import")))
    assert yard.world.energy.epoch_start_wh.tolist() == [SHOWN_WH, 400, 0, 0, 7, 0]
    for name, first in (("a", SHOWN_WH + 10), ("b", 10), ("c", 17)):
        assert yard.send(key_of(name), (1, first), device=name) == ACCEPTED
    assert yard.world.books.registers.read[::2].tolist() == [10, 10, 10]


def test_one_device_or_a_fleet_of_one_stand_alike(yard: Yard) -> None:
    row = line("roof", str(SHOWN_WH)).replace("wind", "solar_pv")
    other = Yard()
    other.tell(enrol_fleet(other.world, "site", fleet_of_csv(HEAD + row)))
    assert other.world.energy.digest() == yard.world.energy.digest()


@pytest.mark.parametrize(("starts", "width"), [("1 2", ""), ("1000", "1000"), ("1001", "1000")])
def test_impossible_counts_of_a_fleet_are_refused(starts: str, width: str) -> None:
    with pytest.raises(PenstockError, match=r"device\.start_count"):
        enrol_fleet(Yard().world, "site", fleet_of_csv(HEAD + line("a", "", width) + line("b", starts, width)))


@pytest.mark.parametrize("starts", ["5 many", "-1", str(2**63), "1.5"])
def test_what_is_no_count_is_a_bad_line(starts: str) -> None:
    with pytest.raises(PenstockError, match=r"fleet\.row"):
        fleet_of_csv(HEAD + line("a", starts))
    assert fleet_of_csv(HEAD + line("a", "")).start_counts_wh == ()


@pytest.mark.parametrize("starts", [[-1], [2**63], [True], [1.5], [0, 0, 0]])
def test_a_segment_with_impossible_counts_is_not_taken_in(starts: list[int]) -> None:
    yard = Yard()
    (entry,) = enrol_fleet(yard.world, "site", fleet_of_csv(HEAD + line("a", "")), ("export", "import"))
    assert isinstance(entry.fact, DevicesEnrolled)
    assert entry.segment is not None
    identity = write_identities(["a"], [key_of("a").public], [""], [starts])
    forged = Segment(DEVICES, dict(entry.segment.columns) | {"identity": identity})
    with pytest.raises(PenstockError, match=r"device\.start_count"):
        yard.tell([Entry(replace(entry.fact, segment=forged.ref()), forged)], START_US)
    assert len(yard.world.energy) == 0


def test_counts_by_channel() -> None:
    assert start_counts([(), (4,), (5, 6)], 2).tolist() == [[0, 0], [4, 0], [5, 6]]
    assert start_counts([], 3).shape == (0, 3)
    assert start_counts([()] * 2, 1).dtype == np.int64
