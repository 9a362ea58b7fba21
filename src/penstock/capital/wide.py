"""Products and quotients beyond 64 bits, in limbs of 64 bits, for compiled loops: exact, no rounding but the one floor.

Every function takes and gives ``np.uint64``: numba turns a mix of signed and unsigned into a float. After a change here
touch ``exact_kernel.py`` too: numba keeps machine code by the file that calls. Source: Knuth, The Art of Computer
Programming, volume 2, 4.3.1, algorithms M and D.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

ZERO: Final = np.uint64(0)
ONE: Final = np.uint64(1)
HALF: Final = np.uint64(32)
LOW: Final = np.uint64(2**32 - 1)
TOP: Final = np.uint64(63)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use; keep the machine code on disk where there is a place to write it."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(nogil=True)(function)


@compiled
def product(x: Any, y: Any) -> Any:
    """x * y as (high, low)."""
    x_low, x_high, y_low, y_high = x & LOW, x >> HALF, y & LOW, y >> HALF
    low, first, second = x_low * y_low, x_high * y_low, x_low * y_high
    carry = (low >> HALF) + (first & LOW) + (second & LOW)
    return x_high * y_high + (first >> HALF) + (second >> HALF) + (carry >> HALF), x * y


@compiled
def product_of_three(x: Any, y: Any, z: Any) -> Any:
    """x * y * z as (high, middle, low)."""
    high, low = product(x, y)
    carry, bottom = product(low, z)
    if high == ZERO:
        return ZERO, carry, bottom
    top, middle = product(high, z)
    middle = middle + carry
    return (top + ONE if middle < carry else top), middle, bottom


@compiled
def quotient(high: Any, low: Any, divisor: Any) -> Any:
    """(high, low) // divisor and the remainder; ``high`` is less than ``divisor``."""
    if high == ZERO:
        return low // divisor, low % divisor
    shift = _leading_zeros(divisor)
    whole = divisor << shift
    if shift:
        high = high << shift | low >> (TOP + ONE - shift)
    low = low << shift
    upper, rest = _half(high, low >> HALF, whole)
    lower, rest = _half(rest, low & LOW, whole)
    return upper << HALF | lower, rest >> shift


@compiled
def _leading_zeros(x: Any) -> Any:
    """Zero bits above the highest set bit of ``x``, which is not 0."""
    found = ZERO
    for width in (np.uint64(32), np.uint64(16), np.uint64(8), np.uint64(4), np.uint64(2), ONE):
        if x >> (TOP + ONE - width) == ZERO:
            x, found = x << width, found + width
    return found


@compiled
def _half(rest: Any, digit: Any, divisor: Any) -> Any:
    """One digit of 32 bits of (rest, digit) // divisor, and the remainder; the divisor's top bit is set."""
    d_high, d_low = divisor >> HALF, divisor & LOW
    guess, over = rest // d_high, rest % d_high
    while guess > LOW or guess * d_low > (over << HALF | digit):
        guess, over = guess - ONE, over + d_high
        if over > LOW:
            break
    return guess, (rest << HALF | digit) - guess * divisor  # wraps twice, to the right difference


@compiled
def quotient_of_three(high: Any, middle: Any, low: Any, divisor: Any) -> Any:
    """(high, middle, low) // divisor as (high, middle, low)."""
    if high == ZERO and middle == ZERO:
        return ZERO, ZERO, low // divisor
    first, rest = high // divisor, high % divisor
    second, rest = quotient(rest, middle, divisor)
    third, _ = quotient(rest, low, divisor)
    return first, second, third


@compiled
def quotient_by_two(high: Any, low: Any, d_high: Any, d_low: Any) -> Any:
    """(high, low) // (d_high, d_low), bit by bit; the divisor is at least 2**64 and below 2**127."""
    rest_high, rest_low, found = ZERO, ZERO, ZERO
    for _bit in range(128):
        bit = high >> TOP
        high, low = high << ONE | low >> TOP, low << ONE
        rest_high, rest_low = rest_high << ONE | rest_low >> TOP, rest_low << ONE | bit
        found = found << ONE
        if rest_high > d_high or (rest_high == d_high and rest_low >= d_low):
            rest_high = rest_high - d_high - (ONE if rest_low < d_low else ZERO)
            rest_low, found = rest_low - d_low, found | ONE
    return found
