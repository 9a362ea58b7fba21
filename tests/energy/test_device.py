"""Devices: what facts move, and where certificates go on."""

from __future__ import annotations

import pytest
from energy_kit import START_US, applied, chain, column, devices, judge, key_of, packet

from penstock.energy.certificate import interval_spans
from penstock.energy.device import Devices
from penstock.energy.forms.cose import packet_hash, sign
from penstock.journal.fact import Recorded
from penstock.journal.formats import TITLES
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Column, Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.period import HOUR_US, QUARTER_HOUR_US


def standing(found: Devices, register: int) -> tuple[int, int]:
    return int(found.last_at_us[register]), int(found.last_wh[register])


def certified(found: Devices, register: int) -> tuple[int, int]:
    return int(found.certified_at_us[register]), int(found.certified_wh[register])


def issued(found: Devices, right: Right, columns: dict[str, Column]) -> None:
    segment = Segment(TITLES, columns)
    fact = TitlesIssued(segment.ref(), right, "", Technology.SOLAR_PV, Assurance.METER_SIGNED, HOUR_US, 0)
    found.apply(Recorded(0, START_US, fact, b""), columns)


def titles(register: int, stop: int, interval_us: int) -> dict[str, Column]:
    return {
        "register": column([register], "int32"),
        "start": column([0]),
        "stop": column([stop]),
        "holder": column([0], "int32"),
        "interval_us": column([interval_us]),
    }


def test_devices_are_numbered_in_order_and_stand_at_0() -> None:
    found = devices("roof", "hill")
    assert [found.number(name) for name in ("roof", "hill", "stranger")] == [0, 1, -1]
    assert found.numbers(["hill", "stranger", "roof"]).tolist() == [1, -1, 0]
    assert [found.name(number) for number in range(len(found))] == ["roof", "hill"]
    assert found.device_of.tolist() == [-1] * 11 + [1, 0]
    for register in (11, 12):
        assert standing(found, register) == certified(found, register) == (START_US, 0)


def test_certificates_go_on_where_titles_to_the_attribute_end() -> None:
    found = devices("roof")
    issued(found, Right.ENERGY, titles(11, 90, START_US))
    assert certified(found, 11) == (START_US, 0)
    issued(found, Right.ATTRIBUTE, titles(11, 40, START_US + HOUR_US))
    assert certified(found, 11) == (START_US + 2 * HOUR_US, 40)


def send(found: Devices, *series: tuple[int, int]) -> None:
    """One packet of (quarter, Wh) readings, judged and applied."""
    sequence, previous = int(found.head_sequence[0]), found.head_hash[0].tobytes()
    at_us, position_wh = zip(*((START_US + quarter * QUARTER_HOUR_US, wh) for quarter, wh in series), strict=True)
    raw = sign(packet("roof", sequence + 1, previous, at_us, position_wh), key_of("roof"))
    judged = judge([raw], at_us[-1], found)
    assert judged.packets["verdict"].tolist() == [0]
    applied(found, judged.packets, judged.readings)


def test_a_register_at_rest_needs_no_certificate_up_to_there() -> None:
    found = devices("roof")
    send(found, (1, 0), (2, 0), (3, 9), (4, 9))
    assert certified(found, 11) == (START_US + 2 * QUARTER_HOUR_US, 0)
    assert standing(found, 11) == (START_US + HOUR_US, 9)
    send(found, (5, 9))
    assert certified(found, 11) == (START_US + 2 * QUARTER_HOUR_US, 0)
    issued(found, Right.ATTRIBUTE, titles(11, 9, START_US))
    send(found, (6, 9), (40, 9), (41, 9_999), (42, 9))
    assert certified(found, 11) == (START_US + 42 * QUARTER_HOUR_US, 9)


@pytest.mark.parametrize("batches", [1, 12])
def test_a_night_between_two_batches_gets_no_energy(batches: int) -> None:
    """From 18:00 to 6:00 the register rests, reported in one batch or in twelve; the rest belongs to the morning."""
    found = devices("roof")
    send(found, (71, 80), (72, 100))
    issued(found, Right.ATTRIBUTE, titles(11, 100, START_US + 17 * HOUR_US))
    night = [(quarter, 100) for quarter in range(73, 121)]
    for number in range(batches):
        send(found, *night[number * 48 // batches : (number + 1) * 48 // batches])
    morning = column([START_US + quarter * QUARTER_HOUR_US for quarter in (121, 122, 123, 124)])
    register, wh = column([11] * 4, "int32"), column([150, 200, 250, 300])
    made = interval_spans(register, morning, wh, found.certified_at_us, found.certified_wh)
    assert made["interval_us"].tolist() == [START_US + 30 * HOUR_US]
    assert (made["start"].tolist(), made["stop"].tolist()) == ([100], [300])


def test_heads_move_with_accepted_packets_only() -> None:
    found = devices("roof")
    raws = chain("roof", 2)
    judged = judge([raws[0], b"x", raws[0], raws[1]], START_US + 24 * HOUR_US, found)
    applied(found, judged.packets, judged.readings)
    assert (found.head_sequence[0], found.head_hash[0].tobytes()) == (1, packet_hash(raws[1]))
