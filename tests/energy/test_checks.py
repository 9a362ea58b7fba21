"""Checks: what each kind of bad packet and bad reading comes to, and that judging in columns is judging one by one."""

from __future__ import annotations

import numpy as np
import pytest
from energy_kit import (
    CAPACITY_W,
    START_US,
    applied,
    chain,
    column,
    devices,
    enrolled,
    hour,
    judge,
    key_of,
    packet,
    stood,
)

from penstock.energy.checks.clock import SKEW_US
from penstock.energy.checks.table import check_readings
from penstock.energy.device import Devices
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.energy.judge import Judged
from penstock.energy.verdict import PACKETS_EXPLAINED, READINGS_EXPLAINED, MessageVerdict, ReadingVerdict
from penstock.keys import SigningKey
from penstock.period import HOUR_US, QUARTER_HOUR_US, SECOND_US
from penstock.units import INT64_MAX

P, R = MessageVerdict, ReadingVerdict
ATTACKER = SigningKey(bytes(32))
NOW_US = INT64_MAX - SKEW_US
ONE, TWO, THREE = chain("roof", 3)


def verdicts(found: Judged) -> list[int]:
    return [int(one) for one in found.packets["verdict"]]


def signed(one: Packet, key: SigningKey | None = None) -> bytes:
    return sign(one, key or key_of(one.device))


def altered(raw: bytes, digits: bytes, other: bytes) -> bytes:
    assert raw.count(digits) == 1
    return raw.replace(digits, other)


PACKETS = {
    "good": ([ONE, TWO, THREE], [P.ACCEPTED] * 3),
    "garbled": ([ONE[: len(ONE) // 2]], [P.MALFORMED]),
    "empty": ([b""], [P.MALFORMED]),
    "a stranger's": ([signed(packet("stranger"))], [P.UNKNOWN_DEVICE]),
    "forged": ([signed(packet("roof"), ATTACKER)], [P.BAD_SIGNATURE]),
    "forged by another meter": ([signed(packet("roof"), key_of("hill"))], [P.BAD_SIGNATURE]),
    "altered": ([altered(ONE, b"\x18\x28\x58\x40", b"\x18\x29\x58\x40")], [P.BAD_SIGNATURE]),
    "replayed at once": ([ONE, ONE], [P.ACCEPTED, P.REPLAYED]),
    "replayed later": ([ONE, TWO, ONE, TWO, THREE], [P.ACCEPTED, P.ACCEPTED, P.REPLAYED, P.REPLAYED, P.ACCEPTED]),
    "another with an old number": (
        [ONE, signed(packet("roof", 0, position_wh=(1, 2)))],
        [P.ACCEPTED, P.REPLAYED],
    ),
    "one is missing": ([ONE, THREE], [P.ACCEPTED, P.GAP]),
    "the first is missing": ([TWO], [P.GAP]),
    "it comes late": ([ONE, THREE, TWO, THREE], [P.ACCEPTED, P.GAP, P.ACCEPTED, P.ACCEPTED]),
    "forked": ([ONE, signed(packet("roof", 1, FIRST, position_wh=(50,))), TWO], [P.ACCEPTED, P.FORKED, P.ACCEPTED]),
    "the first names another before it": ([signed(packet("roof", 0, b"\x01" * 32))], [P.FORKED]),
    "bad ones move nothing": (
        [ONE, signed(packet("roof", 1, packet_hash(ONE), position_wh=(50,)), ATTACKER), TWO],
        [P.ACCEPTED, P.BAD_SIGNATURE, P.ACCEPTED],
    ),
}


@pytest.mark.parametrize(("raws", "expected"), PACKETS.values(), ids=PACKETS)
def test_packets(raws: list[bytes], expected: list[MessageVerdict]) -> None:
    found = judge(raws, NOW_US, devices("roof", "hill"))
    assert verdicts(found) == expected
    assert found.packets["packet"].tolist() == raws
    assert set(found.packets["received_us"].tolist()) == {NOW_US}
    counted = np.flatnonzero(found.packets["verdict"] == 0)
    assert set(found.readings["packet"].tolist()) == set(counted.tolist())


def test_a_packet_in_anothers_name_is_not_signed_by_it() -> None:
    """The kid names the device; a meter cannot speak under another's name, nor hide behind it."""
    mine = signed(packet("hill"))
    found = judge([mine.replace(b"hill", b"roof")], NOW_US, devices("roof", "hill"))
    assert verdicts(found) == [P.BAD_SIGNATURE]
    found = judge([mine.replace(b"\x44hill", b"\x44roof", 1)], NOW_US, devices("roof", "hill"))
    assert verdicts(found) == [P.MALFORMED]


def test_what_is_told_of_a_packet() -> None:
    found = judge([ONE, b"x", signed(packet("stranger", 7)), signed(packet("hill"))], NOW_US, devices("roof", "hill"))
    assert found.packets["device"].tolist() == [0, -1, -1, 1]
    assert found.packets["sequence"].tolist() == [0, -1, 7, 0]
    assert found.readings["packet"].tolist() == [0] * 4 + [3] * 4
    assert found.readings["register"].tolist() == [12] * 4 + [11] * 4
    assert found.readings["position_wh"].tolist() == [10, 20, 30, 40] * 2
    assert found.readings["at_us"].tolist() == list(hour(0)) * 2


@pytest.mark.parametrize("raws", [[], [b"x"], [signed(packet("roof"), ATTACKER)] * 3])
def test_a_batch_without_a_good_packet_has_no_readings(raws: list[bytes]) -> None:
    found = judge(raws, NOW_US, devices("roof"))
    assert len(found.packets["verdict"]) == len(raws)
    assert all(len(one) == 0 for one in found.readings.values())


def test_devices_are_judged_apart() -> None:
    hill = chain("hill", 2)
    found = judge([hill[0], ONE, hill[1], THREE, TWO], NOW_US, devices("roof", "hill"))
    assert verdicts(found) == [P.ACCEPTED, P.ACCEPTED, P.ACCEPTED, P.GAP, P.ACCEPTED]


def readings_of(one: Packet, found: Devices) -> list[int]:
    judged = judge([signed(one)], NOW_US, found)
    assert verdicts(judged) == [P.ACCEPTED]
    return [int(verdict) for verdict in judged.readings["verdict"]]


A_QUARTER_WH = CAPACITY_W // 4
T = hour(0)
READINGS = {
    "good": (T, (10, 20, 30, 40), [0, 0, 0, 0]),
    "nothing counted": (T, (0, 0, 0, 0), [0, 0, 0, 0]),
    "at capacity, and the Wh that was begun": (T[:1], (A_QUARTER_WH + 1,), [0]),
    "a Wh over": (T[:1], (A_QUARTER_WH + 2,), [R.OVER_CAPACITY]),
    "below capacity": (T[:1], (A_QUARTER_WH - 1,), [0]),
    "over, then as if nothing had been": (T, (10, 9_999, 30, 40), [0, R.OVER_CAPACITY, 0, 0]),
    "backward": (T, (10, 9, 30, 40), [0, R.REGISTER_BACKWARD, 0, 0]),
    "backward, and held against the last that counted": (T, (10, 5, 9, 10), [0, 2, 2, 0]),
    "the same reading twice": ((T[0], T[0], T[1]), (10, 10, 20), [0, R.DUPLICATE, 0]),
    "the same time twice": ((T[0], T[0], T[1]), (10, 11, 20), [0, R.TIME_BACKWARD, 0]),
    "time backward": ((T[1], T[0], T[2]), (10, 10, 20), [0, R.TIME_BACKWARD, 0]),
    "time and register backward": ((T[1], T[0]), (10, 5), [0, R.TIME_BACKWARD]),
    "as it was commissioned": ((START_US,), (0,), [R.TIME_BACKWARD]),
    "before it was commissioned": ((START_US - 1,), (0,), [R.BEFORE_TIME]),
    "less than a second later": ((START_US + 1,), (2,), [R.OVER_CAPACITY]),
    "a Wh in less than a second": ((START_US + 1,), (1,), [0]),
    "beyond 63 bits when multiplied": (T[:1], (2**62,), [R.OVER_CAPACITY]),
    "beyond 63 bits and back": (T[:1], (2**63 // 3_600 + 5,), [R.OVER_CAPACITY]),
    "as high as it can stand": (T[:1], (2**63 - 1,), [R.OVER_CAPACITY]),
    "over, at the end of time": ((2**63 - 1,), (2**63 - 1,), [R.OVER_CAPACITY]),
}


@pytest.mark.parametrize(("at_us", "position_wh", "expected"), READINGS.values(), ids=READINGS)
def test_readings(at_us: tuple[int, ...], position_wh: tuple[int, ...], expected: list[int]) -> None:
    assert readings_of(packet("roof", at_us=at_us, position_wh=position_wh), devices("roof")) == expected


@pytest.mark.parametrize("over_wh", [-1, 0, 1, 2])
def test_capacity_holds_over_any_stretch_of_time(over_wh: int) -> None:
    days = 40
    at_us = (START_US + days * 24 * HOUR_US,)
    most_wh = CAPACITY_W * 24 * days + 1
    found = readings_of(packet("roof", at_us=at_us, position_wh=(most_wh + over_wh,)), devices("roof"))
    assert found == [R.OVER_CAPACITY if over_wh > 0 else 0]


@pytest.mark.parametrize("position_wh", [2**62, 2**63 - 1, 10**15])
def test_a_capacity_that_is_no_bound_does_not_wrap(position_wh: int) -> None:
    found = devices("plant", capacity_w=2**62)
    at_us = (START_US + 10**4 * HOUR_US,)
    expected = R.OVER_CAPACITY if position_wh > 2**63 // 3_600 else 0
    assert readings_of(packet("plant", at_us=at_us, position_wh=(position_wh,)), found) == [expected]


def naive(register: list[int], at_us: list[int], position_wh: list[int], found: Devices) -> list[int]:
    """One reading after the other, in whole numbers without bounds."""
    last = {n: (int(found.last_at_us[n]), int(found.last_wh[n])) for n in found.main_register().tolist()}
    seen = {n: {step} if step[1] else set() for n, step in last.items()}
    waits = set()
    said = []
    for number, at, position in zip(register, at_us, position_wh, strict=True):
        at0, position0 = last[number]
        allowed = int(found.capacities_w(np.array([number]))[0]) * ((at - at0) // SECOND_US) // 3_600 + 1
        if at < START_US:
            said.append(R.BEFORE_TIME)
        elif (at, position) in seen[number]:
            said.append(R.DUPLICATE)
        elif at <= at0:
            said.append(R.TIME_BACKWARD)
        elif number in waits:
            said.append(R.HELD_BACK)
        elif position < position0 and position * 10 <= position0 and position <= allowed:
            said.append(R.RESET)
            waits.add(number)
        elif position < position0:
            said.append(R.REGISTER_BACKWARD)
        elif position - position0 > allowed:
            said.append(R.OVER_CAPACITY)
        else:
            said.append(R.ACCEPTED)
            last[number] = (at, position)
            seen[number].add((at, position))
    return [int(one) for one in said]


@pytest.mark.parametrize("bad", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_columns_are_judged_as_one_by_one(seed: int, bad: float) -> None:
    dice = np.random.Generator(np.random.PCG64(seed))
    capacity_w = int(dice.integers(1, 5_000))
    found = devices(*(f"roof-{i}" for i in range(9)), capacity_w=capacity_w)
    registers = found.main_register()
    for number in registers[::2].tolist():
        stood(found, number, START_US + int(dice.integers(0, HOUR_US)), int(dice.integers(0, 500)))
    rows = 400
    register = dice.choice(registers, rows)
    at_us = START_US + HOUR_US + np.arange(rows) * QUARTER_HOUR_US // 9
    position = 500 + np.arange(rows) * min(capacity_w, 900) // 36
    spoilt = dice.random(rows) < bad
    at_us[spoilt] += dice.integers(-2 * HOUR_US, 2 * HOUR_US, spoilt.sum())
    position[spoilt] = np.maximum(position[spoilt] + dice.integers(-900, 900, spoilt.sum()), 0)
    position[spoilt & (dice.random(rows) < 0.1)] = 2**62
    readings = {"register": register, "device": found.device_of[register], "at_us": at_us, "position_wh": position}
    said = check_readings(readings, found, NOW_US).verdict
    expected = naive(register.tolist(), at_us.tolist(), position.tolist(), found)
    assert said.tolist() == expected
    assert said.dtype == np.uint8
    if bad == 0.3:
        assert {R.ACCEPTED, R.TIME_BACKWARD, R.REGISTER_BACKWARD, R.OVER_CAPACITY} <= set(expected)


def test_judging_changes_nothing() -> None:
    found = devices("roof", "hill")
    before = found.digest()
    judge([ONE, TWO, *chain("hill", 3), b"x"], NOW_US, found)
    assert found.digest() == before
    assert verdicts(judge([ONE, TWO], NOW_US, found)) == [0, 0]


def test_state_after_a_batch_is_where_the_next_one_starts() -> None:
    found = devices("roof", "hill")
    judged = judge([ONE, signed(packet("roof", 1, packet_hash(ONE), hour(1), (50, 49, 60, 9_999)))], NOW_US, found)
    applied(found, judged.packets, judged.readings)
    last = judged.packets["packet"][1]
    assert found.head_sequence.tolist() == [1, -1]
    assert [row.tobytes() for row in found.head_hash] == [packet_hash(last), FIRST]
    assert (found.last_at_us[12], found.last_wh[12]) == (hour(1)[2], 60)
    assert (found.last_at_us[11], found.last_wh[11]) == (START_US, 0)
    assert verdicts(judge([ONE, last], NOW_US, found)) == [P.REPLAYED, P.REPLAYED]
    after = signed(packet("roof", 2, packet_hash(last), (hour(1)[2], hour(2)[0]), (61, 61)))
    assert judge([after], NOW_US, found).readings["verdict"].tolist() == [R.TIME_BACKWARD, 0]


@pytest.mark.parametrize("cut", range(7))
def test_in_one_batch_or_in_two_the_verdicts_are_the_same(cut: int) -> None:
    raws = [ONE, ONE, signed(packet("roof", 1, packet_hash(ONE), hour(1), (39, 41, 9_999, 50))), TWO, b"x"]
    raws.append(signed(packet("roof", 2, packet_hash(raws[2]), hour(2), (45, 50, 60, 70))))
    whole = judge(raws, NOW_US, devices("roof"))
    found = devices("roof")
    said: list[list[int]] = [[], []]
    for part in (raws[:cut], raws[cut:]):
        judged = judge(part, NOW_US, found)
        applied(found, judged.packets, judged.readings)
        said[0] += judged.packets["verdict"].tolist()
        said[1] += judged.readings["verdict"].tolist()
    assert said == [whole.packets["verdict"].tolist(), whole.readings["verdict"].tolist()]
    assert 0 < sum(one == 0 for one in said[0]) < len(raws)


def test_capacities_go_with_registers() -> None:
    found = Devices()
    for number, capacity_w in ((12, CAPACITY_W), (11, 7)):
        found.enrol(enrolled(f"roof-{number}", capacity_w), number)
    assert found.capacities_w(column([11, 12, 11], "int32")).tolist() == [7, CAPACITY_W, 7]


def test_every_refusal_is_explained_in_its_own_words() -> None:
    assert set(PACKETS_EXPLAINED) == set(P) - {P.ACCEPTED}
    assert set(READINGS_EXPLAINED) == set(R) - {R.ACCEPTED}
    words = [*PACKETS_EXPLAINED.values(), *READINGS_EXPLAINED.values()]
    assert len(words) == len(set(words))
    assert not set(PACKETS_EXPLAINED.values()) & set(READINGS_EXPLAINED.values())


def test_a_reading_from_the_future_is_kept_and_never_counted() -> None:
    """One instant more than the allowed skew after it was received."""
    at_us = START_US + QUARTER_HOUR_US
    raw = signed(packet("roof", at_us=[at_us], position_wh=[10]))
    timely = judge([raw], at_us - SKEW_US, devices("roof"))
    early = judge([raw], at_us - SKEW_US - 1, devices("roof"))
    assert timely.readings["verdict"].tolist() == [R.ACCEPTED]
    assert (verdicts(early), early.readings["verdict"].tolist()) == ([P.ACCEPTED], [R.FROM_THE_FUTURE])
