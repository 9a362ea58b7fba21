"""Collect: from a spool to wherever its messages are wanted - this workspace, or another's door over HTTP.

Store and forward: a batch stays in the spool until its delivery is confirmed, is delivered again under the same key
after a crash or a loss of the line, and is recorded once.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx

from penstock.connect.envelope import seal_envelope
from penstock.connect.ports import Arrived, Command
from penstock.connect.spool import Batch, Spool
from penstock.errors import PenstockError, Refused, Unavailable
from penstock.usecases.intake import prepare, record
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace

Deliver = Callable[[Batch], None]
PAUSE_S: Final = 0.5
PAUSE_MAX_S: Final = 60.0
CBOR_SEQUENCE: Final = "application/cbor-seq"
_ANSWER_S: Final = 60.0


def record_messages(
    workspace: Workspace, key: str, asked: bytes, messages: Sequence[Arrived], received_us: int, workers: Workers
) -> Receipt:
    """Judge and record messages through the workspace's one sequencer; the same key again records nothing.

    Signatures are checked before it is their turn, so that others may go on meanwhile.

    Raises:
        Conflict: ``journal.key_reused`` where the key stands for other messages.
        Unavailable: where the store could not take them; the same call may succeed later.
    """
    prepared = prepare(workspace, [(one.form, one.raw) for one in messages], workers)
    return record(workspace, prepared, received_us, key, asked)


def into_workspace(workspace: Workspace, workers: Workers) -> Deliver:
    """Delivers batches to the workspace this process owns."""

    def deliver(batch: Batch) -> None:
        record_messages(workspace, batch.key, batch.bytes, batch.messages, batch.received_us, workers)

    return deliver


def over_http(url: str, api_key: str) -> Deliver:
    """Delivers batches to the door of the process that owns the workspace (`docs/api.md`).

    Raises:
        Unavailable: ``connect.unreachable``. Refused: ``connect.refused``.
    """
    client = httpx.Client(timeout=_ANSWER_S, headers={"Authorization": f"Bearer {api_key}"})

    def deliver(batch: Batch) -> None:
        headers = {"Content-Type": CBOR_SEQUENCE, "Idempotency-Key": batch.key, "Accept": "application/x-ndjson"}
        body = b"".join(seal_envelope(one) for one in batch.messages)
        with _called(url):
            answer = client.post(f"{url.rstrip('/')}/readings", content=body, headers=headers)
        _check(answer, url)

    return deliver


def ask_over_http(url: str, api_key: str, command: Command, signer: bytes) -> dict[str, Any]:
    """Ask for a signed command at the door of the process that owns the workspace; how it stands there.

    Raises as `over_http`.
    """
    said = {name: getattr(command, name) for name in Command.__slots__}
    said |= {"signer": signer.hex(), "signature": command.signature.hex()}
    with _called(url):
        headers = {"Authorization": f"Bearer {api_key}"}
        answer = httpx.post(f"{url.rstrip('/')}/commands", json=said, headers=headers, timeout=_ANSWER_S)
    _check(answer, url)
    row: dict[str, Any] = answer.json()
    return row


@contextmanager
def _called(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise Unavailable("connect.unreachable", "The door does not answer.", url=url, reason=error) from error


def _check(answer: httpx.Response, url: str) -> None:
    """Raises Unavailable where the same may succeed later, Refused where it will not."""
    if answer.is_success:
        return
    try:
        said = answer.json()
        reason = f"{said['message']} [{said['code']}]"
    except (ValueError, KeyError, TypeError):
        reason = f"status {answer.status_code}"
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise Unavailable("connect.unreachable", "The door cannot take it just now.", url=url, reason=reason)
    raise Refused("connect.refused", "The door refuses it.", hint=reason, url=url)


def drain(spool: Spool, deliver: Deliver) -> int:
    """Deliver all that waits; returns how many messages. Raises whatever ``deliver`` raises; what is left waits on."""
    delivered = 0
    while batch := spool.cut():
        deliver(batch)
        spool.done(batch.number)
        delivered += len(batch.messages)
    return delivered


class Collector:
    """Drains a spool in a thread of its own until stopped, patient with whoever does not answer.

    ``failure`` is what stopped it where it was not told to stop: an error that trying again does not mend.
    """

    def __init__(
        self, spool: Spool, deliver: Deliver, on_delivered: Callable[[int], None] = lambda _count: None
    ) -> None:
        self._spool, self._deliver, self._on_delivered = spool, deliver, on_delivered
        self._stop = threading.Event()
        self.failure: PenstockError | None = None
        self._thread = threading.Thread(target=self._run, name="collect", daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._stop.is_set():
            try:
                self._on_delivered(drain(self._spool, self._deliver))
                pause_s = PAUSE_S
                self._spool.wait(PAUSE_S)
            except Unavailable:
                # Full jitter: many gateways that lost the same line do not all come back at the same instant.
                self._stop.wait(pause_s * random.random())  # noqa: S311
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            except PenstockError as error:
                self.failure = error
                return
