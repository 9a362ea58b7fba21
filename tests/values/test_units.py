"""Quantities: whole, of one unit, never mixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.units import MJ_PER_WH, Mj, Ms, Quantity, Tokens, Usdc, Wh

KINDS: tuple[type[Quantity], ...] = (Wh, Mj, Ms, Tokens, Usdc)
PAIRS = [(one, other) for one in KINDS for other in KINDS if one is not other]
MIXING: dict[str, Callable[[Any, Any], object]] = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "below": lambda a, b: a < b,
    "at most": lambda a, b: a <= b,
    "above": lambda a, b: a > b,
    "at least": lambda a, b: a >= b,
}


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_units_do_not_mix(one: type[Quantity], other: type[Quantity], name: str) -> None:
    with pytest.raises(Invalid) as caught:
        MIXING[name](one(1), other(1))
    assert caught.value.code == "unit.mixed"


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_of_this_is_not_one_of_that(one: type[Quantity], other: type[Quantity]) -> None:
    assert one(1) != other(1)


@pytest.mark.parametrize("count", [1.0, True, "1", None, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_only_whole_counts(kind: type[Quantity], count: Any) -> None:
    with pytest.raises(Invalid) as caught:
        kind(count)
    assert caught.value.code == "unit.not_whole"


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_quantity_times_a_float_is_refused(factor: Any) -> None:
    with pytest.raises(Invalid):
        Wh(3) * factor


@given(st.integers(), st.integers(), st.integers(-1_000, 1_000))
def test_arithmetic_is_that_of_whole_numbers(one: int, other: int, times: int) -> None:
    assert Wh(one) + Wh(other) == Wh(one + other)
    assert Wh(one) - Wh(other) == Wh(one - other)
    assert -Wh(one) == Wh(-one)
    assert Wh(one) * times == Wh(one * times)
    assert int(Wh(one)) == one
    assert (Wh(one) < Wh(other), Wh(one) >= Wh(other)) == (one < other, one >= other)


@given(st.integers(-(2**62), 2**62))
def test_a_watt_hour_is_3_600_000_millijoules(count: int) -> None:
    assert Wh(count).to_mj() == Mj(3_600_000 * count)
    assert MJ_PER_WH == 3_600_000


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0, "$0.000000"),
        (1, "$0.000001"),
        (-1, "-$0.000001"),
        (1_234_567_890_123, "$1,234,567.890123"),
        (-2_500_000, "-$2.500000"),
    ],
)
def test_dollars_read_to_the_micro_dollar(dollars: int, text: str) -> None:
    assert str(Usdc(dollars)) == text


def test_a_quantity_reads_with_its_unit() -> None:
    assert str(Wh(1_234_567)) == "1,234,567 Wh"
    assert str(Tokens(5)) == "5 tokens"


def test_a_quantity_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Wh(1).count = 2  # type: ignore[misc]
