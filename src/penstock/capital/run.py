"""A deal run over given series of cash and measures, to maturity: balances, payments and states as columns, exact.

What examples, reports and the demo show. The series say what happens; nothing is forecast here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.closings import Closings, Feed, close_many
from penstock.capital.deal import Deal, Measure
from penstock.capital.decode import LIMIT
from penstock.capital.exact import DealState, StepRecord, opening_state
from penstock.capital.program import Program
from penstock.errors import Invalid, NotFound

Ints = NDArray[np.int64]
NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Series:
    """What happens to a deal, one row a period.

    Attributes:
        cash_usdc_micro: int64 (periods,), dollars that arrive before each close [micro-dollars].
        measures: int64 (periods,) by the measure's name, as attested [unit of the measure]. A measure that looks back
            may be left out where the one it follows is there: it is then summed from these rows alone.
        fresh: bool (periods,), whether a fresh report was there; everywhere, where left out.
    """

    cash_usdc_micro: Ints
    measures: Mapping[str, Ints]
    fresh: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A deal's periods, closed one after the other.

    Attributes:
        deal: as read.
        program: as compiled.
        closings: the lanes after each close, and what the steps did where asked for.
    """

    deal: Deal
    program: Program
    closings: Closings

    @property
    def periods(self) -> int:
        """How many periods were closed."""
        return len(self.closings.lanes)

    @property
    def states(self) -> tuple[str, ...]:
        """The state after each close."""
        return tuple(self.program.states[number] for number in self.closings.states.tolist())

    @property
    def matured(self) -> int:
        """The first period, by its place, from which on no tranche has a balance; `NEVER` (-1) for none."""
        names = [one.name for one in self.deal.tranches if f"{one.name}.balance" in self.program.lanes]
        owing = np.zeros(self.periods, np.bool_)
        for name in names:
            owing |= self.balance(name) > 0
        last = int(np.max(np.flatnonzero(owing), initial=NEVER))
        return last + 1 if last + 1 < self.periods else NEVER

    def lane(self, name: str) -> Ints:
        """int64 (periods,): a lasting lane after each close, by its name in `Program.lanes`.

        Raises:
            NotFound: ``run.no_lane``.
        """
        if name not in self.program.lanes:
            hint = f"There are {', '.join(self.program.lanes)}."
            raise NotFound("run.no_lane", "The deal keeps no such lane.", hint=hint, lane=name)
        return self.closings.lanes[:, self.program.lanes[name]]

    def balance(self, tranche: str) -> Ints:
        """int64 (periods,): outstanding after each close [micro-dollars]. Raises as `lane`."""
        return self.lane(f"{tranche}.balance")

    def held(self, account: str) -> Ints:
        """int64 (periods,): what an account holds after each close [micro-dollars]. Raises as `lane`."""
        return self.lane(account)

    def paid(self, payee: str) -> Ints:
        """int64 (periods,): what each close paid a payee [micro-dollars]. Raises as `lane`."""
        after = self.lane(f"{payee}.paid")
        return np.diff(after, prepend=self.closings.start.lane(self.program.lanes[f"{payee}.paid"]))

    def records(self, place: int) -> tuple[StepRecord, ...]:
        """What each step of one close did, by the period's place in the run; empty where none were kept."""
        kept = self.closings.records
        return kept.of_period(place) if kept else ()


def run_deal(
    deal: Deal, program: Program, series: Series, start: DealState | None = None, *, records: bool = False
) -> Run:
    """Close a period for each row of ``series``, from ``start`` on (the opening, where left out). Nobody withdraws
    on the way: it would change nothing that falls due.

    Raises:
        Invalid: ``run.rows_differ``, ``run.cash_negative``, ``run.measure_missing``; as `close_many`.
    """
    state = start or opening_state(program.code)
    rows = len(series.cash_usdc_micro)
    fresh = np.ones(rows, np.bool_) if series.fresh is None else series.fresh
    columns = [_measure(measure, series.measures, rows) for measure in deal.measures]
    measures = np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.int64)
    feed = Feed(_balance(series.cash_usdc_micro, state), measures, fresh)
    return Run(deal, program, close_many(program.code, state, feed, program.rows, records=records))


def look_back(values: Ints, periods: int) -> Ints:
    """int64: the sum of each value and those before it, ``periods`` in all; fewer where the column begins."""
    total = np.cumsum(values, dtype=np.int64)
    total[periods:] -= total[:-periods].copy()
    return total


def _measure(measure: Measure, given: Mapping[str, Ints], rows: int) -> Ints:
    if measure.name in given:
        column = given[measure.name]
    elif measure.of in given:
        column = look_back(given[measure.of], measure.over)
    else:
        hint = "Give a column for each measure of the report, or the one it looks back on."
        raise Invalid("run.measure_missing", "The series lack a measure.", hint=hint, measure=measure.name)
    if column.shape != (rows,):
        hint = "Give one value a period."
        raise Invalid("run.rows_differ", "The columns of a run differ in length.", hint=hint, measure=measure.name)
    return column


def _balance(cash: Ints, state: DealState) -> Ints:
    """Dollars at the deal's address before each close [micro-dollars], at most LIMIT."""
    if len(cash) and int(cash.min()) < 0:
        raise Invalid("run.cash_negative", "Less than no cash cannot arrive.", hint="Check the series.")
    came = np.cumsum(np.minimum(cash, LIMIT), dtype=np.uint64) + np.uint64(state.taken_in - state.paid_out)
    beyond = np.logical_or.accumulate(came > LIMIT)  # the first sum beyond LIMIT has not wrapped yet
    return np.where(beyond, np.int64(LIMIT), came.astype(np.int64))
