"""A provider with a real engine, honest or not, that states its work in a workspace, and those who challenge it."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from penstock.compute.reexecution import NOTHING, Disclosure
from penstock.compute.work import Metered, WorkReport, seal_report
from penstock.connect.inference.engine import Engine
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.work import ChallengeJudged, WorkStated
from penstock.keys import SigningKey, derive_seed
from penstock.keys.dsse import Envelope
from penstock.period import HOUR_US, Period, parse_iso
from penstock.usecases import enrol
from penstock.usecases.challenge.commit import commit_on
from penstock.usecases.challenge.disclose import Disclose
from penstock.usecases.challenge.draw import draw_on
from penstock.usecases.challenge.evidence import Evidence
from penstock.usecases.challenge.judge import judge_on
from penstock.usecases.challenge.reexecute import reexecute
from penstock.usecases.challenge.speed import SpeedEvidence
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "provider"))
from minilm import NAME, MiniLm

START_US = parse_iso("2016-08-22T00:00:00Z")
WORK_KEY = SigningKey(derive_seed(b"challenged", "provider"))
SECRET = hashlib.sha256(b"the investor's secret").digest()
OTHER_SECRET = hashlib.sha256(b"the operator's secret").digest()
PHRASES = ("sunlight on a roof", "water in a pipe", "a coupon is paid", "the meter counts on", "rain tomorrow")
Bend = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Shop:
    """Answers requests with ``engine`` in MiniLM's name; ``bend`` changes an answer before it is written."""

    engine: Engine
    bend: Bend = lambda answer: None
    requests: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def serve(self, texts: Sequence[str]) -> None:
        """Answer one request for each text."""
        vectors, _ = self.engine.embed(texts)
        for text, vector, tokens in zip(texts, vectors, self.engine.count(texts), strict=True):
            answer: dict[str, Any] = {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": vector.astype(float).tolist()}],
                "model": NAME,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
            self.bend(answer)
            self.requests.append(json.dumps({"model": NAME, "input": text}).encode())
            self.answers.append(json.dumps(answer).encode())
            self.tokens.append(answer["usage"]["prompt_tokens"])

    def report(self, rack: str, hour: int) -> WorkReport:
        """What it signs of an hour: all of its answers."""
        count, period = len(self.answers), Period(START_US + hour * HOUR_US, START_US + (hour + 1) * HOUR_US)
        at_us = period.start_us + np.arange(count, dtype=np.int64)
        flat = np.full(count, 100, dtype=np.int64)
        rows: dict[str, Any] = {
            "number": np.arange(count, dtype=np.int64),
            "arrived_us": at_us,
            "first_us": at_us,
            "done_us": at_us,
            "prompt_tokens": np.array(self.tokens, dtype=np.int64),
            "output_tokens": np.zeros(count, dtype=np.int64),
            "time_ms": flat,
            "energy_mj": flat,
            "payment": _digests([b"payment" + raw for raw in self.answers]),
            "request": _digests(self.requests),
            "answer": _digests(self.answers),
            "salt": _digests([b"salt" + raw for raw in self.answers]),
        }
        sales: dict[str, Any] = {
            "scheme": np.zeros(count, dtype=np.int64),
            "paid_usdc_micro": flat,
            "payer": np.zeros((count, 20), dtype=np.uint8),
            "tx": np.zeros((count, 32), dtype=np.uint8),
        }
        metered = Metered(0, 100 * count, (0, 0, 0), "model:test", "flat/1", "{}")
        return WorkReport("provider", rack, NAME, period, rows, sales, metered)

    def disclose(self, payment_id: bytes) -> Disclosure:
        """What it shows of an answer."""
        ids = [hashlib.sha256(b"payment" + raw).digest() for raw in self.answers]
        if payment_id not in ids:
            return NOTHING
        place = ids.index(payment_id)
        return Disclosure(self.requests[place], self.answers[place])


@dataclass(slots=True)
class Court:
    """A workspace with a registered provider and its rack, and the judge's own engine."""

    workspace: Workspace
    judge: Engine
    now_us: int = START_US
    address: bytes = bytes([9]) * 20

    def founded(self, accelerators: int = 2) -> Court:
        """The provider and its rack are registered."""
        fact = ProviderRegistered(
            provider="provider",
            url="http://127.0.0.1:1",
            work_key=WORK_KEY.public,
            address=self.address,
            collateral_account="provider/collateral",
            revenue_account="provider/revenue",
        )
        key = SigningKey(derive_seed(b"challenged", "rack")).public
        rack = enrol.enrol_rack("rack-1", "operator", "US-PSCO", key, accelerators, 1_000, START_US)
        self.workspace.submit("rack", b"", self.now_us, lambda _: rack)
        self.workspace.submit("provider", b"", self.now_us, lambda world: register_provider(world, fact))
        return self

    def commit(self, secret: bytes = SECRET, challenger: str = "investor") -> None:
        """A challenger binds itself."""
        self.now_us += 1
        commit_on(self.workspace, "provider", challenger, secret, 0, self.now_us)

    def state(self, shop: Shop, hour: int = 0) -> tuple[bytes, Envelope]:
        """The provider states its work: the root, and the envelope it signed."""
        self.now_us += 1
        report = shop.report("rack-1", hour)
        envelope = seal_report(report, WORK_KEY)
        ref = report.segment.ref()
        period = (report.period.start_us, report.period.stop_us)
        fact = WorkStated(ref, "provider", "rack-1", NAME, *period, 0, report.root, envelope.digest)
        entry = Entry(fact, report.segment)
        self.workspace.submit(f"work:{report.root.hex()[:32]}", b"", self.now_us, lambda _: [entry])
        return report.root, envelope

    def challenge(
        self, root: bytes, disclose: Disclose, rows: int = 4, secrets: Sequence[bytes] = (SECRET,)
    ) -> Evidence:
        """Secrets are shown, rows drawn and done again."""
        self.now_us += 1
        work = draw_on(self.workspace, "provider", root, secrets, rows, self.now_us)
        return reexecute(work, disclose, self.judge)

    def judged(self, evidence: Evidence | SpeedEvidence, secrets: Sequence[bytes] = (SECRET,)) -> ChallengeJudged:
        """The judgement is recorded."""
        self.now_us += 1
        return judge_on(self.workspace, evidence, secrets, "judge", self.now_us)


def _digests(raws: Sequence[bytes]) -> Any:
    joined = b"".join(hashlib.sha256(raw).digest() for raw in raws)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 32)


def narrowed(model: MiniLm) -> MiniLm:
    """The same model with its weights kept in half precision: the cheapest lie."""
    halves = {
        name: one.astype(np.float16).astype(np.float32) if one.dtype == np.float32 else one
        for name, one in model.weights.items()
    }
    return MiniLm(halves, model.tokenizer, model.heads, model.layers, model.epsilon)


@functools.cache
def lesser(layers: int) -> MiniLm:
    """The model cut short, loaded once."""
    return MiniLm.load(layers=layers)


def texts_of(count: int) -> list[str]:
    """So many different texts."""
    return [f"{PHRASES[n % len(PHRASES)]}, {n}" for n in range(count)]
