"""Random programs for the machine: safe ones from the rules of the format, and ways to spoil them.

Written from ``docs/deal-language.md``, beside compiler and decoder, so that neither marks its own work.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

LIMIT = 2**62 - 1
ONE = 149
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
    return Shape(1 + cash_words + other_words, cash_words, tuple(constants), paid, payees)


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
        kinds = [st.integers(shape.temporary, 144 - count)]
        if shape.lasting_end - shape.cash_end >= count:
            kinds.append(st.integers(shape.cash_end, shape.lasting_end - count))
        return draw(st.one_of(kinds))

    def readable(count: int = 1) -> int:
        common = st.integers(4, min(160, shape.temporary + 6) - count)
        machine = st.integers(144, 160 - count)
        return draw(st.one_of(common, common, machine))

    def account() -> int:
        return draw(st.integers(4, shape.paid - 1))

    def payable(count: int) -> int | None:
        top = shape.paid + shape.payees - count
        return draw(st.integers(4, top)) if top >= 4 else None

    temporary = draw(st.integers(shape.temporary, 143))
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


def pack(shape: Shape, calendar: bytes, steps: list[bytes], opening: list[int]) -> bytes:
    """The program's bytes."""
    step_words = -(-len(steps) // 4)
    counts = (1, shape.state_words, shape.cash_words, len(shape.constants) // 4, step_words, shape.paid, shape.payees)
    body = b"".join(steps).ljust(32 * step_words, b"\0")
    return (bytes(counts) + calendar).ljust(32, b"\0") + _lanes(list(shape.constants)) + body + _lanes(opening)


def _lanes(values: list[int]) -> bytes:
    words = [values[at : at + 4] for at in range(0, len(values), 4)]
    return b"".join(b"".join(value.to_bytes(8, "big") for value in reversed(word)) for word in words)


@st.composite
def programs(draw: st.DrawFn, most: int = 40) -> bytes:
    """A program of which every step keeps the rules."""
    shape = draw(shapes())
    fewest = draw(st.sampled_from((1, 1 + most // 2)))
    steps = draw(st.lists(safe_steps(shape), min_size=fewest, max_size=most))
    count = 4 * (shape.state_words - 1 - shape.cash_words)
    opening = draw(st.lists(amounts, min_size=count, max_size=count))
    return pack(shape, draw(headers()), steps, opening)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A program with bytes overwritten, cut off or added."""
    code = bytearray(draw(programs(most=6)))
    how = draw(st.sampled_from(("header", "any", "any", "step", "step", "cut", "grow")))
    if how == "cut":
        return bytes(code[: draw(st.integers(0, len(code) - 1))])
    if how == "grow":
        return bytes(code + draw(st.binary(min_size=1, max_size=64)))
    first, last = {"header": (0, 31), "any": (0, len(code) - 1), "step": (32, len(code) - 1)}[how]
    for _ in range(draw(st.integers(1, 3))):
        code[draw(st.integers(first, last))] = draw(st.one_of(st.integers(0, 255), st.integers(0, 16)))
    return bytes(code)


edges = st.one_of(st.integers(0, 30), st.integers(0, 255), st.sampled_from((143, 144, 149, 159, 160)))


@st.composite
def lone_steps(draw: st.DrawFn) -> bytes:
    """A sound layout around one step of any bytes: the checker's own boundaries."""
    shape = Shape(4, draw(st.integers(1, 2)), (0, 5, LIMIT, 1), draw(st.integers(5, 7)), 1)
    op = draw(st.one_of(st.integers(1, 13), st.integers(1, 13), st.integers(0, 15)))
    step = bytes((op, draw(states), *(draw(edges) for _ in range(5)), draw(st.integers(0, 255))))
    opening = [10**6] * (4 * (3 - shape.cash_words))
    return pack(shape, bytes.fromhex("07e0081600000000015180000000000000"), [step], opening)
