"""A deal and its 10,000 assets read, checked and laid out to maturity: against one QuantLib bond an asset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813 - as its own documentation writes it

from bench.result import Result, is_small, race
from penstock.capital.asset_fields import COUNTS
from penstock.capital.asset_flows import flows_of
from penstock.capital.asset_review import Review, review
from penstock.capital.asset_table import AssetTable
from penstock.capital.compile import compile_deal
from penstock.capital.deal import Calendar, Pool
from penstock.capital.language import load_deal
from penstock.period import DAY_US, SECOND_US, parse_iso
from penstock.rates.calendar import add_months
from penstock.usecases.check_assets import load_assets

GOAL: Final = 10
GOAL_S: Final = 2
CENT: Final = 0.01
DEAL: Final = Path(__file__).parent.parent / "examples" / "deals" / "first.yaml"
PERIODS: Final = 360
TERMS: Final = (60, 84, 120, 144, 180, 240, 300)
RATES: Final = ("4.99", "5.49", "5.99", "6.49", "7.25", "8.125")
HEADER: Final = (
    "asset,kind,contract,offtaker,obligor,region,assurance,balance_usdc,rate_percent,starts,ends,first_due,term_periods"
)
EPOCH: Final = date(1970, 1, 1)


def run() -> Result:
    """Both read the same file; every payment of every asset agrees within a cent before anything is timed."""
    rows = 1_000 if is_small() else 10_000
    with table_of(rows) as file:
        assets = load_assets(file)
        check(assets, bonds_of(assets))
        found = race(lambda: ours(file), lambda: theirs(file), 3)
        reading = race(lambda: load_assets(file), lambda: None, 3)
    return Result(
        name="deal-load",
        ours=rows / median(found.ours_s),
        unit="assets read, checked and laid out/s",
        peer=rows / median(found.peer_s),
        ratio=found.ratio,
        peer_name="one QuantLib amortising bond an asset",
        notes=(
            f"{found.spread}; goal {GOAL}; {rows:,} assets in {median(found.ours_s):.2f} s, goal {GOAL_S} s",
            f"reading and checking the table alone: {median(reading.ours_s):.3f} s; both sides do it",
            f"ours also loads and compiles the deal, sums {PERIODS} periods and finds averages and concentrations",
            f"{int(assets.term_periods.sum()):,} payments, each within a cent of QuantLib's; ours to the micro-dollar",
        ),
    )


@contextmanager
def table_of(rows: int) -> Iterator[Path]:
    """A CSV file of solar loans."""
    dice = Random(5)  # noqa: S311 - the same loans each time
    with TemporaryDirectory() as folder:
        file = Path(folder) / "assets.csv"
        file.write_text("\n".join([HEADER, *(_row(dice, at) for at in range(rows))]) + "\n", "utf-8")
        yield file


def _row(dice: Random, at: int) -> str:
    first = add_months(date(2026, 2, dice.choice((1, 5, 10, 15, 20, 28))), dice.randrange(6))
    balance = f"{dice.randrange(800_000, 6_000_000) / 100:.2f}"
    names = f"roof{at},loan,C{at},O{at % 400},P{at},{dice.choice(('AZ', 'CA', 'FL', 'NV', 'TX'))},gateway_signed"
    return f"{names},{balance},{dice.choice(RATES)},2025-06-01,2056-06-01,{first},{dice.choice(TERMS)}"


def ours(file: Path) -> Review:
    """The deal read and compiled, the table read and checked, the pool reviewed."""
    deal = load_deal(DEAL.read_text("utf-8"))
    compile_deal(deal)
    calendar = Calendar(parse_iso("2026-01-15T00:00:00Z") // SECOND_US, 0, 1, 0, periods=PERIODS)
    return review(replace(deal, calendar=calendar, pool=Pool(tail_days=180)), load_assets(file))


def theirs(file: Path) -> list[Any]:
    """The same file read, then every asset built and asked for its payments."""
    return [flows for bond in bonds_of(load_assets(file)) for flows in [[one.amount() for one in bond.cashflows()]]]


def bonds_of(assets: AssetTable) -> list[Any]:
    """One bond an asset."""
    ql.Settings.instance().evaluationDate = ql.Date(15, 1, 2026)
    return [_bond(assets, row) for row in range(len(assets))]


def _bond(assets: AssetTable, row: int) -> Any:
    first = EPOCH + timedelta(days=int(assets.first_due_us[row]) // DAY_US)
    begun, term = add_months(first, -1), int(assets.term_periods[row])
    rate, balance = int(assets.rate_e8[row]) / 1e8, int(assets.balance_usdc_micro[row]) / 1e6
    begins, month = ql.Date(begun.day, begun.month, begun.year), ql.Period(1, ql.Months)
    length = ql.Period(term, ql.Months)
    schedule = ql.Schedule(
        begins, begins + length, month, ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Forward,
        False,
    )  # fmt: skip
    notionals = ql.sinkingNotionals(length, ql.Monthly, rate, balance)
    return ql.AmortizingFixedRateBond(0, notionals, schedule, [rate], ql.Thirty360(ql.Thirty360.BondBasis))


def check(assets: AssetTable, bonds: list[Any]) -> None:
    """That every date's interest and principal is QuantLib's, within a cent."""
    assert set(assets.count.tolist()) == {COUNTS.index("30/360")}
    for start in range(0, len(assets), 1_000):
        rows = np.arange(start, min(start + 1_000, len(assets)))
        flows = flows_of(assets, rows)
        cash = (flows.interest + flows.principal) / 1e6
        for row in rows.tolist():
            term = int(assets.term_periods[row])
            theirs_by_date: dict[int, float] = {}
            for one in bonds[row].cashflows():
                day = one.date()
                at = (date(day.year(), day.month(), day.dayOfMonth()) - EPOCH).days
                theirs_by_date[at] = theirs_by_date.get(at, 0.0) + one.amount()
            assert flows.due_days[:term, row - start].tolist() == list(theirs_by_date)
            assert np.allclose(cash[:term, row - start], list(theirs_by_date.values()), rtol=0, atol=CENT)
