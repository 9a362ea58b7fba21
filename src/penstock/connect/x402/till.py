"""The till: one row a payment, from the moment it is taken to its answer or its way back. Nothing is charged twice.

One process has a till open. Every change is one step in SQLite (write-ahead log); steps that come together share one
wait for the disk. What is promised waits for it: a payment is on the disk before it is settled, its answer before it
leaves. That the money came does not wait by itself: the chain tells it again, and of a balance nothing was used up
before an answer left. A row's state: settling, paid, answered; or refunding, refunded; or failed.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from penstock.connect.x402 import till_rows
from penstock.connect.x402.payment import Payment
from penstock.connect.x402.till_rows import DOLLARS, Request, Row, State
from penstock.errors import Unavailable

UNSETTLED_MAX: Final = 16
"""Payments of one payer that may be under way at once: what a payer can have us do before money is here."""
_TOGETHER: Final = 256
_SYNCHRONOUS: Final = {True: "PRAGMA synchronous = FULL", False: "PRAGMA synchronous = NORMAL"}
Result = TypeVar("Result")


class Till:
    """The till's file, open; None keeps it in memory.

    Raises (all methods):
        Unavailable: ``payment.till_in_use``, ``payment.till_failed``.
    """

    def __init__(self, path: Path | None, clock: Callable[[], int], *, unsettled_max: int = UNSETTLED_MAX) -> None:
        self._clock, self._unsettled_max = clock, unsettled_max
        self._steps: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        with _failures():
            self._sql = sqlite3.connect(path or ":memory:", 0.2, isolation_level=None, check_same_thread=False)
            self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = FULL")
            self._sql.executescript(till_rows.SCHEMA)
        self._thread = threading.Thread(target=self._work, name="till", daemon=True)
        self._thread.start()

    # a payment's way

    async def take(self, payment: Payment, request: Request) -> tuple[Row, bool]:
        """The payment's row, and whether it is new. Unless the money is here already, it counts as being settled.

        Raises:
            Conflict: ``payment.replayed`` where it pays for another request.
            Refused: ``payment.too_many_unsettled``.
        """
        return await self.do(lambda sql: till_rows.take(sql, payment, request, self._clock(), self._unsettled_max))

    async def spend(self, payment: Payment, request: Request) -> tuple[Row, bool]:
        """Take and pay at once from the holder's balance at this till, on the disk with the answer. Raises as `take`.

        Raises:
            Refused: ``payment.no_balance``.
        """
        step = lambda sql: till_rows.spend(sql, payment, request, self._clock(), self._unsettled_max)  # noqa: E731
        return await self.do(step, on_disk=False)

    async def paid(self, payment_id: bytes, tx: bytes, charged: int, *, on_disk: bool = True) -> Row:
        """The money is here. Where a witness can be asked again it need not be ``on_disk`` before the answer is."""
        came, values = (State.SETTLING, State.FAILED), {"tx": tx, "charged": charged, "paid_us": self._clock()}
        return await self.do(lambda sql: till_rows.move(sql, payment_id, came, State.PAID, values), on_disk=on_disk)

    async def failed(self, payment_id: bytes, why: str) -> Row:
        """No money came."""
        open_ = (State.SETTLING, State.FAILED)
        return await self._move(payment_id, open_, State.FAILED, why=why)

    async def answered(self, payment_id: bytes, body: bytes, headers: str, spent: int) -> Row:
        """The answer, kept before it leaves; what it did not cost is the payer's, prepaid."""
        return await self.do(lambda sql: till_rows.answered(sql, payment_id, body, headers, spent, self._clock()))

    async def lost(self, payment_id: bytes, why: str) -> Row:
        """No money came, and none can come by it any more."""
        open_ = (State.SETTLING, State.FAILED)
        return await self._move(payment_id, open_, State.FAILED, why=why, closed_us=self._clock())

    async def refunding(self, payment_id: bytes, why: str) -> Row:
        """The money is to go back."""
        return await self._move(payment_id, (State.PAID, State.REFUNDING), State.REFUNDING, why=why)

    async def refunded(self, payment_id: bytes, tx: bytes) -> Row:
        """The money went back by ``tx``."""
        done = (State.REFUNDING, State.REFUNDED)
        return await self._move(payment_id, done, State.REFUNDED, refund_tx=tx, closed_us=self._clock())

    async def returned(self, payment_id: bytes, why: str) -> Row:
        """What was paid is in the payer's balance at this till."""
        return await self.do(lambda sql: till_rows.returned(sql, payment_id, why, self._clock()))

    # balances

    async def deposit(self, source: bytes, holder: bytes, class_id: bytes, units: int) -> int:
        """Add to a balance, once for each ``source`` (32 bytes); the balance after it."""
        return await self.do(lambda sql: till_rows.deposit(sql, source, holder, class_id, units, self._clock()))

    async def withdraw(self, source: bytes, holder: bytes, class_id: bytes, units: int) -> int:
        """Take from a balance what it has of ``units``, once for each ``source``; the balance after it."""
        return await self.do(lambda sql: till_rows.withdraw(sql, source, holder, class_id, units, self._clock()))

    async def balance(self, holder: bytes, class_id: bytes = DOLLARS) -> int:
        """Units a holder has here."""
        return await self.do(lambda sql: till_rows.balance(sql, holder, class_id))

    async def holders(self) -> list[tuple[bytes, bytes]]:
        """Who ever had a balance of which class: holder and class."""
        query = "SELECT holder, class FROM balance ORDER BY holder, class"
        return await self.do(lambda sql: [(bytes(one), bytes(of)) for one, of in sql.execute(query)])

    # looking

    async def row(self, payment_id: bytes) -> Row | None:
        """A payment's row."""
        return await self.do(lambda sql: till_rows.row_of(sql, payment_id))

    async def open_rows(self) -> list[Row]:
        """Payments that are neither answered nor back nor lost for good, oldest first."""
        return await self.do(till_rows.open_rows)

    async def answers(self, after: int, limit: int = 10_000) -> list[Row]:
        """Answered payments whose number is above ``after``, in order; without their bodies."""
        return await self.do(lambda sql: till_rows.answers(sql, after, limit))

    async def forget_bodies(self, before_us: int) -> int:
        """Drop the answers' bodies that left before; the payments stay used for good. How many."""
        query = "UPDATE payment SET body = NULL WHERE body IS NOT NULL AND closed_us < ?"
        return await self.do(lambda sql: sql.execute(query, (before_us,)).rowcount)

    async def do(self, step: Callable[[sqlite3.Connection], Result], *, on_disk: bool = True) -> Result:
        """One step, durable when this returns; a step that raises leaves nothing behind.

        Not ``on_disk`` it outlives the process, and the machine as soon as a later step is on the disk.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Any] = loop.create_future()
        self._steps.put(_Step(step, loop, waiting, on_disk))
        found: Result = await waiting
        return found

    def close(self) -> None:
        """Finish what waits and give the file back; harmless when repeated."""
        if self._thread.is_alive():
            self._steps.put(None)
            self._thread.join()
            self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _move(self, payment_id: bytes, from_: tuple[State, ...], to: State, **values: object) -> Row:
        return await self.do(lambda sql: till_rows.move(sql, payment_id, from_, to, values))

    def _work(self) -> None:
        """Steps as they come; those that wait together are one transaction."""
        while (first := self._steps.get()) is not None:
            steps, stop = [first], False
            while len(steps) < _TOGETHER and not self._steps.empty():
                following = self._steps.get()
                if following is None:
                    stop = True
                    break
                steps.append(following)
            self._together(steps)
            if stop:
                return

    def _together(self, steps: list[_Step]) -> None:
        try:
            with _failures():
                self._sql.execute(_SYNCHRONOUS[any(step.on_disk for step in steps)])
                self._sql.execute("BEGIN IMMEDIATE")
                results = [_tried(self._sql, step) for step in steps]
                self._sql.execute("COMMIT")
        except BaseException as failed:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            results = [(None, failed)] * len(steps)
        for step, (result, error) in zip(steps, results, strict=True):
            step.tell(result, error)


@dataclass(frozen=True, slots=True)
class _Step:
    act: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Future[Any]
    on_disk: bool

    def tell(self, result: Any, error: BaseException | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._told, result, error)

    def _told(self, result: Any, error: BaseException | None) -> None:
        if self.waiting.done():  # whoever asked has gone; the step is done all the same
            return
        if error is None:
            self.waiting.set_result(result)
        else:
            self.waiting.set_exception(error)


def _tried(sql: sqlite3.Connection, step: _Step) -> tuple[Any, BaseException | None]:
    sql.execute("SAVEPOINT step")
    try:
        result = step.act(sql)
    except sqlite3.Error:
        raise
    except Exception as refused:
        sql.execute("ROLLBACK TO step")
        sql.execute("RELEASE step")
        return None, refused
    sql.execute("RELEASE step")
    return result, None


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as failed:
        if "locked" in str(failed):
            hint = "One process has a till open: stop the other one."
            raise Unavailable("payment.till_in_use", "The till is open elsewhere.", hint=hint) from failed
        raise Unavailable("payment.till_failed", f"The till's file failed: {failed}.") from failed
    except sqlite3.Error as failed:
        raise Unavailable("payment.till_failed", f"The till's file failed: {failed}.") from failed
