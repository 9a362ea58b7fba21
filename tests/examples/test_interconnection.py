"""Network upgrades drawn on milestones and repaid from the utility's credits."""

from __future__ import annotations

from collections.abc import Mapping

from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

GRIDTIE = example("interconnection")
CERTIFIED = dict.fromkeys(range(1, 9), 3_000_000)
"""Eight quarters of upgrades: 24 million."""
CREDITS = 1_900_000


def quarters(
    count: int,
    credits: Mapping[int, int] | None = None,
    advances: Mapping[int, int] | None = None,
    certified: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
) -> Series:
    """Credits, advances and milestones [USDC] that differ from the base, by quarter."""
    place = range(1, count + 1)
    came = [(credits or {}).get(one, CREDITS if one > 12 else 0) for one in place]
    lent = [{**CERTIFIED, **(advances or {})}.get(one, 0) for one in place]
    earned = [{**CERTIFIED, **(certified or {})}.get(one, 0) * USDC for one in place]
    cash = [(came[one - 1] + lent[one - 1]) * USDC for one in place]
    return path(cash, missing, collections=[one * USDC for one in came], milestone=earned)


def test_base_builds_accrues_and_is_repaid() -> None:
    run = live(GRIDTIE, quarters(40))
    assert changes(run) == [(13, "repaying")]
    assert int(run.paid("utility").sum()) == 24_000_000 * USDC
    assert run.balance("D")[11] == accrued()
    assert 12 < run.matured < 36
    in_order(run, "administrator", "D", ["repaying"])


def accrued() -> int:
    """The loan after twelve quarters: what was drawn, and 2.25 % a quarter on what was owed at its start."""
    balance = 0
    for quarter in range(1, 13):
        interest = balance * 9 // 400
        balance += CERTIFIED.get(quarter, 0) * USDC + interest
    return balance


def test_every_state_and_test_is_reached_and_a_late_utility_catches_up() -> None:
    late = quarters(40, credits=dict.fromkeys(range(16, 20), 400_000))
    silent = quarters(40, missing=(20,))
    runs = [live(GRIDTIE, one) for one in (late, silent)]
    everything_reached(GRIDTIE, runs)
    assert changes(runs[0]) == [(13, "repaying"), (16, "catch_up"), (21, "repaying")]
    assert not runs[0].paid("E")[15:20].any()
    assert changes(runs[1]) == [(13, "repaying"), (20, "unreported"), (22, "repaying")]
    assert runs[1].held("pending")[19] == CREDITS * USDC
    for run in runs:
        in_order(run, "D", "E")
        assert run.matured > 0


def test_an_advance_without_its_report_is_drawn_when_it_is_certified() -> None:
    run = live(GRIDTIE, quarters(8, missing=(3,), certified={3: 0, 4: 6_000_000}))
    assert run.states[2] == "unreported"
    assert run.paid("utility")[[2, 3]].tolist() == [0, 6_000_000 * USDC]
    assert run.held("pending")[[2, 3]].tolist() == [3_000_000 * USDC, 0]
    on_time = live(GRIDTIE, quarters(8))
    assert run.paid("utility").sum() == on_time.paid("utility").sum()
    assert run.balance("D")[7] < on_time.balance("D")[7]  # a quarter's interest on the advance less


def test_upgrades_that_overrun_draw_no_more_than_was_committed() -> None:
    dear = dict.fromkeys(range(1, 9), 4_500_000)
    run = live(GRIDTIE, quarters(12, advances=dear, certified=dear))
    assert int(run.paid("utility").sum()) == 30_000_000 * USDC
    assert run.held("reserve")[7] > 0  # what was advanced beyond the commitment stays in the deal


def test_a_utility_that_never_pays_leaves_the_sponsor_nothing() -> None:
    run = live(GRIDTIE, quarters(40, credits=dict.fromkeys(range(13, 41), 100_000)))
    assert run.states[-1] == "catch_up"
    assert not run.paid("E").any()
    assert run.balance("D")[-1] > run.balance("D")[12]


def test_six_years_close_on_chain() -> None:
    stressed = quarters(24, credits={16: 400_000, 17: 0}, certified={3: 0, 4: 6_000_000}, missing=(3, 20))
    assert len(on_chain(GRIDTIE, stressed, 24)) == 24
