"""Numbers and instants as field protocols write them, read strictly into whole units."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, DecimalException
from typing import Final

from penstock.connect.ports import NO_POWER
from penstock.errors import Invalid
from penstock.period import parse_iso
from penstock.units import INT64_MAX, MJ_PER_WH

MJ_PER_UNIT: Final = {
    "mJ": 1,
    "J": 1_000,
    "kJ": 1_000_000,
    "MJ": 1_000_000_000,
    "Wh": MJ_PER_WH,
    "kWh": 1_000 * MJ_PER_WH,
    "MWh": 1_000_000 * MJ_PER_WH,
}
"""Energy units with the millijoules in each."""
MW_PER_UNIT: Final = {"mW": 1, "W": 1_000, "kW": 1_000_000, "MW": 1_000_000_000}
"""Power units with the milliwatts in each."""

TEXT_MAX: Final = 40
"""No meter's number or time is longer [characters]."""
NESTING_MAX: Final = 16
"""No message of the field nests lists and objects deeper."""
_PLACES = 30
_EXACT = Context(prec=120, rounding=ROUND_FLOOR)


def energy_mj_down(value: object, unit: str, power_of_ten: int = 0) -> int:
    """A register's position [mJ, rounded down], never below zero.

    Raises:
        Invalid: ``connect.unit`` for no unit of energy, ``connect.value`` for what is no number of a register.
    """
    count = _whole(value, _per(MJ_PER_UNIT, unit), power_of_ten)
    if not 0 <= count <= INT64_MAX * MJ_PER_WH:
        raise Invalid("connect.value", "A register stands between 0 and 2^63 - 1 Wh.")
    return count


def wh_down(energy_mj: int) -> int:
    """Millijoules as a register's position [Wh, rounded down]."""
    return energy_mj // MJ_PER_WH


def power_mw_down(value: object, unit: str, power_of_ten: int = 0) -> int:
    """Power [mW, rounded down]; against the register's direction it is 0, and `NO_POWER` where nothing was said.

    Raises:
        Invalid: ``connect.unit`` for no unit of power, ``connect.value`` for what is no number.
    """
    if value is None:
        return NO_POWER
    count = _whole(value, _per(MW_PER_UNIT, unit), power_of_ten)
    if count > INT64_MAX:
        raise Invalid("connect.value", "More power than any column holds.")
    return max(count, 0)


def instant_us(text: object) -> int:
    """The instant [us] of an ISO 8601 text with an offset.

    Raises:
        Invalid: ``connect.time`` for anything else.
    """
    if isinstance(text, str) and len(text) <= TEXT_MAX:
        try:
            return parse_iso(text)
        except (Invalid, OverflowError):
            pass
    raise Invalid("connect.time", "This is no time with an offset from UTC.", hint="Expected 2026-06-01T00:15:00Z.")


def _per(units: dict[str, int], unit: str) -> int:
    if unit not in units:
        raise Invalid("connect.unit", "This unit is none we count in.", hint=f"Known: {', '.join(units)}.")
    return units[unit]


def _whole(value: object, per_unit: int, power_of_ten: int) -> int:
    """``value`` times ``10 ** power_of_ten`` units, in whole small units, rounded down."""
    number = _number(value)
    if abs(power_of_ten) > _PLACES:
        raise Invalid("connect.value", "The multiplier is out of range.")
    scaled = _EXACT.multiply(number.scaleb(power_of_ten, _EXACT), Decimal(per_unit))
    return int(scaled.to_integral_value(ROUND_FLOOR, _EXACT))


def _number(value: object) -> Decimal:
    """A finite number of sensible size; what is written as a float is taken as its shortest decimal."""
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        text = str(value) if not isinstance(value, int) or abs(value) < 10**TEXT_MAX else ""
        if 0 < len(text) <= TEXT_MAX and "_" not in text:
            try:
                number = Decimal(text.strip())
            except DecimalException:
                number = Decimal("NaN")
            if number.is_finite() and abs(number.adjusted()) <= _PLACES:
                return number
    raise Invalid("connect.value", "This is no number a meter says.")
