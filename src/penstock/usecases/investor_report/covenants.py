"""A close's tests as rows: both sides, the ratio, and how far each is from each of its bounds.

Read from the steps that ran, by their place in the program: what the machine compared, not what a text says it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

from penstock.capital.deal import Call, Level, Term, Test
from penstock.capital.decode import LIMIT, Step, decode
from penstock.capital.exact import StepRecord
from penstock.usecases.investor_report.again import Again

Row = dict[str, Any]
MILLION: Final = 10**6


def covenant_rows(again: Again) -> list[Row]:
    """Each test: value, against, ratio [millionths, down], levels with headroom [the value's unit], where it stands."""
    steps = {step.number: step for step in decode(again.program.code).steps}
    asked = dict(_asked(again, steps))
    return [_row(again, number, test, asked.get(number, [])) for number, test in enumerate(again.deal.tests, 1)]


def call_rows(again: Again) -> list[Row]:
    """Each call: whether it was exercised; it stands among the tests, after them."""
    first = len(again.deal.tests) + 1
    return [_call(again, number, call) for number, call in enumerate(again.deal.calls, first)]


def _call(again: Again, number: int, call: Call) -> Row:
    level, _ = _flag(again.closing.flags, number)
    return {"call": call.name, "state": call.state, "exercised": level > 0}


def _asked(again: Again, steps: dict[int, Step]) -> Iterator[tuple[int, list[tuple[Step, StepRecord]]]]:
    """By number of the test, the comparisons that raised its level."""
    compared = [(steps[one.step], one) for one in again.closing.steps if one.op == "TEST"]
    for step in steps.values():
        if step.op == "CURE":
            yield step.a, [(asked, record) for asked, record in compared if asked.g == step.c]


def _flag(flags: int, number: int) -> tuple[int, int]:
    """Level and clean periods of a test."""
    flag = flags >> (8 * number) & 255
    return flag & 15, flag >> 4


def _row(again: Again, number: int, test: Test, compared: Sequence[tuple[Step, StepRecord]]) -> Row:
    before, _ = _flag(again.before.flags, number)
    level, clean = _flag(again.closing.flags, number)
    stale = not again.closing.fresh and bool(test.stale)
    value, against = (None, None) if stale else _sides(again, test, compared)
    ratio = value * MILLION // against if value is not None and against else None
    return {
        "test": number,
        "name": test.name,
        "value": value,
        "against": against,
        "ratio_millionths": ratio,
        "money": _is_money(again, test.value) and _is_money(again, test.against),
        "stale": stale,
        "waived": again.before.waived[number - 1] > again.closed.period,
        "levels": [_level(one, value, against) for one in test.levels],
        "state_before": again.deal.states[before],
        "state": again.deal.states[level],
        "clean_periods": clean,
        "cure": test.cure,
        "sticky": bool(test.sticky) and level >= again.deal.states.index(test.sticky),
    }


def _is_money(again: Again, term: Term) -> bool:
    """Whether a term counts micro-dollars; a measure or column does where its unit says so."""
    units = {one.name: one.unit for one in again.deal.measures} | {one.name: one.unit for one in again.deal.schedule}
    amounts = {one.name: one.term for one in again.deal.amounts}
    if term.kind in ("measure", "column", "was", "total"):
        return units.get(term.names[0]) == "USDC"
    if term.kind == "amount":
        return _is_money(again, amounts[term.names[0]])
    return term.kind != "period" and all(_is_money(again, part) for part in term.parts)


def _sides(again: Again, test: Test, compared: Sequence[tuple[Step, StepRecord]]) -> tuple[int | None, int | None]:
    """Value and against, from the first comparison that multiplied them by a level's bound.

    None where the machine compared something else: a test that does not apply now, or against what is infinite.
    """
    for level in test.levels:
        wanted = again.deal.states.index(level.state)
        num, den = level.bound.numerator, level.bound.denominator
        for step, record in compared:
            if step.low & 15 == wanted and num and (record.due or not test.only_if):
                value, against = (record.available, record.due) if level.below else (record.due, record.available)
                if value % den == 0 and against % num == 0 and max(value // den, against // num) < LIMIT:
                    return value // den, against // num
    return None, None


def _level(level: Level, value: int | None, against: int | None) -> Row:
    known = value is not None and against is not None
    return {
        "state": level.state,
        "when": "below" if level.below else "above",
        "bound_millionths": bound_millionths(level.bound),
        "headroom": headroom(level, value or 0, against or 0) if known else None,
    }


def bound_millionths(bound: Fraction) -> int:
    """A bound in millionths, down."""
    return bound.numerator * MILLION // bound.denominator


def headroom(level: Level, value: int, against: int) -> int:
    """How far the value may fall (or rise) and still not ask for the level; negative where it has passed it.

    One unit more would: ``below`` is asked for where value x q < against x p.
    """
    p, q = level.bound.numerator, level.bound.denominator
    if level.below:
        return value - -(-against * p // q)
    return against * p // q - value
