"""Certificates cut in two, the first part sold, durable, among 10 million: against one row each in SQLite."""

from __future__ import annotations

from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.registry import Both, Columns, moves_of, registries
from bench.result import Result, race

ROUNDS: Final = 9
GOAL: Final = 5


def run() -> Result:
    """Interleaved rounds of certificates at random; at the end both hold the very same."""
    with registries() as both:
        return measure(both)


def halves(both: Both, rows: NDArray[np.int64]) -> Columns:
    """The first half of each certificate goes to another holder."""
    moves = moves_of(both.titles, rows, both.held_by_others(rows))
    return moves | {"stop": moves["start"] + (moves["stop"] - moves["start"]) // 2}


def measure(both: Both) -> Result:
    """The figures; the first batch warms both."""
    count = both.batch // 2
    batches = [halves(both, both.scattered(count)) for _ in range(ROUNDS + 1)]
    both.ours.move(batches[0])
    both.theirs.split(batches[0])
    left, right = iter(batches[1:]), iter(batches[1:])
    found = race(lambda: both.ours.move(next(left)), lambda: both.theirs.split(next(right)), ROUNDS)
    both.check()
    return Result(
        name="split",
        ours=count / median(found.ours_s),
        unit="certificates split/s, durable",
        peer=count / median(found.peer_s),
        ratio=found.ratio,
        peer_name="one row each in SQLite",
        notes=(
            f"{found.spread}; goal {GOAL}, and 400,000/s; {count:,} a batch, at random among {both.certificates:,}",
            f"ours, slowest batch: {count / max(found.ours_s):,.0f}/s",
            "laws checked at the end; opened again, the books are the same",
        ),
    )
