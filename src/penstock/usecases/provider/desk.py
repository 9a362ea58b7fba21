"""The desk: a request is priced and paid before it is worked on, and recorded before it is answered.

One `Desk` serves one model on one rack. The model works in one thread, a call at a time; whoever would wait behind too
many is turned away before anything is paid.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock.compute.price import Price
from penstock.connect.inference.engine import Engine, Usage, Vectors
from penstock.connect.inference.gate import Admitted, Asked, Gate, OpenGate, Scheme, TurnedAway
from penstock.connect.inference.workbook import AnswerRow, Workbook
from penstock.errors import Invalid, NotFound, Unavailable
from penstock.period import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME_CODES: Final = {Scheme.EXACT: 0, Scheme.UPTO: 1, Scheme.CREDIT: 2, Scheme.UNPAID: 255}
"""Codes of ``sale/1``; 255 is none of them."""
BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Write = Callable[[Vectors, Usage], bytes]
Clock = Callable[[], int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most one request may ask for, and how many may be worked on or wait at once."""

    texts: int = 2_048
    tokens: int = 300_000
    waiting: int = 256


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in: where, with which headers, its bytes, and when [us]."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    arrived_us: int

    @property
    def digest(self) -> bytes:
        """sha256 of the body."""
        return hashlib.sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to send: its bytes, the payment it is filed under, its number (-1 for one given before), headers."""

    body: bytes
    payment_id: bytes
    number: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Figures:
    """What the door's metrics show: running, answered, failed, tokens, and seconds from request to answer."""

    __slots__ = ("answered", "by_bucket", "failed", "output_tokens", "prompt_tokens", "running", "seconds")

    def __init__(self) -> None:
        self.running = self.answered = self.failed = self.prompt_tokens = self.output_tokens = 0
        self.seconds = 0.0
        self.by_bucket = [0] * (len(BUCKETS_S) + 1)

    def count(self, usage: Usage, arrived_us: int) -> None:
        """One more answer."""
        took_s = (usage.done_us - arrived_us) / SECOND_US
        self.answered += 1
        self.prompt_tokens += usage.prompt_tokens
        self.output_tokens += usage.output_tokens
        self.seconds += took_s
        self.by_bucket[bisect_left(BUCKETS_S, took_s)] += 1


class Desk(AbstractContextManager["Desk"]):
    """Sells an engine's answers through a gate and keeps them in the workbook; ``clock`` tells the time [us]."""

    def __init__(
        self,
        engine: Engine,
        workbook: Workbook,
        price: Price,
        clock: Clock,
        gate: Gate | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.engine, self.workbook, self.price, self.clock = engine, workbook, price, clock
        self.gate = gate or OpenGate()
        self.limits = limits or Limits()
        self.figures = Figures()
        self.told_us = -1  # answers done from here on are in no report yet
        self.last_done_us = -1
        self._recording = threading.Lock()
        parallel = getattr(engine, "parallel", 1)  # calls of a model in this process come one at a time
        self._thread = ThreadPoolExecutor(parallel, thread_name_prefix="engine")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def embed(self, request: Request, model: str, texts: Sequence[str], write: Write) -> Answered | TurnedAway:
        """Vectors of ``texts``, as ``write`` puts them into an answer's bytes.

        Raises:
            NotFound: ``model.unknown``. Invalid: ``engine.no_text``, ``engine.too_long``, ``request.too_many_texts``,
            ``request.too_many_tokens``. Unavailable: ``provider.busy``.
        """
        self.check_model(model)
        with self.place():
            tokens = await self._count(texts)
            asked = Asked(request.url, request.headers, request.digest, model, tokens, self.price.cost_up(tokens))
            admitted = await self.gate.admit(asked)
            if isinstance(admitted, TurnedAway):
                return admitted
            if admitted.stored is not None:
                return Answered(admitted.stored, admitted.payment_id, -1, admitted.headers)
            return await finished(self._work(request, model, texts, write, admitted))

    async def _work(
        self, request: Request, model: str, texts: Sequence[str], write: Write, admitted: Admitted
    ) -> Answered:
        """Work that is paid for: whatever breaks, the payment is answered or goes back."""
        try:
            number, body, usage = await self.in_thread(lambda: self._worked(request, model, texts, write, admitted))
        except Exception as error:
            self.figures.failed += 1
            await asyncio.shield(self.gate.failed(admitted, type(error).__name__))
            raise
        return await self.answered(request, admitted, body, usage, number)

    async def answered(self, request: Request, admitted: Admitted, body: bytes, usage: Usage, number: int) -> Answered:
        """An answer that is recorded, told to the gate."""
        self.figures.count(usage, request.arrived_us)
        cost = self.price.cost_up(usage.prompt_tokens + usage.output_tokens)
        more = await asyncio.shield(self.gate.answered(admitted, body, usage, cost))
        return Answered(body, admitted.payment_id, number, {**admitted.headers, **more})

    def _worked(
        self, request: Request, model: str, texts: Sequence[str], write: Write, admitted: Admitted
    ) -> tuple[int, bytes, Usage]:
        started_us = self.clock()
        vectors, used = self.engine.embed(texts)
        body = write(vectors, used)
        return self.record(request, model, body, started_us, used, admitted)

    def record(
        self, request: Request, model: str, body: bytes, started_us: int, used: Usage, admitted: Admitted
    ) -> tuple[int, bytes, Usage]:
        """Keep an answer as done now, by our clock, and never in an interval that was told of; its number."""
        with self._recording:
            done_us = max(self.clock(), self.told_us, self.last_done_us, request.arrived_us)
            first_us = min(max(used.first_us, request.arrived_us), done_us) if used.output_tokens else done_us
            usage = Usage(used.prompt_tokens, used.output_tokens, first_us, done_us, used.cpu_us)
            cost = self.price.cost_up(used.prompt_tokens + used.output_tokens)
            number = self.workbook.record(row_of(request, model, body, started_us, usage, admitted, cost))
            self.last_done_us = done_us
        return number, body, usage

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Nothing is recorded meanwhile."""
        with self._recording:
            yield

    async def _count(self, texts: Sequence[str]) -> int:
        """Tokens of a request that can be answered."""
        if len(texts) > self.limits.texts:
            raise Invalid("request.too_many_texts", f"A request has at most {self.limits.texts} texts.")
        if not texts:
            raise Invalid("engine.no_text", "There is no text to embed.")
        counts = await self.in_thread(lambda: self.engine.count(texts))
        longest = max(counts)
        if longest > self.engine.context_tokens:
            sentence = f"Text {counts.index(longest)} has {longest} tokens; {self.engine.context_tokens} fit."
            raise Invalid("engine.too_long", sentence, hint="Cut it into parts.")
        if sum(counts) > self.limits.tokens:
            raise Invalid("request.too_many_tokens", f"A request has at most {self.limits.tokens} tokens.")
        return sum(counts)

    def check_model(self, model: str) -> None:
        """Raises NotFound ``model.unknown``."""
        if model not in self.engine.models():
            hint = f"Ask for one of: {', '.join(self.engine.models())}."
            raise NotFound("model.unknown", f"There is no model {model[:100]!r} here.", hint=hint)

    @contextmanager
    def place(self) -> Iterator[None]:
        """One more request in work. Raises Unavailable ``provider.busy`` where there are too many."""
        if self.figures.running >= self.limits.waiting:
            raise Unavailable("provider.busy", "Too many requests are waiting.", hint="Try again in a second.")
        self.figures.running += 1
        try:
            yield
        finally:
            self.figures.running -= 1

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Do something in the engine's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Work that is paid for goes on to its end, though whoever asked has gone: else the payment hangs in between."""
    return await asyncio.shield(asyncio.ensure_future(work))


def row_of(
    request: Request, model: str, body: bytes, started_us: int, usage: Usage, admitted: Admitted, cost_usdc_micro: int
) -> AnswerRow:
    """An answer as the workbook keeps it; what was paid beyond its cost is the payer's still, and no sale. Credits of
    a class, named as the transaction, brought their dollars when they were sold."""
    by_class = admitted.scheme is Scheme.CREDIT and any(admitted.tx)
    return AnswerRow(
        payment=admitted.payment_id,
        model=model,
        arrived_us=request.arrived_us,
        started_us=min(max(started_us, request.arrived_us), usage.done_us),
        first_us=usage.first_us,
        done_us=usage.done_us,
        prompt_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        cpu_us=usage.cpu_us,
        request=request.digest,
        answer=hashlib.sha256(body).digest(),
        salt=secrets.token_bytes(32),
        scheme=SCHEME_CODES[admitted.scheme],
        payer=admitted.payer,
        tx=admitted.tx,
        paid_usdc_micro=0 if by_class else min(admitted.paid_usdc_micro, cost_usdc_micro),
        asked_body=request.body,
        answer_body=body,
    )
