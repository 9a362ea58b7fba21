"""Program bytes to steps, with the checks of the contract's constructor: what it refuses is refused here.

Written from the format (``docs/deal-language.md``), not from the compiler: no table is shared, so that a slip in one
shows as a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from eth_utils.crypto import keccak

from penstock.errors import Invalid

BYTES_MAX: Final = 4096
PAYEES_MAX: Final = 64
LIMIT: Final = 2**62 - 1
COLLECT: Final = 4
MACHINE: Final = 224
REGISTERS: Final = 256
ONE: Final = 229
ROW_WORDS_MAX: Final = 4
ROWS_BYTES_MAX: Final = 24_576 - 13
_LANE: Final = 2**64 - 1

OPS: Final = {
    1: "PAY",
    2: "ACC",
    3: "SPLIT",
    4: "FUND",
    5: "DRAIN",
    6: "TEST",
    7: "CURE",
    8: "STATE",
    9: "ADD",
    10: "SUB",
    11: "MIN",
    12: "MAX",
    13: "MOVE",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its place, the op, the states it runs in (bit s: state s), operands, and the last byte's parts."""

    number: int
    op: str
    states: int
    a: int
    b: int
    c: int
    e: int
    g: int
    low: int

    @property
    def items(self) -> int:
        """How many items a vector step handles (1-16)."""
        return (self.low & 15) + 1

    def stride(self, bit: int) -> int:
        """1 where the operand of flag ``bit`` (4: a, or e of PAY; 5: b; 6: c) advances with the items, else 0."""
        return self.low >> bit & 1

    def reach(self, bit: int) -> int:
        """How many registers that operand covers."""
        return self.items if self.stride(bit) else 1

    @property
    def own(self) -> bool:
        """The op's own flag: junior first, accumulate, or pay dues."""
        return self.low >= 128


@dataclass(frozen=True, slots=True)
class Layout:
    """The header: how many words of what, where payees' lanes lie, the calendar, pages and rows."""

    state_words: int
    cash_words: int
    constant_words: int
    step_words: int
    paid: int
    payees: int
    year: int
    month: int
    day: int
    second: int
    step_s: int
    months: int
    grace_s: int
    pages: int
    row_words: int
    rows: int
    replaceable: int

    @property
    def cash_end(self) -> int:
        """The first lasting register after the cash lanes."""
        return 4 + 4 * self.cash_words

    @property
    def lasting_end(self) -> int:
        """The first register after the lasting lanes: constants start here."""
        return 4 * self.state_words

    @property
    def temporary(self) -> int:
        """The first temporary."""
        return 4 * (self.state_words + self.constant_words)

    @property
    def payee_end(self) -> int:
        """The first lane after the payees'."""
        return self.paid + self.payees

    def starts_s(self, period: int) -> int:
        """When a period starts [s since 1970]; months keep the day of the month, days of 86,400 s."""
        months = self.month - 1 + self.months * period
        year, month = self.year + months // 12, months % 12 + 1
        centuries, rest = divmod(year - 2000, 400)  # datetime ends in 9999; the calendar repeats every 400 years
        midnight = datetime(2000 + rest, month, self.day, tzinfo=UTC).timestamp()
        return int(midnight) + centuries * 146097 * 86400 + self.second + self.step_s * period


@dataclass(frozen=True, slots=True)
class Decoded:
    """A program taken apart: layout, constants by register, steps, opening words of the lasting lanes, its hash, and
    the code hash of its schedule's contract (empty for none)."""

    layout: Layout
    constants: dict[int, int]
    steps: tuple[Step, ...]
    opening: tuple[int, ...]
    program_hash: bytes
    schedule_hash: bytes


@lru_cache(maxsize=64)
def decode(code: bytes) -> Decoded:
    """The program in ``code``.

    Raises:
        Invalid: ``program.malformed`` where the contract's constructor would refuse it.
    """
    _require(32 <= len(code) <= BYTES_MAX, "A program has 32 to 4,096 bytes.")
    words = [int.from_bytes(code[at : at + 32].ljust(32, b"\0"), "big") for at in range(0, len(code), 32)]
    layout = _layout(words[0], len(code))
    steps_at = 1 + layout.constant_words
    opening_at = steps_at + layout.step_words
    lanes = [lane for word in words[1:steps_at] for lane in _four(word)]
    constants = {layout.lasting_end + i: lane for i, lane in enumerate(lanes)}
    opening_end = opening_at + layout.state_words - 1 - layout.cash_words
    opening = tuple(words[opening_at:opening_end])
    _require(all(lane <= LIMIT for lane in lanes), "A constant exceeds 2**62 - 1.")
    _require(all(lane <= LIMIT for word in opening for lane in _four(word)), "An opening lane exceeds 2**62 - 1.")
    steps = tuple(_steps(words[steps_at:opening_at]))
    for step in steps:
        _check(step, layout, constants)
    return Decoded(layout, constants, steps, opening, keccak(code), code[32 * opening_end :])


def _require(holds: bool, message: str, **ids: object) -> None:
    if not holds:
        raise Invalid("program.malformed", message, hint="Compile the deal again; never edit a program.", **ids)


def _four(word: int) -> list[int]:
    return [word >> (64 * i) & _LANE for i in range(4)]


def _layout(word: int, length: int) -> Layout:
    raw = word.to_bytes(32, "big")

    def number(start: int, stop: int) -> int:
        return int.from_bytes(raw[start:stop], "big")

    layout = Layout(
        state_words=raw[1],
        cash_words=raw[2],
        constant_words=raw[3],
        step_words=raw[4],
        paid=raw[5],
        payees=raw[6],
        year=number(7, 9),
        month=raw[9],
        day=raw[10],
        second=number(11, 14),
        step_s=number(14, 18),
        months=raw[18],
        grace_s=number(19, 23),
        pages=raw[23],
        row_words=raw[24],
        rows=number(25, 27),
        replaceable=raw[27],
    )
    _require(raw[0] == 2 and number(28, 32) == 0, "The header is not of version 2.")
    _require(1 <= layout.cash_words < layout.state_words, "A program has cash words and other lasting words.")
    _require(layout.state_words + layout.constant_words <= MACHINE // 4, "The registers do not fit.")
    _require(1 <= layout.step_words <= 60, "A program has 1 to 60 words of steps.")
    _require(layout.paid > COLLECT and layout.payees > 0, "A program has an account and a payee.")
    _require(
        layout.payees <= PAYEES_MAX and layout.payee_end <= layout.cash_end, "Payees' lanes lie among the cash lanes."
    )
    _require(layout.year >= 1970 and 1 <= layout.month <= 12 and 1 <= layout.day <= 28, "The start is no date.")
    _require(layout.second < 86400 and layout.months <= 12, "The start is no time.")
    _require((layout.months == 0) != (layout.step_s == 0), "Periods are months or a fixed step, not both.")
    _require(layout.pages in (1, 2), "A report has one page or two.")
    _require((layout.rows == 0) == (layout.row_words == 0) and layout.row_words <= ROW_WORDS_MAX, "Rows have no width.")
    _require(32 * layout.rows * layout.row_words <= ROWS_BYTES_MAX, "The schedule is too long for a contract.")
    _require(layout.replaceable <= layout.payees, "More payees may be replaced than there are.")
    words = layout.constant_words + layout.step_words + layout.state_words - layout.cash_words + (layout.rows > 0)
    _require(length == 32 * words, "The length differs from what the header says.")
    return layout


def _steps(words: list[int]) -> Iterator[Step]:
    for at, word in enumerate(words):
        for place in range(4):
            raw = word.to_bytes(32, "big")[8 * place : 8 * place + 8]
            if any(raw):  # an all-zero step is no step
                _require(raw[0] in OPS, "Unknown operation.", step=4 * at + place)
                yield Step(4 * at + place, OPS[raw[0]], *raw[1:])


def _check(step: Step, layout: Layout, constants: dict[int, int]) -> None:
    _require(step.states != 0, "A step runs in no state.", step=step.number)
    divisor = 1 if step.g == ONE else constants.get(step.g, 0)
    _require(_CHECKS[step.op](step, layout, divisor), f"{step.op} has operands it may not touch.", step=step.number)


def _readable(first: int, count: int = 1) -> bool:
    return (first == 2 and count == 1) or (first >= COLLECT and first + count <= REGISTERS)


def _ledger(layout: Layout, first: int, count: int = 1) -> bool:
    lasting = layout.cash_end <= first and first + count <= layout.lasting_end
    return lasting or (layout.temporary <= first and first + count <= MACHINE)


def _temporary(layout: Layout, register: int) -> bool:
    return layout.temporary <= register < MACHINE


def _apart(*ranges: tuple[int, int]) -> bool:
    named = [(first, first + count) for first, count in ranges if first]
    return all(one[1] <= two[0] or two[1] <= one[0] for i, one in enumerate(named) for two in named[:i])


def _account(layout: Layout, register: int) -> bool:
    return COLLECT <= register < layout.paid


def _payable(layout: Layout, first: int, count: int) -> bool:
    return first >= COLLECT and first + count <= layout.payee_end


def _check_pay(step: Step, layout: Layout, _: int) -> bool:
    a, b, c, e = (step.a, 1), (step.b, step.reach(5)), (step.c, step.reach(6)), (step.e, step.reach(4))
    none = (0, 1)
    moves_cash = _account(layout, step.a) and _payable(layout, *c)
    moves_ledger = _ledger(layout, step.a) and (c == none or _ledger(layout, *c))
    limits = all(one == none or _ledger(layout, *one) for one in (b, e))
    return (moves_cash or moves_ledger) and limits and _apart(a, b, c, e)


def _check_acc(step: Step, layout: Layout, divisor: int) -> bool:
    reads = _readable(step.a, step.reach(4)) and _readable(step.b, step.reach(5)) and _readable(step.e)
    return reads and divisor != 0 and _ledger(layout, step.c, step.reach(6))


def _check_split(step: Step, layout: Layout, _: int) -> bool:
    c, e, g = (step.c, step.reach(6)), (step.e, step.items), (step.g, step.items)
    cash = _account(layout, step.a) and _payable(layout, *c) and _apart((step.a, 1), c)
    reads = (step.b == 0 or _readable(step.b)) and step.e >= layout.cash_end and _readable(*e)
    dues = _ledger(layout, *e) if step.own else True
    also = step.g == 0 or (step.own and _ledger(layout, *g))
    return cash and reads and dues and also and _apart(e, g)


def _check_reserve(step: Step, layout: Layout, _: int) -> bool:
    return _account(layout, step.a) and _account(layout, step.c) and step.a != step.c and _readable(step.b)


def _check_test(step: Step, layout: Layout, _: int) -> bool:
    reads = all(_readable(register) for register in (step.a, step.b, step.c, step.e))
    return reads and _temporary(layout, step.g) and 1 <= step.low <= 15


def _check_cure(step: Step, layout: Layout, _: int) -> bool:
    return 1 <= step.a <= 6 and _temporary(layout, step.b) and _readable(step.c) and step.e <= 15 and step.g <= 15


def _check_state(step: Step, _: Layout, __: int) -> bool:
    return _readable(step.a)


def _check_add(step: Step, layout: Layout, _: int) -> bool:
    return _readable(step.a, step.items) and (step.b == 0 or _readable(step.b)) and _ledger(layout, step.c)


def _check_pairs(step: Step, layout: Layout, _: int) -> bool:
    reads = _readable(step.a, step.reach(4)) and _readable(step.b, step.reach(5))
    return reads and _ledger(layout, step.c, step.reach(6))


def _check_move(step: Step, layout: Layout, _: int) -> bool:
    a, c = (step.a, step.reach(4)), (step.c, step.reach(6))
    return _ledger(layout, *a) and _ledger(layout, *c) and _apart(a, c)


_CHECKS: Final = {
    "PAY": _check_pay,
    "ACC": _check_acc,
    "SPLIT": _check_split,
    "FUND": _check_reserve,
    "DRAIN": _check_reserve,
    "TEST": _check_test,
    "CURE": _check_cure,
    "STATE": _check_state,
    "ADD": _check_add,
    "SUB": _check_pairs,
    "MIN": _check_pairs,
    "MAX": _check_pairs,
    "MOVE": _check_move,
}
