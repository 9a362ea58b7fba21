"""Many periods of a deal closed at once, as columns: `exact.close_period` over and over, by the compiled loop.

Time is not asked here: each period counts as closed when it may be: with its report, or without once the
grace is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital import exact
from penstock.capital.decode import LIMIT, MACHINE, ONE, OPS, REGISTERS, Decoded, Layout, decode
from penstock.capital.exact import DealState, StepRecord
from penstock.capital.report import MEASURES, PAGES_MAX
from penstock.capital.schedule_rows import Row, read_rows
from penstock.errors import Corrupt, Invalid

Ints = NDArray[np.int64]
_OP_CODES: Final = {name: code for code, name in OPS.items()}
_PER_DAY_S: Final = 86400
MOST: Final = MEASURES * PAGES_MAX
"""Measures that a report can hold."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What periods in a row rest on, one row a period.

    Attributes:
        balance_usdc_micro: int64 (periods,), dollars at the deal's address at each close [micro-dollars].
        measures: int64 (periods, measures), as attested; not read where no report is fresh.
        fresh: bool (periods,), whether a fresh report was there.

    Raises:
        Invalid: ``run.rows_differ`` where columns differ in length or there are more measures than a report holds;
            ``run.cash_negative`` for a balance below 0.
    """

    balance_usdc_micro: Ints
    measures: Ints
    fresh: NDArray[np.bool_]

    def __post_init__(self) -> None:
        rows = len(self.balance_usdc_micro)
        shapes = (self.measures.shape[:1], self.fresh.shape)
        if any(shape != (rows,) for shape in shapes) or self.measures.ndim != 2 or self.measures.shape[1] > MOST:
            hint = f"Give one row a period in each column, at most {MOST} measures."
            raise Invalid("run.rows_differ", "The columns of a run differ in length.", hint=hint, rows=rows)
        if rows and int(self.balance_usdc_micro.min()) < 0:
            raise Invalid("run.cash_negative", "A deal cannot hold less than no dollars.", hint="Check the series.")


@dataclass(frozen=True, slots=True)
class Records:
    """What each item of each step did, as columns; `StepRecord` says what they mean.

    Attributes:
        named: int16 (rows, 4): step, payee, source, place in ``exact_kernel.BINDINGS``.
        limbs: uint64 (rows, 6): available low and high, due low, middle and high, paid; a product of three amounts
            needs three limbs of 64 bits.
        ends: int64 (periods,): where each period's rows end.
        ops: name of the operation, by step.
    """

    named: NDArray[np.int16]
    limbs: NDArray[np.uint64]
    ends: Ints
    ops: dict[int, str]

    def of_period(self, place: int) -> tuple[StepRecord, ...]:
        """The records of one close, by its place in the run."""
        from penstock.capital.exact_kernel import BINDINGS

        rows = slice(int(self.ends[place - 1]) if place else 0, int(self.ends[place]))
        return tuple(
            StepRecord(step, self.ops[step], payee, source, low + (high << 64), _joined(due), paid, BINDINGS[binding])
            for (step, payee, source, binding), (low, high, *due, paid) in zip(
                self.named[rows].tolist(), self.limbs[rows].tolist(), strict=True
            )
        )


@dataclass(frozen=True, slots=True)
class Closings:
    """Closed periods as columns.

    Attributes:
        lanes: int64 (periods, lasting lanes): the lanes after each close.
        inflow_usdc_micro: int64 (periods,): cash taken in at each close.
        starts_s, ends_s: int64 (periods,): each period, half-open [s since 1970].
        fresh: bool (periods,): whether it rested on a report.
        start: the state before the first.
        records: what the steps did, where asked for.
    """

    lanes: Ints
    inflow_usdc_micro: Ints
    starts_s: Ints
    ends_s: Ints
    fresh: NDArray[np.bool_]
    start: DealState
    records: Records | None

    @property
    def states(self) -> Ints:
        """The state after each close, by number."""
        return self.lanes[:, 1] & 255

    def state(self, place: int) -> DealState:
        """The deal's state after one close, by its place in the run."""
        lanes = self.lanes[place].tolist()
        quads = (lanes[at : at + 4] for at in range(0, len(lanes), 4))
        words = tuple(sum(value << (64 * i) for i, value in enumerate(quad)) for quad in quads)
        return replace(self.start, words=words)


def close_many(
    program_code: bytes, state: DealState, feed: Feed, rows: bytes = b"", *, records: bool = False
) -> Closings:
    """Close a period for each row of ``feed``, each on what the last one left; ``rows``: the program's schedule.

    Raises:
        Invalid: ``program.malformed``, ``schedule.malformed``.
        Corrupt: ``deal.cash_lost``, as `exact.close_period`.
    """
    from penstock.capital import exact_kernel

    decoded, schedule, periods = decode(program_code), read_rows(program_code, rows), len(feed.fresh)
    bounds = period_starts_s(decoded.layout, schedule, state.period, periods + 1)
    machine = _machine(decoded.layout, np.diff(bounds), feed)
    _read_schedule(machine, schedule, state.period)
    lanes = np.empty((periods, decoded.layout.lasting_end), np.int64)
    inflow, ends = np.empty(periods, np.int64), np.zeros(periods, np.int64)
    log = _log(program_code, periods if records else 0)
    closed = exact_kernel.close_periods(
        _steps(program_code), _registers(decoded, state), machine, np.minimum(feed.balance_usdc_micro, LIMIT),
        np.array(state.waived, np.int64), _places(decoded.layout), lanes, inflow, log, ends,
    )  # fmt: skip
    if closed < periods:
        raise Corrupt("deal.cash_lost", "The cash lanes do not add up to what was taken in.", period=closed)
    used = slice(int(log.used[0]))
    ops = {step.number: step.op for step in decoded.steps}
    kept = Records(log.named[used].copy(), log.limbs[used].copy(), ends, ops) if records else None
    return Closings(lanes, inflow, bounds[:-1], bounds[1:], feed.fresh, state, kept)


def period_starts_s(layout: Layout, schedule: tuple[Row, ...], first: int, count: int) -> Ints:
    """When periods from ``first`` on start [s since 1970]: `schedule_rows.starts_s` as a column."""
    period = np.arange(first, first + count, dtype=np.int64)
    month = (layout.year - 1970) * 12 + layout.month - 1 + layout.months * period
    days = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + layout.day - 1
    starts = days * _PER_DAY_S + layout.second + layout.step_s * period
    written = np.array([0, *(row.end_s for row in schedule)], np.int64)[first : first + count]
    starts[: len(written)] = np.where(written, written, starts[: len(written)])
    return starts


def _read_schedule(machine: Ints, schedule: tuple[Row, ...], first: int) -> None:
    """Columns and written days of each period; beyond the last row its columns stand."""
    if not schedule:
        return
    columns = np.array([row.columns for row in schedule], np.int64)
    days = np.array([row.days for row in schedule], np.int64)[first : first + len(machine)]
    place = exact.COLUMN - MACHINE
    at = np.minimum(np.arange(first, first + len(machine)), len(schedule) - 1)
    machine[:, place : place + columns.shape[1]] = columns[at]
    machine[: len(days), 0] = np.where(days, days, machine[: len(days), 0])


def _joined(limbs: list[int]) -> int:
    return sum(limb << (64 * i) for i, limb in enumerate(limbs))


@lru_cache(maxsize=64)
def _steps(program_code: bytes) -> Ints:
    rows = [
        (step.number, _OP_CODES[step.op], step.states, step.a, step.b, step.c, step.e, step.g, step.low)
        for step in decode(program_code).steps
    ]
    return np.array(rows, np.int64).reshape(-1, 9)


def _registers(decoded: Decoded, state: DealState) -> Ints:
    registers = np.zeros(REGISTERS, np.int64)
    registers[: decoded.layout.lasting_end] = [state.lane(lane) for lane in range(decoded.layout.lasting_end)]
    for register, value in decoded.constants.items():
        registers[register] = value
    return registers


def _machine(layout: Layout, length_s: Ints, feed: Feed) -> Ints:
    """What the machine registers hold at each close; the inflow is the loop's to fill in."""
    rows = np.zeros((len(length_s), REGISTERS), np.int64)
    rows[:, MACHINE], rows[:, exact.DAYS], rows[:, exact.SECONDS] = 30 * layout.months, length_s // _PER_DAY_S, length_s
    rows[:, exact.INFINITE], rows[:, ONE] = LIMIT, 1
    rows[:, exact.STALE] = ~feed.fresh
    rows[:, exact.INFINITE_WHEN_STALE] = np.where(feed.fresh, 0, LIMIT)
    measures = feed.measures[:, : MEASURES * layout.pages]
    known, count = feed.fresh[:, None], measures.shape[1]
    rows[:, exact.NEGATIVE : exact.NEGATIVE + count] = known & (measures < 0)
    rows[:, exact.MEASURE : exact.MEASURE + count] = np.where(known, np.clip(measures, 0, LIMIT), 0)
    return np.ascontiguousarray(rows[:, MACHINE:])


def _places(layout: Layout) -> Any:
    from penstock.capital.exact_kernel import Places

    return Places(layout.cash_end, layout.lasting_end, layout.temporary, MACHINE, exact.INFLOW)


def _log(program_code: bytes, periods: int) -> Any:
    """Room for every item of every step in each period."""
    from penstock.capital.exact_kernel import SCALAR, Log

    steps = _steps(program_code)
    items = np.where(np.isin(steps[:, 1], SCALAR), 1, (steps[:, 8] & 15) + 1)
    rows = int(items.sum()) * periods
    return Log(np.zeros((rows, 4), np.int16), np.zeros((rows, 6), np.uint64), np.zeros(1, np.int64))
