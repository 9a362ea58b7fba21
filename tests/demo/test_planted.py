"""Planted packets: the checks refuse every one of them and nothing else, and the seed says which."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from demo_sources import clear_week

from penstock.cli.demo.fleet import positions_wh, roofs
from penstock.cli.demo.planted import KINDS, READINGS_PER_PACKET, Meter, Plan, packets
from penstock.energy.device import Devices
from penstock.energy.forms.cose import packet_in
from penstock.energy.judge import Judged, judge, prepare
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import Invalid
from penstock.journal.kinds.energy import DeviceEnrolled
from penstock.journal.words import Form, Technology
from penstock.period import QUARTER_HOUR_US

SEED, OTHER = bytes(32), b"\x07" * 32
METERS, HOURS, EACH = 5, 60, 4
PACKET_OF = {
    "forged": MessageVerdict.BAD_SIGNATURE,
    "replayed": MessageVerdict.REPLAYED,
    "stranger": MessageVerdict.UNKNOWN_DEVICE,
    "garbled": MessageVerdict.MALFORMED,
}
READING_OF = {"backward": ReadingVerdict.REGISTER_BACKWARD, "impossible": ReadingVerdict.OVER_CAPACITY}


@cache
def meters() -> tuple[Meter, ...]:
    sun = clear_week()
    rows = slice(0, HOURS * READINGS_PER_PACKET)
    return tuple(
        Meter(one.name, one.key, sun.start_us[rows] + QUARTER_HOUR_US, positions_wh(one, SEED, sun, None)[rows])
        for one in roofs(SEED, METERS)
    )


def enrolled() -> Devices:
    found, start_us = Devices(), clear_week().week.start_us
    for number, roof in enumerate(roofs(SEED, METERS)):
        device = DeviceEnrolled(
            roof.name,
            roof.name,
            Technology.SOLAR_PV,
            roof.key.public,
            roof.name,
            roof.size_w,
            start_us,
            key_kind=roof.key.kind,
        )
        found.enrol(device, number)
    return found


@cache
def sent(seed: bytes = SEED) -> tuple[Plan, list[bytes]]:
    plan = Plan.draw(seed, METERS, HOURS, EACH)
    return plan, [raw for hour in packets(meters(), plan, seed) for raw in hour]


@cache
def good() -> list[bytes]:
    return [raw for hour in packets(meters(), Plan({}), SEED) for raw in hour]


def judged(raws: list[bytes]) -> Judged:
    devices = enrolled()
    batch = prepare([(Form.COSE, raw) for raw in raws], devices)
    return judge(batch, raws, int(meters()[0].at_us[-1]), devices)


def test_a_plan_has_as_many_of_each_kind() -> None:
    plan, raws = sent()
    assert Counter(plan.kinds.values()) == dict.fromkeys(KINDS, EACH)
    assert len(raws) == METERS * HOURS + EACH * len(KINDS)
    assert all(meter < METERS and 13 <= hour < HOURS for meter, hour in plan.kinds)


def test_without_planted_packets_none_is_refused() -> None:
    found = judged(good())
    assert len(good()) == METERS * HOURS
    assert not found.packets["verdict"].any()
    assert not found.readings["verdict"].any()


@pytest.mark.parametrize("seed", [SEED, OTHER, b"\x20" * 32])
def test_every_planted_packet_is_refused_and_nothing_else(seed: bytes) -> None:
    plan, raws = sent(seed)
    found = judged(raws)
    packets_said = Counter(MessageVerdict(int(one)) for one in found.packets["verdict"] if one)
    readings_said = Counter(ReadingVerdict(int(one)) for one in found.readings["verdict"] if one)
    assert sum(packets_said.values()) + sum(readings_said.values()) == len(plan.kinds)
    for kind, verdict in READING_OF.items():
        assert readings_said[verdict] == EACH, kind
    altered = packets_said[MessageVerdict.BAD_SIGNATURE] - EACH + packets_said[MessageVerdict.MALFORMED] - EACH
    assert altered == EACH
    assert packets_said[MessageVerdict.REPLAYED] == packets_said[MessageVerdict.UNKNOWN_DEVICE] == EACH


def test_each_kind_is_refused_for_its_own_reason_where_it_was_planted() -> None:
    plan, raws = sent()
    found = judged(raws)
    row = 0
    for hour in range(HOURS):
        for meter in range(METERS):
            assert found.packets["verdict"][row] == 0
            row += 1
            kind = plan.kinds.get((meter, hour))
            if kind is None:
                continue
            said = int(found.packets["verdict"][row])
            mine = found.readings["packet"] == row
            if kind in READING_OF:
                assert (said, found.readings["verdict"][mine].tolist()) == (0, [READING_OF[kind]])
            elif kind in PACKET_OF:
                assert said == PACKET_OF[kind], kind
            else:
                assert said in (MessageVerdict.BAD_SIGNATURE, MessageVerdict.MALFORMED)
            row += 1
    assert row == len(raws)


def test_what_counts_is_what_would_have_counted_without_them() -> None:
    def accepted(found: Judged) -> set[tuple[int, int, int]]:
        rows = found.readings["verdict"] == 0
        columns = (found.readings[name][rows].tolist() for name in ("register", "at_us", "position_wh"))
        return set(zip(*columns, strict=True))

    assert accepted(judged(sent()[1])) == accepted(judged(good()))


def test_the_seed_decides_which() -> None:
    assert Plan.draw(SEED, METERS, HOURS).kinds == Plan.draw(SEED, METERS, HOURS).kinds
    assert Plan.draw(SEED, METERS, HOURS).kinds != Plan.draw(OTHER, METERS, HOURS).kinds
    again = [raw for hour in packets(meters(), sent()[0], SEED) for raw in hour]
    assert again == sent()[1]


def test_nothing_in_a_planted_packet_says_so() -> None:
    for raw in sent()[1]:
        assert b"planted" not in raw
        try:
            packet = packet_in(raw)
        except Invalid:
            continue
        assert packet.device.startswith("roof-")
