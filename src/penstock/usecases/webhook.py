"""Webhooks: whoever subscribes to an account is told of each fact that concerns it, in order, until it is taken.

A message is taken when its answer's status is 2xx. Until then nothing later of the same subscription is sent; it is
tried again after 1, 2, 4 ... seconds, at most an hour apart. A subscription that failed for four days, or was answered
410, is stopped, and so is one whose maker may no longer see the account. A receiver may see a message twice, and knows
it by its id.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from penstock.errors import NotFound, PenstockError, Refused, Unavailable
from penstock.period import SECOND_US, iso
from penstock.store.webhook_file import WebhookFile, WebhookRow
from penstock.usecases.concern import COLUMNS
from penstock.usecases.trail import OPERATOR, Row, Trail
from penstock.usecases.webhook_call import check_address, send, target_of
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World

PER_MEMBER_MAX: Final = 20
POLL_S: Final = 0.5
AT_ONCE: Final = 8
A_TURN: Final = 100
"""Most messages of one subscription before the others have their turn."""
WAIT_S_MAX: Final = 3_600
FAILURES_MAX: Final = 108
"""Twelve doubling waits, then one an hour: four days."""
SPANS_MAX: Final = 100
GONE: Final = 410
Send = Callable[[str, bytes, str, bytes, int], int]


class Webhooks:
    """The subscriptions of one workspace's door. Threads may share it."""

    def __init__(self, workspace: Path, *, loopback: bool = False) -> None:
        self._workspace, self._loopback, self._lock = workspace, loopback, threading.Lock()
        self._file: WebhookFile | None = None

    def subscribe(self, by: str, account: str, url: str, next_seq: int, now_us: int) -> Row:
        """Tell ``url`` of the account's facts from ``next_seq`` on; the row has the secret, shown this once.

        Raises:
            Invalid: ``webhook.url``, ``webhook.private``. Unavailable: ``webhook.unresolved``.
            Refused: ``webhook.too_many``.
        """
        check_address(target_of(url, loopback=self._loopback), loopback=self._loopback)
        if sum(row.by == by for row in self.rows()) >= PER_MEMBER_MAX:
            raise Refused("webhook.too_many", f"Nobody has more than {PER_MEMBER_MAX} subscriptions.")
        row = WebhookRow(secrets.token_hex(6), by, account, url, secrets.token_bytes(32), now_us, next_seq)
        self._opened().add(row)
        return shown(row) | {"secret": row.secret.hex()}

    def of(self, by: str) -> list[Row]:
        """The subscriptions that somebody made, as rows for the doors."""
        return [shown(row) for row in self.rows() if row.by == by]

    def unsubscribe(self, by: str, id: str) -> None:
        """Nothing is told from now on. Raises NotFound ``webhook.unknown``, also where it is another's."""
        row = self._opened().find(id)
        if row is None or row.by != by or not self._opened().remove(id):
            raise NotFound("webhook.unknown", "There is no such subscription.", id=id)

    def rows(self) -> list[WebhookRow]:
        """Every subscription as kept."""
        return self._opened().rows()

    def note(self, row: WebhookRow, **changed: Any) -> None:
        """Keep what came of a message."""
        self._opened().note(row.id, **changed)

    def send(self, url: str, secret: bytes, message: str, body: bytes, at_us: int) -> int:
        """As `webhook_call.send`."""
        return send(url, secret, message, body, at_us, loopback=self._loopback)

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def _opened(self) -> WebhookFile:
        with self._lock:
            if self._file is None:
                self._file = WebhookFile(self._workspace)
            return self._file


def shown(row: WebhookRow) -> Row:
    """A subscription as a row for the doors, without its secret."""
    state = "stopped" if row.stopped_us else "failing" if row.failures else "active"
    about = {"id": row.id, "account": row.account, "url": row.url, "state": state, "next_seq": row.next_seq}
    again = iso(row.due_us) if row.failures and not row.stopped_us else None
    return about | {"made": iso(row.made_us), "failures": row.failures, "again": again, "note": row.note}


def message(workspace: Workspace, fact: FactRow, account: str) -> bytes:
    """What a receiver is told: the fact as recorded, and the spans of it that concern the account."""
    spans, rows = spans_of(workspace, fact, account)
    said = {
        "account": account,
        "seq": fact.recorded.seq,
        "at": iso(fact.recorded.at_us),
        "kind": fact.recorded.fact.KIND,
        "fact": json.loads(fact.recorded.body),
        "rows": rows,
        "spans": spans,
    }
    return json.dumps(said, separators=(",", ":")).encode()


def spans_of(workspace: Workspace, fact: FactRow, account: str) -> tuple[list[Row], int]:
    """The first spans of a fact's segment that concern an account, and how many do."""
    columns = workspace.columns(fact)
    if columns is None or "start" not in columns:
        return [], 0
    names = next((sides for sides in COLUMNS.values() if set(sides) <= columns.keys()), ())
    number = workspace.read(lambda world: world.books.accounts.id_of(account))
    rows = np.flatnonzero(np.logical_or.reduce([columns[name] == number for name in names]))
    first = rows[:SPANS_MAX].tolist()
    urns = workspace.read(lambda world: [world.books.registers.urn(int(columns["register"][row])) for row in first])
    spans = [(urn, int(columns["start"][row]), int(columns["stop"][row])) for urn, row in zip(urns, first, strict=True)]
    return [{"register": urn, "start": start, "stop": stop} for urn, start, stop in spans], len(rows)


def deliver(hooks: Webhooks, trail: Trail, workspace: Workspace, clock: Callable[[], int]) -> int:
    """Send what is due, several subscriptions at a time; returns how many messages were taken."""
    due = [row for row in hooks.rows() if not row.stopped_us and row.due_us <= clock()]
    if not due:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(lambda row: _deliver_to(row, hooks, trail, workspace, clock), due))


def _deliver_to(row: WebhookRow, hooks: Webhooks, trail: Trail, workspace: Workspace, clock: Callable[[], int]) -> int:
    if not workspace.read(lambda world: _sees(world, row)):
        hooks.note(row, stopped_us=clock(), note="account.not_member")
        return 0
    taken = 0
    for seq in trail.seqs(row.account, row.next_seq)[:A_TURN].tolist():
        body = message(workspace, trail.fact(seq), row.account)
        try:
            status = hooks.send(row.url, row.secret, f"{row.id}-{seq}", body, clock())
            note = f"answered {status}"
        except PenstockError as error:
            status, note = 0, error.code
        if not 200 <= status < 300:
            _failed(row, hooks, note, clock(), gone=status == GONE, failures=0 if taken else row.failures)
            return taken
        taken += 1
        hooks.note(row, next_seq=seq + 1, failures=0, due_us=0, note=note)
    return taken


def _sees(world: World, row: WebhookRow) -> bool:
    """Whether who subscribed may see the account's affairs still: members come and go."""
    return row.by == OPERATOR or row.account in world.participants.accounts_of(row.by)


def _failed(row: WebhookRow, hooks: Webhooks, note: str, now_us: int, *, gone: bool, failures: int) -> None:
    wait_s = min(2**failures, WAIT_S_MAX) if failures < 32 else WAIT_S_MAX
    stopped_us = now_us if gone or failures + 1 >= FAILURES_MAX else 0
    due_us = now_us + wait_s * SECOND_US
    hooks.note(row, failures=failures + 1, due_us=due_us, stopped_us=stopped_us, note=note)


class Deliverer:
    """Delivers twice a second in a thread of its own while it is entered."""

    def __init__(self, hooks: Webhooks, trail: Trail, workspace: Workspace, clock: Callable[[], int]) -> None:
        self._work = partial(deliver, hooks, trail, workspace, clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self.failure: PenstockError | None = None

    def __enter__(self) -> Deliverer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                self._work()
            except Unavailable:
                continue
            except PenstockError as error:
                self.failure = error
                return
