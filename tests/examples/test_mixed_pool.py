"""Power and compute in one pool: clouds lock up, cheap rents sweep senior first, and both cure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

POOL = example("mixed_pool")
ROOFS, RACK = 1_300_000 * USDC, 1_500_000 * USDC
"""What the pool lends on its roofs, and on its rack at a mark of 100 %."""
MEDIAN = 2_400
ENERGY_WH = 2_000_000


def days(revenue: Sequence[int], marks: Sequence[int], missing: tuple[int, ...] = ()) -> Series:
    """Dollars and the accelerators' mark [%] of each day."""
    cash = [one * USDC for one in revenue]
    base = [ROOFS + RACK * mark // 100 for mark in marks]
    return path(
        cash,
        missing,
        energy=[ENERGY_WH] * len(cash),
        cfads=[one - 200 * USDC for one in cash],
        answers=[1_000_000] * len(cash),
        base=base,
        accelerator=[mark * 10**6 for mark in marks],
    )


CLOUDS = (2_400, 1_200, 2_400, 700, 300, 2_400, 2_300, 2_400, 2_450, 2_400, 2_400, 2_400)
CHEAP = (90, 80, 60, 38, 35, 36, 60, 61, 62, 62, 62, 62)


def test_median_days_stay_normal() -> None:
    run = live(POOL, days([MEDIAN] * 12, [90] * 12))
    assert changes(run) == []
    in_order(run, "A", "B")
    assert (run.paid("E") > 0).all()


def test_clouds_lock_cheap_rents_sweep_and_the_deal_cures() -> None:
    run = live(POOL, days(CLOUDS, CHEAP))
    everything_reached(POOL, [run])
    assert changes(run) == [(2, "lockup"), (4, "sweep"), (8, "normal")]
    for senior, junior in (("roofs", "A"), ("A", "B"), ("A", "E"), ("B", "E")):
        in_order(run, senior, junior)
    assert not run.paid("E")[1:7].any()


def test_a_sweep_takes_the_trap_and_pays_senior_first() -> None:
    run = live(POOL, days(CLOUDS, CHEAP))
    trapped, swept = int(run.held("trap")[2]), slice(3, 7)
    assert trapped > 0
    assert not run.held("trap")[swept].any()
    assert (run.balance("B")[swept] == run.balance("B")[2]).all()
    in_and_trapped = trapped + int(run.closings.inflow_usdc_micro[swept].sum())
    paid = sum(int(run.paid(name)[swept].sum()) for name in ("roofs", "servicer", "B"))
    drawn = int(run.held("dsra")[2] - run.held("dsra")[6])
    assert int(run.paid("A")[swept].sum()) == in_and_trapped + drawn - paid  # nothing else is paid, nothing held


def test_without_a_report_distributions_are_held_and_nothing_is_declared() -> None:
    run = live(POOL, days([MEDIAN] * 8, [90] * 8, missing=(3, 4)))
    assert changes(run) == [(3, "lockup"), (6, "normal")]
    assert (run.held("trap")[2:5] > 0).all()
    assert run.held("trap")[5] == 0


def test_a_sweep_ends_when_what_is_lent_is_covered_again() -> None:
    run = live(POOL, days([MEDIAN] * 120, [30] * 120))
    (began, _), (cured, _) = changes(run)
    owed = run.balance("A") + run.balance("B")
    lent = ROOFS + RACK * 30 // 100
    assert began == 1
    assert owed[cured - 4] > lent >= owed[cured - 3]  # one clean period in the sweep, the next releases


def test_a_worthless_pool_repays_everybody_in_order() -> None:
    worthless = days([MEDIAN] * 1_200, [0] * 1_200)
    run = live(POOL, Series(worthless.cash_usdc_micro, {**worthless.measures, "base": np.zeros(1_200, np.int64)}))
    repaid = int(np.flatnonzero(run.balance("A") == 0)[0])
    assert (run.balance("B")[:repaid] == 500_000 * USDC).all()
    assert not run.paid("E")[: run.matured].any()
    assert run.matured > repaid
    assert run.states[run.matured + 2] == "normal"  # nothing is owed, so nothing lacks cover


def test_to_maturity_as_scheduled() -> None:
    run = live(POOL, days([MEDIAN] * 3_400, [90] * 3_400))
    assert set(run.states) == {"normal"}
    assert int(np.flatnonzero(run.balance("A") == 0)[0]) == 2_333
    assert run.matured == 3_333


def test_both_weeks_close_on_chain() -> None:
    assert len(on_chain(POOL, days(CLOUDS, CHEAP, missing=(11,)), 12)) == 12
