"""Faults: what judged challenges leave of a window, whatever its provider says it delivered.

A challenge of speed asks all accelerators of a rack at once: those that fail, found from the window's start on until it
is settled, count as not there for the whole window. A challenge of presence counts the interval of the work that nobody
showed as not delivered, on all accelerators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.compute.service import MS_PER_HOUR
from penstock.journal.fact import Recorded
from penstock.journal.kinds.work import ChallengeJudged, ChallengeKind, WorkStated
from penstock.period import HOUR_US

if TYPE_CHECKING:
    from penstock.compute.window import Window

_US_PER_MS = HOUR_US // MS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Slow:
    """Of a rack's accelerators so many failed, found at an instant [us]."""

    rack: str
    at_us: int
    failed: int
    asked: int


@dataclass(slots=True)
class Faults:
    """What was judged of racks: slow accelerators, and intervals [us] that nobody showed anything of."""

    stated: dict[tuple[str, bytes], tuple[int, int]] = field(default_factory=dict)
    slow: list[Slow] = field(default_factory=list)
    silent: list[tuple[str, int, int]] = field(default_factory=list)

    def apply(self, recorded: Recorded) -> None:
        """Fold one fact; others are passed over."""
        match recorded.fact:
            case WorkStated() as fact if fact.segment.rows:
                self.stated.setdefault((fact.provider, fact.root), (fact.start_us, fact.stop_us))
            case ChallengeJudged() as fact if fact.failed and fact.challenge is ChallengeKind.SPEED:
                self.slow.append(Slow(fact.rack, recorded.at_us, len(fact.failed), len(fact.rows)))
            case ChallengeJudged() as fact if fact.failed and fact.challenge is ChallengeKind.PRESENCE:
                if span := self.stated.get((fact.provider, fact.work_root)):
                    self.silent.append((fact.rack, *span))

    def missing_ms(self, window: Window) -> int:
        """Accelerator-milliseconds of a window that were shown not to be there, rounded up; no more than it has."""
        terms = window.terms
        mine = [one for one in self.slow if one.rack == terms.rack and one.at_us >= terms.start_us]
        slow_ms = max((-(-window.contracted_ms * one.failed // one.asked) for one in mine), default=0)
        spans = {(start, stop) for rack, start, stop in self.silent if rack == terms.rack}
        inside = (min(stop, window.stop_us) - max(start, terms.start_us) for start, stop in spans)
        silent_us = sum(max(us, 0) for us in inside)
        return min(slow_ms + -(-silent_us * terms.accelerators // _US_PER_MS), window.contracted_ms)
