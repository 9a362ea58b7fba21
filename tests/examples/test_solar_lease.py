"""Notes on rooftop leases: ten usual years and the date after them, poor cover and its cure, sequence, acceleration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from example_life import USDC, Ints, assets_of, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.asset_review import review
from penstock.capital.run import Series, look_back

LEASES = example("solar_lease")
FOUND = review(LEASES.deal, assets_of("solar_lease"))
PERIODS, DATE = 88, 40
COLUMNS = {one.name: np.array(one.values, np.int64) for one in LEASES.deal.schedule}
USUAL = np.ones(PERIODS)


def quarters(
    shares: Mapping[int, float] | None = None, missing: Sequence[int] = (), replaced: Mapping[int, int] | None = None
) -> Series:
    """The base case; in some quarters, from 1, a share of it; inverters replaced [dollars]. Reserve funded at first."""
    part, purchases = USUAL.copy(), np.zeros(PERIODS, np.int64)
    for quarter, share in (shares or {}).items():
        part[quarter - 1] = share
    for quarter, dollars in (replaced or {}).items():
        purchases[quarter - 1] = dollars * USDC
    cash: Ints = (FOUND.base_case.cash * part).astype(np.int64)
    cfads = cash * 96 // 100 - COLUMNS["operation"][:PERIODS]
    cash[0] += 5_000_000 * USDC
    return path(cash, missing, ltm=look_back(cfads, 4), purchases=purchases)


def span(first: int, last: int, share: float) -> dict[int, float]:
    return dict.fromkeys(range(first, last + 1), share)


def test_the_pool_is_what_the_deal_asks_for() -> None:
    assert FOUND.eligible.all()
    assert not any(FOUND.over_caps.values())
    expected = FOUND.base_case.cash[1:] * 96 // 100 - COLUMNS["operation"][1:PERIODS]
    assert (expected[:80] > COLUMNS["rents"][1:81]).all()


def test_ten_usual_years_and_then_everything_repays_the_notes() -> None:
    run = live(LEASES, quarters())
    assert changes(run) == [(DATE + 1, "early")]
    assert run.balance("A")[DATE - 1] == 150_000_000 * USDC - COLUMNS["plan"][:DATE].sum()
    assert (run.paid("E")[1:DATE] > 0).all()  # the first quarter has two months of rent
    last = int(np.flatnonzero(run.balance("B") == 0)[0])
    assert DATE < last < 68
    assert not run.paid("E")[DATE:last].any()
    assert (run.paid("E")[last + 1 :] > 0).all()
    for senior, junior in (("servicer", "A"), ("A", "B"), ("B", "E"), ("A", "E")):
        in_order(run, senior, junior)


def test_the_step_up_waits_for_all_principal() -> None:
    """2 % a year on what A has outstanding, from the date on: 30/360, one floor a quarter."""
    run = live(LEASES, quarters())
    opening = run.balance("A")[DATE - 1 : -1]
    assert run.paid("S").sum() == (opening * 2 * 90 // 36_000).sum()
    owing = run.balance("A") + run.balance("B") > 0
    assert not run.paid("S")[owing].any()


def test_inverters_are_replaced_from_their_reserve() -> None:
    run = live(LEASES, quarters(replaced={9: 100_000, 30: 1_000_000}))
    assert not run.held("inverters")[:10].any()
    assert run.held("inverters")[10] == 90_000 * USDC
    assert run.paid("installer")[8] == 0  # nothing was set aside yet
    assert run.paid("installer")[29] == 1_000_000 * USDC
    assert run.held("inverters")[29] == (20 * 90_000 - 1_000_000) * USDC


def test_poor_cover_holds_the_excess_and_cures() -> None:
    run = live(LEASES, quarters(span(9, 12, 0.80)))
    assert [state for _, state in changes(run)] == ["sweep", "normal", "early"]
    start, end = (quarter for quarter, _ in changes(run)[:2])
    assert not run.paid("E")[start - 1 : end - 1].any()
    assert run.held("trap")[end - 2] > 0
    assert run.held("trap")[end - 1] == 0
    assert run.balance("A")[end - 1] == live(LEASES, quarters()).balance("A")[end - 1]


def test_worse_cover_repays_early_and_then_in_sequence() -> None:
    run = live(LEASES, quarters(span(9, 16, 0.64)))
    assert {"sweep", "early", "sequential"} <= set(run.states)
    sequential = np.flatnonzero(np.array(run.states) == "sequential")
    assert (run.balance("A")[sequential] > 0).all()
    assert not (run.paid("B") + run.paid("E"))[sequential].any()
    assert run.balance("A")[20] < live(LEASES, quarters()).balance("A")[20]
    assert run.lane("B.interest")[int(sequential[-1])] > 0
    assert run.lane("B.interest")[-1] == 0
    assert run.balance("B")[-1] == 0


def test_a_missing_report_only_holds() -> None:
    run = live(LEASES, quarters(missing=(20,)))
    assert changes(run)[:2] == [(20, "sweep"), (23, "normal")]
    assert run.balance("A")[30] == live(LEASES, quarters()).balance("A")[30]


def test_a_collapse_draws_the_reserve_and_accelerates() -> None:
    run = live(LEASES, quarters(span(13, 16, 0.15)))
    assert "accel" in run.states
    at = run.states.index("accel")
    assert set(run.states[at:]) == {"accel"}
    owing = np.flatnonzero(run.balance("A")[at:] > 0) + at
    assert not (run.paid("B") + run.paid("E"))[owing].any()
    assert run.held("liquidity")[at] == 0
    assert run.balance("A")[-1] == run.balance("B")[-1] == 0
    everything_reached(LEASES, [run, live(LEASES, quarters(span(9, 16, 0.64))), live(LEASES, quarters())])


def test_ten_years_close_on_chain() -> None:
    assert on_chain(LEASES, quarters(span(9, 14, 0.64), (20,), {30: 1_000_000}), DATE + 2)
