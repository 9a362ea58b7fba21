"""The engine's frequent instructions in fewer steps: nine in ten of a contract's are among them.

Each does the plain case at once: the gas is there, the stack holds what is wanted, as integers. In every other
case, errors included, it has changed nothing and hands over to the engine's own instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.opcode_values import JUMPDEST, PUSH1, PUSH32
from eth_hash.auto import keccak

Instruction = Callable[[Any], None]
_MAX: Final = 2**256 - 1
_STACK_MAX: Final = 1_024

_BINARY: Final[dict[int, Callable[[int, int], int]]] = {  # top of the stack first
    0x01: lambda a, b: (a + b) & _MAX,
    0x02: lambda a, b: (a * b) & _MAX,
    0x03: lambda a, b: (a - b) & _MAX,
    0x04: lambda a, b: a // b if b else 0,
    0x06: lambda a, b: a % b if b else 0,
    0x10: lambda a, b: int(a < b),
    0x11: lambda a, b: int(a > b),
    0x14: lambda a, b: int(a == b),
    0x16: lambda a, b: a & b,
    0x17: lambda a, b: a | b,
    0x18: lambda a, b: a ^ b,
    0x1B: lambda a, b: (b << a) & _MAX if a < 256 else 0,
    0x1C: lambda a, b: b >> a if a < 256 else 0,
}


def _binary(own: Any, act: Callable[[int, int], int]) -> Instruction:
    cost = own.gas_cost

    def run(computation: Any) -> None:
        values, meter = computation._stack.values, computation._gas_meter
        if meter.gas_remaining < cost or len(values) < 2 or type(values[-1]) is not int or type(values[-2]) is not int:
            own(computation)
            return
        meter.gas_remaining -= cost
        values[-1] = act(values.pop(), values[-1])

    return run


def _is_zero(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values, meter = computation._stack.values, computation._gas_meter
        if meter.gas_remaining < 3 or not values or type(values[-1]) is not int:
            own(computation)
            return
        meter.gas_remaining -= 3
        values[-1] = int(not values[-1])

    return run


def _push(own: Any, size: int) -> Instruction:
    cost = own.gas_cost

    def run(computation: Any) -> None:
        values, meter, code = computation._stack.values, computation._gas_meter, computation.code
        start = code.program_counter
        stop = start + size
        if meter.gas_remaining < cost or len(values) >= _STACK_MAX or stop > len(code._raw_code_bytes):
            own(computation)
            return
        meter.gas_remaining -= cost
        code.program_counter = stop
        values.append(int.from_bytes(code._raw_code_bytes[start:stop], "big"))

    return run


def _pop(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values, meter = computation._stack.values, computation._gas_meter
        if meter.gas_remaining < 2 or not values:
            own(computation)
            return
        meter.gas_remaining -= 2
        del values[-1]

    return run


def _dup(own: Any, depth: int) -> Instruction:
    def run(computation: Any) -> None:
        values, meter = computation._stack.values, computation._gas_meter
        if meter.gas_remaining < 3 or not depth <= len(values) < _STACK_MAX:
            own(computation)
            return
        meter.gas_remaining -= 3
        values.append(values[-depth])

    return run


def _swap(own: Any, depth: int) -> Instruction:
    def run(computation: Any) -> None:
        values, meter = computation._stack.values, computation._gas_meter
        if meter.gas_remaining < 3 or len(values) <= depth:
            own(computation)
            return
        meter.gas_remaining -= 3
        values[-1], values[-depth - 1] = values[-depth - 1], values[-1]

    return run


def _jump_destination(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        meter = computation._gas_meter
        if meter.gas_remaining < 1:
            own(computation)
            return
        meter.gas_remaining -= 1

    return run


def _jump(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values, meter, code = computation._stack.values, computation._gas_meter, computation.code
        if meter.gas_remaining < 8 or not values or not _lands(code, values[-1]):
            own(computation)
            return
        meter.gas_remaining -= 8
        code.program_counter = values.pop()

    return run


def _jump_if(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values, meter, code = computation._stack.values, computation._gas_meter, computation.code
        if meter.gas_remaining < 10 or len(values) < 2 or type(values[-2]) is not int:
            own(computation)
            return
        if values[-2]:
            if not _lands(code, values[-1]):
                own(computation)
                return
            code.program_counter = values[-1]
        meter.gas_remaining -= 10
        del values[-2:]

    return run


def _lands(code: Any, to: Any) -> bool:
    """Whether ``to`` is a position one may jump to."""
    return type(to) is int and to in _destinations(code._raw_code_bytes)


@lru_cache(maxsize=256)
def _destinations(code: bytes) -> frozenset[int]:
    """Where JUMPDEST is an instruction, not the data of a PUSH; the engine looks anew at every call of a contract."""
    found, at = [], 0
    while at < len(code):
        instruction = code[at]
        if instruction == JUMPDEST:
            found.append(at)
        at += instruction - PUSH1 + 2 if PUSH1 <= instruction <= PUSH32 else 1
    return frozenset(found)


def _load(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values = computation._stack.values
        if not values or type(values[-1]) is not int or not _reach(computation, values[-1], 32, 3):
            own(computation)
            return
        at = values[-1]
        values[-1] = int.from_bytes(computation._memory._bytes[at : at + 32], "big")

    return run


def _store(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values = computation._stack.values
        if len(values) < 2 or type(values[-1]) is not int or not _reach(computation, values[-1], 32, 3):
            own(computation)
            return
        at, value = values.pop(), values.pop()
        word = value.to_bytes(32, "big") if type(value) is int else value.rjust(32, b"\0")
        computation._memory._bytes[at : at + 32] = word

    return run


def _hash(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values = computation._stack.values
        if not _integers(values, 2) or not _reach(computation, values[-1], values[-2], 30 + 6 * _words(values[-2])):
            own(computation)
            return
        at, size = values.pop(), values[-1]
        values[-1] = int.from_bytes(keccak(bytes(computation._memory._bytes[at : at + size])), "big")

    return run


def _copy_code(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values = computation._stack.values
        if not _integers(values, 3) or not _reach(computation, values[-1], values[-3], 3 + 3 * _words(values[-3])):
            own(computation)
            return
        to, at, size = values.pop(), values.pop(), values.pop()
        copied = computation.code._raw_code_bytes[at : at + size].ljust(size, b"\0")
        computation._memory._bytes[to : to + size] = copied

    return run


def _load_input(own: Any) -> Instruction:
    def run(computation: Any) -> None:
        values, meter, data = computation._stack.values, computation._gas_meter, computation.msg.data
        if meter.gas_remaining < 3 or not _integers(values, 1) or values[-1] + 32 > len(data):
            own(computation)
            return
        meter.gas_remaining -= 3
        at = values[-1]
        values[-1] = int.from_bytes(data[at : at + 32], "big")

    return run


def _integers(values: list[Any], count: int) -> bool:
    """Whether the stack's top ``count`` are there and integers."""
    return len(values) >= count and all(type(value) is int for value in values[-count:])


def _words(size: int) -> int:
    return (size + 31) // 32


def _reach(computation: Any, at: int, size: int, cost: int) -> bool:
    """Pay ``cost`` and for memory from ``at`` on, and have it; False, with nothing changed, where the gas lacks."""
    meter, have = computation._gas_meter, len(computation._memory._bytes) // 32
    want = _words(at + size) if size else 0
    if want > have:
        cost += 3 * (want - have) + want * want // 512 - have * have // 512
    if meter.gas_remaining < cost:
        return False
    meter.gas_remaining -= cost
    if want > have:
        computation._memory.extend(at, size)
    return True


def shortened(own: dict[int, Any]) -> dict[int, Any]:
    """An engine's instructions, by their codes, with the frequent ones replaced."""
    lean: dict[int, Any] = {code: _binary(own[code], act) for code, act in _BINARY.items()}
    lean |= {0x5F + size: _push(own[0x5F + size], size) for size in range(33)}
    lean |= {0x7F + depth: _dup(own[0x7F + depth], depth) for depth in range(1, 17)}
    lean |= {0x8F + depth: _swap(own[0x8F + depth], depth) for depth in range(1, 17)}
    single = {
        0x15: _is_zero, 0x20: _hash, 0x35: _load_input, 0x39: _copy_code, 0x50: _pop, 0x51: _load, 0x52: _store,
        0x56: _jump, 0x57: _jump_if, 0x5B: _jump_destination,
    }  # fmt: skip
    return own | lean | {code: make(own[code]) for code, make in single.items()}


class LeanPrague(PragueComputation):
    """py-evm's Prague computation with these instructions."""

    opcodes = shortened(PragueComputation.opcodes)
