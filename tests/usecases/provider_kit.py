"""A provider for tests: an engine that counts words, a clock that is set by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.api.inference.forms import EmbeddingsAnswer
from penstock.connect.inference.engine import Usage, Vectors
from penstock.connect.inference.gate import Admitted, Asked, Scheme, TurnedAway
from penstock.errors import Invalid
from penstock.usecases.provider.desk import Answered, Request
from penstock.usecases.provider.offer import Offer, offer_of
from penstock.usecases.provider.provider import Provider

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


@dataclass(slots=True)
class ClockPower:
    """Draws ``watts`` all the time, by the clock."""

    clock: HandClock
    watts: int = 100
    source: str = "model:steady/1"
    assumptions: tuple[str, ...] = ("The draw is stated.",)

    @property
    def parameters(self) -> dict[str, int | str]:
        return {"watts": self.watts}

    def read_uj(self) -> int:
        return (self.clock.now_us - START_US) * self.watts


@dataclass(slots=True)
class PaidGate:
    """Takes the same payment from everybody, each by a nonce of its own."""

    paid_usdc_micro: int = 7
    taken: int = 0
    gone_back: int = 0
    payers: tuple[bytes, ...] = (b"\x11" * 20,)

    async def admit(self, asked: Asked) -> Admitted | TurnedAway:
        self.taken += 1
        payment = hashlib.sha256(f"payment {self.taken}".encode()).digest()
        tx = hashlib.sha256(b"tx" + payment).digest()
        return Admitted(payment, Scheme.EXACT, self.payers[self.taken % len(self.payers)], tx, self.paid_usdc_micro)

    async def answered(self, admitted: Admitted, body: bytes, usage: Usage, cost_usdc_micro: int) -> dict[str, str]:
        return {}

    async def failed(self, admitted: Admitted, reason: str) -> None:
        self.gone_back += 1


def ask(provider: Provider, text: str) -> Answered:
    """One answer, straight from the desk."""
    body = json.dumps({"model": MODEL, "input": text}).encode()
    request = Request("http://127.0.0.1/v1/embeddings", {}, body, provider.clock())
    answer = asyncio.run(provider.desk.embed(request, MODEL, [text], EmbeddingsAnswer(MODEL, "float")))
    assert isinstance(answer, Answered)
    return answer


def by_hand(provider: Provider) -> Provider:
    """Its meter looks when it is told to: a look of its own could fall between two settings of a clock by hand."""
    provider.meter.period_s = 3_600.0
    return provider


def offer(**changed: object) -> Offer:
    """Terms of a provider with a rack for tests."""
    said: dict[str, object] = {"provider": "provider-1", "rack": "rack-2", "price_usdc_micro_per_1k_tokens": 1_000}
    return offer_of({**said, **changed})
