"""Draws: bound to what was committed, equally likely, and the same for everybody who looks."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.compute.challenge import commitment, draw, seed_of
from penstock.errors import Invalid

ONE, TWO = bytes([1]) * 32, bytes([2]) * 32
ROOT = bytes([7]) * 32


def test_a_commitment_is_bound_to_both_names() -> None:
    made = {
        commitment("provider", "investor", ONE),
        commitment("provider", "attacker", ONE),
        commitment("other", "investor", ONE),
        commitment("provider", "investor", TWO),
        commitment("providerinv", "estor", ONE),  # names are framed
    }
    assert len(made) == 5


def test_the_seed_is_that_of_the_secrets_in_order_and_the_root() -> None:
    assert seed_of([ONE, TWO], ROOT) == hashlib.sha256(ONE + TWO + ROOT).digest()
    seeds = {seed_of([ONE, TWO], ROOT), seed_of([TWO, ONE], ROOT), seed_of([ONE], ROOT), seed_of([ONE, TWO], ONE)}
    assert len(seeds) == 4


@pytest.mark.parametrize("secrets", [[], [b"short"], [ONE, b""]])
def test_a_draw_needs_whole_secrets(secrets: list[bytes]) -> None:
    with pytest.raises(Invalid, match=r"challenge\.secret"):
        seed_of(secrets, ROOT)


def test_a_root_is_whole() -> None:
    with pytest.raises(Invalid, match=r"challenge\.root"):
        seed_of([ONE], b"")


@given(st.binary(min_size=32, max_size=32), st.integers(1, 300), st.integers(1, 400))
def test_rows_are_different_ascending_and_as_many_as_asked(seed: bytes, count: int, rows: int) -> None:
    found = draw(seed, count, rows)
    assert len(found) == min(rows, count)
    assert list(found) == sorted(set(found)) and found[0] >= 0 and found[-1] < count
    assert draw(seed, count, rows) == found


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_every_set_of_rows_is_as_likely(rows: int) -> None:
    seeds = [hashlib.sha256(bytes([rows]) + n.to_bytes(4, "big")).digest() for n in range(4000)]
    seen = Counter(draw(seed, 5, rows) for seed in seeds)
    expected = 4000 / len(list(combinations(range(5), rows)))
    # chi-squared with at most 9 degrees of freedom stays below 27.9 in 999 of 1,000 such tables
    assert set(seen) == set(combinations(range(5), rows))
    assert sum((number - expected) ** 2 / expected for number in seen.values()) < 27.9


def test_another_root_draws_other_rows() -> None:
    draws = {draw(seed_of([ONE], bytes([n]) * 32), 1_000_000, 8) for n in range(50)}
    assert len(draws) == 50


def test_a_large_statement_is_drawn_from_quickly_and_wholly() -> None:
    assert draw(ONE, 10**12, 3)[-1] < 10**12
    assert draw(ONE, 5000, 5000) == tuple(range(5000))


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (5, 0), (-1, 1)])
def test_at_least_one_row_of_one_is_drawn(count: int, rows: int) -> None:
    with pytest.raises(Invalid, match=r"challenge\.rows"):
        draw(ONE, count, rows)
