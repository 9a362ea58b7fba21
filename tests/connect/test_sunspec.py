"""Inverters and meters read from pymodbus' own server."""

from __future__ import annotations

from pathlib import Path

import pytest
from field_kit import START_US, Clock, MemorySink
from sunspec_kit import (
    NONE_SIGNED,
    Inverter,
    common,
    inverter,
    inverter_float,
    meter,
    nameplate,
    on_the_bus,
)

from penstock.connect.notebook import Notebook
from penstock.connect.sunspec import Counted, Station, SunSpecReader
from penstock.errors import PenstockError

SERIAL = "SW6-004417"
METER = (Counted(0, "exported"), Counted(1, "imported"))
INVERTER = (Counted(0, "inverter"),)


def visit(
    tmp_path: Path, port: int, sink: MemorySink, counted: tuple[Counted, ...] = INVERTER, serial: str = ""
) -> list[PenstockError]:
    station = Station("roof-1", "127.0.0.1", port, serial=serial, counted=counted)
    return SunSpecReader([station], Notebook(tmp_path / "notes.json"), sink, Clock()).visit()


@pytest.mark.parametrize("model", [101, 102, 103])
@pytest.mark.parametrize(("energy", "scale", "wh"), [(123_456, 0, 123_456), (123_456, -1, 12_345), (12, 3, 12_000)])
def test_an_inverters_lifetime_energy_is_read(model: int, energy: int, scale: int, wh: int, tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(
        Inverter([common(SERIAL), inverter(energy, scale, power=2345, power_scale=-1, model=model)])
    ) as port:
        assert visit(tmp_path, port, sink) == []
    (sample,) = sink.samples()
    assert (sample.source, sample.device, sample.channel) == ("sunspec", "roof-1", 0)
    assert (sample.at_us, sample.position_wh, sample.power_mw) == ((START_US,), (wh,), (234_500,))


@pytest.mark.parametrize("model", [111, 112, 113])
def test_an_inverter_of_floats_is_read(model: int, tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL), inverter_float(8_192.75, -3.5, model)])) as port:
        assert visit(tmp_path, port, sink) == []
    assert [(sample.position_wh, sample.power_mw) for sample in sink.samples()] == [((8_192,), (0,))]


@pytest.mark.parametrize("model", [201, 202, 203, 204])
def test_a_meters_two_directions_are_two_registers(model: int, tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL), inverter(9), meter(70_000, 81, 1, model)])) as port:
        assert visit(tmp_path, port, sink, METER) == []
    told = [(sample.channel, sample.position_wh, sample.power_mw) for sample in sink.samples()]
    assert told == [(0, (700_000,), (-1,)), (1, (810,), (-1,))]


@pytest.mark.parametrize("base", [40_000, 50_000, 0])
def test_the_marker_is_found_at_each_of_its_places(base: int, tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL), inverter(42)], base)) as port:
        assert visit(tmp_path, port, sink) == []
    assert [sample.position_wh for sample in sink.samples()] == [(42,)]


def test_an_accumulator_that_wraps_goes_on(tmp_path: Path) -> None:
    sink, device = MemorySink(), Inverter([common(SERIAL), inverter(2**32 - 5)])
    with on_the_bus(device) as port:
        visit(tmp_path, port, sink)
        device.models[1] = inverter(7)
        visit(tmp_path, port, sink)
    assert [sample.position_wh for sample in sink.samples()] == [(2**32 - 5,), (2**32 + 7,)]


def test_a_fall_that_is_no_wrap_is_shown_as_it_is(tmp_path: Path) -> None:
    sink, device = MemorySink(), Inverter([common(SERIAL), inverter(50_000)])
    with on_the_bus(device) as port:
        visit(tmp_path, port, sink)
        device.models[1] = inverter(12)
        visit(tmp_path, port, sink)
    assert [sample.position_wh for sample in sink.samples()] == [(50_000,), (12,)]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (inverter(0), "connect.not_implemented"),  # an accumulator at 0: not accumulated
        (inverter(5, NONE_SIGNED), "connect.not_implemented"),
        (inverter(5, 11), "connect.not_implemented"),  # no scale factor goes so far
        (inverter_float(float("nan"), 1.0), "connect.not_implemented"),
        (inverter_float(-1.0, 1.0), "connect.value"),
        (nameplate(6_000), "connect.not_implemented"),  # no inverter at all
        ([103, 20, *[0] * 20], "connect.sunspec"),  # shorter than its definition
    ],
)
def test_what_is_not_there_is_not_made_up(model: list[int], code: str, tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL), model])) as port:
        assert [error.code for error in visit(tmp_path, port, sink)] == [code]
    assert sink.taken == []


def test_one_counter_that_is_missing_does_not_stop_the_other(tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL), meter(0, 81)])) as port:
        assert [error.code for error in visit(tmp_path, port, sink, METER)] == ["connect.not_implemented"]
    assert [(sample.channel, sample.position_wh) for sample in sink.samples()] == [(1, (81,))]


def test_another_device_at_the_same_address_is_refused(tmp_path: Path) -> None:
    sink, device = MemorySink(), Inverter([common(SERIAL), inverter(50)])
    with on_the_bus(device) as port:
        assert [error.code for error in visit(tmp_path, port, sink, serial="SW6-000001")] == ["connect.other_device"]
        assert visit(tmp_path, port, sink) == []  # the first visit keeps the serial number
        device.models[0] = common("SW6-999999")
        assert [error.code for error in visit(tmp_path, port, sink)] == ["connect.other_device"]
    assert [sample.position_wh for sample in sink.samples()] == [(50,)]


def test_what_is_no_sunspec_is_refused_and_what_is_not_there_is_unreachable(tmp_path: Path) -> None:
    sink = MemorySink()
    with on_the_bus(Inverter([common(SERIAL)], base=1_000)) as port:
        assert [error.code for error in visit(tmp_path, port, sink)] == ["connect.sunspec"]
    assert [error.code for error in visit(tmp_path, port, sink)] == ["connect.unreachable"]


def test_a_chain_of_models_without_end_is_given_up(tmp_path: Path) -> None:
    endless = [[900, 1, 0] for _ in range(100)]
    with on_the_bus(Inverter([common(SERIAL), *endless])) as port:
        assert [error.code for error in visit(tmp_path, port, MemorySink())] == ["connect.sunspec"]
