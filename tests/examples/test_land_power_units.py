"""Units of land and power: no debt; reserves first, then the rest; retained while income is thin."""

from __future__ import annotations

from collections.abc import Mapping

from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.run import Series

UNITS = example("land_power_units")
VALUE = 90_000_000


def quarters(
    count: int,
    rents: Mapping[int, int] | None = None,
    values: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
) -> Series:
    """Income and appraised values [USDC] that differ from the base, by quarter."""
    income = [(rents or {}).get(one, 1_600_000) * USDC for one in range(1, count + 1)]
    value = [(values or {}).get(one, VALUE) * USDC for one in range(1, count + 1)]
    return path(income, missing, revenue=income, energy=[12_000_000_000] * count, value=value)


def test_base_fills_the_reserves_and_pays_out_the_rest() -> None:
    run = live(UNITS, quarters(24))
    assert changes(run) == []
    assert run.held("renewal")[-1] == VALUE * USDC * 2 // 100
    assert run.held("smoothing")[-1] == 400_000 * USDC
    fees = (120_000 + 48_000 + 48_000) * USDC
    first, last = run.paid("U")[[0, 23]]
    assert first == 1_600_000 * USDC - fees - 240_000 * USDC  # a tenth and a twentieth of the rent are kept
    assert last == 1_600_000 * USDC - fees


def test_every_state_and_test_is_reached() -> None:
    thin = quarters(24, rents=dict.fromkeys(range(10, 13), 500_000))
    starved = quarters(24, rents=dict.fromkeys(range(1, 12), 250_000), values=dict.fromkeys(range(1, 25), 20_000_000))
    runs = [live(UNITS, thin), live(UNITS, starved), live(UNITS, quarters(12, values={9: 300_000_000}))]
    everything_reached(UNITS, runs)
    assert changes(runs[0]) == [(10, "retain"), (14, "normal")]
    assert not runs[0].paid("U")[9:13].any()
    for run in runs:
        in_order(run, "taxes", "U")
        in_order(run, "upkeep", "U")


def test_what_was_retained_is_paid_out_once_income_is_back() -> None:
    run = live(UNITS, quarters(24, rents=dict.fromkeys(range(10, 13), 950_000 - 60_000)))
    kept = int(run.held("smoothing")[12])
    assert kept > 400_000 * USDC
    assert run.held("smoothing")[13] == 400_000 * USDC
    assert run.paid("U")[13] > kept - 400_000 * USDC


def test_without_a_report_nothing_is_paid_out() -> None:
    run = live(UNITS, quarters(8, missing=(4,)))
    assert changes(run) == [(4, "retain"), (6, "normal")]
    assert not run.paid("U")[3:5].any()
    assert run.held("renewal")[3] == run.held("renewal")[2]  # its target is not known


def test_no_income_pays_upkeep_out_of_the_reserve_as_long_as_it_lasts() -> None:
    run = live(UNITS, quarters(24, rents=dict.fromkeys(range(12, 25), 0)))
    assert run.held("smoothing")[-1] == 0
    assert run.lane("taxes.owed")[-1] > 0
    assert not run.paid("U")[11:].any()


def test_three_years_close_on_chain() -> None:
    stressed = quarters(12, rents={5: 500_000, 10: 0}, values={9: 300_000_000}, missing=(7,))
    assert len(on_chain(UNITS, stressed, 12)) == 12
