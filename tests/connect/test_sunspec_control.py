"""A limit written to an inverter on pymodbus' own server, timed by the inverter, read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from field_kit import MINUTE_US, START_US, Clock
from sunspec_kit import BASE, Inverter, common, controls, inverter, nameplate, on_the_bus

from penstock.connect.ports import Command
from penstock.connect.sunspec import Station
from penstock.connect.sunspec_control import SunSpecOutlet, limit_down
from penstock.errors import Unavailable

SERIAL = "SW6-004417"
COMMAND = Command(
    "c-1", "roof-1", "set_point", 1_999, START_US, START_US + 15 * MINUTE_US, START_US + MINUTE_US, b"\0" * 64
)


def device() -> Inverter:
    return Inverter([common(SERIAL), inverter(5), nameplate(600, 1), controls()])


def outlet(port: int, serial: str = SERIAL) -> SunSpecOutlet:
    return SunSpecOutlet([Station("roof-1", "127.0.0.1", port, serial=serial)], Clock())


def test_a_limit_is_written_whole_and_reverts_by_the_devices_own_clock() -> None:
    plant = device()
    with on_the_bus(plant) as port:
        answer = outlet(port).send(COMMAND)
    assert (answer.command, answer.state, answer.at_us) == ("c-1", "done", START_US)
    start = BASE + 2 + sum(len(model) for model in plant.models[:3])
    assert plant.written == [(start + 5, [333, 0, 900, 7, 1])]  # 33.3 % of 6,000 W, for 900 s, ramp as it was


def test_the_limit_is_rounded_down_and_never_over_all() -> None:
    assert [limit_down(power_w, 6_000, -1) for power_w in (0, 1, 59, 60, 6_000, 9_000)] == [0, 0, 9, 10, 1000, 1000]
    assert limit_down(2_000, 6_000, 0) == 33


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "charge"},
        {"verb": "shed"},
        {"expires_us": START_US},
        {"stop_us": START_US},
        {"start_us": START_US + 1},
        {"stop_us": START_US + 70_000 * 1_000_000},
        {"power_w": -1},
    ],
    ids=str,
)
def test_what_an_inverter_cannot_do_is_refused_unwritten(change: dict[str, object]) -> None:
    plant = device()
    with on_the_bus(plant) as port:
        answer = outlet(port).send(replace(COMMAND, **change))  # type: ignore[arg-type]
    assert answer.state == "refused"
    assert answer.note
    assert plant.written == []


@pytest.mark.parametrize(
    "models",
    [
        [common(SERIAL), inverter(5), nameplate(600, 1)],
        [common(SERIAL), inverter(5), controls()],
        [common("SW6-999999"), inverter(5), nameplate(600, 1), controls()],
    ],
    ids=["no control", "no greatest power", "another device"],
)
def test_a_device_that_cannot_is_asked_nothing(models: list[list[int]]) -> None:
    plant = Inverter(models)
    with on_the_bus(plant) as port:
        assert outlet(port).send(COMMAND).state == "refused"
    assert plant.written == []


def test_a_device_that_forgets_the_limit_has_failed() -> None:
    plant = device()
    plant.deaf_to = 9
    with on_the_bus(plant) as port:
        assert outlet(port).send(COMMAND).state == "failed"


def test_a_device_that_is_not_there_is_unreachable() -> None:
    with on_the_bus(device()) as port:
        pass
    for one in (COMMAND, replace(COMMAND, device="roof-2")):
        with pytest.raises(Unavailable) as caught:
            outlet(port).send(one)
        assert caught.value.code == "connect.unreachable"
