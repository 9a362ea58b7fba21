"""The life of an example: read, compiled, run to maturity beside its plain reading, and closed on the embedded chain.

A path says what happens to a deal: dollars and measures, one row a period. `live` runs it and reconciles it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import boa
import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).resolve().parents[1] / "contracts"))

from deal_rig import Pair
from plain_deal import Books, PlainClose, opened

from penstock.capital.asset_table import AssetTable
from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.exact import period_bounds
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.capital.run import Run, Series, look_back, run_deal
from penstock.usecases.check_assets import load_assets

ROOT = Path(__file__).resolve().parents[2]
Ints = NDArray[np.int64]
USDC = 10**6
U32 = 2**32 - 1
TRANSACTION = 21_064
GAS_MAX = 155_000
"""A usual close, the whole transaction: what twelve tranches may use."""
CEILING_MAX = 600_000
"""No close of an example may use more, first writes of storage included."""


@dataclass(frozen=True)
class Example:
    """A file of ``examples/deals``, read and compiled."""

    deal: Deal
    program: Program


@cache
def example(name: str) -> Example:
    deal = load_deal((ROOT / "examples" / "deals" / f"{name}.yaml").read_text())
    program = compile_deal(deal)
    assert program.gas_ceiling <= CEILING_MAX
    return Example(deal, program)


def assets_of(name: str) -> AssetTable:
    """A table of ``examples/assets``."""
    return load_assets(ROOT / "examples" / "assets" / f"{name}.csv")


def path(cash: Sequence[int] | Ints, missing: Iterable[int] = (), **measures: Sequence[int] | Ints) -> Series:
    """A path of micro-dollars and measures; ``missing``: periods, from 1, whose report never came."""
    fresh = np.ones(len(cash), np.bool_)
    fresh[[period - 1 for period in missing]] = False
    columns = {name: np.array(values, np.int64) for name, values in measures.items()}
    return Series(np.array(cash, np.int64), columns, fresh)


def live(of: Example, series: Series) -> Run:
    """Run a path, and find in every period: the steps do what the plain reading of the deal does; what came in is
    held or paid; what each tranche is owed walks from opening to closing.
    """
    run = run_deal(of.deal, of.program, series, records=True)
    books = opened(of.deal)
    attested = said(of.deal, series)
    for place in range(run.periods):
        before = Walk.of(of.deal, books)
        values = attested[place] if run.closings.fresh[place] else None
        length_s = int(run.closings.ends_s[place] - run.closings.starts_s[place])
        close = PlainClose(of.deal, books, values, int(run.closings.inflow_usdc_micro[place]), length_s)
        close.run()
        lanes = {name: int(run.closings.lanes[place, lane]) for name, lane in of.program.lanes.items()}
        assert run.states[place] == of.deal.states[books.state], f"period {place + 1}"
        assert lanes == as_lanes(books, lanes), f"period {place + 1}"
        before.walk(Walk.of(of.deal, books), close)
    return run


def said(deal: Deal, series: Series) -> list[dict[str, int]]:
    """The measures of each period, by name."""
    given = series.measures
    columns = {
        one.name: given[one.name] if one.name in given else look_back(given[one.of], one.over) for one in deal.measures
    }
    return [{name: int(column[at]) for name, column in columns.items()} for at in range(len(series.cash_usdc_micro))]


def as_lanes(books: Books, names: Iterable[str]) -> dict[str, int]:
    """The plain books under the names of the program's lanes."""
    parts = {name: name.partition(".") for name in names}
    return {name: getattr(books, part)[one] if part else books.cash[one] for name, (one, _, part) in parts.items()}


@dataclass(frozen=True)
class Walk:
    """Where money and claims stand between two closes."""

    held: int
    paid: Counter[str]
    claim: Counter[str]
    undrawn: Counter[str]

    @classmethod
    def of(cls, deal: Deal, books: Books) -> Walk:
        held = sum(books.cash[one.name] for one in deal.accounts)
        claims = Counter({one.name: claim(books, one.name) for one in deal.tranches})
        return cls(held, Counter(books.paid), claims, Counter(books.undrawn))

    def walk(self, after: Walk, close: PlainClose) -> None:
        """Opening + in = out + closing; and for each tranche, opening + accrued + drawn = paid + closing, where what
        was written off stays a claim until it is written up.
        """
        out = sum(after.paid.values()) - sum(self.paid.values())
        assert self.held + close.inflow == out + after.held
        for one in close.notes:
            drawn = self.undrawn[one.name] - after.undrawn[one.name]
            paid = after.paid[one.name] - self.paid[one.name]
            assert self.claim[one.name] + close.due_interest[one.name] + drawn == paid + after.claim[one.name]
        assert all(after.paid[name] >= paid for name, paid in self.paid.items())


def claim(books: Books, name: str) -> int:
    return int(books.balance[name] + books.interest[name] + books.written[name])


def everything_reached(of: Example, runs: Iterable[Run]) -> None:
    """Some path leads to every state; some path fails every test and exercises every call; in some it passes."""
    found = list(runs)
    assert {state for run in found for state in run.states} == set(of.deal.states)
    for name in (*[one.name for one in of.deal.tests], *[one.name for one in of.deal.calls]):
        seen = {bool(level) for run in found for level in levels(run, name)}
        assert seen == {True, False}, name


def levels(run: Run, test: str) -> list[int]:
    """The level of a test or a call after each close: the number of the state it asks for."""
    names = [*(one.name for one in run.deal.tests), *(one.name for one in run.deal.calls)]
    found = run.closings.lanes[:, 1] >> 8 * (names.index(test) + 1) & 15
    return [int(level) for level in found]


def in_order(run: Run, senior: str, junior: str, states: Iterable[str] = ()) -> None:
    """In ``states`` (everywhere, where left out) nobody pays ``junior`` while ``senior`` is owed anything that fell
    due: interest, scheduled principal, a fee.
    """
    owed = sum(lane_or_none(run, f"{senior}.{part}") for part in ("interest", "owed"))
    owed = owed + np.minimum(lane_or_none(run, f"{senior}.principal"), lane_or_none(run, f"{senior}.balance"))
    where = np.isin(run.states, list(states)) if states else np.ones(run.periods, np.bool_)
    ahead = where & (run.paid(junior) > 0) & (owed > 0)
    assert not ahead.any(), f"{junior} ahead of {senior} in period {int(ahead.argmax()) + 1}"


def lane_or_none(run: Run, name: str) -> Ints:
    return run.lane(name) if name in run.program.lanes else np.zeros(run.periods, np.int64)


def changes(run: Run) -> list[tuple[int, str]]:
    """Each period, from 1, in which the state is another than before, and that state."""
    before = (run.deal.states[0], *run.states)
    return [(at + 1, state) for at, state in enumerate(run.states) if state != before[at]]


def on_chain(of: Example, series: Series, periods: int, withdraw_every: int = 6) -> list[int]:
    """Launch the deal on the embedded chain and close so many periods there: every word equals the exact engine's.
    Payees withdraw now and then. The gas of each close [execution].
    """
    run, attested, gas = run_deal(of.deal, of.program, series), said(of.deal, series), []
    with boa.env.anchor():
        pair = Pair.open(of.program.code, len(of.program.payee_lanes), of.program.rows)
        for place in range(periods):
            end = period_bounds(of.program.code, place, of.program.rows)[1]
            fresh = series.fresh is None or bool(series.fresh[place])
            report = Report.of(list(attested[place].values()), end, U32) if fresh else Report.missing()
            now_s = end if fresh else end + of.deal.calendar.grace_s
            closing = pair.close(report, now_s, int(series.cash_usdc_micro[place]))
            assert closing is not None
            assert of.program.state_name(closing.flags) == run.states[place]
            lanes = range(4, run.closings.lanes.shape[1])
            assert [closing.state.lane(lane) for lane in lanes] == run.closings.lanes[place, 4:].tolist()
            gas.append(pair.gas)
            if (place + 1) % withdraw_every == 0:
                for lane in of.program.payee_lanes.values():
                    pair.withdraw(lane)
    assert median(gas) + TRANSACTION <= GAS_MAX
    return gas
