"""A coin mine becomes a data centre: drawn, converted, taken out - or late."""

from __future__ import annotations

from collections.abc import Mapping

from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

MINE = example("mine_conversion")
CERTIFIED = dict.fromkeys(range(1, 21), 4_000_000)
"""Twenty months of work: 80 million."""
SOFR_E8 = 4_300_000


def months(
    count: int,
    income: Mapping[int, int] | None = None,
    certified: Mapping[int, int] | None = None,
    price: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
) -> Series:
    """Income, work certified and advanced, and a buyer's price [USDC] that differ from the base, by month."""
    place = range(1, count + 1)
    came = [(income or {}).get(one, 450_000 if one < 19 else 2_300_000) * USDC for one in place]
    work = [{**CERTIFIED, **(certified or {})}.get(one, 0) * USDC for one in place]
    cash = [came[one - 1] + work[one - 1] + (price or {}).get(one, 0) * USDC for one in place]
    return path(cash, missing, collections=came, milestone=work, sofr=[SOFR_E8] * count)


BASE = months(60, price={36: 95_000_000})
STOPPED = months(60, certified=dict.fromkeys(range(15, 21), 0))
"""Work stops at 56 million: never converted."""
VACANT = months(48, income=dict.fromkeys(range(28, 32), 500_000))


def test_base_is_converted_and_taken_out() -> None:
    run = live(MINE, BASE)
    assert changes(run) == [(19, "operating"), (36, "taken_out")]
    assert int(run.paid("builder").sum()) == 80_000_000 * USDC  # the last twentieth after conversion
    assert run.matured == 35
    assert run.paid("E")[35] > 0
    assert (run.paid("E")[36:] == run.closings.inflow_usdc_micro[36:] - 90_000 * USDC).all()  # the sponsor's alone


def test_every_state_and_test_is_reached() -> None:
    runs = [live(MINE, one) for one in (BASE, STOPPED, VACANT, months(30, missing=(6, 26)))]
    everything_reached(MINE, runs)
    for run in runs:
        in_order(run, "site", "C")
        in_order(run, "C", "M")
        in_order(run, "M", "E")


def test_work_that_stops_leaves_the_sponsor_nothing() -> None:
    run = live(MINE, STOPPED)
    assert changes(run)[0] == (25, "late")
    assert not run.paid("E")[: run.matured].any()
    assert not run.held("contingency")[24:].any()  # what was kept for overruns repays


def test_vacant_halls_sweep_and_cure() -> None:
    run = live(MINE, VACANT)
    assert [state for _, state in changes(run)] == ["operating", "late", "operating"]
    assert not run.paid("E")[27:32].any()


def test_interest_that_the_mine_cannot_pay_becomes_principal() -> None:
    run = live(MINE, months(12, income=dict.fromkeys(range(1, 13), 90_000)))
    drawn = int(run.paid("builder").sum())
    assert run.balance("C")[-1] > drawn == 48_000_000 * USDC
    assert not run.paid("C").any()


def test_an_advance_without_its_report_is_drawn_when_it_is_certified() -> None:
    late = months(12, certified={6: 0, 7: 8_000_000}, missing=(6,))
    cash = late.cash_usdc_micro.copy()
    cash[[5, 6]] += (4_000_000 * USDC, -4_000_000 * USDC)  # the lenders advance on time, the report follows
    run = live(MINE, Series(cash, late.measures, late.fresh))
    assert run.states[5] == "unreported"
    assert run.paid("builder")[[5, 6]].tolist() == [0, 8_000_000 * USDC]
    assert int(run.paid("builder").sum()) == 48_000_000 * USDC


def test_less_than_the_price_takes_nobody_out() -> None:
    run = live(MINE, months(40, price={30: 60_000_000}))
    assert "taken_out" not in run.states


def test_two_years_close_on_chain() -> None:
    stressed = months(30, certified={8: 0}, missing=(6,), price={30: 110_000_000})
    assert len(on_chain(MINE, stressed, 30)) == 30
