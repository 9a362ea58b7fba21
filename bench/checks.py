"""Checks of readings as columns against the same rules row by row in Python, bounds precomputed; a day a device."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.result import Result, race, seconds
from penstock.energy.checks.bounds import Bounds
from penstock.energy.checks.flat import FLAT_STEPS, FLAT_US
from penstock.energy.checks.register import Walk
from penstock.energy.checks.sky import Sky, sky_bounds
from penstock.energy.checks.sun import EXCESS_PERCENT, NIGHT_PERMILLE, QUANTUM_WH
from penstock.energy.checks.table import Checked, check_readings
from penstock.energy.verdict import READING_RULES
from penstock.energy.verdict import ReadingVerdict as R
from penstock.journal.words import Outcome
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, parse_iso

DEVICES, STEPS = 10_000, 96
START_US = parse_iso("2026-06-21T07:00:00Z")
CAPACITY_W = 5_000
CELLS = ("9xj4", "9q9p", "u33d", "gcpv")
Row = dict[str, int]


@dataclass(frozen=True)
class Books:
    """A fleet at the start of a day: the columns the checks ask for."""

    capacity_w: Any
    commissioned_us: Any
    technology: Any
    tilt_deg: Any
    azimuth_deg: Any
    cell: Any
    cells: tuple[str, ...]
    device_of: Any
    last_at_us: Any
    last_wh: Any
    epoch_start_wh: Any
    rolls_over_wh: Any
    held_since_us: Any


def fleet(devices: int) -> Books:
    """Solar roofs in four cells, sixteen orientations each; one in five hundred waits in quarantine already."""
    number = np.arange(devices)
    zeros = np.zeros(devices, dtype=np.int64)
    return Books(
        capacity_w=np.full(devices, CAPACITY_W),
        commissioned_us=np.full(devices, START_US - DAY_US),
        technology=np.zeros(devices, np.uint8),
        tilt_deg=(number % 4 * 15).astype(np.int16),
        azimuth_deg=(120 + number // 4 % 4 * 40).astype(np.int16),
        cell=(number // 16 % len(CELLS)).astype(np.int32),
        cells=CELLS,
        device_of=number.astype(np.int32),
        last_at_us=np.full(devices, START_US),
        last_wh=zeros,
        epoch_start_wh=zeros,
        rolls_over_wh=zeros,
        held_since_us=np.where(number % 500 == 499, START_US, 0),
    )


def day_of(books: Books, bounds: Bounds, seed: int = 1) -> dict[str, Any]:
    """A cloudy day of every device, sorted by device; one in a hundred lies, in one of eight ways."""
    dice, devices = np.random.default_rng(seed), len(books.capacity_w)
    device = np.repeat(np.arange(devices, dtype=np.int32), STEPS)
    at_us = START_US + np.tile(np.arange(1, STEPS + 1) * QUARTER_HOUR_US, devices)
    capacity = books.capacity_w[device]
    most = bounds.most_wh(bounds.planes(device, capacity), at_us - QUARTER_HOUR_US, at_us, capacity)
    energy = (most * dice.uniform(0.2, 0.8, len(most))).astype(np.int64)
    position = np.cumsum(energy.reshape(devices, STEPS), axis=1).ravel()
    power_mw = np.repeat(energy * 4_000, 1)
    clock, meter = np.zeros(len(device), np.uint8), np.zeros(len(device), np.uint8)
    since, until = np.zeros(len(device), np.int64), np.full(len(device), 1 << 62)
    lies = dice.integers(0, 100, devices) == 0
    for number in np.flatnonzero(lies).tolist():
        row = number * STEPS + int(dice.integers(8, STEPS))
        rest, kind = slice(row, (number + 1) * STEPS), number % 8
        if kind == 0:
            at_us[row] -= HOUR_US
        elif kind == 1:
            position[row] -= 5_000
        elif kind == 2:
            position[rest] += 9_000
        elif kind == 3:
            clock[rest] = 3
        elif kind == 4:
            meter[row] = 1
        elif kind == 5:
            until[rest] = START_US + HOUR_US
        elif kind == 6:
            clock[rest] = 1
        else:
            position[number * STEPS : (number + 1) * STEPS] *= 2
    position[:STEPS] = np.arange(1, STEPS + 1) * 300  # one flat line: a second would be found to be a copy of it
    return {
        "register": device, "device": device, "message": np.arange(len(device)) // 4, "at_us": at_us,
        "position_wh": np.maximum(position, 0), "power_mw": power_mw, "clock": clock, "meter": meter,
        "key_since_us": since, "key_until_us": until,
    }  # fmt: skip


def columns(readings: dict[str, Any], books: Books, bounds: Bounds) -> Checked:
    """Ours: every check, those between devices among them."""
    return check_readings(readings, books, START_US + 2 * DAY_US, bounds)


REFUSES = sum(1 << v for v, rule in READING_RULES.items() if rule.outcome is Outcome.REFUSED)
QUARANTINES = sum(1 << v for v, rule in READING_RULES.items() if rule.outcome is Outcome.QUARANTINED)


def row_by_row(readings: dict[str, Any], books: Books, bounds: Bounds) -> tuple[list[int], list[int]]:
    """The peer: the same rules of one device's own readings, a Python loop over rows. No check between devices."""
    names = list(readings)
    by_device: dict[int, list[Row]] = {}
    for values in zip(*(readings[name].tolist() for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        by_device.setdefault(row["register"], []).append(row)
    cumulative = [line.tolist() for line in bounds.cumulative_wh]
    found: list[int] = []
    for register, rows in by_device.items():
        found += one_device(register, rows, books, bounds, cumulative)
    return [verdict_of(each) for each in found], found


def verdict_of(findings: int) -> int:
    """The lowest finding that refuses, else the lowest that quarantines."""
    deciding = findings & REFUSES or findings & QUARANTINES
    return (deciding & -deciding).bit_length() - 1 if deciding else 0


def one_device(register: int, rows: list[Row], books: Books, bounds: Bounds, cumulative: list[list[int]]) -> list[int]:
    """Findings of one device's readings, in order."""
    found = [alone(row, int(books.commissioned_us[register])) for row in rows]
    standing = int(books.last_at_us[register]), int(books.last_wh[register])
    capacity, plane = int(books.capacity_w[register]), int(bounds.plane_of[register])
    walk, steps = Walk(standing, capacity, 0, 0, waits=bool(books.held_since_us[register])), []
    stands = [index for index, each in enumerate(found) if not each & REFUSES]
    verdicts, before = walk.walk([rows[i]["at_us"] for i in stands], [rows[i]["position_wh"] for i in stands])
    for index, verdict, last in zip(stands, verdicts.tolist(), before.tolist(), strict=True):
        if verdict:
            found[index] |= 1 << verdict
        else:
            steps.append((index, stands[last] if last >= 0 else -1))
    power(rows, steps, found)
    flat(rows, steps, found, standing, capacity)
    sun(rows, steps, found, standing, capacity, bounds, plane, cumulative[plane])
    waits = bool(books.held_since_us[register])
    for index, each in enumerate(found):
        if not each & REFUSES:
            found[index] |= 1 << R.HELD_BACK if waits else 0
            waits |= bool(each & QUARANTINES)
    return found


def alone(row: Row, commissioned_us: int) -> int:
    """What a reading says alone."""
    found = 1 << R.FROM_THE_FUTURE if row["at_us"] > START_US + 2 * DAY_US + 300_000_000 else 0
    found |= 1 << R.BEFORE_TIME if row["at_us"] < commissioned_us else 0
    found |= 1 << R.CLOCK_UNSET if row["clock"] == 3 else 0
    found |= 1 << R.CLOCK_INFORMATIVE if row["clock"] in (1, 2) else 0
    found |= 1 << R.METER_ERROR if row["meter"] else 0
    return found | (0 if row["key_since_us"] <= row["at_us"] < row["key_until_us"] else 1 << R.KEY_NOT_VALID)


def power(rows: list[Row], steps: list[tuple[int, int]], found: list[int]) -> None:
    """Power over time against the register, message by message."""
    runs: dict[int, list[tuple[int, int]]] = {}
    for index, last in steps:
        if last >= 0 and rows[index]["message"] == rows[last]["message"]:
            runs.setdefault(rows[index]["message"], []).append((index, last))
    for run in runs.values():
        integral = counted = quantum = 0
        for index, last in run:
            elapsed = (rows[index]["at_us"] - rows[last]["at_us"]) // 1_000_000
            integral += (rows[index]["power_mw"] + rows[last]["power_mw"]) * elapsed // 7_200
            energy = rows[index]["position_wh"] - rows[last]["position_wh"]
            counted += energy
            quantum = int(np.gcd(quantum, energy))
        (first, first0), (end, end0) = run[0], run[-1]
        half = rows[first0]["power_mw"] * ((rows[first]["at_us"] - rows[first0]["at_us"]) // 1_000_000)
        half += rows[end]["power_mw"] * ((rows[end]["at_us"] - rows[end0]["at_us"]) // 1_000_000)
        if abs(integral - counted * 1_000) > max(quantum, 1) * 1_000 + half // 7_200:
            for index, _ in run:
                found[index] |= 1 << R.POWER_DIFFERS


def flat(rows: list[Row], steps: list[tuple[int, int]], found: list[int], standing: tuple[int, int], cap: int) -> None:
    """Twelve like steps over three hours."""
    run: list[tuple[int, int]] = []
    last_energy = last_elapsed = -1
    for index, last in [*steps, (-1, -1)]:
        at0, wh0 = (rows[last]["at_us"], rows[last]["position_wh"]) if last >= 0 else standing
        energy, elapsed = (rows[index]["position_wh"] - wh0, rows[index]["at_us"] - at0) if index >= 0 else (0, 0)
        near = abs(energy - last_energy) <= max(energy // 500, 1) and elapsed == last_elapsed
        if index < 0 or not (run and near and FLAT_STEPS < energy < cap * elapsed / HOUR_US * 90 / 100):
            if len(run) >= FLAT_STEPS and sum(each for _, each in run) >= FLAT_US:
                for flagged, _ in run:
                    found[flagged] |= 1 << R.FLAT
            run = []
        run.append((index, elapsed))
        last_energy, last_elapsed = energy, elapsed


def sun(
    rows: list[Row], steps: list[tuple[int, int]], found: list[int], standing: tuple[int, int], cap: int,
    bounds: Bounds, plane: int, line: list[int],
) -> None:  # fmt: skip
    """Night, and energy over a day's clear sky."""
    midnight = int(bounds.noon_us[plane]) - DAY_US // 2
    first, last_us = bounds.start_us, bounds.start_us + (len(line) - 1) * bounds.step_us

    def upto(at: int) -> int:
        step, within = divmod(at - first, bounds.step_us)
        high = line[min(step + 1, len(line) - 1)]
        return line[step] * 1_000 + (high - line[step]) * 1_000 * (within // 1_000) // (bounds.step_us // 1_000)

    def most(begin: int, end: int) -> int:
        return -(-cap * (upto(end) - upto(begin)) // 1_000_000)

    excess, today = 0, None
    for index, last in steps:
        at, wh = rows[index]["at_us"], rows[index]["position_wh"]
        at0, wh0 = (rows[last]["at_us"], rows[last]["position_wh"]) if last >= 0 else standing
        if not (first <= at0 and at <= last_us):
            continue
        bound, energy, day = most(at0, at), wh - wh0, (at - 1 - midnight) // DAY_US
        excess = max(energy - bound, 0) + (excess if day == today else 0)
        today, begin = day, day * DAY_US + midnight
        noise = QUANTUM_WH + cap * min(at - at0, DAY_US) // (HOUR_US * 1_000 // NIGHT_PERMILLE)
        found[index] |= 1 << R.AT_NIGHT if bound == 0 and energy > noise else 0
        whole = most(min(max(begin, first), last_us), min(max(begin + DAY_US, first), last_us))
        if excess > QUANTUM_WH + max(whole, bound) * EXCESS_PERCENT // 100:
            found[index] |= 1 << R.ABOVE_CLEAR_SKY


def cpu_seconds(way: Callable[..., object], readings: dict[str, Any], books: Books, bounds: Bounds) -> float:
    """Seconds of processor of one call: what is left of a measurement on a machine that others use too."""
    start = time.process_time()
    way(readings, books, bounds)
    return time.process_time() - start


def run(small: bool = False) -> Result:
    """Equal findings first, then three interleaved rounds on the same rows."""
    devices = DEVICES // 10 if small else DEVICES
    books = fleet(devices)
    ends = np.array([START_US, START_US + DAY_US])
    sky_s = seconds(lambda: sky_bounds(books, np.arange(devices), ends, Sky()))
    bounds = sky_bounds(books, np.arange(devices), ends, Sky())
    readings = day_of(books, bounds)
    ours, theirs = columns(readings, books, bounds), row_by_row(readings, books, bounds)
    if ours[1].tolist() != theirs[1] or ours[0].tolist() != theirs[0]:
        raise AssertionError("the two ways do not find the same")
    gc.collect()
    rounds = race(lambda: columns(readings, books, bounds), lambda: row_by_row(readings, books, bounds), rounds=3)
    rows = devices * STEPS
    ours_cpu, peer_cpu = (cpu_seconds(way, readings, books, bounds) for way in (columns, row_by_row))
    best, peer = sorted(rounds.ours_s)[1], sorted(rounds.peer_s)[1]
    flagged = int(np.count_nonzero(ours[0]))
    return Result(
        name="checks", ours=rows / best, unit="readings/s", peer=rows / peer, ratio=rounds.ratio,
        peer_name="the same rules row by row in Python",
        notes=(
            rounds.spread,
            f"seconds of processor alone: {rows / ours_cpu:,.0f} readings/s, {peer_cpu / ours_cpu:.1f} times better",
            f"{rows:,} readings of {devices:,} devices, one day in one batch; {flagged:,} do not count; findings equal",
            "the columns also look for twins, copies and flat lines between devices; the peer does not",
            f"bounds precomputed: {len(bounds.cumulative_wh)} planes, {len(CELLS)} cells, {sky_s:.1f} s of pvlib",
        ),
    )  # fmt: skip
