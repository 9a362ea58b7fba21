"""Certificates issued in bulk, durable, among 10 million: against one row each in SQLite."""

from __future__ import annotations

from statistics import median
from typing import Final

from bench.registry import Both, registries
from bench.result import Result, race

ROUNDS: Final = 9
GOAL: Final = 5


def run() -> Result:
    """Interleaved rounds, each the next hours of all registers; at the end both hold the very same certificates."""
    with registries() as both:
        return measure(both)


def measure(both: Both) -> Result:
    """The figures; the first batch warms both."""
    hours = both.batch // both.ours.registers
    batches = [both.ours.next_hours(hours) for _ in range(ROUNDS + 1)]
    both.ours.issue(batches[0])
    both.theirs.issue(batches[0])
    left, right = iter(batches[1:]), iter(batches[1:])
    found = race(lambda: both.ours.issue(next(left)), lambda: both.theirs.issue(next(right)), ROUNDS)
    both.check()
    return Result(
        name="issue",
        ours=both.batch / median(found.ours_s),
        unit="certificates issued/s, durable",
        peer=both.batch / median(found.peer_s),
        ratio=found.ratio,
        peer_name="one row each in SQLite",
        notes=(
            f"{found.spread}; goal {GOAL}, and 1,000,000/s; {both.batch:,} a batch to {both.certificates:,} held",
            f"ours, slowest batch: {both.batch / max(found.ours_s):,.0f}/s; every row a leaf of the fact's Merkle root",
            "laws checked at the end; opened again, the books are the same",
        ),
    )
