"""A share of revenue up to a multiple, then a step down; more while behind, nothing lost while unreported."""

from __future__ import annotations

from collections.abc import Mapping

from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

SHARE = example("ai_revenue_share")
MULTIPLE = 9_000_000 * USDC


def months(
    count: int,
    billed: Mapping[int, int] | None = None,
    short: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
) -> Series:
    """Revenue [USDC] from 1.5 million on, growing by 20,000 a month, but as told; ``short``: what did not arrive."""
    revenue = [(billed or {}).get(month, 1_500_000 + 20_000 * month) * USDC for month in range(1, count + 1)]
    cash = [one - (short or {}).get(month, 0) * USDC for month, one in enumerate(revenue, 1)]
    return path(cash, missing, revenue=revenue)


def test_base_reaches_the_multiple_and_steps_down() -> None:
    series = months(72)
    run = live(SHARE, series)
    assert changes(run) == []
    revenue = series.measures["revenue"]
    assert run.paid("R")[0] == revenue[0] * 8 // 100
    assert int(run.paid("R").sum()) == MULTIPLE
    assert 0 < run.matured < 71
    after = slice(run.matured, None)
    assert run.paid("tail")[after].tolist() == (revenue[after] // 100).tolist()
    assert not run.paid("tail")[: run.matured - 1].any()
    assert (run.paid("R") + run.paid("tail") + run.paid("E") == series.cash_usdc_micro).all()


def test_every_state_and_test_is_reached() -> None:
    slow = months(60, billed=dict.fromkeys(range(5, 20), 700_000))
    by_passed = months(24, short=dict.fromkeys(range(8, 11), 900_000))
    runs = [live(SHARE, one) for one in (slow, by_passed)]
    everything_reached(SHARE, runs)
    assert changes(runs[0])[0][1] == "catch_up"
    assert changes(runs[0])[-1][1] == "normal"
    assert changes(runs[1]) == [(8, "held"), (12, "normal")]
    for run in runs:
        in_order(run, "R", "E")
    behind = runs[0].closings.states == 1
    assert (runs[0].paid("R")[behind] == slow.measures["revenue"][behind] * 15 // 100).all()
    assert not runs[1].paid("E")[7:11].any()
    assert runs[1].paid("E")[11] > runs[1].held("trap")[10]


def test_without_a_report_the_share_is_taken_of_what_arrived() -> None:
    series = months(12, missing=(6,))
    run = live(SHARE, series)
    assert changes(run) == [(6, "held"), (8, "normal")]
    arrived = int(series.cash_usdc_micro[5])
    assert run.paid("R")[5] == arrived * 15 // 100
    assert run.held("trap")[5] == arrived - arrived * 15 // 100


def test_an_application_that_fails_repays_no_more_than_it_earns() -> None:
    run = live(SHARE, months(60, billed=dict.fromkeys(range(10, 61), 0)))
    assert run.balance("R")[-1] > 0
    assert not run.paid("E")[10:].any()


def test_a_year_and_a_half_close_on_chain() -> None:
    stressed = months(18, billed=dict.fromkeys(range(5, 10), 300_000), short={12: 800_000}, missing=(15,))
    assert len(on_chain(SHARE, stressed, 18)) == 18
