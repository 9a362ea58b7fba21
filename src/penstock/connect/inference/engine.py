"""The port to whatever infers: tokens are counted before the work, and what was used is told after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used.

    Tokens as the model counts them; ``first_us`` when the first output was there and ``done_us`` when the last was
    [UTC microseconds]; ``cpu_us`` the processor time of the whole process while it worked, all its threads together
    [microseconds]: calls never overlap, so these add up to no more than the process used.
    """

    prompt_tokens: int
    output_tokens: int
    first_us: int
    done_us: int
    cpu_us: int


class Engine(Protocol):
    """A model in this process. Calls come one at a time."""

    @property
    def context_tokens(self) -> int:
        """The longest text it takes [tokens], the markers of its begin and end included."""

    def models(self) -> tuple[str, ...]:
        """Names under which it answers."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, exactly as `embed` will count them. Nothing is computed and nothing cut off."""

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        """One vector of unit length a text, float32[n, d].

        Raises:
            Invalid: ``engine.no_text`` for none, ``engine.too_long`` for one above ``context_tokens``.
        """
