"""What a program can reach at most: the values of its registers, and the gas of one close."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Final

from penstock.capital.decode import LIMIT, MACHINE, REGISTERS, Decoded, Layout, Step, decode
from penstock.capital.schedule_rows import Row, read_rows, starts_s
from penstock.errors import Refused

LANE_MAX: Final = 10**17  # a hundred billion dollars in one lane [micro-dollars]
MEASURE_MAX: Final = 10**15
PERIOD_DAYS_MAX: Final = 366
PERIODS_MAX: Final = 10**6  # a hundred years of hours

# gas of one close, execution only, measured over the contract's tests and rounded up
_FIXED: Final = 60_000
_PAGE: Final = 6_500  # a second page: its report and its event
_ROWS: Final = 10_000  # a schedule: two dates and a row
_WORD: Final = 2_600 + 20_500  # a state word: a cold read, and at worst the first write from zero
_CONSTANT_WORD: Final = 450
_STEP: Final = {"PAY": (700, 700), "ACC": (700, 450), "SPLIT": (900, 1_000)}
_STEP_OTHER: Final = (1_100, 350)


def refuse_saturation(
    code: bytes, rows: bytes = b"", measures: Sequence[int] = (MEASURE_MAX,) * 6, labels: Sequence[str] = ()
) -> None:
    """Refuse a program in which a sum could reach ``LIMIT`` while every lane is below a hundred billion dollars.

    The contract saturates rather than reverts, so that nothing can freeze a deal; a deal in which this could happen
    with amounts that occur is refused here. Each state is followed by itself, each register from write to write.

    Args:
        code: the program.
        rows: its schedule.
        measures: the most each measure of the report is expected to say.
        labels: what each step does, to say so.

    Raises:
        Refused: ``program.may_saturate`` with the step.
    """
    decoded = decode(code)
    opening = _opening_tops(decoded, read_rows(code, rows), measures)
    everywhere = reduce(or_, (step.states for step in decoded.steps), 0)
    for state in range(8):
        if everywhere >> state & 1:
            _follow(decoded, state, everywhere, list(opening), labels)


def _follow(decoded: Decoded, state: int, everywhere: int, top: list[int], labels: Sequence[str]) -> None:
    """One state's close. Before a state is set any may rule: a step of some states only may run or not."""
    set_yet = not any(step.op == "STATE" for step in decoded.steps)
    for step in decoded.steps:
        sure = step.states >> state & 1 if set_yet else step.states == everywhere
        if set_yet and not sure:
            continue
        for register, value in _tops(step, top, decoded.layout):
            if value > LIMIT:
                raise _saturates(step, labels)
            top[register] = value if sure else max(top[register], value)
        set_yet = set_yet or step.op == "STATE"


def _saturates(step: Step, labels: Sequence[str]) -> Refused:
    what = f": {labels[step.number]}" if step.number < len(labels) else ""
    return Refused(
        "program.may_saturate",
        f"An amount could outgrow the chain's numbers{what}.",
        hint="Use smaller faces, rates or tariffs, or fewer decimals.",
        step=step.number,
    )


def _opening_tops(decoded: Decoded, rows: tuple[Row, ...], measures: Sequence[int]) -> list[int]:
    top = [0] * REGISTERS
    top[2] = PERIODS_MAX
    for register in range(4, decoded.layout.lasting_end):
        top[register] = LANE_MAX
    for register, value in decoded.constants.items():
        top[register] = value
    length_s = _length_s_max(decoded, rows)
    days = max([360, *(row.days for row in rows)])
    said = [*measures, *[0] * (6 - len(measures))]
    machine = [days, length_s // 86400, length_s, LIMIT, 0, 1, LANE_MAX, 1, *[1] * 6, *said, LIMIT]
    machine += [max(values) for values in zip(*(row.columns for row in rows), strict=True)]
    top[MACHINE : MACHINE + len(machine)] = machine
    return top


def _length_s_max(decoded: Decoded, rows: tuple[Row, ...]) -> int:
    """The longest period [s]."""
    layout = decoded.layout
    starts = [starts_s(layout, rows, period) for period in range(len(rows) + 2)] if rows else []
    longest = PERIOD_DAYS_MAX * 86400 if layout.months else layout.step_s
    return max([longest, *(two - one for one, two in pairwise(starts))])


def _tops(step: Step, top: list[int], layout: Layout) -> list[tuple[int, int]]:
    """The registers a step writes and the most each can hold after it."""
    items = range(step.items)
    a = [step.a + i * step.stride(4) for i in items]
    b = [step.b + i * step.stride(5) for i in items]
    c = [step.c + i * step.stride(6) for i in items]
    if step.op == "ACC":
        divisor = max(1, top[step.g])
        return [
            (z, top[x] * top[y] * top[step.e] // divisor + top[z] * step.own) for x, y, z in zip(a, b, c, strict=True)
        ]
    if step.op == "ADD":
        return [(step.c, sum(top[step.a : step.a + step.items]) + (top[step.b] if step.b else 0))]
    if step.op == "PAY" and step.c >= layout.cash_end:  # cash itself is bounded by what came in
        return [(z, top[z] + top[step.a]) for z in dict.fromkeys(c)]
    if step.op in ("SUB", "MIN", "MAX"):
        pick: dict[str, Callable[[int, int], int]] = {"SUB": lambda x, _: x, "MIN": min, "MAX": max}
        return [(z, pick[step.op](top[x], top[y])) for x, y, z in zip(a, b, c, strict=True)]
    if step.op == "MOVE":
        return [(z, top[x] + top[z]) for x, z in zip(a, c, strict=True)]
    if step.op == "TEST":
        return [(step.g, max(top[step.g], step.low))]
    return [(step.b, 15)] if step.op == "CURE" else []


def gas_ceiling(code: bytes) -> int:
    """No close of this program uses more gas [execution; add 21,000 and calldata for the transaction]."""
    decoded = decode(code)
    layout = decoded.layout
    words = layout.state_words * _WORD + layout.constant_words * _CONSTANT_WORD
    read = _PAGE * (layout.pages - 1) + (_ROWS if layout.rows else 0)
    return _FIXED + words + read + sum(_gas(step) for step in decoded.steps)


def _gas(step: Step) -> int:
    once, item = _STEP.get(step.op, _STEP_OTHER)
    return once + item * step.items
