"""A SunSpec device on pymodbus' own server: registers laid out here by hand, after the model definitions."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

NONE = 0xFFFF
NONE_SIGNED = 0x8000
BASE = 40_000


def common(serial: str) -> list[int]:
    """Model 1: maker, model, options, version, serial number, address."""
    texts = [("Sample Works", 32), ("SW-6000", 32), ("", 16), ("1.7", 16), (serial, 32)]
    raw = b"".join(text.encode().ljust(width, b"\0") for text, width in texts)
    return [1, 66, *struct.unpack(f">{len(raw) // 2}H", raw), 1, NONE_SIGNED]


def inverter(energy: int, energy_scale: int = 0, power: int = 0, power_scale: int = 0, model: int = 103) -> list[int]:
    """Models 101-103: an acc32 of energy, a signed 16-bit power, each with its scale factor."""
    body = [NONE] * 52
    body[0:2] = [model, 50]
    body[14:16] = [power & 0xFFFF, power_scale & 0xFFFF]
    body[24:27] = [energy >> 16, energy & 0xFFFF, energy_scale & 0xFFFF]
    return body


def inverter_float(energy_wh: float, power_w: float, model: int = 113) -> list[int]:
    """Models 111-113: the same in 32-bit floats."""
    body = [NONE] * 62
    body[0:2] = [model, 60]
    body[22:24] = struct.unpack(">2H", struct.pack(">f", power_w))
    body[32:34] = struct.unpack(">2H", struct.pack(">f", energy_wh))
    return body


def meter(exported: int, imported: int, scale: int = 0, model: int = 203) -> list[int]:
    """Models 201-204: what was exported and imported."""
    body = [NONE] * 107
    body[0:2] = [model, 105]
    body[38:40] = [exported >> 16, exported & 0xFFFF]
    body[46:48] = [imported >> 16, imported & 0xFFFF]
    body[54] = scale & 0xFFFF
    return body


def nameplate(power_max: int, scale: int = 0) -> list[int]:
    """Model 120."""
    return [120, 26, 4, power_max, scale & 0xFFFF, *[NONE] * 23]


def controls(scale: int = -1) -> list[int]:
    """Model 123."""
    body = [0] * 26
    body[0:2] = [123, 24]
    body[5], body[8] = 100 * 10**-scale, 7
    body[23:26] = [scale & 0xFFFF] * 3
    return body


@dataclass
class Inverter:
    """A device whose models may change between visits; ``written`` holds what was written to it."""

    models: list[list[int]]
    base: int = BASE
    deaf_to: int = -1  # a control register that takes a write and forgets it
    written: list[tuple[int, list[int]]] = field(default_factory=list)

    def image(self) -> list[int]:
        """Marker, models, end."""
        return [0x5375, 0x6E53, *(register for model in self.models for register in model), 0xFFFF, 0]

    async def act(
        self, code: int, start: int, address: int, count: int, registers: list[int], values: Sequence[int] | None
    ) -> ExcCodes | None:
        """Serve the present image; keep what is written."""
        if values is None:
            image = self.image()
            window = image[address - self.base : address - self.base + count]
            registers[address - start : address - start + len(window)] = window
            return None
        self.written.append((address, [int(value) for value in values]))
        place = address - self.base - 2
        for model in self.models:
            if place < len(model):
                model[place : place + len(values)] = [int(value) for value in values]
                if 0 <= self.deaf_to < len(model) and model[0] == 123:
                    model[self.deaf_to] = 0
                return None
            place -= len(model)
        return ExcCodes.ILLEGAL_ADDRESS


@contextmanager
def on_the_bus(device: Inverter) -> Iterator[int]:
    """pymodbus' server on a free port of the loopback; gives the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> ModbusTcpServer:
        room = SimData(device.base, values=[0] * 400, datatype=DataType.REGISTERS)
        server = ModbusTcpServer(SimDevice(id=1, simdata=[room], action=device.act), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        return server

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(10)  # type: ignore[no-untyped-call]
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
