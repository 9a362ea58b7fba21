"""The compiled form of a deal: bytes, hashes, names of lanes and steps. And the assembler that packs them.

The format is described in ``docs/deal-language.md``; ``decode`` reads it back without this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.deal import Calendar
from penstock.capital.schedule_rows import code_hash
from penstock.errors import NotFound, Refused

VERSION: Final = 2
BYTES_MAX: Final = 4096
STEPS_MAX: Final = 240
MACHINE: Final = 224
CONSTANT, TEMPORARY, SCRATCH = 1000, 2000, 3000  # symbolic registers until the counts are known
OPCODES: Final = {
    name: code
    for code, name in enumerate(
        ("PAY", "ACC", "SPLIT", "FUND", "DRAIN", "TEST", "CURE", "STATE", "ADD", "SUB", "MIN", "MAX", "MOVE"), 1
    )
}
ADVANCE_A, ADVANCE_B, ADVANCE_C, OWN = 16, 32, 64, 128


@dataclass(frozen=True, slots=True)
class Raw:
    """A step before it is packed; a, b, c, e, g may be symbolic. Its label does not count when steps are compared."""

    op: str
    a: int = 0
    b: int = 0
    c: int = 0
    e: int = 0
    g: int = 0
    low: int = 0
    label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled deal.

    Attributes:
        code: the program's bytes, as the contract stores them.
        deal_hash: keccak256 of the deal's canonical JSON.
        program_hash: keccak256 of ``code``.
        lanes: lasting lanes by name: accounts, ``A.paid``, ``A.balance``, ``A.interest``, ``A.principal``,
            ``roofs.owed``.
        payee_lanes: the lane each payee withdraws, by the payee's name, in the order the contract takes them.
        states: names of the states, by number.
        labels: what each step does, by its place.
        gas_ceiling: no close of this program uses more gas, execution only, first writes of storage included.
        rows: the schedule beside it (``schedule_rows``); empty for none.
        pages: how many pages its report has.
    """

    code: bytes
    deal_hash: bytes
    program_hash: bytes
    lanes: Mapping[str, int]
    payee_lanes: Mapping[str, int]
    states: tuple[str, ...]
    labels: tuple[str, ...]
    gas_ceiling: int
    rows: bytes = b""
    pages: int = 1

    def describe_step(self, number: int) -> str:
        """What a step does, in the deal's own words.

        Raises:
            NotFound: ``program.no_step``.
        """
        if not 0 <= number < len(self.labels):
            raise NotFound("program.no_step", "The program has no such step.", hint="Steps count from 0.", step=number)
        return self.labels[number]

    def lane_name(self, lane: int) -> str:
        """The name of a lane or register; ``register 97`` for one without."""
        return next((name for name, number in self.lanes.items() if number == lane), f"register {lane}")

    def state_name(self, flags: int) -> str:
        """The state in a deal's flags."""
        return self.states[flags & 255]


def assemble(
    calendar: Calendar,
    counts: tuple[int, int, int, int],
    constants: Sequence[int],
    steps: Sequence[tuple[Raw, int]],
    opening: Sequence[int],
    *,
    pages: int = 1,
    row_words: int = 0,
    rows: bytes = b"",
    replaceable: int = 0,
) -> bytes:
    """The program's bytes.

    Args:
        calendar: when periods end by formula; ends that follow business days lie in ``rows``.
        counts: state words, cash words, first paid lane, payees.
        constants: by place.
        steps: each with the states it runs in.
        opening: the lasting lanes without cash, at the start.
        pages: of the report, 1 or 2.
        row_words: words of one row of the schedule; 0 for none.
        rows: the schedule (``schedule_rows.pack_rows``).
        replaceable: how many of the first payees a vote may replace: fees, never tranches.

    Raises:
        Refused: ``program.too_large`` where the chain cannot hold it.
    """
    state_words, cash_words, paid, payees = counts
    constant_words, step_words = -(-len(constants) // 4), -(-len(steps) // 4)
    first_constant = 4 * state_words
    first_temporary = first_constant + 4 * constant_words
    _fits(first_temporary + _temporaries(steps), len(steps))
    packed = [pack_step(resolve(raw, first_constant, first_temporary), states) for raw, states in steps]
    start = datetime.fromtimestamp(calendar.start_s, tz=UTC)
    second = start.hour * 3600 + start.minute * 60 + start.second
    header = bytes((VERSION, state_words, cash_words, constant_words, step_words, paid, payees))
    header += start.year.to_bytes(2, "big") + bytes((start.month, start.day)) + second.to_bytes(3, "big")
    header += calendar.step_s.to_bytes(4, "big") + bytes((calendar.months,)) + calendar.grace_s.to_bytes(4, "big")
    count = len(rows) // (32 * row_words) if row_words else 0
    header += bytes((pages, row_words)) + count.to_bytes(2, "big") + bytes((replaceable,))
    code = header.ljust(32, b"\0") + _lanes(constants) + _padded(b"".join(packed)) + _lanes(opening)
    code += code_hash(rows) if rows else b""
    if len(code) > BYTES_MAX:
        raise _too_large(f"The program has {len(code)} bytes; the chain's deal holds {BYTES_MAX}.")
    return code


def resolve(raw: Raw, first_constant: int, first_temporary: int) -> Raw:
    """The step with its symbolic registers made real."""

    def real(register: int) -> int:
        if register >= TEMPORARY:
            return register - TEMPORARY + first_temporary
        return register - CONSTANT + first_constant if register >= CONSTANT else register

    return replace(raw, a=real(raw.a), b=real(raw.b), c=real(raw.c), e=real(raw.e), g=real(raw.g))


def pack_step(raw: Raw, states: int) -> bytes:
    """A step's eight bytes."""
    return bytes((OPCODES[raw.op], states, raw.a, raw.b, raw.c, raw.e, raw.g, raw.low))


def program_hash(code: bytes) -> bytes:
    """keccak256 of the bytes, as the contract computes it."""
    return keccak(code)


def _temporaries(steps: Sequence[tuple[Raw, int]]) -> int:
    tops = [max(raw.a, raw.b, raw.c, raw.e, raw.g) + (raw.low & 15) for raw, _ in steps]
    return max([top - TEMPORARY + 1 for top in tops if top >= TEMPORARY], default=0)


def _fits(registers: int, steps: int) -> None:
    if registers > MACHINE:
        raise _too_large(f"The deal needs {registers} registers; the chain's machine has {MACHINE}.")
    if steps > STEPS_MAX:
        raise _too_large(f"The deal needs {steps} steps; the chain's machine runs {STEPS_MAX}.")


def _too_large(message: str) -> Refused:
    return Refused("program.too_large", message, hint="Use fewer tranches, fees, tests or states.")


def _lanes(values: Sequence[int]) -> bytes:
    full = [*values, *[0] * (-len(values) % 4)]
    quads = (full[at : at + 4] for at in range(0, len(full), 4))
    return b"".join(sum(value << (64 * i) for i, value in enumerate(quad)).to_bytes(32, "big") for quad in quads)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 32)
