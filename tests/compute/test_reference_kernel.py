"""The reference kernel: exact on any machine, changed by every bit of its seed, a permutation round by round."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from penstock.compute.reference_kernel import MODULUS, SIDE, Kernel, _cubed, _reduced, read_kernel, run, seeds_of, slow
from penstock.errors import Invalid

SEED = hashlib.sha256(b"kernel").digest()


def plain(kernel: Kernel, seed: bytes) -> bytes:
    """The kernel in whole numbers, as its first page says it."""
    raw = {
        purpose: np.frombuffer(hashlib.shake_256(purpose + seed).digest(SIDE * width), np.uint8).astype(np.int64) % 251
        for purpose, width in ((b"factor", SIDE), (b"state", kernel.width))
    }
    factor, state = raw[b"factor"].reshape(SIDE, SIDE), raw[b"state"].reshape(SIDE, kernel.width)
    for _ in range(kernel.rounds):
        cubes = (factor @ state % MODULUS) ** 3 % MODULUS
        state = cubes.ravel().reshape((SIDE, kernel.width), order="F")
    return hashlib.sha256(state.astype(np.uint8).tobytes()).digest()


@pytest.mark.parametrize("kernel", [Kernel(1, 256), Kernel(5, 256), Kernel(3, 768)])
def test_floats_give_the_same_whole_numbers(kernel: Kernel) -> None:
    assert run(kernel, SEED) == plain(kernel, SEED)


def test_the_largest_sums_stay_exact() -> None:
    top = np.full((SIDE, SIDE), MODULUS - 1, np.float32)
    product = top @ top
    assert (product == 16_000_000).all() and product.max() < 2**24
    rests = np.arange(MODULUS, dtype=np.float32)
    for start in range(0, 2**24, MODULUS * 4_096):
        every = np.arange(start, start + MODULUS * 4_096, dtype=np.float32)[: 2**24 - start]
        assert np.array_equal(_reduced(every), np.tile(rests, 4_096)[: len(every)])


def test_cubing_loses_nothing() -> None:
    numbers = np.arange(MODULUS, dtype=np.float32)
    assert sorted(_cubed(numbers).tolist()) == numbers.tolist()


@pytest.mark.parametrize("settings", [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_CORETYPE": "Nehalem"}])
def test_another_machine_gives_the_same_answer(settings: dict[str, str]) -> None:
    """Another process, with other threads or another processor's products, stands for another machine."""
    asked = "import sys; from penstock.compute.reference_kernel import *; "
    asked += "print(run(read_kernel(sys.argv[1]), bytes.fromhex(sys.argv[2])).hex())"
    command = [sys.executable, "-c", asked, Kernel(4, 512).name, SEED.hex()]
    told = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True).stdout
    assert bytes.fromhex(told) == run(Kernel(4, 512), SEED)


def test_every_seed_has_its_own_answer() -> None:
    kernel = Kernel(3, 256)
    seeds = seeds_of(SEED, 4)
    assert len({*seeds}) == 4
    assert len({run(kernel, seed) for seed in seeds}) == 4
    assert run(kernel, SEED) != run(Kernel(4, 256), SEED)


def test_a_changed_number_reaches_the_whole_state() -> None:
    seen = []
    for bump in (0, 1):
        factor, state = np.random.default_rng(3).integers(0, 251, (2, SIDE, SIDE)).astype(np.float32)
        state[0, 0] = bump
        for _ in range(4):
            state = np.ascontiguousarray(_cubed(_reduced(factor @ state)).reshape(-1, SIDE).T)
        seen.append(state)
    assert (seen[0] != seen[1]).mean() > 0.99


def test_names_are_read_back() -> None:
    kernel = Kernel(2000, 1024)
    assert kernel.name == "matrix251/1:rounds=2000,width=1024"
    assert read_kernel(kernel.name) == kernel
    assert kernel.operations == 2 * 256 * 256 * 1024 * 2000


@pytest.mark.parametrize(
    "name", ["", "matrix251/1", "matrix251/2:rounds=1,width=256", "matrix251/1:rounds=01,width=256", "a:b:c"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"kernel\.name"):
        read_kernel(name)


@pytest.mark.parametrize(("rounds", "width"), [(0, 256), (1, 255), (1, 0), (1, 300), (2**40, 256)])
def test_other_sizes_are_refused(rounds: int, width: int) -> None:
    with pytest.raises(Invalid, match=r"kernel\.size"):
        Kernel(rounds, width)


def test_too_slow_is_beyond_the_tolerance_or_no_answer() -> None:
    assert slow([1000, 1100, 1101, -1], kernel_us=1000, tolerance_bp=1000) == (2, 3)
    assert slow([], kernel_us=1000, tolerance_bp=0) == ()


def test_an_accelerator_sold_twice_answers_one_after_the_other() -> None:
    """Counted, not timed: one accelerator serves two claims by turns; the last answer comes after two kernels' work."""
    done: list[int] = []
    kernel, lock, one_us = Kernel(2, 256), threading.Lock(), 1000

    def accelerator(seed: bytes) -> None:
        with lock:
            run(kernel, seed)
            done.append((len(done) + 1) * one_us)

    threads = [threading.Thread(target=accelerator, args=(seed,)) for seed in seeds_of(SEED, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow(sorted(done), one_us, tolerance_bp=2000) == (1,)
