"""The demo's battery: it buys sunshine at noon, gives it back after sunset, and its meter signs both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.fleet import ZONE
from penstock.cli.demo.planted import READINGS_PER_PACKET
from penstock.cli.demo.play import Stagehand
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.journal.cutting import cut_down
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.storage import EfficiencyStated, StorageDischarged
from penstock.journal.words import Technology
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period
from penstock.usecases.enrol import NewDevice, enrol_device, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.match import available_wh, buy
from penstock.usecases.registry.storage import NewStorage, issue_stored, register_storage, state_efficiency
from penstock.usecases.registry.storage_records import Metered, charge, discharge
from penstock.usecases.world import World

BATTERY: Final = "battery-1"
OWNER: Final = "storage"
CELL: Final = "9xj4q"
POWER_W: Final = 80_000
DISCHARGE, CHARGE = f"{BATTERY}/discharge", f"{BATTERY}/charge"
NOON, EVENING = range(10, 15), range(19, 22)
"""Local hours in which it charges, and gives back."""
SHARE_PERCENT: Final = 35
NUM, DEN = 9, 10
Whs = NDArray[np.int64]
Reading = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Course:
    """What a battery does on a day, hour by hour [Wh]."""

    charged_wh: Whs
    discharged_wh: Whs


def enrol(hand: Stagehand) -> None:
    """Its site, its meter of two channels, the storage they make, and what is said of its losses."""
    start_us, submit = hand.week.start_us, hand.workspace.submit
    site = SiteRegistered(BATTERY, ZONE, CELL, OWNER)
    device = NewDevice(
        BATTERY, BATTERY, Technology.BATTERY, hand.cast.battery_key.public, POWER_W, start_us, ("discharge", "charge")
    )
    submit("battery site", b"", start_us, lambda world: register_site(world, site))
    submit("battery", b"", start_us, lambda world: enrol_device(world, device))
    new = NewStorage(BATTERY, OWNER, CHARGE, DISCHARGE)
    submit("storage", b"", start_us, lambda world: register_storage(world, new))
    stated = EfficiencyStated(
        BATTERY, NUM, DEN, hand.week.start_us, hand.week.stop_us, DEN, NUM, start_us - 30 * DAY_US, start_us,
        "modelled: nine tenths of what goes in comes out",
    )  # fmt: skip
    submit("efficiency", b"", start_us, lambda world: state_efficiency(world, stated))


def store(hand: Stagehand) -> dict[str, Any]:
    """Day by day: noon's energy and its certificates are bought, charged, discharged after sunset, certified again."""
    with hand.bar("storing noon for the evening", len(hand.days)) as step:
        for number in range(len(hand.days)):
            if not hand.recorded(f"stored:{number}"):
                _store_day(hand, number)
            step(1)
    return _figures(hand)


def _store_day(hand: Stagehand, number: int) -> None:
    day, submit = hand.days[number], hand.workspace.submit
    course = _course(hand, number)
    raws = _packets(hand, day, course)
    hours = np.arange(day.start_us, day.stop_us, HOUR_US)
    bought = course.charged_wh > 0
    submit(f"battery:{number}", b"", day.stop_us, lambda world: ingest(world, raws, day.stop_us))
    if bought.any():
        readings = [hand.readings(f"battery:{number}")]
        wanted = course.charged_wh[bought]
        submit(f"bought:{number}", b"", day.stop_us, lambda world: buy(world, hours[bought], wanted, OWNER))
        asked = Metered(BATTERY)
        submit(f"charged:{number}", b"", day.stop_us, lambda world: charge(world, asked, readings, day.stop_us))
        submit(f"discharged:{number}", b"", day.stop_us, lambda world: discharge(world, asked, readings))
    submit(f"stored:{number}", b"", day.stop_us, lambda world: _issued(world, bool(bought.any())))


def _issued(world: World, is_due: bool) -> list[Entry]:
    return issue_stored(world, BATTERY) if is_due else []


def _course(hand: Stagehand, number: int) -> Course:
    """A share of what the roofs can sell at noon, and what is left of it by the evening, in even parts."""
    day = hand.days[number]
    hours, energy_wh = hand.workspace.read(lambda world: available_wh(world, day))
    offered = np.zeros(24, dtype=np.int64)
    offered[(hours - day.start_us) // HOUR_US] = energy_wh
    charged, given = np.zeros(24, dtype=np.int64), np.zeros(24, dtype=np.int64)
    charged[NOON.start : NOON.stop] = np.minimum(offered[NOON.start : NOON.stop] * SHARE_PERCENT // 100, POWER_W // 2)
    kept = int(charged.sum()) * NUM // DEN
    given[EVENING.start : EVENING.stop] = np.diff(cut_down(kept, np.ones(len(EVENING), dtype=np.int64)))
    return Course(charged, given)


def _packets(hand: Stagehand, day: Period, course: Course) -> list[bytes]:
    """The meter's packets of a day, one an hour: both registers each quarter-hour, an hour's energy in even parts."""
    (given_at, charged_at), sequence, previous = hand.workspace.read(_head)
    raws: list[bytes] = []
    for hour in range(24):
        rows = list(_readings(course, hour, given_at, charged_at, day.start_us))
        at_us, position_wh, channel = (tuple(column) for column in zip(*rows, strict=True))
        raws.append(sign(Packet(BATTERY, sequence, previous, at_us, position_wh, channel), hand.cast.battery_key))
        sequence, previous = sequence + 1, packet_hash(raws[-1])
        given_at += int(course.discharged_wh[hour])
        charged_at += int(course.charged_wh[hour])
    return raws


def _readings(course: Course, hour: int, given_at: int, charged_at: int, start_us: int) -> Iterator[Reading]:
    """Instant, position and channel of an hour's readings."""
    for quarter in range(1, READINGS_PER_PACKET + 1):
        at_us = start_us + hour * HOUR_US + quarter * QUARTER_HOUR_US
        yield at_us, given_at + int(course.discharged_wh[hour]) * quarter // READINGS_PER_PACKET, 0
        yield at_us, charged_at + int(course.charged_wh[hour]) * quarter // READINGS_PER_PACKET, 1


def _head(world: World) -> tuple[tuple[int, int], int, bytes]:
    """Where both registers stand [Wh], the next packet's number, and the hash of the one before."""
    energy, registers = world.energy, world.books.registers
    device = energy.number(BATTERY)
    stands = tuple(int(registers.read[registers.id_of(name)]) for name in (DISCHARGE, CHARGE))
    sequence = int(energy.head_sequence[device]) + 1
    return (stands[0], stands[1]), sequence, energy.head_hash[device].tobytes() if sequence else FIRST


def _figures(hand: Stagehand) -> dict[str, Any]:
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    given = [fact for fact in facts if isinstance(fact, StorageDischarged)]
    (_, charged_wh), _, _ = hand.workspace.read(_head)
    return {
        "charged_wh": charged_wh,
        "discharged_wh": sum(fact.discharged_wh for fact in given),
        "loss_wh": sum(fact.loss_wh for fact in given),
        "efficiency": f"{NUM}/{DEN}",
        "evening_hours": len(EVENING),
        "modelled": True,
    }
