"""The reference kernel: work that nobody can have done before, split, or done faster than the accelerator is.

A provider that sold an accelerator twice, or a slower one under a better name, is asked for this kernel on all of them
at once, each from its own unpredictable seed; time and answer show it. The state is a matrix of numbers modulo 251:

    round:  Y = A X mod 251;  Z = Y ** 3 mod 251;  X = Z's entries in row order, written in column order

* Sequential: each round needs the whole state of the one before, and cubing, a permutation as 3 does not divide 250,
  keeps rounds from being drawn together into one product of matrices. Two machines that halve a round exchange half
  the state in each.
* Exact everywhere: 256 products of numbers below 251 add up to less than 2**24, so float32, TF32, FP16 and BF16 units
  that add in float32 give the same whole numbers in any order: the answer is one digest.
* As wide as it takes to fill the accelerator: with ``width`` too small two kernels would run beside each other on one.

It shows time, not memory: memory is shown by work of a model that needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid

MODULUS: Final = 251
SIDE: Final = 256
ROUNDS_MAX: Final = 2**31
WIDTH_MAX: Final = 2**24
_NAME: Final = "matrix251/1"

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How much work: ``rounds`` products of 256 x 256 by 256 x ``width``.

    Raises:
        Invalid: ``kernel.size`` unless ``rounds`` is at least 1 and ``width`` a multiple of 256.
    """

    rounds: int
    width: int

    def __post_init__(self) -> None:
        if not (1 <= self.rounds <= ROUNDS_MAX and SIDE <= self.width <= WIDTH_MAX and self.width % SIDE == 0):
            raise Invalid("kernel.size", f"At least one round; a width that is a multiple of {SIDE}.")

    @property
    def name(self) -> str:
        """As in ``sku.published``: ``matrix251/1:rounds=N,width=N``."""
        return f"{_NAME}:rounds={self.rounds},width={self.width}"

    @property
    def operations(self) -> int:
        """Multiplications and additions of the products [1]."""
        return 2 * SIDE * SIDE * self.width * self.rounds


def read_kernel(name: str) -> Kernel:
    """The kernel that `Kernel.name` says. Raises Invalid ``kernel.name``, ``kernel.size``."""
    try:
        kind, sizes = name.split(":")
        rounds, width = (int(part.removeprefix(key)) for part, key in zip(sizes.split(","), _KEYS, strict=True))
        found = Kernel(rounds, width)
    except ValueError as error:
        raise Invalid("kernel.name", f"A reference kernel is called {_NAME}:rounds=N,width=N.") from error
    if (kind, found.name) != (_NAME, name):
        raise Invalid("kernel.name", f"A reference kernel is called {_NAME}:rounds=N,width=N.")
    return found


def seeds_of(seed: bytes, accelerators: int) -> tuple[bytes, ...]:
    """Each accelerator's own seed [32 bytes], so that no answer serves twice: sha256(seed || number as u32)."""
    return tuple(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range(accelerators))


def run(kernel: Kernel, seed: bytes) -> bytes:
    """The kernel's answer [32 bytes]: sha256 over its last state, a byte a number, row by row."""
    factor = _numbers(seed, b"factor", SIDE)
    state = _numbers(seed, b"state", kernel.width)
    for _ in range(kernel.rounds):
        state = _mixed(_cubed(_reduced(factor @ state)))
    return hashlib.sha256(state.astype(np.uint8).tobytes()).digest()


def slow(elapsed_us: Sequence[int], kernel_us: int, tolerance_bp: int) -> tuple[int, ...]:
    """Accelerators that took longer than ``kernel_us`` by more than ``tolerance_bp`` [basis points].

    ``elapsed_us`` is the asker's own time from its question to the answer, the way there and back included. A negative
    time is no answer at all, and too slow.
    """
    bound = kernel_us * (10_000 + tolerance_bp)
    return tuple(number for number, taken in enumerate(elapsed_us) if taken < 0 or taken * 10_000 > bound)


_KEYS: Final = ("rounds=", "width=")


def _numbers(seed: bytes, purpose: bytes, width: int) -> Matrix:
    """SIDE x ``width`` numbers below 251, row by row: SHAKE256 of purpose and seed, a byte each, modulo 251."""
    raw = hashlib.shake_256(purpose + seed).digest(SIDE * width)
    numbers = (np.frombuffer(raw, np.uint8) % MODULUS).astype(np.float32)
    return numbers.reshape(SIDE, width)


def _reduced(x: Matrix) -> Matrix:
    """``x`` modulo 251, exact for whole ``x`` below 2**24: a quotient in float32 is off by at most one."""
    rest: Matrix = x - np.float32(MODULUS) * np.floor(x * np.float32(1 / MODULUS))
    rest += np.float32(MODULUS) * (rest < 0)
    rest -= np.float32(MODULUS) * (rest >= MODULUS)
    return rest


def _cubed(x: Matrix) -> Matrix:
    return _reduced(_reduced(x * x) * x)


def _mixed(x: Matrix) -> Matrix:
    """Entries in row order, written in column order: every column of the next state comes from one row of this."""
    return np.ascontiguousarray(x.reshape(-1, SIDE).T)
