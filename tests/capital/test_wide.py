"""Products and quotients in limbs of 64 bits against Python's own integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.capital.wide import product, product_of_three, quotient, quotient_by_two, quotient_of_three

WORD = 2**64
words = st.one_of(
    st.integers(0, WORD - 1),
    st.integers(0, 2**32),
    st.builds(lambda bits, less: max(2**bits - less, 0), st.integers(0, 64), st.integers(1, 3)),
)
divisors = words.map(lambda word: max(word, 1))
checked = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def limbs(*values: int) -> list[Any]:
    return [np.uint64(value) for value in values]


def joined(high_to_low: tuple[Any, ...]) -> int:
    total = 0
    for limb in high_to_low:
        total = total * WORD + int(limb)
    return total


@given(words, words, words)
@checked
def test_products_have_every_bit(x: int, y: int, z: int) -> None:
    assert joined(product(*limbs(x, y))) == x * y
    assert joined(product_of_three(*limbs(x, y, z))) == x * y * z


@given(words, words, words, divisors)
@checked
def test_quotients_are_floored_once(high: int, middle: int, low: int, divisor: int) -> None:
    whole = (high * WORD + middle) * WORD + low
    assert joined(quotient_of_three(*limbs(high, middle, low, divisor))) == whole // divisor
    found, rest = quotient(*limbs(high % divisor, low, divisor))
    assert divmod(high % divisor * WORD + low, divisor) == (int(found), int(rest))


@given(words, words, st.integers(1, 2**62), words)
@checked
def test_a_divisor_may_exceed_a_word(high: int, low: int, d_high: int, d_low: int) -> None:
    found = quotient_by_two(*limbs(high, low, d_high, d_low))
    assert int(found) == (high * WORD + low) // (d_high * WORD + d_low)
