"""Certificates transferred and cancelled, durable, among 10 million: against one row each in SQLite; one at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from bench.journal import fdatasync_us
from bench.registry import START_US, Both, Columns, moves_of, registries
from bench.result import Race, Result, race
from penstock.journal.words import TitleState
from penstock.usecases.claim import Claim
from penstock.usecases.registry.chunks import CHUNK_ROWS, Bulk, move_in_chunks

ROUNDS: Final = 9
GOAL: Final = 5
SINGLES: Final = 300
PAUSE_S: Final = 0.005
BESIDE: Final = 10
"""Batches moved in chunks while single transfers pass."""


def run() -> Result:
    """Interleaved rounds of certificates at random; at the end both hold the very same."""
    with registries() as both:
        return measure(both)


def sales(both: Both, count: int, state: TitleState = TitleState.HELD) -> Columns:
    """Certificates at random go to other holders, or stay with theirs in another state."""
    rows = both.scattered(count)
    holder = both.held_by_others(rows) if state is TitleState.HELD else both.titles["holder"][rows]
    return moves_of(both.titles, rows, holder, state)


def raced(both: Both, state: TitleState) -> Race:
    """Both sides, batch by batch; the first warms them."""
    batches = [sales(both, both.batch, state) for _ in range(ROUNDS + 1)]
    both.ours.move(batches[0])
    both.theirs.move(batches[0])
    left, right = iter(batches[1:]), iter(batches[1:])
    return race(lambda: both.ours.move(next(left)), lambda: both.theirs.move(next(right)), ROUNDS)


@dataclass(frozen=True, slots=True)
class Singles:
    """What single transfers took [ms], and the bulk a second that was done meanwhile, in chunks."""

    took_ms: tuple[float, ...]
    bulk: float = 0.0

    @property
    def p95(self) -> float:
        """The 95th percentile [ms]."""
        return float(np.percentile(self.took_ms, 95))

    def told(self) -> str:
        """For the notes."""
        return f"median {median(self.took_ms):.1f} ms, 95th percentile {self.p95:.1f} ms of {len(self.took_ms)}"


def single(both: Both, moves: list[Columns], until: threading.Event, took_ms: list[float]) -> None:
    """One client: one transfer after the other, with a pause, until there are no more or all else is done."""
    for one in moves:
        start = time.perf_counter()
        both.ours.move(one)
        took_ms.append((time.perf_counter() - start) * 1e3)
        if until.is_set():
            break
        time.sleep(PAUSE_S)


def singles(both: Both, key: str, batches: int) -> Singles:
    """Single transfers while so many batches are moved in chunks; the peer follows at the end."""
    moves, done, took_ms = [sales(both, 1) for _ in range(SINGLES)], threading.Event(), list[float]()
    parts = [sales(both, both.batch) for _ in range(batches)]
    client = threading.Thread(target=single, args=(both, moves, done, took_ms))
    client.start()
    start = time.perf_counter()
    for number, part in enumerate(parts):
        bulk = Bulk(part, TitleState.HELD, Claim("", "bench", None))
        assert move_in_chunks(both.ours.workspace, f"{key}.{number}", bulk, START_US).done.all()
    bulk_s = time.perf_counter() - start
    if parts:
        done.set()
    client.join()
    for part in [*parts, *moves[: len(took_ms)]]:
        both.theirs.move(part)
    return Singles(tuple(took_ms), batches * both.batch / bulk_s)


def measure(both: Both) -> Result:
    """The figures."""
    moved, cancelled = raced(both, TitleState.HELD), raced(both, TitleState.RETIRED)
    raw_ms = fdatasync_us(both.ours.workspace.path / "raw") / 1e3
    alone, beside = singles(both, "alone", 0), singles(both, "beside", BESIDE)
    both.check()
    return Result(
        name="transfer",
        ours=both.batch / median(moved.ours_s),
        unit="certificates transferred/s, durable",
        peer=both.batch / median(moved.peer_s),
        ratio=moved.ratio,
        peer_name="one row each in SQLite",
        notes=(
            f"{moved.spread}; goal {GOAL}, and 500,000/s",
            f"{both.batch:,} a batch, at random among {both.certificates:,}",
            f"cancelled: {both.batch / median(cancelled.ours_s):,.0f}/s, peer "
            f"{both.batch / median(cancelled.peer_s):,.0f}/s, {cancelled.ratio:.1f} times; {cancelled.spread}",
            f"one at a time through the workspace: {alone.told()}; one raw fdatasync just before: {raw_ms:.2f} ms",
            f"the same while bulk in chunks of {CHUNK_ROWS:,} does {beside.bulk:,.0f}/s: {beside.told()}; goal for "
            "both: one fsync and 5 ms",
            "laws checked at the end; opened again, the books are the same",
        ),
    )
