"""A data centre that fills hall by hall: draws, a floating rate and its swap, half of what is left repays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

CAMPUS = example("data_centre_lease")
ADVANCES = dict.fromkeys(range(3, 13), 2_000_000)
"""Ten fit-outs of two million each: the whole commitment."""


def months(
    count: int,
    rents: Mapping[int, int] | None = None,
    sofr: Mapping[int, int] | None = None,
    advances: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
    certified: Mapping[int, int] | None = None,
) -> Series:
    """Rents, advances, milestones [USDC] and fixings [hundredths of a percent] that differ from the base, by month."""
    drawn = ADVANCES if advances is None else advances
    rent = [(rents or {}).get(month, 700_000 + 40_000 * min(month, 12)) for month in range(1, count + 1)]
    milestone = [{**ADVANCES, **(certified or {})}.get(month, 0) * USDC for month in range(1, count + 1)]
    cash = [one * USDC + drawn.get(month, 0) * USDC for month, one in enumerate(rent, 1)]
    fixing = [(sofr or {}).get(month, 430) * 10**4 for month in range(1, count + 1)]
    return path(cash, missing, collections=[one * USDC for one in rent], sofr=fixing, milestone=milestone)


def test_base_draws_repays_and_matures() -> None:
    run = live(CAMPUS, months(121))
    assert changes(run) == [(25, "repaying")]
    assert run.balance("V")[[1, 2, 11]].tolist() == [0, 2_000_000 * USDC, 20_000_000 * USDC]
    assert int(run.paid("builder").sum()) == 20_000_000 * USDC
    assert run.balance("A")[11] == 40_000_000 * USDC  # a year of interest only
    assert run.balance("A")[119] == 0
    assert int(np.flatnonzero(run.balance("V")[24:] == 0)[0]) < 96


def test_every_state_and_test_is_reached() -> None:
    vacancy = months(40, rents=dict.fromkeys(range(14, 18), 600_000))
    default = months(60, rents=dict.fromkeys(range(14, 40), 300_000))
    runs = [live(CAMPUS, one) for one in (vacancy, default, months(20, missing=(15,)))]
    everything_reached(CAMPUS, runs)
    for run in runs:
        in_order(run, "operator", "A")
        in_order(run, "A", "E")
        in_order(run, "V", "E", ["building", "repaying", "unreported", "lockup"])
    assert changes(runs[0]) == [(14, "lockup"), (20, "building"), (25, "repaying")]
    assert not runs[0].paid("E")[13:19].any()
    assert "accel" in runs[1].states
    assert runs[1].states[-1] == "accel"


def test_acceleration_shares_between_the_two_lenders() -> None:
    run = live(CAMPUS, months(90, rents=dict.fromkeys(range(14, 91), 300_000) | {60: 20_000_000}))
    began = run.states.index("accel")
    before, after = [np.array([run.balance(one)[at] for one in "AV"], dtype=object) for at in (began, 59)]
    shares = (before - after) / before
    assert abs(shares[0] - shares[1]) < 1e-9  # the same part of each balance
    assert not run.paid("E")[began:].any()
    assert run.balance("B")[-1] > 5_000_000 * USDC  # its interest became principal


def test_the_swap_fixes_what_the_campus_pays() -> None:
    """With the fixing at 3 % the deal owes the net; at 6 % it owes nothing."""
    low = live(CAMPUS, months(24, sofr=dict.fromkeys(range(1, 25), 300)))
    high = live(CAMPUS, months(24, sofr=dict.fromkeys(range(1, 25), 600)))
    days = int(low.closings.ends_s[12] - low.closings.starts_s[12]) // 86_400
    balance = 20_000_000 * USDC
    assert low.paid("swap")[12] == balance * days // 36_000
    assert not high.paid("swap").any()
    paid_v = [int(run.paid("V")[12]) for run in (low, high)]
    assert paid_v == [balance * 525 * days // 3_600_000, balance * 825 * days // 3_600_000]


def test_a_rate_is_capped() -> None:
    run = live(CAMPUS, months(14, sofr={13: 900}))
    days = int(run.closings.ends_s[12] - run.closings.starts_s[12]) // 86_400
    assert run.paid("V")[12] == 20_000_000 * USDC * 900 * days // 3_600_000


def test_an_advance_without_its_report_is_drawn_when_it_is_certified() -> None:
    run = live(CAMPUS, months(14, missing=(5,), certified={5: 0, 6: 4_000_000}))
    assert run.states[4] == "unreported"
    assert run.held("pending")[4] >= 2_000_000 * USDC
    assert run.paid("builder")[[4, 5]].tolist() == [0, 4_000_000 * USDC]
    assert run.balance("V")[[3, 4, 5]].tolist() == [4_000_000 * USDC, 4_000_000 * USDC, 8_000_000 * USDC]
    assert not run.paid("E")[4:7].any()


def test_less_than_the_milestone_is_drawn_where_less_came() -> None:
    run = live(CAMPUS, months(6, advances={3: 500_000}))
    assert run.balance("V").tolist() == [0, 0, *[500_000 * USDC] * 4]


def test_two_years_close_on_chain() -> None:
    stressed = months(26, rents={15: 300_000, 16: 300_000}, sofr={9: 300, 10: 700}, missing=(5,))
    assert len(on_chain(CAMPUS, stressed, 26)) == 26
