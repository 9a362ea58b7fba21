"""Random programs for the machine: safe ones from the rules of the format, and ways to spoil them.

Written from ``docs/deal-language.md``, beside compiler and decoder, so that neither marks its own work.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from penstock.capital.decode import decode
from penstock.capital.schedule_rows import code_hash, pack_rows, row_words

LIMIT = 2**62 - 1
ONE, MACHINE, REGISTERS = 229, 224, 256
amounts = st.one_of(st.integers(0, 100), st.integers(0, 10**13), st.integers(LIMIT - 3, LIMIT), st.just(0))
cash_amounts = st.one_of(st.just(0), st.integers(1, 10**12), st.integers(LIMIT - 3, LIMIT + 3), st.just(2**200))
measures = st.one_of(st.integers(-5, 5), st.integers(-(10**13), 10**13), st.sampled_from((-(2**63), 2**63 - 1, LIMIT)))
states = st.one_of(st.just(255), st.integers(1, 255))


@dataclass(frozen=True)
class Shape:
    """Where the kinds of registers lie."""

    state_words: int
    cash_words: int
    constants: tuple[int, ...]
    paid: int
    payees: int
    pages: int = 1
    replaceable: int = 0

    @property
    def cash_end(self) -> int:
        return 4 + 4 * self.cash_words

    @property
    def lasting_end(self) -> int:
        return 4 * self.state_words

    @property
    def temporary(self) -> int:
        return self.lasting_end + len(self.constants)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    cash_words = draw(st.integers(1, 2))
    other_words = draw(st.integers(1, 3))
    constants = draw(st.lists(amounts, min_size=0, max_size=2).map(lambda some: [*some, *[7] * (-len(some) % 4)]))
    paid = draw(st.integers(5, 3 + 4 * cash_words))
    payees = draw(st.integers(1, 4 + 4 * cash_words - paid))
    pages, replaceable = draw(st.integers(1, 2)), draw(st.integers(0, payees))
    return Shape(1 + cash_words + other_words, cash_words, tuple(constants), paid, payees, pages, replaceable)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """The calendar's bytes of a header: year to grace."""
    months = draw(st.integers(0, 12))
    step_s = 0 if months else draw(st.sampled_from((1, 3600, 86400, 604800, 2**32 - 1)))
    year, month, day = draw(st.integers(1970, 2100)), draw(st.integers(1, 12)), draw(st.integers(1, 28))
    second, grace = draw(st.integers(0, 86399)), draw(st.sampled_from((0, 0, 3600)))
    return (
        year.to_bytes(2, "big")
        + bytes((month, day))
        + second.to_bytes(3, "big")
        + step_s.to_bytes(4, "big")
        + bytes((months,))
        + grace.to_bytes(4, "big")
    )


@st.composite
def safe_steps(draw: st.DrawFn, shape: Shape) -> bytes:
    """One step that keeps every rule; operands may be the same where the rules allow it."""
    op = draw(st.sampled_from((1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)))
    more = draw(st.sampled_from((0, 0, 1, 2)))
    flags = draw(st.sampled_from((0, 16, 32, 64, 96, 112))) if more else 0
    own = draw(st.sampled_from((0, 128)))
    low = more | flags | own

    def reach(flag: int) -> int:
        return more + 1 if flags & flag else 1

    def ledger(count: int) -> int:
        kinds = [st.integers(shape.temporary, MACHINE - count)]
        if shape.lasting_end - shape.cash_end >= count:
            kinds.append(st.integers(shape.cash_end, shape.lasting_end - count))
        return draw(st.one_of(kinds))

    def readable(count: int = 1) -> int:
        common = st.integers(4, min(MACHINE, shape.temporary + 6) - count)
        machine = st.integers(MACHINE, REGISTERS - count)
        return draw(st.one_of(common, common, machine))

    def account() -> int:
        return draw(st.integers(4, shape.paid - 1))

    def payable(count: int) -> int | None:
        top = shape.paid + shape.payees - count
        return draw(st.integers(4, top)) if top >= 4 else None

    temporary = draw(st.integers(shape.temporary, MACHINE - 1))
    a = b = c = e = g = 0
    if op == 1:
        cash = draw(st.booleans())
        a = account() if cash else ledger(1)
        c = (payable(reach(64)) or 0) if cash else ledger(reach(64))
        b, e = ledger(reach(32)), ledger(reach(16))
        if not flags & 32 and draw(st.integers(0, 4)) == 0:
            b = 0
        if not flags & 16 and draw(st.booleans()):
            e = 0
    elif op == 2:
        divisors = [shape.lasting_end + i for i, value in enumerate(shape.constants) if value] + [ONE]
        a, b, e, c, g = (
            readable(reach(16)),
            readable(reach(32)),
            readable(),
            ledger(reach(64)),
            draw(st.sampled_from(divisors)),
        )
    elif op == 3:
        a, c, e = account(), payable(reach(64)) or 0, ledger(more + 1)
        b = draw(st.sampled_from((0, readable())))
        g = draw(st.sampled_from((0, ledger(more + 1)))) if own else 0
    elif op in (4, 5):
        a, b, c = account(), readable(), account()
    elif op == 6:
        a, b, c, e, g, low = readable(), readable(), readable(), readable(), temporary, draw(st.integers(1, 15))
    elif op == 7:
        a, b, c = draw(st.integers(1, 6)), temporary, readable()
        e, g = draw(st.integers(0, 3)), draw(st.integers(0, 4))
    elif op == 8:
        a = readable()
    elif op == 9:
        a, b, c = readable(more + 1), draw(st.sampled_from((0, readable()))), ledger(1)
    elif op == 13:
        a, c = ledger(reach(16)), ledger(reach(64))
    else:
        a, b, c = readable(reach(16)), readable(reach(32)), ledger(reach(64))
    roles = {
        1: [(a, 1), (b, reach(32)), (c, reach(64)), (e, reach(16))],
        3: [(a, 1), (c, reach(64)), (e, more + 1), (g, more + 1)],
        4: [(a, 1), (c, 1)],
        5: [(a, 1), (c, 1)],
        13: [(a, reach(16)), (c, reach(64))],
    }
    if overlap(roles.get(op, [])) or (op in (1, 3) and a < shape.cash_end and c == 0):
        op, a, b, c, g, low = 9, readable(), 0, ledger(1), 0, 0  # a sum instead
    return bytes((op, draw(states), a, b, c, e, g, low))


def overlap(roles: list[tuple[int, int]]) -> bool:
    """Whether two of the ranges share a register; 0 stands for none."""
    named = [set(range(first, first + count)) for first, count in roles if first]
    return sum(map(len, named)) > len(set().union(*named))


def pack(
    shape: Shape, calendar: bytes, steps: list[bytes], opening: list[int], rows: bytes = b"", row_words: int = 0
) -> bytes:
    """The program's bytes."""
    step_words = -(-len(steps) // 4)
    counts = (2, shape.state_words, shape.cash_words, len(shape.constants) // 4, step_words, shape.paid, shape.payees)
    body = b"".join(steps).ljust(32 * step_words, b"\0")
    count = len(rows) // (32 * row_words) if rows else 0
    tail = bytes((shape.pages, row_words)) + count.to_bytes(2, "big") + bytes((shape.replaceable,))
    header = (bytes(counts) + calendar[:16] + tail).ljust(32, b"\0")
    named = code_hash(rows) if rows else b""
    return header + _lanes(list(shape.constants)) + body + _lanes(opening) + named


def _lanes(values: list[int]) -> bytes:
    words = [values[at : at + 4] for at in range(0, len(values), 4)]
    return b"".join(b"".join(value.to_bytes(8, "big") for value in reversed(word)) for word in words)


@dataclass(frozen=True)
class Written:
    """A program, its schedule, and what another of the same lanes is written from."""

    code: bytes
    rows: bytes
    shape: Shape
    calendar: bytes


@st.composite
def written(
    draw: st.DrawFn, most: int = 40, rows: bool = True, shape: Shape | None = None, calendar: bytes = b""
) -> Written:
    """A program of which every step keeps the rules; half of them with a schedule, where ``rows``."""
    shape, calendar = shape or draw(shapes()), calendar or draw(headers())
    fewest = draw(st.sampled_from((1, 1 + most // 2)))
    steps = draw(st.lists(safe_steps(shape), min_size=fewest, max_size=most))
    count = 4 * (shape.state_words - 1 - shape.cash_words)
    opening = draw(st.lists(amounts, min_size=count, max_size=count))
    plain = pack(shape, calendar, steps, opening)
    width, schedule = draw(schedules(plain)) if rows and draw(st.booleans()) else (0, b"")
    return Written(pack(shape, calendar, steps, opening, schedule, width), schedule, shape, calendar)


def programs(most: int = 40) -> st.SearchStrategy[bytes]:
    """A program without a schedule."""
    return written(most, rows=False).map(lambda one: one.code)


@st.composite
def schedules(draw: st.DrawFn, plain: bytes) -> tuple[int, bytes]:
    """Words a row, and rows whose periods each end after they start, for the calendar of a program without."""
    layout = decode(plain).layout
    columns, count = draw(st.sampled_from((0, 1, 2, 3, 6, 10, 11))), draw(st.integers(1, 4))
    ends, last = [], layout.starts_s(0)
    for period in range(count):
        formula = layout.starts_s(period + 1)
        later = last + draw(st.sampled_from((1, 86_400, max(formula - last, 1), max(formula - last, 1) + 1)))
        ends.append(0 if formula > last and draw(st.booleans()) else later)
        last = ends[-1] or formula
    if layout.starts_s(count + 1) <= last:
        ends = [0] * count
    days = draw(st.lists(st.one_of(st.just(0), st.integers(0, 366), amounts), min_size=count, max_size=count))
    values = draw(st.lists(st.lists(amounts, min_size=1, max_size=count), min_size=columns, max_size=columns))
    return row_words(columns), pack_rows(ends, days, values)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A program or its schedule with bytes overwritten, cut off or added; a schedule often with its hash put right."""
    sound = draw(written(most=6))
    if sound.rows and draw(st.booleans()):
        rows = draw(overwritten(sound.rows, ("any", "any", "cut", "grow")))
        return (sound.code[:-32] + code_hash(rows) if draw(st.integers(0, 3)) else sound.code), rows
    return draw(overwritten(sound.code, ("header", "any", "any", "step", "step", "cut", "grow"))), sound.rows


@st.composite
def overwritten(draw: st.DrawFn, sound: bytes, ways: tuple[str, ...]) -> bytes:
    """Bytes with some of them changed."""
    code = bytearray(sound)
    how = draw(st.sampled_from(ways))
    if how == "cut":
        return bytes(code[: draw(st.integers(0, len(code) - 1))])
    if how == "grow":
        return bytes(code + draw(st.binary(min_size=1, max_size=64)))
    first, last = {"header": (0, 31), "any": (0, len(code) - 1), "step": (32, len(code) - 1)}[how]
    for _ in range(draw(st.integers(1, 3))):
        code[draw(st.integers(first, last))] = draw(st.one_of(st.integers(0, 255), st.integers(0, 16)))
    return bytes(code)


edges = st.one_of(st.integers(0, 30), st.integers(0, 255), st.sampled_from((223, 224, 229, 244, 245, 255)))


@st.composite
def lone_steps(draw: st.DrawFn) -> bytes:
    """A sound layout around one step of any bytes: the checker's own boundaries."""
    shape = Shape(4, draw(st.integers(1, 2)), (0, 5, LIMIT, 1), draw(st.integers(5, 7)), 1)
    op = draw(st.one_of(st.integers(1, 13), st.integers(1, 13), st.integers(0, 15)))
    step = bytes((op, draw(states), *(draw(edges) for _ in range(5)), draw(st.integers(0, 255))))
    opening = [10**6] * (4 * (3 - shape.cash_words))
    return pack(shape, bytes.fromhex("07e0081600000000015180000000000000"), [step], opening)
