"""Certificates transferred and cancelled, durable, among 10 million: against one row each in SQLite; one at a time."""

from __future__ import annotations

from statistics import median
from typing import Final

from bench.registry import Both, registries, sales
from bench.result import Race, Result, race
from bench.single import single_notes
from penstock.journal.words import TitleState

ROUNDS: Final = 9
GOAL: Final = 5


def run() -> Result:
    """Interleaved rounds of certificates at random; at the end both hold the very same."""
    with registries() as both:
        return measure(both)


def raced(both: Both, state: TitleState) -> Race:
    """Both sides, batch by batch; the first warms them."""
    batches = [sales(both, both.batch, state) for _ in range(ROUNDS + 1)]
    both.ours.move(batches[0])
    both.theirs.move(batches[0])
    left, right = iter(batches[1:]), iter(batches[1:])
    return race(lambda: both.ours.move(next(left)), lambda: both.theirs.move(next(right)), ROUNDS)


def measure(both: Both) -> Result:
    """The figures."""
    moved, cancelled = raced(both, TitleState.HELD), raced(both, TitleState.RETIRED)
    one_by_one = single_notes(both)
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
            *one_by_one,
            "laws checked at the end; opened again, the books are the same",
        ),
    )
