"""The reference kernel asked of all of a rack's accelerators at once, each with its own seed, timed by the asker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from penstock.compute.challenge import seed_of
from penstock.compute.challenge_book import NO_ROOT
from penstock.compute.reference_kernel import Kernel, read_kernel, run, seeds_of, slow
from penstock.errors import PenstockError
from penstock.journal.kinds.capacity import SkuPublished
from penstock.keys.dsse import canonical

Accelerator = Callable[[Kernel, bytes], bytes]
"""Asks one accelerator for the kernel's answer to a seed; any `PenstockError` or OSError is no answer."""
FORMAT: Final = "penstock/speed-evidence/1"
NO_ANSWER_US: Final = -1
"""The time of an accelerator that did not answer, or wrongly: what is wrong was not computed."""


@dataclass(frozen=True, slots=True)
class SpeedEvidence:
    """How long each accelerator took [us], -1 for no right answer; those too slow for the SKU failed."""

    provider: str
    rack: str
    sku: str
    kernel: str
    kernel_us: int
    tolerance_bp: int
    elapsed_us: tuple[int, ...]

    @property
    def failed(self) -> tuple[int, ...]:
        """Accelerators that are not what they are sold as, or sold twice."""
        return slow(self.elapsed_us, self.kernel_us, self.tolerance_bp)

    def to_json(self) -> bytes:
        """The evidence in its one written form."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return canonical({"format": FORMAT, **named})

    @property
    def digest(self) -> bytes:
        """sha256 of the written form [32 bytes]."""
        return hashlib.sha256(self.to_json()).digest()


def ask_all(
    provider: str,
    rack: str,
    sku: SkuPublished,
    accelerators: Sequence[Accelerator],
    secrets: Sequence[bytes],
    monotonic_us: Callable[[], int],
) -> SpeedEvidence:
    """Ask all at once and wait for all; then compute the answers here, where no time is taken.

    The seeds were nobody's to know before this call; ``monotonic_us`` is the asker's own clock.
    """
    kernel = read_kernel(sku.kernel)
    seeds = seeds_of(seed_of(secrets, NO_ROOT), len(accelerators))

    def ask(accelerator: Accelerator, seed: bytes) -> tuple[bytes, int]:
        asked_us = monotonic_us()
        try:
            answer = accelerator(kernel, seed)
        except (PenstockError, OSError):
            return b"", NO_ANSWER_US
        return answer, monotonic_us() - asked_us

    with ThreadPoolExecutor(max(len(accelerators), 1)) as pool:
        told = list(pool.map(ask, accelerators, seeds))
    elapsed = tuple(
        taken if answer == run(kernel, seed) else NO_ANSWER_US
        for (answer, taken), seed in zip(told, seeds, strict=True)
    )
    return SpeedEvidence(provider, rack, sku.sku, sku.kernel, sku.kernel_us, sku.tolerance_bp, elapsed)
