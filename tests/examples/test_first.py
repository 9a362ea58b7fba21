"""The first example lives: a cloudy week, and a week without a report."""

from __future__ import annotations

from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

FIRST = example("first")
CLOUDS = (2400, 1200, 700, 2400, 2400, 2300, 2450)


def week(revenue: tuple[int, ...] = CLOUDS, missing: tuple[int, ...] = ()) -> Series:
    cash = [one * USDC for one in revenue]
    return path(cash, missing, energy=[2_000_000] * 7, cfads=[one - 200 * USDC for one in cash], answers=[0] * 7)


def test_clouds_lock_and_the_deal_cures() -> None:
    runs = [live(FIRST, week()), live(FIRST, week((2400,) * 7, (3,)))]
    everything_reached(FIRST, runs)
    for run in runs:
        in_order(run, "roofs", "A")
        in_order(run, "A", "B")
    assert changes(runs[0]) == [(2, "lockup"), (5, "normal")]
    assert changes(runs[1]) == [(3, "lockup"), (5, "normal")]


def test_the_week_closes_on_chain() -> None:
    assert len(on_chain(FIRST, week(missing=(3,)), 7)) == 7
