"""secp192k1, which our libraries lack, for meters that sign on it: checking signatures, and nothing that has a secret.

y^2 = x^3 + 3 over a prime field (SEC 2, version 2.0, 2.2.1); points and the check by SEC 1, version 2.0. Checking
holds no secret, so plain arithmetic will do. The curve's strength is about 96 bits: it counts as weak.
"""

from __future__ import annotations

import hashlib
from typing import Final

PRIME: Final = 2**192 - 2**32 - 2**12 - 2**8 - 2**7 - 2**6 - 2**3 - 1
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
BASE: Final = (
    0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D,
    0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D,
)
_WIDTH: Final = 24

_Point = tuple[int, int, int]
"""A point of the curve as (X, Y, Z), x = X / Z^2 and y = Y / Z^3; Z is 0 at infinity."""


def holds(point: tuple[int, int], r: int, s: int, message: bytes) -> bool:
    """Whether ``(r, s)``, both in [1, order), is a signature by ``point`` over sha256 of ``message`` (SEC 1, 4.1.4)."""
    digest = int.from_bytes(hashlib.sha256(message).digest()[:_WIDTH], "big")  # its leftmost bits
    w = pow(s, -1, ORDER)
    x, _, z = _combined(digest * w % ORDER, r * w % ORDER, point)
    return z != 0 and x * pow(z, -2, PRIME) % PRIME % ORDER == r


def decompressed(public: bytes) -> tuple[int, int]:
    """The point that a compressed encoding names (SEC 1, 2.3.4); ValueError where it names none."""
    x = int.from_bytes(public[1:], "big")
    square = (x**3 + 3) % PRIME
    y = pow(square, (PRIME + 1) // 4, PRIME)
    if len(public) != 1 + _WIDTH or public[0] not in (2, 3) or x >= PRIME or y * y % PRIME != square:
        raise ValueError("not a point of the curve")
    return x, y if y % 2 == public[0] % 2 else PRIME - y


def compressed(point: bytes) -> bytes:
    """A point written either way, compressed; ValueError where it is none."""
    short = (
        point
        if len(point) == 1 + _WIDTH
        else bytes([2 + int.from_bytes(point[-1:], "big") % 2]) + point[1 : 1 + _WIDTH]
    )
    x, y = decompressed(short)
    if point not in (short, b"\x04" + x.to_bytes(_WIDTH, "big") + y.to_bytes(_WIDTH, "big")):
        raise ValueError("not a point of the curve")
    return short


def _combined(times_base: int, times_point: int, point: tuple[int, int]) -> _Point:
    """``times_base`` G + ``times_point`` P, both multiples built up together, bit by bit."""
    total: _Point = (1, 1, 0)
    for bit in reversed(range(ORDER.bit_length())):
        total = _doubled(total)
        if times_base >> bit & 1:
            total = _added(total, BASE)
        if times_point >> bit & 1:
            total = _added(total, point)
    return total


def _doubled(point: _Point) -> _Point:
    """Twice the point: the tangent's third crossing, mirrored, in coordinates without division."""
    x, y, z = point
    square, slope = y * y % PRIME, 3 * x * x % PRIME
    chord = 4 * x * square % PRIME
    x3 = (slope * slope - 2 * chord) % PRIME
    return x3, (slope * (chord - x3) - 8 * square * square) % PRIME, 2 * y * z % PRIME


def _added(one: _Point, other: tuple[int, int]) -> _Point:
    """The sum with a point whose Z is 1."""
    x1, y1, z1 = one
    if z1 == 0:
        return (*other, 1)
    z_square = z1 * z1 % PRIME
    run = (other[0] * z_square - x1) % PRIME
    rise = (other[1] * z_square * z1 - y1) % PRIME
    if run == 0:
        return _doubled(one) if rise == 0 else (1, 1, 0)
    square = run * run % PRIME
    cube, chord = run * square % PRIME, x1 * square % PRIME
    x3 = (rise * rise - cube - 2 * chord) % PRIME
    return x3, (rise * (chord - x3) - y1 * cube) % PRIME, z1 * run % PRIME
