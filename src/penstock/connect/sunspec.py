"""SunSpec over Modbus TCP: inverters and meters read from their lifetime registers.

A device is found by its ``SunS`` marker, its models are walked to the end mark, and a model is read in one request so
that a number and its scale factor belong together. Modbus knows no identity: the serial number of the common model
stands in for it, given or kept from the first visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from penstock.connect.counter import Standing, count_on
from penstock.connect.field_text import energy_mj_down, power_mw_down, wh_down
from penstock.connect.notebook import Notebook
from penstock.connect.ports import NO_POWER, Samples, Sink
from penstock.connect.sunspec_models import (
    ACC32_WIDTH,
    COMMON,
    INVERTERS,
    METERS,
    MODELS,
    Layout,
    number,
    scale_of,
    text,
)
from penstock.errors import Invalid, PenstockError, Unavailable

MARKER: Final = [0x5375, 0x6E53]
BASES: Final = (40_000, 50_000, 0)
END: Final = 0xFFFF
MODELS_MAX: Final = 64
READ_MAX: Final = 125
"""Registers a Modbus read may ask for (Modbus Application Protocol 1.1b3, 6.3)."""
TIMEOUT_S: Final = 3.0

Source = Literal["inverter", "exported", "imported"]


@dataclass(frozen=True, slots=True)
class Counted:
    """Which of a station's counters one channel is: the inverter's, or what the ``nth`` meter exported or imported."""

    channel: int
    source: Source
    nth: int = 0


@dataclass(frozen=True, slots=True)
class Station:
    """A SunSpec device on the network, under the name it was enrolled with."""

    device: str
    host: str
    port: int = 502
    unit: int = 1
    serial: str = ""
    counted: tuple[Counted, ...] = (Counted(0, "inverter"),)


@dataclass(frozen=True, slots=True)
class Block:
    """A model on the bus: ``address`` of its id, ``length`` of what follows the header."""

    model: int
    address: int
    length: int


class Bus:
    """A unit behind an open connection; answers whole or not at all."""

    def __init__(self, client: ModbusTcpClient, unit: int) -> None:
        self._client, self._unit = client, unit

    def read(self, address: int, count: int) -> list[int]:
        """Holding registers. Raises Unavailable ``connect.unreachable``."""
        try:
            answer = self._client.read_holding_registers(address, count=count, device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise _unreachable() from error
        if answer.isError() or len(answer.registers) != count:
            raise _unreachable()
        return list(answer.registers)

    def write(self, address: int, values: Sequence[int]) -> bool:
        """Write registers in one request; False where the device refuses.

        Raises:
            Unavailable: ``connect.unreachable`` when no answer comes: it may have been done.
        """
        try:
            return not self._client.write_registers(address, list(values), device_id=self._unit).isError()
        except (ModbusException, OSError) as error:
            raise _unreachable() from error


@contextmanager
def bus_to(station: Station) -> Iterator[Bus]:
    """A connection for one visit: many inverters take only one at a time."""
    client = ModbusTcpClient(station.host, port=station.port, timeout=TIMEOUT_S, retries=1)
    try:
        if not client.connect():  # type: ignore[no-untyped-call]
            raise _unreachable()
        yield Bus(client, station.unit)
    finally:
        client.close()  # type: ignore[no-untyped-call]


def find_models(bus: Bus) -> list[Block]:
    """The models of a unit, in their order.

    Raises:
        Invalid: ``connect.sunspec`` where no marker is found or the chain of models does not end.
        Unavailable: ``connect.unreachable``.
    """
    address = _base(bus) + len(MARKER)
    blocks: list[Block] = []
    while len(blocks) < MODELS_MAX and address < 0xFFFE:
        model, length = bus.read(address, 2)
        if model == END:
            return blocks
        blocks.append(Block(model, address, length))
        address += 2 + length
    raise Invalid("connect.sunspec", "The device's list of models has no end.")


def read_block(bus: Bus, block: Block) -> tuple[Layout, list[int]]:
    """A model we know, with its header, in one request.

    Raises:
        Invalid: ``connect.sunspec`` for a model shorter than its definition, or another than a moment ago.
    """
    least, layout = MODELS[block.model]
    registers = bus.read(block.address, min(2 + block.length, READ_MAX))
    if block.length < least or registers[:2] != [block.model, block.length]:
        raise Invalid("connect.sunspec", "A model is not as it is defined.", model=block.model)
    return layout, registers


def check_serial(bus: Bus, blocks: Sequence[Block], expected: str) -> str:
    """The unit's serial number.

    Raises:
        Invalid: ``connect.sunspec`` without a common model, ``connect.other_device`` for another than ``expected``.
    """
    if not blocks or blocks[0].model != 1:
        raise Invalid("connect.sunspec", "The device has no common model.")
    serial = text(COMMON, read_block(bus, blocks[0])[1], "serial")
    if expected and serial != expected:
        hint = "If the device was replaced: penstock device replace."
        raise Invalid("connect.other_device", "Another device answers at this address.", hint=hint, serial=serial)
    return serial


class SunSpecReader:
    """Visits its stations and hands one sample of each counter to the sink."""

    def __init__(self, stations: Sequence[Station], notebook: Notebook, sink: Sink, now_us: Callable[[], int]) -> None:
        self._stations, self._notebook, self._sink, self._now_us = tuple(stations), notebook, sink, now_us

    def visit(self) -> list[PenstockError]:
        """Read every station once; returns what went wrong, the others are taken all the same.

        Raises:
            Unavailable: ``connect.full`` from the sink, ``connect.disk``; the next visit makes up for it.
        """
        wrong: list[PenstockError] = []
        for station in self._stations:
            try:
                samples, notes = self._read(station, wrong)
            except (Invalid, Unavailable) as error:
                wrong.append(error)
                continue
            self._notebook.put(notes)
            self._sink.take(samples)
        return wrong

    def _read(self, station: Station, wrong: list[PenstockError]) -> tuple[list[Samples], dict[str, object]]:
        entry = f"sunspec {station.device}"
        noted = self._notebook.get(entry) or {"serial": "", "standings": {}}
        samples: list[Samples] = []
        standings = dict(noted["standings"])
        with bus_to(station) as bus:
            blocks = find_models(bus)
            serial = check_serial(bus, blocks, station.serial or noted["serial"])
            for counted in station.counted:
                try:
                    standing, power_mw = _follow(bus, blocks, counted, standings.get(str(counted.channel)))
                except Invalid as error:
                    wrong.append(error)
                    continue
                standings[str(counted.channel)] = [standing.base_mj, standing.last_mj]
                samples.append(self._samples(station, counted, standing, power_mw))
        return samples, {entry: {"serial": serial, "standings": standings}}

    def _samples(self, station: Station, counted: Counted, standing: Standing, power_mw: int) -> Samples:
        position_wh = wh_down(standing.position_mj)
        at_us = self._now_us()
        return Samples("sunspec", station.device, counted.channel, (at_us,), (position_wh,), (power_mw,))


def _follow(bus: Bus, blocks: Sequence[Block], counted: Counted, before: list[int] | None) -> tuple[Standing, int]:
    """Where a counter stands, and its power [mW].

    Raises:
        Invalid: ``connect.not_implemented`` where the device has no such counter or it does not count just now.
    """
    layout, registers = read_block(bus, _block_of(blocks, counted))
    name = "energy" if counted.source == "inverter" else counted.source
    found = number(layout, registers, name)
    if found is None:
        raise _not_implemented(counted)
    now_mj = energy_mj_down(found[0], "Wh", found[1])
    standing = count_on(Standing(*before) if before else None, now_mj, _width_mj(layout, registers, name))
    return standing, _power_mw(layout, registers)


def _block_of(blocks: Sequence[Block], counted: Counted) -> Block:
    family = INVERTERS if counted.source == "inverter" else METERS
    found = [block for block in blocks if block.model in family]
    if counted.nth >= len(found):
        raise _not_implemented(counted)
    return found[counted.nth]


def _width_mj(layout: Layout, registers: Sequence[int], name: str) -> int:
    """Where a counter begins again [mJ]; a float never does."""
    point = layout[name]
    power_of_ten = scale_of(layout, registers, point.scale) if point.scale else None
    return 0 if power_of_ten is None else energy_mj_down(ACC32_WIDTH, "Wh", power_of_ten)


def _power_mw(layout: Layout, registers: Sequence[int]) -> int:
    """An inverter's AC power [mW]. Makers disagree over the sign at a meter, so a meter's power is not told."""
    found = number(layout, registers, "power") if "power" in layout else None
    return NO_POWER if found is None else power_mw_down(found[0], "W", found[1])


def _base(bus: Bus) -> int:
    for base in BASES:
        try:
            if bus.read(base, len(MARKER)) == MARKER:
                return base
        except Unavailable:  # an exception response is how a unit says that nothing is there
            continue
    raise Invalid("connect.sunspec", "The device does not speak SunSpec: its marker is nowhere.")


def _not_implemented(counted: Counted) -> Invalid:
    return Invalid("connect.not_implemented", "The device does not tell this counter.", source=counted.source)


def _unreachable() -> Unavailable:
    return Unavailable("connect.unreachable", "The device does not answer.", hint="It is visited again.")
