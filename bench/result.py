"""What a benchmark gives back, and how two ways of doing the same thing are timed side by side."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

SMALL: Final = "PENSTOCK_BENCH_SMALL"


@dataclass(frozen=True, slots=True)
class Result:
    """One measured figure.

    ``ours`` and ``peer`` are in ``unit``; ``ratio`` says how many times better than ``peer_name`` we are, and is
    None where there is no peer. ``notes`` state spread, side figures and conditions.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    peer_name: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Result | Mapping[str, Any], name: str) -> Result:
        """A Result from what a benchmark's ``run`` returned: itself, or a mapping with these fields."""
        if isinstance(data, Result):
            return data
        known = {field: data[field] for field in cls.__slots__ if field in data}
        return cls(**{**known, "name": data.get("name", name), "notes": tuple(data.get("notes", ()))})

    def to_json(self) -> str:
        """One object on one line; ``notes`` is a list."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds of two contestants, round by round: they took turns, so a busy machine slows both."""

    ours_s: tuple[float, ...]
    peer_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over rounds of peer's seconds to ours."""
        return median(self._ratios())

    @property
    def spread(self) -> str:
        """Lowest and highest ratio of a round, for the notes."""
        ratios = self._ratios()
        return f"ratio over {len(ratios)} interleaved rounds: {min(ratios):.1f} to {max(ratios):.1f}"

    def _ratios(self) -> list[float]:
        return [peer / ours for ours, peer in zip(self.ours_s, self.peer_s, strict=True)]


def is_small() -> bool:
    """Whether a quick run was asked for: fewer rows, and figures that say nothing."""
    return SMALL in os.environ


def race(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 5) -> Race:
    """Time both ``rounds`` times in turn. Call each once before, so that nothing is compiled or loaded in here."""
    pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return Race(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def seconds(act: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
