"""The base case in columns equals the readable twin, and nothing is lost between assets and periods."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from asset_kit import assert_equals_twin, assets_of, day, twin_payments
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.capital.asset_fields import instant_us
from penstock.capital.asset_flows import BLOCK, base_case, flows_of
from penstock.errors import Invalid
from penstock.period import DAY_US
from penstock.rates.calendar import add_months

START = date(2026, 1, 1)


def ends_us(periods: int) -> np.ndarray:
    days = [(add_months(START, k) - date(1970, 1, 1)).days for k in range(1, periods + 1)]
    return np.array(days, dtype=np.int64) * DAY_US


def start_us() -> int:
    return (START - date(1970, 1, 1)).days * DAY_US


dollars = st.integers(1, 2**52).map(lambda amount: f"{amount // 10**6}.{amount % 10**6:06d}")
changes = st.fixed_dictionaries(
    {
        "balance_usdc": dollars,
        "rate_percent": st.integers(0, 10**8).map(lambda rate: f"{rate // 10**6}.{rate % 10**6:06d}"),
        "first_due": st.one_of(
            st.integers(0, 700).map(lambda days: (START + timedelta(days=days)).isoformat()),
            st.sampled_from(["2026-01-29", "2026-01-30", "2026-01-31", "2026-02-28", "2028-02-29", "2026-12-31"]),
        ),
        "term_periods": st.integers(1, 40).map(str),
        "every_months": st.sampled_from(["1", "3", "6", "12"]),
        "count": st.sampled_from(["30/360", "act/365", "act/360"]),
        "repays": st.sampled_from(["level", "straight", "bullet"]),
        "payment_usdc": st.one_of(st.just(""), dollars),
        "ends": st.just("2199-01-01"),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(changes, min_size=1, max_size=12))
def test_columns_equal_the_twin(rows: list[dict[str, str]]) -> None:
    assets = assets_of(*rows)
    flows = flows_of(assets, np.arange(len(assets)))
    for row in range(len(assets)):
        assert_equals_twin(assets, flows, row)
    assert flows.principal.sum(axis=0).tolist() == assets.balance_usdc_micro.tolist()


@settings(deadline=None, max_examples=30)
@given(st.lists(changes, min_size=1, max_size=12), st.integers(1, 60))
def test_sums_by_period_and_by_asset_agree(rows: list[dict[str, str]], periods: int) -> None:
    assets = assets_of(*rows)
    found = base_case(assets, start_us(), ends_us(periods))
    assert found.asset_principal.tolist() == assets.balance_usdc_micro.tolist()
    assert int(found.principal.sum()) + found.later[1] == int(found.asset_principal.sum())
    assert int(found.interest.sum()) + found.later[0] == int(found.asset_interest.sum())
    assert int(found.balance[-1]) == found.later[1]


def test_a_payment_counts_in_the_period_it_is_due_in() -> None:
    """A due date that is a period's end belongs to the next: periods are half-open."""
    assets = assets_of(
        {"first_due": "2026-01-31", "term_periods": "2"}, {"first_due": "2026-02-01", "term_periods": "1"}
    )
    found = base_case(assets, start_us(), ends_us(2))
    first, second = twin_payments(assets, 0), twin_payments(assets, 1)
    assert found.principal.tolist() == [first[0].principal, first[1].principal + second[0].principal]
    assert found.later == (0, 0, 0)
    assert found.cash.tolist() == [
        first[0].principal + first[0].interest,
        first[1].principal + first[1].interest + second[0].principal + second[0].interest,
    ]


def test_a_fixed_price_rises_and_wears_off_by_the_year() -> None:
    ppa = {
        "kind": "ppa", "balance_usdc": "0", "payment_usdc": "1,000", "first_due": "2026-02-01", "term_periods": "25",
        "escalation_percent": "1", "degradation_percent": "0.5",
    }  # fmt: skip
    found = flows_of(assets_of(ppa), np.arange(1)).revenue[:, 0].tolist()
    assert found[:12] == [1_000_000_000] * 12
    assert found[12:24] == [1_004_950_000] * 12
    assert found[24] == 1_009_924_502  # 1,004.95 x 1.01 x 0.995, rounded down after each


def test_a_quarterly_price_rises_by_the_year_too() -> None:
    ppa = {
        "kind": "ppa", "balance_usdc": "0", "payment_usdc": "100", "term_periods": "9", "every_months": "3",
        "escalation_percent": "2",
    }  # fmt: skip
    found = flows_of(assets_of(ppa, {"kind": "lease", "payment_usdc": "7"}), np.arange(2)).revenue
    assert found[:9, 0].tolist() == [100_000_000] * 4 + [102_000_000] * 4 + [104_040_000]
    assert set(found[:, 1].tolist()) == {7_000_000}


def test_blocks_are_joined() -> None:
    assets = assets_of(*({"term_periods": str(1 + at % 7)} for at in range(BLOCK + 9)))
    found = base_case(assets, start_us(), ends_us(12))
    assert found.asset_principal.tolist() == assets.balance_usdc_micro.tolist()
    for row in (0, 6, BLOCK, BLOCK + 8):
        assert int(found.asset_interest[row]) == sum(one.interest for one in twin_payments(assets, row))


def test_a_month_without_the_day_is_due_on_its_last() -> None:
    assets = assets_of({"first_due": "2026-01-31", "term_periods": "3", "count": "act/365"})
    flows = flows_of(assets, np.arange(1))
    assert [day(int(at) * DAY_US) for at in flows.due_days[:, 0]] == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]
    dues = [one.due for one in twin_payments(assets, 0)]
    assert [(after - before).days for before, after in pairwise(dues)] == [28, 31]


def test_sums_that_might_leave_64_bits_are_refused() -> None:
    large = {"balance_usdc": "4000000000", "rate_percent": "100"}
    base_case(assets_of(*[large] * 40), start_us(), ends_us(12))
    with pytest.raises(Invalid) as caught:
        base_case(assets_of(*[large] * 60), start_us(), ends_us(12))
    assert caught.value.code == "assets.too_large"


def test_a_payment_due_before_the_deal_starts_is_refused() -> None:
    assets = assets_of({}, {"first_due": "2025-12-31"})
    with pytest.raises(Invalid) as caught:
        base_case(assets, start_us(), ends_us(12))
    assert caught.value.code == "assets.due_before_deal"
    assert caught.value.ids["first"] == "roof 2"
    assert instant_us("2025-12-31") == start_us() - DAY_US
