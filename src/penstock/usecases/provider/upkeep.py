"""Upkeep: once a minute a provider follows up what nobody waits for - payments, refunds, credits, old bodies."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from penstock.connect.x402.gate import PaymentGate
from penstock.errors import PenstockError
from penstock.keys.dsse import WORK, Envelope, read_statement
from penstock.usecases.provider.credit_desk import CreditDesk, Told
from penstock.usecases.provider.provider import Provider
from penstock.usecases.provider.tell_spans import SpanTeller

EVERY_S: Final = 60.0
DAY_US: Final = 86_400 * 1_000_000
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round did: payments closed, requests for credits taken in, delivered and settled, bodies dropped, spans
    told."""

    payments: int = 0
    requests: int = 0
    delivered: int = 0
    settled: int = 0
    bodies: int = 0
    spans: int = 0


class Upkeep(AbstractContextManager["Upkeep"]):
    """Rounds in a thread of their own while it is open; ``tell`` gets the code of whatever fails, and it goes on."""

    def __init__(
        self,
        provider: Provider,
        gate: PaymentGate | None = None,
        credits_at: CreditDesk | None = None,
        *,
        spans: SpanTeller | None = None,
        tell: Tell = lambda _: None,
        every_s: float = EVERY_S,
    ) -> None:
        self._provider, self._gate, self._credits, self._tell = provider, gate, credits_at, tell
        self._spans = spans
        self._every_s, self._stop = every_s, threading.Event()
        self._thread = threading.Thread(target=self._rounds, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def once(self) -> Kept:
        """One round; what fails is told, and the rest is done all the same."""
        return asyncio.run(self._round())

    async def _round(self) -> Kept:
        closed = asked = 0
        stated = (0, 0)
        if self._gate is not None:
            closed = await self._tried(self._gate.sweep(), 0)
        if self._credits is not None:
            asked = await self._tried(self._credits.collect(), 0)
            stated = await self._tried(self._credits.state(self.told()), (0, 0))
        spans = await self._tried(asyncio.to_thread(self._spans.tell), 0) if self._spans else 0
        return Kept(closed, asked, *stated, bodies=await self._tried(self._dropped(), 0), spans=spans)

    def told(self) -> Told:
        """The provider's newest report."""
        last = self._provider.workbook.last_report()
        if last is None:
            return Told(-1, b"")
        work = Envelope.from_json(json.dumps(json.loads(last.written)["work"]))
        return Told(last.number, bytes.fromhex(read_statement(work.payload, WORK).subject_sha256))

    async def _dropped(self) -> int:
        """Bodies older than the offer keeps them, in the workbook and the till. 0 days: they are kept for good."""
        days = self._provider.offer.keep_bodies_days
        if not days:
            return 0
        before_us = self._provider.clock() - days * DAY_US
        dropped = self._provider.workbook.forget_bodies(before_us)
        return dropped + (await self._gate.till.forget_bodies(before_us) if self._gate else 0)

    async def _tried(self, act: Awaitable[Any], nothing: Any) -> Any:
        try:
            return await act
        except PenstockError as error:
            self._tell(error.code)
            return nothing

    def _rounds(self) -> None:
        while True:
            self.once()
            if self._stop.wait(self._every_s):
                return
