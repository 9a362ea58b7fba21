"""A solar plant's sculpted loan and its equity with a flip: the published case, bad years, acceleration.

Source: SAM's simulation core (github NREL/ssc, commit e97a19f), PVWatts with a single owner.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from example_life import ROOT, USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Run, Series

SUNGROVE = example("project_equity")
CASE = "2022.08.08_develop_branch_PVWatts_Single_Owner_cmod_singleowner_outputs.json"
DATA = ROOT.parent / "shared" / "data" / "ssc" / CASE
REVENUE, OPERATION, INVERTERS = Fraction("9112020.597775502"), Fraction(1_500_000), 941_982_547_316
YEARS, LOAN_YEARS = 25, 18
COLUMNS = {one.name: one.values for one in SUNGROVE.deal.schedule}


def earned(year: int) -> int:
    """Revenue less operation [micro-dollars]."""
    grown = REVENUE * (Fraction("1.01") * Fraction("0.995")) ** (year - 1)
    return int((grown - OPERATION * Fraction("1.025") ** (year - 1)) * USDC)


def years(shares: Sequence[float] = (), missing: Sequence[int] = ()) -> Series:
    """The case's cash times what each year brought of it (all of it, where left out), the first reserve on top."""
    of_plan = [*shares, *[1.0] * (YEARS - len(shares))]
    cash = [int(earned(year) * share) for year, share in enumerate(of_plan, 1)]
    cfads = [came - (INVERTERS if year <= 15 else 0) for year, came in enumerate(cash, 1)]
    cash[0] += 2_565_399_250_176
    return path(cash, missing, cfads=cfads)


def service(run: Run) -> list[int]:
    return [int(one) for one in run.paid("A")]


def test_the_schedule_follows_from_the_first_year() -> None:
    planned = [earned(year) - (INVERTERS if year <= 15 else 0) for year in range(1, LOAN_YEARS + 1)]
    assert np.abs(np.array(COLUMNS["cash"]) - planned).max() <= 1
    ahead = [cash * 10 // 26 for cash in COLUMNS["cash"][1:]]
    assert list(COLUMNS["ahead"][:17]) == ahead


def test_debt_and_service_are_the_published_ones() -> None:
    """Debt is the value at 7 % of cash / 1.30; balances and service of the first two years as published."""
    worth = sum(Fraction(cash) / Fraction("1.3") / Fraction("1.07") ** t for t, cash in enumerate(COLUMNS["cash"], 1))
    assert round(worth / USDC, 2) == Fraction("52499952.30")
    run = live(SUNGROVE, years())
    assert service(run)[0] / USDC == pytest.approx(5_130_798.50, abs=0.005)
    assert run.balance("A")[:2] / USDC == pytest.approx([51_044_150.461, 49_480_592.876], abs=0.005)
    assert run.matured == LOAN_YEARS - 1
    cover = [1_000 * cash // paid for cash, paid in zip(COLUMNS["cash"], service(run)[:LOAN_YEARS], strict=True)]
    assert set(cover) == {1_300}


@pytest.mark.skipif(not DATA.is_file(), reason="../shared/data/ssc is not present")
def test_every_year_is_the_published_one() -> None:
    said = json.loads(Path(DATA).read_text())
    run = live(SUNGROVE, years())
    balance, paid = run.balance("A")[:LOAN_YEARS] / USDC, run.paid("A")[:LOAN_YEARS] / USDC
    assert balance == pytest.approx(said["cf_debt_balance"][1 : LOAN_YEARS + 1], abs=0.02)
    assert paid == pytest.approx(said["cf_debt_payment_total"][1 : LOAN_YEARS + 1], rel=1e-6)
    held = run.held("dsra")[:LOAN_YEARS] / USDC
    assert held == pytest.approx(said["cf_reserve_debtservice"][1 : LOAN_YEARS + 1], rel=1e-6)
    assert run.held("inverters")[:15] / USDC == pytest.approx([*said["cf_reserve_equip1"][1:15], 0], rel=1e-6, abs=1)


def test_the_investor_has_its_return_and_then_the_equity_flips() -> None:
    run = live(SUNGROVE, years())
    assert changes(run) == []
    flip = int(np.flatnonzero(run.balance("I") == 0)[0])
    worth = sum(int(paid) / 1.06**year for year, paid in enumerate(run.paid("I")[: flip + 1], 1))
    assert worth / USDC == pytest.approx(12_000_000, abs=0.05)
    before, after = slice(0, flip), slice(flip + 1, YEARS)
    shared = run.paid("I") + run.paid("investor") + run.paid("sponsor")
    assert np.abs(run.paid("I")[before] - shared[before] * 0.99).max() < 2
    assert np.abs(run.paid("investor")[after] - shared[after] * 0.05).max() < 2
    assert not run.paid("I")[after].any()
    assert run.held("collect")[-1] == run.held("trap")[-1] == 0


def test_poor_years_lock_the_equity_and_a_good_one_frees_it() -> None:
    run = live(SUNGROVE, years((1, 1, 0.90, 0.90, 1)))
    assert changes(run) == [(3, "lockup"), (5, "normal")]
    assert not (run.paid("I") + run.paid("sponsor"))[2:4].any()
    assert run.held("trap")[3] > 0
    assert run.held("trap")[4] == 0
    assert run.balance("A")[4] == live(SUNGROVE, years()).balance("A")[4]


def test_a_missing_report_waits_and_declares_nothing() -> None:
    run = live(SUNGROVE, years(missing=(4, 5)))
    assert changes(run) == [(4, "lockup"), (6, "normal")]
    assert run.balance("A")[-1] == 0


def test_a_lost_year_draws_the_reserve_and_then_everything_repays_the_loan() -> None:
    run = live(SUNGROVE, years((1, 1, 0.30, 0.10, 0.05)))
    everything_reached(SUNGROVE, [run, live(SUNGROVE, years((1, 0.90)))])
    assert changes(run) == [(3, "accel")]
    assert run.held("dsra")[2] == 0
    for name in ("I", "investor", "sponsor"):
        in_order(run, "A", name)
        owing = run.balance("A")[2:] > 0
        assert not run.paid(name)[2:][owing].any()
    assert int(np.flatnonzero(run.balance("A") == 0)[0]) < LOAN_YEARS - 1  # ahead of its plan: all excess repaid it
    assert run.balance("I")[-1] == 0


def test_a_life_closes_on_chain() -> None:
    assert on_chain(SUNGROVE, years((1, 1, 0.90, 1, 1, 1, 0.3, 0.1), (4,)), YEARS)
