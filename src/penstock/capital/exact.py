"""The exact engine: the contract's twin. Same program bytes, same words, same refusals, and a record of every step.

Integers only; sums saturate at ``LIMIT`` and differences at 0, as in the contract, so that no input can stop a close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from penstock.capital.decode import COLLECT, LIMIT, MACHINE, ONE, REGISTERS, Decoded, Layout, Step, decode
from penstock.capital.report import MEASURES, Report
from penstock.capital.schedule_rows import Row, read_rows, starts_s
from penstock.errors import Corrupt, Refused

DAYS, SECONDS, INFINITE, INFLOW, STALE, NEGATIVE, MEASURE = 225, 226, 227, 230, 231, 232, 238
INFINITE_WHEN_STALE: Final = 244
COLUMN: Final = 245
TESTS_MAX: Final = 6
CHANGED: Final = 1 << 56
"""The flag of a deal that was amended or of which a test was waived."""
DAY_S: Final = 86400
_LANE: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class DealState:
    """A deal between two closes.

    Attributes:
        words: the contract's storage words.
        paid: the first payee's lane.
        withdrawn: what each payee has withdrawn, from that lane on [micro-dollars].
        waived: for each test, how many periods from the first on are waived; 0 for none.
        former_usdc_micro: owed still to payees who were replaced [micro-dollars].
    """

    words: tuple[int, ...]
    paid: int
    withdrawn: tuple[int, ...]
    waived: tuple[int, ...] = (0,) * TESTS_MAX
    former_usdc_micro: int = 0

    def lane(self, number: int) -> int:
        """The value of a lasting lane."""
        return self.words[number // 4] >> (64 * (number % 4)) & _LANE

    @property
    def paid_out(self) -> int:
        """All that payees have withdrawn [micro-dollars]."""
        return self.lane(0)

    @property
    def flags(self) -> int:
        """Byte 0 the state; byte k the level and clean periods of test k; bit 56: amended or waived."""
        return self.lane(1)

    @property
    def period(self) -> int:
        """How many periods are closed."""
        return self.lane(2)

    @property
    def taken_in(self) -> int:
        """All that ever came in [micro-dollars]; what the cash lanes add up to."""
        return self.lane(3)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What one item of one step did, for the audit.

    Attributes:
        step: place of the step in the program, as `Program.describe_step` counts.
        op: its operation.
        payee: the lane or register written; 0 where a payment goes to nobody (a write-down).
        source: the lane or register read or drawn from.
        available: what the source held before [micro-dollars, or the register's unit]; the left side of a test.
        due: what was asked for; the right side of a test; the target of a reserve.
        paid: what moved, or the value written.
        binding: which limit decided - cash, due, cap, target, share, test - or value for plain arithmetic.
    """

    step: int
    op: str
    payee: int
    source: int
    available: int
    due: int
    paid: int
    binding: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed period: the state after it, every step, the flags, the cash taken in, and what it rested on."""

    state: DealState
    steps: tuple[StepRecord, ...]
    flags: int
    inflow: int
    period: int
    start_s: int
    end_s: int
    fresh: bool


def opening_state(program_code: bytes) -> DealState:
    """The state the contract's constructor writes.

    Raises:
        Invalid: ``program.malformed``.
    """
    decoded = decode(program_code)
    cash = (0,) * (1 + decoded.layout.cash_words)
    return DealState(cash + decoded.opening, decoded.layout.paid, (0,) * decoded.layout.payees)


def period_bounds(program_code: bytes, period: int, rows: bytes = b"") -> tuple[int, int]:
    """Start and end of a period [s since 1970], half-open. Raises as `read_rows`."""
    layout, schedule = decode(program_code).layout, read_rows(program_code, rows)
    return starts_s(layout, schedule, period), starts_s(layout, schedule, period + 1)


def close_period(
    program_code: bytes, state: DealState, report: Report, cash_balance_usdc_micro: int, now_s: int, rows: bytes = b""
) -> Closing:
    """Close the open period as the contract would: take in what arrived, read the report, run the steps.

    Args:
        program_code: the program's bytes.
        state: the deal before; unchanged by the call.
        report: what the anchor holds, as many pages as the program reads; anything but a fresh report of this period's
            end enters as stale.
        cash_balance_usdc_micro: dollars at the deal's address [micro-dollars].
        now_s: the block's time [s since 1970].
        rows: the program's schedule.

    Raises:
        Invalid: ``program.malformed``, ``schedule.malformed``.
        Refused: ``deal.period_open`` before the period's end, ``deal.report_awaited`` without a fresh report in grace.
        Corrupt: ``deal.cash_lost`` where the cash lanes do not add up; the decoder lets no such program through.
    """
    decoded = decode(program_code)
    start_s, end_s = period_bounds(program_code, state.period, rows)
    if now_s < end_s:
        raise Refused("deal.period_open", "The period has not ended.", hint="Close it at its end.", end_s=end_s)
    fresh = report.is_fresh(end_s, now_s) and report.pages >= decoded.layout.pages
    if not fresh and now_s < end_s + decoded.layout.grace_s:
        hint = "Attest a report as of the period's end, or wait until the grace is over."
        raise Refused("deal.report_awaited", "No fresh report has arrived yet.", hint=hint, as_of_s=end_s)
    registers = _registers(decoded, state)
    inflow = _take_in(registers, cash_balance_usdc_micro)
    _read_period(registers, decoded.layout, end_s - start_s)
    _read_row(registers, read_rows(program_code, rows), state.period)
    _read_report(registers, report.measures[: MEASURES * decoded.layout.pages] if fresh else None)
    machine = _Machine(registers, decoded.layout, state.waived)
    for step in decoded.steps:
        machine.run(step)
    after = _packed(registers, decoded.layout, state)
    return Closing(after, tuple(machine.records), registers[1], inflow, state.period, start_s, end_s, fresh)


def withdraw(state: DealState, lane: int) -> tuple[DealState, int]:
    """Pay a lane's payee all it is owed: the state after, and the amount [micro-dollars].

    Raises:
        Refused: ``deal.not_a_payee`` for a lane nobody may withdraw.
    """
    amount = unpaid(state, lane)
    place = lane - state.paid
    withdrawn = (*state.withdrawn[:place], state.lane(lane), *state.withdrawn[place + 1 :])
    return replace(state, words=(state.words[0] + amount, *state.words[1:]), withdrawn=withdrawn), amount


def unpaid(state: DealState, lane: int) -> int:
    """What a lane's payee may withdraw now [micro-dollars]. Raises as `withdraw`."""
    if not state.paid <= lane < state.paid + len(state.withdrawn):
        raise Refused("deal.not_a_payee", "Nobody may withdraw this lane.", hint="Name a payee's lane.", lane=lane)
    return state.lane(lane) - state.withdrawn[lane - state.paid]


def _registers(decoded: Decoded, state: DealState) -> list[int]:
    registers = [0] * REGISTERS
    for lane in range(decoded.layout.lasting_end):
        registers[lane] = state.lane(lane)
    for register, value in decoded.constants.items():
        registers[register] = value
    registers[ONE], registers[INFINITE] = 1, LIMIT
    return registers


def _take_in(registers: list[int], balance: int) -> int:
    cash = min(balance, LIMIT) + registers[0]
    inflow = min(max(cash - registers[3], 0), LIMIT - registers[3])
    registers[3] += inflow
    registers[COLLECT] += inflow
    registers[INFLOW] = inflow
    return inflow


def _read_period(registers: list[int], layout: Layout, length_s: int) -> None:
    registers[MACHINE] = 30 * layout.months
    registers[DAYS], registers[SECONDS] = length_s // DAY_S, length_s


def _read_row(registers: list[int], rows: tuple[Row, ...], period: int) -> None:
    """The row's columns, and its days where it has them; beyond the last row its columns stand."""
    if not rows:
        return
    row = rows[min(period, len(rows) - 1)]
    registers[COLUMN : COLUMN + len(row.columns)] = row.columns
    if row.days and period < len(rows):
        registers[MACHINE] = row.days


def _read_report(registers: list[int], measures: tuple[int, ...] | None) -> None:
    if measures is None:
        registers[STALE], registers[INFINITE_WHEN_STALE] = 1, LIMIT
        return
    for i, measure in enumerate(measures):
        registers[NEGATIVE + i] = int(measure < 0)
        registers[MEASURE + i] = min(max(measure, 0), LIMIT)


def _packed(registers: list[int], layout: Layout, state: DealState) -> DealState:
    if sum(registers[COLLECT : layout.cash_end]) != registers[3]:
        raise Corrupt("deal.cash_lost", "The cash lanes do not add up to what was taken in.")
    registers[2] += 1
    quads = (registers[at : at + 4] for at in range(0, layout.lasting_end, 4))
    words = tuple(sum(value << (64 * i) for i, value in enumerate(quad)) for quad in quads)
    return replace(state, words=words)


@dataclass(slots=True)
class _Machine:
    """The registers and the records of one close."""

    r: list[int]
    layout: Layout
    waived: tuple[int, ...]
    records: list[StepRecord] = field(default_factory=list)

    def run(self, step: Step) -> None:
        if step.states >> (self.r[1] & 255) & 1:
            _ACTS[step.op](self, step)

    def note(self, step: Step, payee: int, source: int, available: int, due: int, paid: int, binding: str) -> None:
        self.records.append(StepRecord(step.number, step.op, payee, source, available, due, paid, binding))

    def pay(self, step: Step) -> None:
        order = range(step.items - 1, -1, -1) if step.own else range(step.items)
        for i in order:
            b, c, e = step.b + i * step.stride(5), step.c + i * step.stride(6), step.e + i * step.stride(4)
            left = self.r[step.a]
            due = self.r[b] if b else LIMIT
            cap = self.r[e] if e else LIMIT
            x = min(left, due, cap)
            self.r[step.a] -= x
            for limit in (b, e):
                if limit:
                    self.r[limit] -= x
            if c:
                self.r[c] = min(self.r[c] + x, LIMIT)
            binding = "due" if b and x == due else "cap" if e and x == cap else "cash"
            asked = min(due, cap) if b or e else left
            self.note(step, c, step.a, left, asked, x, binding)

    def acc(self, step: Step) -> None:
        factor, divisor = self.r[step.e], self.r[step.g]
        for i in range(step.items):
            a, b, c = step.a + i * step.stride(4), step.b + i * step.stride(5), step.c + i * step.stride(6)
            x = self.r[a] * self.r[b] * factor // divisor
            value = min(x + self.r[c] * step.own, LIMIT)
            self.note(step, c, a, self.r[a], x, value, "value")
            self.r[c] = value

    def split(self, step: Step) -> None:
        weights = self.r[step.e : step.e + step.items]
        asked = self.r[step.b] if step.b else self.r[step.a]
        amount = min(asked, self.r[step.a], sum(weights) if step.own else LIMIT)
        if not any(weights):
            return
        left = amount
        for i, weight in enumerate(weights):
            x = left if i == step.items - 1 else amount * weight // sum(weights)
            x = min(x, weight) if step.own else x
            if step.own:
                self.r[step.e + i] -= x
                if step.g:
                    self.r[step.g + i] = max(self.r[step.g + i] - x, 0)
            c = step.c + i * step.stride(6)
            self.note(step, c, step.a, self.r[step.a], weight if step.own else amount, x, "share")
            self.r[c] += x
            self.r[step.a] -= x
            left -= x

    def fund(self, step: Step) -> None:
        wanted = max(self.r[step.b] - self.r[step.c], 0)
        self._shift(step, wanted, min(wanted, self.r[step.a]))

    def drain(self, step: Step) -> None:
        excess = max(self.r[step.a] - self.r[step.b], 0)
        self._shift(step, excess, excess)

    def _shift(self, step: Step, wanted: int, x: int) -> None:
        self.note(step, step.c, step.a, self.r[step.a], wanted, x, "target" if x == wanted else "cash")
        self.r[step.a] -= x
        self.r[step.c] += x

    def test(self, step: Step) -> None:
        left, right = self.r[step.a] * self.r[step.b], self.r[step.c] * self.r[step.e]
        if left < right:
            self.r[step.g] = max(self.r[step.g], step.low & 15)
        self.note(step, step.g, step.a, left, right, self.r[step.g], "test")

    def cure(self, step: Step) -> None:
        flag = self.r[1] >> (8 * step.a) & 255
        before, clean = flag & 15, flag >> 4
        waived = self.waived[step.a - 1] > self.r[2]
        found = 0 if waived else min(self.r[step.c], 15)
        sticky = 1 if self.r[STALE] else step.g  # a period without its report is no clean one
        level, clean = (0, 0) if waived else _cured(before, clean, found, step.e, sticky)
        self.r[1] += (level + 16 * clean - flag) << (8 * step.a)
        self.r[step.b] = max(self.r[step.b], level)
        self.note(step, step.b, step.c, before, found, level, "test")

    def state(self, step: Step) -> None:
        before = self.r[1] & 255
        after = min(self.r[step.a], 7)
        self.r[1] += after - before
        self.note(step, 1, step.a, before, self.r[step.a], after, "test")

    def add(self, step: Step) -> None:
        total = sum(self.r[step.a : step.a + step.items]) + (self.r[step.b] if step.b else 0)
        self.r[step.c] = min(total, LIMIT)
        self.note(step, step.c, step.a, self.r[step.a], total, self.r[step.c], "value")

    def pairs(self, step: Step) -> None:
        for i in range(step.items):
            a, b, c = step.a + i * step.stride(4), step.b + i * step.stride(5), step.c + i * step.stride(6)
            available, due = self.r[a], self.r[b]
            self.r[c] = _PAIRS[step.op](available, due)
            self.note(step, c, a, available, due, self.r[c], "value")

    def move(self, step: Step) -> None:
        for i in range(step.items):
            a, c = step.a + i * step.stride(4), step.c + i * step.stride(6)
            moved = self.r[a]
            self.r[c], self.r[a] = min(self.r[c] + moved, LIMIT), 0
            self.note(step, c, a, moved, moved, moved, "value")


def _cured(level: int, clean: int, found: int, wait: int, sticky: int) -> tuple[int, int]:
    """Level and clean periods after a test found a level: worse at once, better after ``wait`` clean periods."""
    if found >= level or (clean >= wait and not (sticky and level >= sticky)):
        return found, 0
    if sticky and level >= sticky:
        return level, clean
    return level, clean + 1


_PAIRS: Final[dict[str, Callable[[int, int], int]]] = {
    "SUB": lambda a, b: max(a - b, 0),
    "MIN": min,
    "MAX": max,
}

_ACTS: Final[dict[str, Callable[[_Machine, Step], None]]] = {
    "PAY": _Machine.pay,
    "ACC": _Machine.acc,
    "SPLIT": _Machine.split,
    "FUND": _Machine.fund,
    "DRAIN": _Machine.drain,
    "TEST": _Machine.test,
    "CURE": _Machine.cure,
    "STATE": _Machine.state,
    "ADD": _Machine.add,
    "SUB": _Machine.pairs,
    "MIN": _Machine.pairs,
    "MAX": _Machine.pairs,
    "MOVE": _Machine.move,
}
