"""A provider for tests: an engine that counts words, a clock that is set by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.connect.inference.engine import Usage, Vectors
from penstock.errors import Invalid

MODEL = "words"
START_US = 1_466_000_000_000_000


@dataclass(slots=True)
class HandClock:
    """Tells the instant it was set to [us], and one step later at each look."""

    now_us: int = START_US
    step_us: int = 0

    def __call__(self) -> int:
        self.now_us += self.step_us
        return self.now_us


@dataclass(slots=True)
class WordEngine:
    """A word is a token; a vector says which words there were. ``breaks`` makes the next call fail."""

    breaks: bool = False
    calls: int = 0

    @property
    def context_tokens(self) -> int:
        return 64

    def models(self) -> tuple[str, ...]:
        return (MODEL,)

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        if self.breaks:
            raise RuntimeError("the engine broke")
        if not texts:
            raise Invalid("engine.no_text", "There is no text to embed.")
        self.calls += 1
        raw = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
        vectors = np.frombuffer(raw, dtype=np.uint8).reshape(len(texts), -1).astype(np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit, Usage(sum(self.count(texts)), 0, 0, 0, 1_000 * len(texts))
