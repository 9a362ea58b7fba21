"""Geohash cells: where something is, as coarse as its owner allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock.errors import Invalid

_DIGITS: Final = "0123456789bcdefghjkmnpqrstuvwxyz"
_MOST_DIGITS: Final = 12
_BITS_PER_DIGIT: Final = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """The rectangle a geohash names, in degrees north and east; exact, as its edges are binary fractions of 180."""

    south: float
    north: float
    west: float
    east: float

    @property
    def latitude_deg(self) -> float:
        """Of its centre."""
        return (self.south + self.north) / 2

    @property
    def longitude_deg(self) -> float:
        """Of its centre."""
        return (self.west + self.east) / 2


def parse_cell(geohash: str) -> Cell:
    """The rectangle of a geohash of 1 to 12 digits (G. Niemeyer's geohash: bits of longitude and latitude in turn).

    Raises:
        Invalid: ``cell.malformed`` for another text.
    """
    if not 1 <= len(geohash) <= _MOST_DIGITS or any(digit not in _DIGITS for digit in geohash):
        hint = "Write 1 to 12 digits, such as 9xj5: fewer digits say less of where it is."
        raise Invalid("cell.malformed", f"{geohash!r} is not a geohash.", hint=hint)
    edges = [[-180.0, 180.0], [-90.0, 90.0]]
    for place, bit in enumerate(_bits(geohash)):
        low, high = edges[place % 2]
        edges[place % 2][1 - bit] = (low + high) / 2
    (west, east), (south, north) = edges
    return Cell(south, north, west, east)


def cell_of(latitude_deg: float, longitude_deg: float, digits: int) -> str:
    """The geohash of ``digits`` digits that a place lies in.

    Raises:
        Invalid: ``cell.place`` for a place that is none, or fewer than 1 or more than 12 digits.
    """
    if not (-90 <= latitude_deg <= 90 and -180 <= longitude_deg <= 180 and 1 <= digits <= _MOST_DIGITS):
        raise Invalid("cell.place", f"{latitude_deg}, {longitude_deg} to {digits} digits is no place.")
    edges, wanted, number = [[-180.0, 180.0], [-90.0, 90.0]], (longitude_deg, latitude_deg), 0
    for place in range(digits * _BITS_PER_DIGIT):
        low, high = edges[place % 2]
        bit = int(wanted[place % 2] >= (low + high) / 2)
        edges[place % 2][1 - bit] = (low + high) / 2
        number = number * 2 + bit
    return "".join(_DIGITS[number >> shift & 31] for shift in range(_BITS_PER_DIGIT * (digits - 1), -1, -5))


def _bits(geohash: str) -> list[int]:
    values = (_DIGITS.index(digit) for digit in geohash)
    return [value >> shift & 1 for value in values for shift in range(_BITS_PER_DIGIT - 1, -1, -1)]
