"""Every lean instruction does what the engine's own does, in the plain case and at every edge."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth.exceptions import VMError
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.message import Message
from eth.vm.stack import to_int
from eth_typing import Address

from penstock.chain.opcodes import LeanPrague

# JUMPDEST at 0, 5 and 9; the one at 3 is the data of a PUSH2; then the data of PUSHes, cut off by the end.
CODE = bytes.fromhex("5b61015b005b60015b5b7f") + bytes(range(20))
CALLDATA = bytes(range(1, 41))
PATTERN = bytes(range(1, 249)) * 94
SMALL = [0, 1, 2, 3, 5, 9, 31, 32, 33]
INTEGERS = [*SMALL, 255, 256, 257, 1_000, 9_999, 30_000, 2**64, 2**255, 2**256 - 2, 2**256 - 1]
RAW = [b"", b"\x01", b"\x05", b"\x01\x00", b"\xff" * 32]
GAS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 29, 30, 35, 36, 45, 100, 3_000, 10**6]
DEPTHS = [0, 1, 2, 2, 3, 3, 4, 16, 17, 1_023, 1_024]
LEAN = sorted(code for code, act in LeanPrague.opcodes.items() if act is not PragueComputation.opcodes.get(code))


class Surroundings:
    """What an instruction of these needs of a state: nothing, but a computation warms the coinbase."""

    coinbase = Address(b"\x03" * 20)

    @staticmethod
    def mark_address_warm(address: Address) -> None:
        """No one asks."""


def test_the_frequent_ones_are_lean() -> None:
    assert len(LEAN) == 13 + 33 + 16 + 16 + 10


@pytest.mark.parametrize("instruction", LEAN, ids=hex)
def test_an_instruction_does_what_the_engines_own_does(instruction: int) -> None:
    dice = random.Random(instruction)  # noqa: S311
    ended = set()
    for _ in range(250):
        depth = dice.choice(DEPTHS)
        top = [dice.choice(dice.choice((SMALL, INTEGERS, INTEGERS, RAW))) for _ in range(min(depth, 18))]
        values = [7] * (depth - len(top)) + top
        case = (values, dice.choice(GAS), dice.choice((0, 0, 32, 64, 96, 32 * 724)), dice.randrange(len(CODE) + 1))
        expected = after(PragueComputation, instruction, *case)
        assert after(LeanPrague, instruction, *case) == expected, case
        ended.add(expected[0])
    assert None in ended and len(ended) > 1  # some ran, some failed


def after(kind: Any, instruction: int, values: list[Any], gas: int, memory: int, counter: int) -> tuple[Any, ...]:
    """How ``instruction`` ended, and what it left; only how it ended where it failed."""
    message = Message(gas, Address(b"\x01" * 20), Address(b"\x02" * 20), 0, CALLDATA, CODE)
    computation = kind(Surroundings, message, None)
    computation._stack.values.extend(values)
    computation._memory.extend(0, memory)
    computation._memory._bytes[:] = PATTERN[:memory]
    computation.code.program_counter = counter
    try:
        computation.opcodes[instruction](computation=computation)
    except (VMError, ValueError) as failed:  # a tracer that the contracts' tests bring along raises the latter
        return (type(failed).__name__,)
    stack = [to_int(value) for value in computation._stack.values]
    left = computation._gas_meter.gas_remaining, computation.code.program_counter, bytes(computation._memory._bytes)
    return (None, stack, *left)
