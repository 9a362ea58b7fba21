"""Explain and fleet: what the journal says of a reading and of all devices, in words."""

from __future__ import annotations

import pytest
from small_plant import DAYS, ROOFS, Plant, signed

from penstock.energy.forms.cose import FIRST, packet_hash
from penstock.energy.verdict import READING_RULES, ReadingVerdict
from penstock.errors import NotFound
from penstock.period import HOUR_US, QUARTER_HOUR_US, iso
from penstock.usecases.explain import explain
from penstock.usecases.fleet import SILENT_US, fleet
from penstock.usecases.ingest import ingest

NOON_US = DAYS[0].start_us + 12 * HOUR_US


def test_a_reading_that_counts_leads_to_its_certificate(lived: Plant) -> None:
    found = explain(lived.workspace, "roof-a", NOON_US)
    assert found["outcome"] == "accepted"
    assert "it counts. Every check passed." in found["summary"]
    (judged,) = found["judged"]
    assert judged["register"] == "roof-a/export"
    assert judged["message"]["verdict"] == "accepted"
    assert judged["counted_before"] == iso(NOON_US - QUARTER_HOUR_US)
    assert 0 < judged["step_wh"] == judged["position_wh"] - judged["position_before_wh"] <= judged["capacity_allows_wh"]
    (title,) = found["certificates"]
    assert title["start"] < judged["position_wh"] <= title["stop"]
    assert title["hour"] == iso(NOON_US - HOUR_US)


def test_a_reading_that_does_not_count_says_why(plant: Plant) -> None:
    at_us = DAYS[0].start_us + HOUR_US
    raws = signed("roof-a", (at_us, at_us + QUARTER_HOUR_US), (100, 10**9), 0, FIRST)
    plant.do("ingest", lambda world: ingest(world, raws, DAYS[0].stop_us))
    found = explain(plant.workspace, "roof-a", at_us + QUARTER_HOUR_US)
    assert found["outcome"] == "refused"
    assert READING_RULES[ReadingVerdict.OVER_CAPACITY].sentence in found["summary"]
    (judged,) = found["judged"]
    assert judged["verdict"] == "over_capacity"
    assert judged["step_wh"] == 10**9 - 100 > judged["capacity_allows_wh"] == ROOFS["roof-a"] // 4
    assert found["certificates"] == []


@pytest.mark.parametrize(("device", "code"), [("roof-x", "device.unknown"), ("roof-a", "reading.unknown")])
def test_what_never_came_is_not_found(lived: Plant, device: str, code: str) -> None:
    with pytest.raises(NotFound) as refusal:
        explain(lived.workspace, device, NOON_US + 1)
    assert refusal.value.code == code


def test_the_fleet_counts_its_devices_and_finds_the_silent_one(plant: Plant) -> None:
    for day in range(len(DAYS)):
        plant.ingested(day)
    before = fleet(plant.workspace)
    assert before["devices"] == len(ROOFS) + 1
    assert before["states"] == {"reporting": len(ROOFS), "silent": 1, "quarantined": 0}  # the rack has said nothing
    late_us = DAYS[-1].stop_us + SILENT_US + 2
    head = plant.world.energy
    number = head.number("roof-b")
    sequence, previous = int(head.head_sequence[number]), bytes(head.head_hash[number])
    raws = signed("roof-b", (late_us,), (plant.read_wh("roof-b/export"),), sequence + 1, previous)
    plant.do("late", lambda world: ingest(world, raws, late_us), late_us)
    found = fleet(plant.workspace)
    assert found["states"] == {"reporting": 1, "silent": len(ROOFS), "quarantined": 0}
    assert found["silent"][0]["device"] == "rack-1"
    assert found["as_of"] == iso(late_us)
    assert sum(cell["devices"] for cell in found["cells"]) == len(ROOFS) + 1


def test_what_did_not_count_is_counted_by_reason(plant: Plant) -> None:
    (first,) = signed("roof-a", (NOON_US,), (100,), 0, FIRST)
    (second,) = signed("roof-a", (NOON_US + 1_000_000, NOON_US + 2_000_000), (90, 100), 1, packet_hash(first))
    plant.do("ingest", lambda world: ingest(world, [first, second, first, b"noise"], DAYS[0].stop_us))
    found = fleet(plant.workspace)["not_counted"]
    assert (found["messages"], found["readings"], found["counted_readings"]) == (4, 3, 2)
    assert {(row["of"], row["verdict"], row["count"]) for row in found["reasons"]} == {
        ("messages", "replayed", 1),
        ("messages", "malformed", 1),
        ("readings", "register_backward", 1),
    }
    assert all(row["why"] and row["rule"] for row in found["reasons"])
