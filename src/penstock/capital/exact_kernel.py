"""The exact engine as one compiled loop over periods: the same words and the same records as `exact.close_period`.

Imported only for runs of many periods, since numba takes long to load. Registers are int64: all lie in [0, LIMIT], so a
sum of two fits; products, and sums of more, are taken in limbs (`wide`). Nothing here knows where a program's layout
puts a value: that is in `Places`, so that kept machine code holds for every edition of the format.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.capital.registers import STALE
from penstock.capital.wide import (
    ZERO,
    compiled,
    product,
    product_of_three,
    quotient_by_two,
    quotient_of_three,
)

LIMIT: Final = 2**62 - 1
_LIMIT: Final = np.uint64(LIMIT)
PAY, ACC, SPLIT, FUND, DRAIN, TEST, CURE, STATE, ADD, SUB, MIN, MAX, MOVE = range(1, 14)
SCALAR: Final = (FUND, DRAIN, TEST, CURE, STATE, ADD)  # one record each
BINDINGS: Final = ("cash", "due", "cap", "target", "share", "test", "value")
CASH, DUE, CAP, TARGET, SHARE, TESTED, VALUE = range(7)

Ints = NDArray[np.int64]
Limbs = NDArray[np.uint64]


class Places(NamedTuple):
    """Where the layout puts things: the first register after the cash lanes, after the lasting lanes, the first
    temporary, the first machine register; the register of the inflow.
    """

    cash_end: int
    lasting_end: int
    temporary: int
    machine: int
    inflow: int


class Step(NamedTuple):
    """A step, as `decode.Step` has it; the operation by its number."""

    number: int
    op: int
    states: int
    a: int
    b: int
    c: int
    e: int
    g: int
    low: int


class Log(NamedTuple):
    """Records as they are written: a row is one item of one step.

    Attributes:
        named: int16 (rows, 4): step, payee, source, place in `BINDINGS`. No rows: nothing is recorded.
        limbs: uint64 (rows, 6): available low and high, due low, middle and high, paid.
        used: int64 (1,): rows written.
    """

    named: NDArray[np.int16]
    limbs: Limbs
    used: Ints


@compiled
def _note(log: Any, s: Any, payee: Any, source: Any, binding: int, available: int, due: int, paid: int) -> None:
    at = log.used[0]
    if at < len(log.named):
        log.named[at, 0], log.named[at, 1], log.named[at, 2], log.named[at, 3] = s.number, payee, source, binding
        log.limbs[at, 0], log.limbs[at, 2], log.limbs[at, 5] = available, due, paid
        log.used[0] = at + 1


@compiled
def _pay(r: Any, s: Any, log: Any) -> None:
    last, own = s.low & 15, s.low >> 7
    for k in range(last + 1):
        i = last - k if own else k
        b, c, e = s.b + i * (s.low >> 5 & 1), s.c + i * (s.low >> 6 & 1), s.e + i * (s.low >> 4 & 1)
        left = r[s.a]
        due = r[b] if b else LIMIT
        cap = r[e] if e else LIMIT
        asked = min(due, cap) if b or e else left
        x = min(left, asked)
        r[s.a] -= x
        if b:
            r[b] -= x
        if e:
            r[e] -= x
        if c:
            r[c] = min(r[c] + x, LIMIT)
        binding = DUE if b and x == due else CAP if e and x == cap else CASH
        _note(log, s, c, s.a, binding, left, asked, x)


@compiled
def _acc(r: Any, s: Any, log: Any) -> None:
    factor, divisor, own = np.uint64(r[s.e]), np.uint64(r[s.g]), s.low >> 7
    for i in range((s.low & 15) + 1):
        a, b, c = s.a + i * (s.low >> 4 & 1), s.b + i * (s.low >> 5 & 1), s.c + i * (s.low >> 6 & 1)
        high, middle, low = product_of_three(np.uint64(r[a]), np.uint64(r[b]), factor)
        high, middle, low = quotient_of_three(high, middle, low, divisor)
        over = high != ZERO or middle != ZERO or low > _LIMIT
        value = LIMIT if over else min(np.int64(low) + own * r[c], LIMIT)
        at = log.used[0]
        if at < len(log.named):
            log.limbs[at, 3], log.limbs[at, 4] = middle, high
        _note(log, s, c, a, VALUE, r[a], np.int64(low), value)
        r[c] = value


@compiled
def _split(r: Any, s: Any, log: Any) -> None:
    items, own, source = (s.low & 15) + 1, s.low >> 7, s.a
    high, low = ZERO, ZERO
    for i in range(items):
        low = low + np.uint64(r[s.e + i])
        if low < np.uint64(r[s.e + i]):
            high = high + np.uint64(1)
    if high == ZERO and low == ZERO:
        return
    amount = min(r[s.b], r[source]) if s.b else r[source]
    if own and high == ZERO:
        amount = np.int64(min(np.uint64(amount), low))
    left = amount
    for i in range(items):
        weight, c = r[s.e + i], s.c + i * (s.low >> 6 & 1)
        x = left if i == items - 1 else _part(amount, weight, high, low)
        if own:
            x = min(x, weight)
            r[s.e + i] -= x
            if s.g:
                r[s.g + i] = max(r[s.g + i] - x, 0)
        _note(log, s, c, source, SHARE, r[source], weight if own else amount, x)
        r[c] += x
        r[source] -= x
        left -= x


@compiled
def _part(amount: int, weight: int, high: Any, low: Any) -> Any:
    """amount * weight // the total of all weights, which may exceed 64 bits."""
    top, bottom = product(np.uint64(amount), np.uint64(weight))
    if high != ZERO:
        return np.int64(quotient_by_two(top, bottom, high, low))
    _, _, found = quotient_of_three(ZERO, top, bottom, low)
    return np.int64(found)


@compiled
def _reserve(r: Any, s: Any, log: Any) -> None:
    a, c = s.a, s.c
    wanted = max(r[s.b] - r[c], 0) if s.op == FUND else max(r[a] - r[s.b], 0)
    x = min(wanted, r[a])
    _note(log, s, c, a, TARGET if x == wanted else CASH, r[a], wanted, x)
    r[a] -= x
    r[c] += x


@compiled
def _test(r: Any, s: Any, log: Any) -> None:
    a_high, a_low = product(np.uint64(r[s.a]), np.uint64(r[s.b]))
    c_high, c_low = product(np.uint64(r[s.c]), np.uint64(r[s.e]))
    if a_high < c_high or (a_high == c_high and a_low < c_low):
        r[s.g] = max(r[s.g], s.low & 15)
    at = log.used[0]
    if at < len(log.named):
        log.limbs[at, 1], log.limbs[at, 3] = a_high, c_high
    _note(log, s, s.g, s.a, TESTED, np.int64(a_low), np.int64(c_low), r[s.g])


@compiled
def _cure(r: Any, s: Any, waived: Any, log: Any) -> None:
    place, wait = 8 * s.a, s.e
    sticky = 1 if r[STALE] else s.g  # a period without its report is no clean one
    flag = r[1] >> place & 255
    before, clean = flag & 15, flag >> 4
    level, found = before, min(r[s.c], 15)
    if waived[s.a - 1] > r[2]:
        level, found, clean = 0, 0, 0
    elif found >= level or (clean >= wait and not (sticky and level >= sticky)):
        level, clean = found, 0
    elif not (sticky and level >= sticky):
        clean += 1
    r[1] += (level + 16 * clean - flag) << place
    r[s.b] = max(r[s.b], level)
    _note(log, s, s.b, s.c, TESTED, before, found, level)


@compiled
def _state(r: Any, s: Any, log: Any) -> None:
    before, after = r[1] & 255, min(r[s.a], 7)
    r[1] += after - before
    _note(log, s, 1, s.a, TESTED, before, r[s.a], after)


@compiled
def _add(r: Any, s: Any, log: Any) -> None:
    high, low = ZERO, np.uint64(r[s.b] if s.b else 0)
    for i in range((s.low & 15) + 1):
        low = low + np.uint64(r[s.a + i])
        if low < np.uint64(r[s.a + i]):
            high = high + np.uint64(1)
    r[s.c] = LIMIT if high != ZERO or low > _LIMIT else np.int64(low)
    at = log.used[0]
    if at < len(log.named):
        log.limbs[at, 3] = high
    _note(log, s, s.c, s.a, VALUE, r[s.a], np.int64(low), r[s.c])


@compiled
def _pairs(r: Any, s: Any, log: Any) -> None:
    for i in range((s.low & 15) + 1):
        a, b, c = s.a + i * (s.low >> 4 & 1), s.b + i * (s.low >> 5 & 1), s.c + i * (s.low >> 6 & 1)
        x, y = r[a], r[b]
        r[c] = max(x - y, 0) if s.op == SUB else min(x, y) if s.op == MIN else max(x, y)
        _note(log, s, c, a, VALUE, x, y, r[c])


@compiled
def _move(r: Any, s: Any, log: Any) -> None:
    for i in range((s.low & 15) + 1):
        a, c = s.a + i * (s.low >> 4 & 1), s.c + i * (s.low >> 6 & 1)
        x = r[a]
        r[c], r[a] = min(r[c] + x, LIMIT), 0
        _note(log, s, c, a, VALUE, x, x, x)


@compiled
def _unpacked(steps: Any, row: int) -> Any:
    """The step of a row; numbers, since a view of the row would be counted in and out each time."""
    return Step(
        steps[row, 0], steps[row, 1], steps[row, 2], steps[row, 3], steps[row, 4], steps[row, 5], steps[row, 6],
        steps[row, 7], steps[row, 8],
    )  # fmt: skip


@compiled
def _run(r: Any, s: Any, waived: Any, log: Any) -> None:
    op = s.op
    if op == PAY:
        _pay(r, s, log)
    elif op == ACC:
        _acc(r, s, log)
    elif op == SPLIT:
        _split(r, s, log)
    elif op in (FUND, DRAIN):
        _reserve(r, s, log)
    elif op == TEST:
        _test(r, s, log)
    elif op == CURE:
        _cure(r, s, waived, log)
    elif op == STATE:
        _state(r, s, log)
    elif op == ADD:
        _add(r, s, log)
    elif op == MOVE:
        _move(r, s, log)
    else:
        _pairs(r, s, log)


@compiled
def _take_in(r: Any, balance: int, inflow: int) -> None:
    came = min(max(balance + r[0] - r[3], 0), LIMIT - r[3])
    r[3] += came
    r[4] += came
    r[inflow] = came


@compiled
def _conserved(r: Any, cash_end: int) -> bool:
    """Whether the cash lanes add up to all that was taken in; no sum is built that could wrap."""
    rest = r[3]
    for lane in range(4, cash_end):
        rest -= r[lane]
        if rest < 0:
            return False
    return bool(rest == 0)


@compiled
def close_periods(
    steps: Any, registers: Any, machine: Any, balance: Any, waived: Any, places: Any, lanes: Any, inflow: Any, log: Any,
    ends: Any,
) -> int:  # fmt: skip
    """Close one period a row of ``machine``, each on what the last one left; how many closed before cash was lost.

    Args:
        steps: int64 (steps, 9): number, op, states, a, b, c, e, g, low.
        registers: int64 (registers,): lasting lanes at the start and constants; changed.
        machine: int64 (periods, machine registers): what they hold at each close.
        balance: int64 (periods,): dollars at the deal's address at each close, at most LIMIT [micro-dollars].
        waived: int64 (6,): for each test, how many periods from the first on are waived.
        places: where the layout puts things.
        lanes: int64 (periods, lasting lanes): written, the lanes after each close.
        inflow: int64 (periods,): written [micro-dollars].
        log: written, where it has rows.
        ends: int64 (periods,): written, rows of the log used after each close.
    """
    r = registers
    for period in range(len(machine)):
        r[places.temporary : places.machine] = 0
        r[places.machine :] = machine[period]
        _take_in(r, balance[period], places.inflow)
        inflow[period] = r[places.inflow]
        for number in range(len(steps)):
            if steps[number, 2] >> (r[1] & 255) & 1:
                _run(r, _unpacked(steps, number), waived, log)
        if not _conserved(r, places.cash_end):
            return period
        r[2] += 1
        lanes[period] = r[: places.lasting_end]
        ends[period] = log.used[0]
    return len(machine)
