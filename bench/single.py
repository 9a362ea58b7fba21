"""One transfer after the other among 10 million certificates: through the workspace, and through the door over HTTP;
alone, and while bulk passes in chunks. After each transfer a raw fdatasync of the same disk, for the goal rests on it.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.registry import START_US, Both, Columns, sales
from bench.result import is_small
from penstock.api.app import make_app
from penstock.api.running import serve_in_thread
from penstock.connect.spool import now_us
from penstock.journal.words import TitleState
from penstock.period import DAY_US
from penstock.usecases.api_keys import OPERATE, create_key
from penstock.usecases.claim import Claim
from penstock.usecases.registry.chunks import CHUNK_ROWS, Bulk, move_in_chunks

SINGLES: Final = 300
PAUSE_S: Final = 0.005
WARM: Final = 20
"""Transfers before any that is timed: imports, connections, first pages."""
CHUNKS: Final = (1_000, 2_500, CHUNK_ROWS, 10_000)
BATCHES, SMALL_BATCHES = 10, 3
"""Batches moved in chunks while single transfers pass."""
GOAL_MS: Final = 5.0
Act = Callable[[Columns], None]


@dataclass(frozen=True, slots=True)
class Singles:
    """What single transfers took, and a raw fdatasync after each [ms]; the bulk a second that was done meanwhile."""

    took_ms: list[float] = field(default_factory=list)
    raw_ms: list[float] = field(default_factory=list)

    def told(self) -> str:
        """For the notes."""
        (mid, late), (raw_mid, raw_late) = (np.percentile(each, (50, 95)) for each in (self.took_ms, self.raw_ms))
        held = "holds" if late <= raw_late + GOAL_MS else "fails"
        return (
            f"p50 {mid:.1f}, p95 {late:.1f} ms of {len(self.took_ms)}; raw fdatasync beside p50 {raw_mid:.2f}, "
            f"p95 {raw_late:.2f} ms: one and {GOAL_MS:.0f} ms {held}"
        )


def single_notes(both: Both) -> tuple[str, ...]:
    """The figures, as the notes tell them; the peer follows, so that both hold the same at the end."""
    with door(both) as through_http:
        ways: tuple[tuple[str, Act], ...] = (("the workspace", both.ours.move), ("HTTP", through_http))
        notes = [f"one at a time through {name}: {alone(both, act).told()}" for name, act in ways]
        for name, act in ways:
            for rows in CHUNKS if act is through_http else (CHUNK_ROWS,):
                bulk, found = beside(both, act, rows)
                notes.append(f"through {name} while bulk in chunks of {rows:,} does {bulk:,.0f}/s: {found.told()}")
    return tuple(notes)


def alone(both: Both, act: Act) -> Singles:
    """Single transfers while nothing else is done; the first ones warm."""
    moves, never = ones(both, WARM + SINGLES), threading.Event()
    one_by_one(both, act, moves[:WARM], never)
    found = one_by_one(both, act, moves[WARM:], never)
    for move in moves:
        both.theirs.move(move)
    return found


def beside(both: Both, act: Act, rows: int) -> tuple[float, Singles]:
    """Single transfers while batches are moved in chunks of so many rows, and the rows a second of those."""
    batches = [sales(both, both.batch) for _ in range(SMALL_BATCHES if is_small() else BATCHES)]
    moves, done, found = ones(both, SINGLES), threading.Event(), list[Singles]()
    client = threading.Thread(target=lambda: found.append(one_by_one(both, act, moves, done)))
    client.start()
    start = time.perf_counter()
    try:
        for number, batch in enumerate(batches):
            bulk = Bulk(batch, TitleState.HELD, Claim("", "bench", None))
            key = f"beside-{id(act)}-{rows}.{number}"
            assert move_in_chunks(both.ours.workspace, key, bulk, START_US, rows).done.all()
        took_s = time.perf_counter() - start
    finally:
        done.set()
        client.join()
    for batch in [*batches, *moves[: len(found[0].took_ms)]]:
        both.theirs.move(batch)
    return len(batches) * both.batch / took_s, found[0]


def one_by_one(both: Both, act: Act, moves: Sequence[Columns], done: threading.Event) -> Singles:
    """One client: a transfer and a raw fdatasync, then a pause, until there are no more or all else is done."""
    found = Singles()
    with closing(Raw(both.ours.workspace.path / "raw")) as raw:
        for one in moves:
            found.took_ms.append(milliseconds(lambda one=one: act(one)))  # type: ignore[misc]
            found.raw_ms.append(milliseconds(raw.write))
            if done.is_set():
                break
            time.sleep(PAUSE_S)
    return found


def ones(both: Both, count: int) -> list[Columns]:
    """So many sales of one certificate each."""
    return [sales(both, 1) for _ in range(count)]


def milliseconds(work: Callable[[], None]) -> float:
    """How long it takes [ms]."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


class Raw:
    """A file that takes 4 KiB and an fdatasync at a time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT)

    def write(self) -> None:
        """As much as the smallest commit."""
        os.write(self._file, bytes(4096))
        os.fdatasync(self._file)

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)


@contextmanager
def door(both: Both) -> Iterator[Act]:
    """The registry served on loopback; yields what asks it for a transfer with an operator's API key."""
    workspace = both.ours.workspace
    _, key = create_key(workspace.path, "bench", frozenset({OPERATE}), now_us(), now_us() + DAY_US)
    head = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    names = workspace.read(lambda world: [world.books.registers.urn(n) for n in range(both.ours.registers)])
    with serve_in_thread(make_app(workspace)) as running:
        client = http.client.HTTPConnection(running.url.removeprefix("http://"))

        def transfer(move: Columns) -> None:
            body = json.dumps(asked(names, move))
            try:
                client.request("POST", "/certificates/transfer", body, head)
            except BrokenPipeError:  # the door hangs up on a client that was silent while bulk ran
                client.close()
                client.request("POST", "/certificates/transfer", body, head)
            answer = client.getresponse()
            said = answer.read()
            assert answer.status == http.HTTPStatus.CREATED, said

        with closing(client):
            yield transfer


def asked(names: Sequence[str], move: Columns) -> dict[str, Any]:
    """The body of a transfer of one certificate, named by its span."""
    (register, start, stop, source, target) = (
        int(move[name][0]) for name in ("register", "start", "stop", "source", "target")
    )
    span = {"register": names[register], "start": start, "stop": stop}
    return {"account": f"holder-{source}", "target": f"holder-{target}", "selection": {"spans": [span]}}
