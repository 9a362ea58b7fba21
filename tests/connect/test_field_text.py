"""Numbers and instants of field protocols: exact, rounded down, and nothing else let through."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from penstock.connect.field_text import energy_mj_down, instant_us, power_mw_down, wh_down
from penstock.errors import Invalid


@pytest.mark.parametrize(
    ("value", "unit", "power_of_ten", "wh"),
    [
        ("1304", "Wh", 0, 1304),
        ("1.3049", "kWh", 0, 1304),
        (1.001, "kWh", 0, 1001),  # as a binary fraction it would fall to 1000
        (Decimal("13.04"), "Wh", 2, 1304),
        (3_600, "J", 0, 1),
        (3_599_999, "mJ", 0, 0),
        ("0", "MWh", 0, 0),
        (" 12 ", "Wh", 0, 12),
        (999, "Wh", -3, 0),
    ],
)
def test_energy_is_rounded_down_to_whole_watt_hours(value: object, unit: str, power_of_ten: int, wh: int) -> None:
    assert wh_down(energy_mj_down(value, unit, power_of_ten)) == wh


@pytest.mark.parametrize(
    "value",
    [
        *("", "NaN", "Infinity", "-1", "1_000", "0x10", "1e9999", "9" * 41, "twelve", None, True, [1], {}, 10**60),
        *(float("nan"), float("inf"), -0.001, "9e29", json.loads("NaN"), "1e-9999", "sNaN"),
    ],
)
def test_what_no_register_says_is_refused(value: object) -> None:
    with pytest.raises(Invalid) as caught:
        energy_mj_down(value, "Wh")
    assert caught.value.code == "connect.value"


def test_the_highest_register_is_taken_and_one_more_is_not() -> None:
    assert wh_down(energy_mj_down(2**63 - 1, "Wh")) == 2**63 - 1
    with pytest.raises(Invalid):
        energy_mj_down(2**63, "Wh")


@pytest.mark.parametrize("unit", ["", "wh", "KWH", "varh", "A", "unit"])
def test_an_unknown_unit_is_refused_by_name(unit: str) -> None:
    with pytest.raises(Invalid) as caught:
        energy_mj_down(1, unit)
    assert caught.value.code == "connect.unit"


@pytest.mark.parametrize("power_of_ten", [31, -31, 10**9])
def test_a_multiplier_out_of_range_costs_nothing(power_of_ten: int) -> None:
    with pytest.raises(Invalid):
        energy_mj_down(1, "Wh", power_of_ten)


def test_power_against_the_register_is_none_of_its_power() -> None:
    assert power_mw_down("2.5", "kW") == 2_500_000
    assert power_mw_down(-3, "W") == 0
    assert power_mw_down(None, "W") == -1


def test_instants_need_their_offset() -> None:
    assert instant_us("2026-06-01T00:15:00Z") == instant_us("2026-06-01T02:15:00+02:00") == 1_780_272_900_000_000
    assert instant_us("2026-06-01T00:15:00.123Z") == 1_780_272_900_123_000


@pytest.mark.parametrize("text", ["2026-06-01T00:15:00", "", "now", "2026-13-01T00:00:00Z", 5, None, "2" * 50])
def test_what_is_no_instant_is_refused(text: object) -> None:
    with pytest.raises(Invalid) as caught:
        instant_us(text)
    assert caught.value.code == "connect.time"
