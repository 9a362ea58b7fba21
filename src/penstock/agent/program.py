"""A linear program as columns and rows, and HiGHS to solve it. Knows nothing of what is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Unavailable

Floats = NDArray[np.float64]
INFINITE: Final = np.inf
SCALE: Final = 1_000.0
"""To what a row's limit is scaled."""
GAP: Final = 1e-4
"""Relative gap at which a plan in whole lots is good enough."""


@dataclass(slots=True, eq=False)
class Program:
    """Least ``cost`` over columns within 0 and ``top``, where ``whole`` in whole numbers, under rows added to it."""

    cost: Floats
    top: Floats
    whole: NDArray[np.bool_]
    lines: list[NDArray[np.int64]] = field(default_factory=list)
    columns: list[NDArray[np.int64]] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    lows: list[Floats] = field(default_factory=list)
    highs: list[Floats] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, cost: Any, top: Any, whole: Any) -> Program:
        """A program without rows."""
        return cls(np.asarray(cost, np.float64), np.asarray(top, np.float64), np.asarray(whole, np.bool_))

    def row(
        self, parts: Sequence[tuple[NDArray[np.int64], Floats]], low: float = -INFINITE, high: float = INFINITE
    ) -> None:
        """One row: the weighted sum of columns lies within ``low`` and ``high``."""
        columns = np.concatenate([part[0] for part in parts])
        self.rows(np.zeros(columns.size, np.int64), columns, np.concatenate([part[1] for part in parts]), 1, low, high)

    def rows(
        self,
        line: NDArray[np.int64],
        column: NDArray[np.int64],
        weight: Floats,
        count: int,
        low: float = -INFINITE,
        high: float = INFINITE,
    ) -> None:
        """``count`` rows with one pair of limits; ``line`` says of each weight which of them it is in."""
        kept = weight != 0
        limit = max((abs(end) for end in (low, high) if np.isfinite(end)), default=0.0)
        scale = SCALE / limit if limit else 1.0  # the solver's tolerance is absolute
        self.lines.append(line[kept] + self.count)
        self.columns.append(column[kept])
        self.weights.append(weight[kept] * scale)
        self.lows.append(np.full(count, low * scale))
        self.highs.append(np.full(count, high * scale))
        self.count += count


def solve(program: Program, limit_s: float) -> tuple[Floats, float] | None:
    """The columns' values and a bound that no solution is below; None where there is none.

    With whole columns the program without that wish comes first: what is whole there, rounded down or else up and the
    rest solved again, is taken where it lies within `GAP` of the bound, and else is where the search begins.

    Raises:
        Unavailable: ``plan.slow`` where nothing is found within ``limit_s`` seconds.
    """
    solver = _solver(program, limit_s)
    loose = _run(solver)
    if loose is None or not program.whole.any():
        return loose
    start = _dived(program, solver, loose[0])
    if start is not None and start[1] - loose[1] <= GAP * max(1.0, abs(loose[1])):
        return start[0], loose[1]
    return _searched(program, limit_s, None if start is None else start[0])


def _dived(program: Program, solver: Any, loose: Floats) -> tuple[Floats, float] | None:
    """With whole columns held at what they come to rounded; ``solver`` goes on from where it is."""
    held = np.flatnonzero(program.whole).astype(np.int32)
    for rounded in (np.floor(loose + 1e-9), np.ceil(loose - 1e-9)):
        at = np.clip(rounded, 0, np.floor(program.top + 1e-9))[held]
        solver.changeColsBounds(held.size, held, at, at)
        found = _run(solver)
        if found is not None:
            return found
    return None


def _searched(program: Program, limit_s: float, start: Floats | None) -> tuple[Floats, float] | None:
    """By branch and bound, from ``start`` where there is one."""
    import highspy

    solver = _solver(program, limit_s, whole=True)
    if start is not None:
        solution = highspy.HighsSolution()
        solution.col_value = start
        solver.setSolution(solution)
    found = _run(solver)
    return found and (found[0], float(solver.getInfo().mip_dual_bound))


def _solver(program: Program, limit_s: float, whole: bool = False) -> Any:
    """The solver with the program in it."""
    import highspy

    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in (("output_flag", False), ("threads", 1), ("time_limit", limit_s), ("mip_rel_gap", GAP)):
        solver.setOptionValue(name, value)
    solver.passModel(_model(highspy, program, whole))
    return solver


def _run(solver: Any) -> tuple[Floats, float] | None:
    """One run: values and objective; None where no values keep the rows."""
    import highspy

    solver.run()
    status, kinds = solver.getModelStatus(), highspy.HighsModelStatus
    if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
        return None
    if not solver.getSolution().value_valid or status not in (kinds.kOptimal, kinds.kTimeLimit):
        raise Unavailable("plan.slow", "No plan was found in time.", hint="Give it longer, or ask for less.")
    return np.asarray(solver.getSolution().col_value, np.float64), float(solver.getInfo().objective_function_value)


def _model(highspy: Any, program: Program, whole: bool) -> Any:
    """HiGHS' own form: weights by column."""
    line, column = np.concatenate(program.lines), np.concatenate(program.columns)
    order = np.lexsort((line, column))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = program.cost.size, program.count
    model.col_cost_ = program.cost
    model.col_lower_, model.col_upper_ = np.zeros(program.cost.size), program.top
    model.row_lower_, model.row_upper_ = np.concatenate(program.lows), np.concatenate(program.highs)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.searchsorted(column[order], np.arange(program.cost.size + 1)).astype(np.int32)
    model.a_matrix_.index_ = line[order].astype(np.int32)
    model.a_matrix_.value_ = np.concatenate(program.weights)[order]
    if whole:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(whole)] for whole in program.whole]
    return model
