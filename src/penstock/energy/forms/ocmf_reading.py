"""The readings (RD) of an OCMF record: inherited fields filled in, times, registers and whole watt-hours.

Within a record a field that equals the one before is left out (OCMF 1.4.1, 'Readings'). Readings of anything but
energy counted up - durations, averages - are left aside.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from penstock.energy.forms.amount import instant_us, whole_down
from penstock.energy.forms.obis import energy_register
from penstock.energy.message import Clock, MeterState
from penstock.errors import Invalid

READINGS_MAX: Final = 4_096
_INHERITED: Final[tuple[str, ...]] = ("TM", "TX", "RI", "RU", "EF", "ST")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d),(\d{3})([+-])(\d\d)([0-5]\d) ([UISR])", re.ASCII)
_CLOCKS: Final = {"S": Clock.SYNCHRONISED, "I": Clock.INFORMATIVE, "R": Clock.RELATIVE, "U": Clock.UNSET}
_WH: Final = {"Wh": 0, "kWh": 3}
"""Power of ten that makes watt-hours of the unit."""
_TRANSACTION: Final = frozenset("BCXELRAPST")
_UNUSABLE: Final = "X"


class Reading(NamedTuple):
    """A reading of an energy register, as columns of `Said` hold it."""

    channel: int
    tariff: str
    at_us: int
    position_wh: int
    clock: int
    meter: int


def readings_of(said: dict[str, Any]) -> list[Reading]:
    """The energy readings of a payload, as they stand.

    Raises:
        Invalid: ``ocmf.reading`` for a malformed one, ``ocmf.no_register`` where there is none, or several tariffs
            and no total.
    """
    readings = said.get("RD")
    if type(readings) is not list or not 0 < len(readings) <= READINGS_MAX:
        raise Invalid("ocmf.reading", "The record holds no readings (RD), or too many.")
    found, before, usable = [], dict[str, Any](), True
    for row, fields in enumerate(readings):
        before = _filled(fields, before, row)
        usable = usable and before.get("TX") != _UNUSABLE
        try:
            found.append(_reading(before, usable=usable))
        except (ValueError, TypeError, ArithmeticError, KeyError):
            raise _malformed(row) from None
    return _totals([reading for reading in found if reading is not None])


def _filled(fields: Any, before: dict[str, Any], row: int) -> dict[str, Any]:
    """A reading with what it left out; RI and RU come together or not at all."""
    if type(fields) is not dict or ("RI" in fields) != ("RU" in fields):
        raise _malformed(row)
    return {name: before[name] for name in _INHERITED if name in before} | fields


def _reading(fields: dict[str, Any], *, usable: bool) -> Reading | None:
    """None for what is not an energy register."""
    if fields.get("TX", "B") not in _TRANSACTION or type(fields["RI"]) is not str:
        raise ValueError("not a reading")
    at_us, clock = instant(fields["TM"])
    register = energy_register(fields["RI"])
    if register is None:
        return None
    return Reading(*register, at_us, whole_down(fields["RV"], _WH[fields["RU"]]), clock, _state(fields, usable=usable))


def instant(text: Any) -> tuple[int, Clock]:
    """Instant [us] and clock status of a TM; ValueError where it is none or lies before 1970."""
    match = _TIME.fullmatch(text) if type(text) is str else None
    if match is None:
        raise ValueError("not a time with clock status")
    *numbers, sign, hours, minutes, status = match.groups()
    year, month, day, hour, minute, second, milli = map(int, numbers)
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    at = datetime(year, month, day, hour, minute, second, milli * 1_000, timezone(offset))
    return instant_us(at), _CLOCKS[status]


def _state(fields: dict[str, Any], *, usable: bool) -> MeterState:
    """Only ST = G is good; EF says whether energy (E) or time alone (t) is in error."""
    flags = fields.get("EF") or ""
    if type(flags) is not str or not usable or fields.get("ST", "G") != "G" or flags.strip("t"):
        return MeterState.ERROR
    return MeterState.TIME_ERROR if flags else MeterState.GOOD


def _totals(readings: list[Reading]) -> list[Reading]:
    """One register a channel: the total over tariffs where there is one, else the only tariff."""
    tariffs: dict[int, set[str]] = {}
    for reading in readings:
        tariffs.setdefault(reading.channel, set()).add(reading.tariff)
    if not tariffs or any(len(each) > 1 and "0" not in each for each in tariffs.values()):
        raise Invalid("ocmf.no_register", "The record reads no energy register, or several tariffs without a total.")
    return [each for each in readings if each.tariff == "0" or len(tariffs[each.channel]) == 1]


def _malformed(row: int) -> Invalid:
    return Invalid("ocmf.reading", "A reading of the record is malformed.", hint="See RD in docs/forms.md.", row=row)
