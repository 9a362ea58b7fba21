"""SunSpec's models as far as they are read: where each point lies, how it is written, and what means "not there".

SunSpec Device Information Model Specification (types and their not-implemented values) and the model definitions
1, 101-103, 111-113, 120, 121, 123 and 201-204. Offsets are in registers from the model's id.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SCALES: Final = range(-10, 11)
ACC32_WIDTH: Final = 2**32


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a model: ``scale`` names the scale factor's point where there is one."""

    offset: int
    kind: str
    scale: str = ""


Layout = dict[str, Point]

COMMON: Final[Layout] = {
    "maker": Point(2, "string32"),
    "model": Point(18, "string32"),
    "serial": Point(50, "string32"),
}
_INVERTER: Layout = {
    "power": Point(14, "int16", "power_scale"),
    "power_scale": Point(15, "sunssf"),
    "energy": Point(24, "acc32", "energy_scale"),
    "energy_scale": Point(26, "sunssf"),
}
_INVERTER_FLOAT: Layout = {"power": Point(22, "float32"), "energy": Point(32, "float32")}
_METER: Layout = {
    "exported": Point(38, "acc32", "energy_scale"),
    "imported": Point(46, "acc32", "energy_scale"),
    "energy_scale": Point(54, "sunssf"),
}
NAMEPLATE: Final[Layout] = {"power_max": Point(3, "uint16", "power_scale"), "power_scale": Point(4, "sunssf")}
SETTINGS: Final[Layout] = {"power_max": Point(2, "uint16", "power_scale"), "power_scale": Point(22, "sunssf")}
CONTROLS: Final[Layout] = {
    "limit": Point(5, "uint16", "limit_scale"),
    "delay_s": Point(6, "uint16"),
    "revert_s": Point(7, "uint16"),
    "ramp_s": Point(8, "uint16"),
    "enabled": Point(9, "uint16"),
    "limit_scale": Point(23, "sunssf"),
}
MODELS: Final[dict[int, tuple[int, Layout]]] = {
    1: (65, COMMON),
    **dict.fromkeys((101, 102, 103), (50, _INVERTER)),
    **dict.fromkeys((111, 112, 113), (60, _INVERTER_FLOAT)),
    120: (26, NAMEPLATE),
    121: (30, SETTINGS),
    123: (24, CONTROLS),
    **dict.fromkeys((201, 202, 203, 204), (105, _METER)),
}
"""Model id to (least length after the header, layout)."""

INVERTERS: Final = frozenset({101, 102, 103, 111, 112, 113})
METERS: Final = frozenset({201, 202, 203, 204})


def number(layout: Layout, registers: Sequence[int], name: str) -> tuple[int | float, int] | None:
    """A point as (number, power of ten), None where the device does not implement it."""
    point = layout[name]
    power_of_ten = scale_of(layout, registers, point.scale) if point.scale else 0
    raw = _number(point.kind, registers[point.offset : point.offset + 2])
    return None if raw is None or power_of_ten is None else (raw, power_of_ten)


def scale_of(layout: Layout, registers: Sequence[int], name: str) -> int | None:
    """A scale factor -10...10, None where it is not implemented or makes no sense."""
    found = _signed(registers[layout[name].offset])
    return found if found in SCALES else None


def text(layout: Layout, registers: Sequence[int], name: str) -> str:
    """A text point, without its padding; what is not printable ASCII is dropped."""
    start = layout[name].offset
    raw = struct.pack(">16H", *registers[start : start + 16])
    return "".join(chr(byte) for byte in raw.split(b"\0")[0] if 32 <= byte < 127).strip()


def _number(kind: str, registers: Sequence[int]) -> int | float | None:
    first = registers[0]
    match kind:
        case "int16":
            return _signed(first) if first != 0x8000 else None
        case "uint16":
            return first if first != 0xFFFF else None
        case "acc32":
            return (first << 16 | registers[1]) or None  # 0: not accumulated
    floating: float = struct.unpack(">f", struct.pack(">2H", *registers))[0]
    return floating if math.isfinite(floating) else None


def _signed(register: int) -> int:
    return register - 0x10000 if register & 0x8000 else register
