"""Workers: processes that parse messages and verify signatures, one a core, with columns as what comes back.

Parsing holds the interpreter's lock and verifying takes most of an intake's time, so many messages need processes. A
few are done right here: handing them over would cost more than it saves.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from types import TracebackType
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock.energy.message import Batch, joined
from penstock.energy.parsed import Messages, Parsed, parse_messages
from penstock.energy.signers import Claims, Signers, batch_of, claims_of, hold, hold_one_by_one

T = TypeVar("T")
LookUp = Callable[[list[str]], Signers]
"""What is enrolled of the devices of these names; called where the devices are, while they stand still."""
CHUNK: Final = 1_024
"""Messages handed over at a time."""
WORTH: Final = 8 * CHUNK
"""As many messages are worth starting processes for."""


class Prepared(NamedTuple):
    """Messages and their batch; ``known`` says which names it was made for, and what was enrolled of them then."""

    messages: Messages
    batch: Batch
    known: list[tuple[list[str], Signers]]


class _Part(NamedTuple):
    """A chunk whose signatures are being checked."""

    parsed: Parsed
    signers: Signers
    claims: Claims
    good: Future[NDArray[np.bool_]]

    def batch(self) -> Batch:
        return batch_of(self.parsed, self.signers, self.claims, self.good.result())


def prepare_here(messages: Messages, look_up: LookUp) -> Prepared:
    """Parse and verify in this process."""
    parsed = parse_messages(messages)
    signers = look_up(parsed.name)
    claims = claims_of(parsed, signers)
    return Prepared(messages, batch_of(parsed, signers, claims, hold(claims.signatures)), [(parsed.name, signers)])


class Workers(AbstractContextManager["Workers"]):
    """A pool of processes, started when first needed and ended with this object, or with the process that made it."""

    def __init__(self, count: int = 0) -> None:
        self._count = count or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def prepare(self, messages: Messages, look_up: LookUp) -> Prepared:
        """Parse and verify on all cores; in this process where they are few."""
        if len(messages) < WORTH and self._pool is None:
            return prepare_here(messages, look_up)
        known: list[tuple[list[str], Signers]] = []
        batches: list[Batch] = []
        for part in self._parts(messages, look_up):
            known.append((part.parsed.name, part.signers))
            batches.append(part.batch())
        return Prepared(messages, joined(batches), known)

    def _parts(self, messages: Messages, look_up: LookUp) -> Iterator[_Part]:
        pool, ahead = self._started(), 2 * self._count
        chunks = (messages[start : start + CHUNK] for start in range(0, len(messages), CHUNK))
        parsing = _ahead((pool.submit(parse_messages, chunk) for chunk in chunks), ahead)
        return _ahead((self._verifying(pool, one.result(), look_up) for one in parsing), ahead)

    @staticmethod
    def _verifying(pool: ProcessPoolExecutor, parsed: Parsed, look_up: LookUp) -> _Part:
        signers = look_up(parsed.name)
        claims = claims_of(parsed, signers)
        return _Part(parsed, signers, claims, pool.submit(hold_one_by_one, claims.signatures))

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
            self._pool = ProcessPoolExecutor(self._count, context, initializer=_end_with_parent)
        return self._pool


def _ahead(made: Iterator[T], count: int) -> Iterator[T]:
    """The same in the same order, each made ``count`` places before it is given out."""
    waiting: deque[T] = deque()
    for one in made:
        waiting.append(one)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too: its queue alone would never tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
