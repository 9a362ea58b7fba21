"""Workers: processes that parse messages and verify signatures, one a core, with columns as what comes back.

Parsing holds the interpreter's lock and verifying takes most of an intake's time, so many messages need processes. A
few are done right here: handing them over would cost more than it saves.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from types import TracebackType
from typing import Final, NamedTuple

from penstock.energy.message import Batch, joined
from penstock.energy.parsed import Messages, parse_messages
from penstock.energy.signers import Signers, batch_of, claims_of, hold, hold_one_by_one

LookUp = Callable[[Sequence[list[str]]], list[Signers]]
"""What is enrolled of the devices of these names, list by list; asked once a batch, while the devices stand still."""
CHUNK: Final = 1_024
"""Messages handed over at a time."""
FEW: Final = 256
"""So many messages at most are never worth handing over."""
WORTH: Final = 8 * CHUNK
"""As many messages are worth starting processes for."""


class Prepared(NamedTuple):
    """Messages and their batch; ``known`` says which names it was made for, and what was enrolled of them then."""

    messages: Messages
    batch: Batch
    known: list[tuple[list[str], Signers]]


def prepare_here(messages: Messages, look_up: LookUp) -> Prepared:
    """Parse and verify in this process."""
    parsed = parse_messages(messages)
    (signers,) = look_up([parsed.name])
    claims = claims_of(parsed, signers)
    return Prepared(messages, batch_of(parsed, signers, claims, hold(claims.signatures)), [(parsed.name, signers)])


class Workers(AbstractContextManager["Workers"]):
    """A pool of processes, started when first needed and ended with this object, or with the process that made it.

    Threads may share it.
    """

    def __init__(self, count: int = 0) -> None:
        self._count = count or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def prepare(self, messages: Messages, look_up: LookUp) -> Prepared:
        """Parse and verify on all cores; in this process where they are few."""
        if len(messages) <= FEW or (len(messages) < WORTH and self._pool is None):
            return prepare_here(messages, look_up)
        pool = self._started()
        chunks = [messages[start : start + CHUNK] for start in range(0, len(messages), CHUNK)]
        parsed = list(pool.map(parse_messages, chunks))
        signers = look_up([one.name for one in parsed])
        claims = [claims_of(*each) for each in zip(parsed, signers, strict=True)]
        good = pool.map(hold_one_by_one, [one.signatures for one in claims])
        batches = [batch_of(*each) for each in zip(parsed, signers, claims, good, strict=True)]
        return Prepared(messages, joined(batches), [(one.name, of) for one, of in zip(parsed, signers, strict=True)])

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
                self._pool = ProcessPoolExecutor(self._count, context, initializer=_end_with_parent)
            return self._pool


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too: its queue alone would never tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
