"""Which check runs when: columns of readings in, a verdict and all findings for each out.

First what a reading says alone; then registers, each reading against the last that stands; then steps between
readings that stand: power, sky, weather, neighbours, the site; last what waits because something before it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.balance import site_balance
from penstock.energy.checks.bounds import NO_BOUNDS, Bounds
from penstock.energy.checks.clock import before_time, clock_status, from_the_future
from penstock.energy.checks.copied import copied
from penstock.energy.checks.findings import REFUSES, Findings, Ints, bit, marked, verdicts_of
from penstock.energy.checks.flat import CHARGER, flat_line, standing_still
from penstock.energy.checks.key_time import key_at_reading
from penstock.energy.checks.meter_status import meter_status
from penstock.energy.checks.power import power_differs
from penstock.energy.checks.quarantine import held_back
from penstock.energy.checks.register import STANDING, follow
from penstock.energy.checks.seen import revised_waits, seen_before
from penstock.energy.checks.step import Steps, runs
from penstock.energy.checks.sun import SkySteps, under_the_sky
from penstock.energy.checks.twin import twin_devices
from penstock.energy.message import NO_POWER
from penstock.energy.verdict import ReadingVerdict

_NO_TREE: Final = np.zeros(0, dtype=np.int32)


class Standings(Protocol):
    """What the checks ask of the books: columns by device number, and by register number (see `Devices`)."""

    @property
    def capacity_w(self) -> Ints: ...
    @property
    def commissioned_us(self) -> Ints: ...
    @property
    def technology(self) -> Ints: ...
    @property
    def device_of(self) -> Ints: ...
    @property
    def last_at_us(self) -> Ints: ...
    @property
    def last_wh(self) -> Ints: ...
    @property
    def epoch_start_wh(self) -> Ints: ...
    @property
    def rolls_over_wh(self) -> Ints: ...
    @property
    def held_since_us(self) -> Ints: ...


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What a batch does not show of the time before, by register number.

    Attributes:
        above_wh: energy above a clear sky's bound by its last accepted reading, since that reading's solar day began.
        still: how many messages in a row it has stood at ``still_wh``.
    """

    above_wh: Ints
    still: Ints
    still_wh: Ints


class Checked(NamedTuple):
    """For each reading its `ReadingVerdict`, everything found, as bits, and its day's energy above a clear sky [Wh]."""

    verdict: NDArray[np.uint8]
    findings: Findings
    above_wh: NDArray[np.int64]


def check_readings(
    readings: Mapping[str, Ints],
    devices: Standings,
    received_us: Ints | int,
    bounds: Bounds = NO_BOUNDS,
    parent_of: Ints = _NO_TREE,
    memory: Memory | None = None,
) -> Checked:
    """Judge m readings, in order of arrival, against where their registers stand. Pure: nothing is changed.

    Args:
        readings: ``register`` (-1: no such channel), ``device``, ``at_us``, ``position_wh``, and where known
            ``power_mw``, ``clock``, ``meter``, ``message`` (its row), ``key_since_us`` and ``key_until_us`` (validity
            of the key that signed it), ``seen_wh`` (where a stored reading of that register and instant stands).
        devices: the books. received_us: when they came, one instant or one each. bounds: of the sky, `NO_BOUNDS`
            without. parent_of: by register number, the register that checks it, -1 none. memory: of what came before,
            where packets tell less than a day.
    """
    findings = _alone(readings, devices, received_us)
    register = readings["register"]
    rows = np.flatnonzero(register >= 0)
    if np.any(register[rows[1:]] < register[rows[:-1]]):
        rows = rows[np.argsort(register[rows], kind="stable")]
    findings[rows] |= _standing_still(readings, rows, devices, memory)
    rows = rows[(findings[rows] & REFUSES) == 0]
    above_wh = np.zeros(len(findings), dtype=np.int64)
    if len(rows):
        more, above_wh[rows] = _together(readings, rows, findings, devices, bounds, parent_of, memory)
        findings[rows] |= more
    return Checked(verdicts_of(findings), findings, above_wh)


def _alone(readings: Mapping[str, Ints], devices: Standings, received_us: Ints | int) -> Findings:
    """What each reading says without any other."""
    at_us, device, register = readings["at_us"], readings["device"], readings["register"]
    findings = marked(register < 0, ReadingVerdict.NO_CHANNEL) | from_the_future(at_us, received_us)
    if len(devices.commissioned_us):
        findings |= before_time(at_us, devices.commissioned_us[device])
    if "clock" in readings:
        findings |= clock_status(readings["clock"])
    if "meter" in readings:
        findings |= meter_status(readings["meter"])
    if "key_since_us" in readings:
        findings |= key_at_reading(at_us, readings["key_since_us"], readings["key_until_us"])
    if "seen_wh" in readings:
        findings |= seen_before(readings["position_wh"], readings["seen_wh"])
    return findings


def _standing_still(readings: Mapping[str, Ints], rows: Ints, devices: Standings, memory: Memory | None) -> Findings:
    found = np.zeros(len(rows), dtype=np.uint32)
    charger = np.flatnonzero(devices.technology[readings["device"][rows]] == CHARGER)
    if len(charger) and "message" in readings:
        rows = rows[charger]
        register, position = readings["register"][rows], readings["position_wh"][rows]
        first = spread_first(position, register)
        before = np.zeros(len(rows), np.int64)
        if memory is not None:
            before = np.where(first == memory.still_wh[register], memory.still[register], 0)
        found[charger] = standing_still(register, readings["message"][rows], position, before)
    return found


def spread_first(values: Ints, key: Ints) -> Ints:
    """The first value of each run of a key, on each row of it."""
    starts = runs(key)
    return np.repeat(values[starts], np.diff(np.r_[starts, len(key)]))


def _together(
    readings: Mapping[str, Ints],
    rows: Ints,
    found: Findings,
    devices: Standings,
    bounds: Bounds,
    parent_of: Ints,
    memory: Memory | None,
) -> tuple[Findings, Ints]:
    """What readings say in the light of others, and the energy above the sky; ``rows`` are sorted by register.

    ``found`` is what was found of each reading alone.
    """
    register, at_us, position_wh = (readings[name][rows] for name in ("register", "at_us", "position_wh"))
    starts = runs(register)
    first = register[starts]
    verdicts, before = follow(
        at_us,
        position_wh,
        starts,
        devices.last_at_us[first],
        devices.last_wh[first],
        devices.capacity_w[devices.device_of[first]],
        devices.epoch_start_wh[first],
        devices.rolls_over_wh[first],
        devices.held_since_us[first] != 0,
    )
    findings = np.where(verdicts == 0, np.uint32(0), np.uint32(1) << verdicts.astype(np.uint32))
    revised = (found[rows] & bit(ReadingVerdict.REVISED)) != 0
    if revised.any():
        findings = revised_waits(findings, starts, revised)
    stands = np.flatnonzero((verdicts == 0) & ~revised)
    steps = _steps(readings, rows, stands, before[stands], devices)
    findings[stands] |= power_differs(steps) | flat_line(steps) | twin_devices(steps)
    if len(parent_of):
        findings[stands] |= site_balance(steps, parent_of)
    above_wh = np.zeros(len(rows), dtype=np.int64)
    if bounds is not NO_BOUNDS:
        sky = SkySteps.of(steps, bounds)
        so_far = sky.so_far(steps, bounds, devices.last_at_us, None if memory is None else memory.above_wh)
        above_wh[stands[sky.rows]] = so_far
        findings[stands] |= under_the_sky(steps, sky, bounds, so_far) | copied(steps, sky)
    return findings | held_back(findings, starts, devices.held_since_us[first] != 0), above_wh


def _steps(readings: Mapping[str, Ints], rows: Ints, stands: Ints, before: Ints, devices: Standings) -> Steps:
    row, previous = rows[stands], rows[np.maximum(before, 0)]
    from_standing = before == STANDING
    register, device = readings["register"][row], readings["device"][row]
    nothing_said = np.full(len(row), NO_POWER)
    power = readings.get("power_mw")
    message = readings.get("message", np.zeros(len(readings["at_us"]), np.int64))
    return Steps(
        row=row,
        register=register,
        device=device,
        message=message[row],
        at_us=readings["at_us"][row],
        wh=readings["position_wh"][row],
        at0_us=np.where(from_standing, devices.last_at_us[register], readings["at_us"][previous]),
        wh0=np.where(from_standing, devices.last_wh[register], readings["position_wh"][previous]),
        power_mw=nothing_said if power is None else power[row],
        power0_mw=nothing_said if power is None else np.where(from_standing, NO_POWER, power[previous]),
        joined=~from_standing & (message[row] == message[previous]),
        capacity_w=devices.capacity_w[device],
        technology=devices.technology[device],
    )
