"""Steps that random programs seldom reach: cures over many periods, dues side by side, edges of the checker."""

from __future__ import annotations

from itertools import product

import boa
import pytest
from deal_programs import Shape, pack
from deal_rig import Pair, refused_alike

from penstock.capital.report import Report

DAY_S = 86_400
NEVER_S = 2**32 - 1
MEASURE = 238
DAILY = bytes.fromhex("07b2010100000000015180000000000000")  # from 1970-01-01 on
# lanes: 4 the account, 5 and 6 payees, 8-15 ledgers; constants 16-19; temporaries from 20
SHAPE = Shape(4, 1, (3, 5, 7, 1), 5, 2)
LEVELS = (2, 1, 0, 0, 0, 3, 0, 0, 2, 2, 1, 1, 1, 0, 1, 0, 0, 15, 14, 0)


def step(op: int, a: int = 0, b: int = 0, c: int = 0, e: int = 0, g: int = 0, low: int = 0) -> bytes:
    return bytes((op, 255, a, b, c, e, g, low))


def program(*steps: bytes, opening: tuple[int, ...] = (0,) * 8) -> bytes:
    return pack(SHAPE, DAILY, list(steps), list(opening))


@pytest.mark.parametrize("wait, sticky", list(product((0, 1, 2), (0, 1, 2, 3))))
def test_levels_cure_alike_over_many_periods(wait: int, sticky: int) -> None:
    code = program(
        step(7, a=1, b=20, c=MEASURE, e=wait, g=sticky),
        step(7, a=2, b=20, c=MEASURE + 1, e=2, g=0),
        step(9, a=20, c=8),  # the worst of both, kept in a ledger
        step(8, a=20),
    )
    with boa.env.anchor():
        pair, worst = Pair.open(code, 2), []
        for day, level in enumerate(LEVELS, 1):
            report = Report((level, 1 if day == 3 else 0, 0), day * DAY_S, NEVER_S)
            assert pair.close(report, day * DAY_S) is not None
            worst.append(pair.state.lane(8))
    if (wait, sticky) == (1, 3):  # by hand: a clean period passes, the next test cures; from level 3 up nothing does
        assert worst == [2, 2, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 15, 15, 15]


@pytest.mark.parametrize("cash", [0, 1, 7, 100, 149, 150, 151, 1000])
@pytest.mark.parametrize("also", [0, 12])
def test_dues_side_by_side_are_paid_alike(cash: int, also: int) -> None:
    split = step(3, a=4, c=5, e=8, g=also, low=1 | 64 | 128)
    with boa.env.anchor():
        pair = Pair.open(program(split, opening=(50, 100, 0, 0, 30, 500, 0, 0)), 2)
        assert pair.close(Report.missing(), 2 * DAY_S, cash) is not None
        first, last = pair.state.lane(5), pair.state.lane(6)
        assert first == min(cash, 150) * 50 // 150
        assert last == min(min(cash, 150) - first, 100)
        assert (pair.state.lane(8), pair.state.lane(9)) == (50 - first, 100 - last)
        assert (pair.state.lane(12), pair.state.lane(13)) == ((max(30 - first, 0), 500 - last) if also else (30, 500))


REFUSED = {
    "split: dues and their ledger overlap": step(3, a=4, c=5, e=8, g=9, low=1 | 64 | 128),
    "split: cash as weights": step(3, a=4, c=5, e=5, low=1 | 64),
    "split: a ledger without dues": step(3, a=4, c=5, e=8, g=12, low=1 | 64),
    "split: constants as dues": step(3, a=4, c=5, e=16, low=1 | 64 | 128),
    "split: beyond the payees": step(3, a=4, c=6, e=8, low=1 | 64),
    "pay: from a payee": step(1, a=5, c=4),
    "pay: to nobody": step(1, a=4),
    "pay: onto itself": step(1, a=4, c=4),
    "pay: cash to a ledger": step(1, a=4, c=8),
    "pay: a ledger to cash": step(1, a=8, c=5),
    "pay: due is cap": step(1, a=4, b=8, c=5, e=8),
    "pay: no due that advances": step(1, a=4, b=0, c=5, low=1 | 32),
    "pay: into a lane of nobody": step(1, a=4, c=7),
    "fund: a payee": step(4, a=4, b=16, c=5),
    "drain: a payee": step(5, a=5, b=16, c=4),
    "acc: onto cash": step(2, a=16, b=16, e=16, g=16, c=5),
    "acc: onto taken in": step(2, a=16, b=16, e=16, g=16, c=3),
    "acc: over a ledger": step(2, a=16, b=16, e=16, g=8, c=8),
    "acc: over nothing": step(2, a=16, b=16, e=16, g=228, c=8),
    "acc: past the last ledger": step(2, a=16, b=16, e=16, g=16, c=15, low=1 | 64),
    "add: flags read": step(9, a=1, c=8),
    "add: onto a constant": step(9, a=16, c=17),
    "add: onto the machine": step(9, a=16, c=230),
    "move: overlapping": step(13, a=8, c=9, low=1 | 16 | 64),
    "test: level 0": step(6, a=16, b=16, c=16, e=16, g=20, low=0),
    "test: into a ledger": step(6, a=16, b=16, c=16, e=16, g=8, low=1),
    "cure: test 7": step(7, a=7, b=20, c=20),
    "cure: test 0": step(7, a=0, b=20, c=20),
    "add: past the registers": step(9, a=255, c=8, low=1),
    "op 14": step(14, a=16),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_step_may_not_touch_both_refuse(name: str) -> None:
    with boa.env.anchor():
        assert refused_alike(program(REFUSED[name]), 2)
