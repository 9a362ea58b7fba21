"""Shares of a power contract: twenty years to the last dollar, two dim years, late bills, missing reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from example_life import USDC, Ints, assets_of, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.asset_review import review
from penstock.capital.run import Run, Series, look_back

SHARES = example("ppa_shares")
BASE = review(SHARES.deal, assets_of("ppa_shares")).base_case
PERIODS = 240
COLUMNS = {one.name: np.array(one.values, np.int64) for one in SHARES.deal.schedule}
SUN = np.array([66, 74, 96, 108, 122, 126, 124, 117, 104, 88, 70, 105]) / 100
"""How the year's energy falls on its months."""


def months(share: Mapping[int, float] | None = None, missing: Sequence[int] = (), unpaid: Sequence[int] = ()) -> Series:
    """The contract under a median sun; in some months, from 1, a share of it; some bills are paid a month later."""
    part = np.tile(SUN, PERIODS // 12)
    for month, of_median in (share or {}).items():
        part[month - 1] *= of_median
    energy: Ints = (COLUMNS["expected"][:PERIODS] / 12 * part).astype(np.int64)
    revenue: Ints = (BASE.cash * part).astype(np.int64)
    for month in unpaid:
        revenue[month] += revenue[month - 1]
        revenue[month - 1] = 0
    return path(revenue, missing, year=look_back(energy, 12), revenue=revenue)


def span(first: int, last: int, share: float) -> dict[int, float]:
    return dict.fromkeys(range(first, last + 1), share)


def all_paid(run: Run) -> int:
    return sum(int(run.paid(name).sum()) for name in run.deal.payees)


def test_twenty_years_are_paid_out_to_the_last_dollar() -> None:
    series = months()
    run = live(SHARES, series)
    assert changes(run) == [(240, "ended")]
    assert (run.paid("shares")[3:] > 0).all()
    assert all_paid(run) == series.cash_usdc_micro.sum()
    assert not any(run.held(one.name)[-1] for one in SHARES.deal.accounts)
    operation, land = (int(COLUMNS[name][:PERIODS].sum()) for name in ("operation", "land"))
    assert (run.paid("operator").sum(), run.paid("landowner").sum()) == (operation, land)
    assert run.paid("manager").sum() == (series.cash_usdc_micro * 15 // 1000).sum()
    assert set((run.paid("repairs")[run.paid("repairs") > 0] // USDC).tolist()) == {150_000, 150_500}
    in_order(run, "landowner", "operator")
    for senior in ("landowner", "operator", "manager"):
        in_order(run, senior, "shares")


def test_two_dim_years_keep_half_back_until_the_sun_returns() -> None:
    run = live(SHARES, months(span(25, 48, 0.80)))
    assert [state for _, state in changes(run)] == ["thin", "normal", "ended"]
    start, end = (month for month, _ in changes(run)[:2])
    kept = np.diff(run.held("waiting")[start - 2 : end - 1])
    halves = run.paid("shares")[start - 1 : end - 1]
    assert (abs(kept - halves) <= 1).all()
    assert run.held("waiting")[end - 1] == 0
    assert run.paid("shares")[end - 1] > run.held("waiting")[end - 2]
    usual = live(SHARES, months())
    assert run.paid("shares")[:end].sum() < usual.paid("shares")[:end].sum()


def test_a_bill_paid_late_draws_the_cushion_and_fills_it_again() -> None:
    run = live(SHARES, months(unpaid=(30, 31)))
    assert run.paid("operator")[29] == COLUMNS["operation"][29]
    assert run.held("cushion")[29] < run.held("cushion")[28]
    assert run.paid("shares")[29] == 0
    assert run.held("cushion")[31] == 3 * (COLUMNS["operation"][31] + COLUMNS["land"][31])


def test_nothing_at_all_for_a_year_owes_the_operator_and_pays_it_first() -> None:
    run = live(SHARES, months(span(40, 51, 0.0)))
    assert run.lane("operator.owed")[50] > 0
    for senior in ("landowner", "operator", "manager"):
        in_order(run, senior, "shares")
    assert run.lane("operator.owed")[-1] == 0


def test_missing_reports_keep_half_back_and_declare_nothing() -> None:
    run = live(SHARES, months(missing=(100, 101)))
    assert changes(run) == [(100, "thin"), (103, "normal"), (240, "ended")]
    assert run.paid("manager")[99] == 0  # its share of a revenue nobody reported
    everything_reached(SHARES, [run, live(SHARES, months())])


def test_three_years_close_on_chain() -> None:
    assert on_chain(SHARES, months(span(20, 30, 0.80), (8,), (34,)), 36)
