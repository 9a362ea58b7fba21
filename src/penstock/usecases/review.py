"""Review a day that is over: what its readings show side by side puts the guilty in quarantine, by a fact.

What was certified of them before stays certified: taking it back is a correction, and a decision of somebody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from penstock.energy.checks.findings import QUARANTINES
from penstock.energy.review import DAY_ENDS_US, RULES, of_day
from penstock.energy.review import review as reviewed
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Corrupt, Refused
from penstock.journal.fact import Entry, Recorded
from penstock.journal.formats import REVIEWS
from penstock.journal.kinds.energy import ReadingsVerified, Tally
from penstock.journal.kinds.quarantine import ReadingsReviewed
from penstock.journal.segment import Column, Columns, Segment
from penstock.period import DAY_US, iso
from penstock.usecases.fleet import names_of, segment_of
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
EARLY_US: Final = DAY_US
"""Readings recorded so long before a day are not of it: times lie minutes ahead of their receiver at most [us]."""


def review(world: World, day_us: int, facts: int, parts: Sequence[Columns], at_us: int) -> list[Entry]:
    """One fact of what the readings of a day show; ``parts`` are those of the first ``facts`` facts, as `of_day` says.

    Raises:
        Refused: ``review.too_early`` where the day is not over everywhere, ``review.nothing`` without readings.
    """
    if at_us < day_us + DAY_US + DAY_ENDS_US or day_us % DAY_US:
        hint = f"It ends by the sun of every place at {iso(day_us + DAY_US + DAY_ENDS_US)}."
        raise Refused("review.too_early", "That day is not over yet.", hint=hint)
    parts = [part for part in parts if len(part["register"])]
    if not parts:
        raise Refused("review.nothing", "No reading of that day counts.", day=iso(day_us)[:10])
    found, registers, count = reviewed(parts, world.energy, world.sky)
    segment = Segment(REVIEWS, found)
    fact = ReadingsReviewed(segment.ref(), day_us, facts, RULES, registers, count, _tally(found["findings"]))
    return [Entry(fact, segment)]


def looked_at(recorded: Recorded, day_us: int, facts: int) -> bool:
    """Whether a fact's readings may be of that day and are among those of the first ``facts`` facts."""
    recent = recorded.at_us >= day_us - EARLY_US and recorded.seq < facts
    return recent and isinstance(recorded.fact, ReadingsVerified)


def review_day(workspace: Workspace, day_us: int, at_us: int) -> Row:
    """Review a day and record it, unless the last review of that day saw and found the same; what was found.

    Raises:
        As `review`.
    """
    facts = workspace.store.size()
    parts = list(_readings(workspace, day_us, facts))

    def decide(world: World) -> list[Entry]:
        (entry,) = review(world, day_us, facts, parts, at_us)
        last = _last(workspace, day_us)
        same = last is not None and replace(last, facts=facts) == entry.fact
        return [] if same else [entry]

    workspace.submit(f"review:{iso(day_us)[:10]}:{at_us}", b"", at_us, decide)
    last = _last_row(workspace, day_us)
    if last is None:
        raise Corrupt("store.segment_missing", "A review that was recorded is not there.")
    return workspace.read(partial(_told, last[1], segment_of(workspace, last[0])))


def _readings(workspace: Workspace, day_us: int, facts: int) -> Iterator[Columns]:
    """The day's readings, part by part as they came; the workspace is free between two parts."""
    for row in workspace.facts():
        if looked_at(row.recorded, day_us, facts):
            columns = segment_of(workspace, row)
            yield workspace.read(partial(_of_day, columns, day_us // DAY_US))


def _of_day(columns: Columns, day: int, world: World) -> Columns:
    return of_day(columns, day, world.energy)


def _last(workspace: Workspace, day_us: int) -> ReadingsReviewed | None:
    last = _last_row(workspace, day_us)
    return None if last is None else last[1]


def _last_row(workspace: Workspace, day_us: int) -> tuple[FactRow, ReadingsReviewed] | None:
    """The last review of a day."""
    found = None
    for row in workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, ReadingsReviewed) and fact.day_us == day_us:
            found = row, fact
    return found


def _tally(findings: Column) -> tuple[Tally, ...]:
    """How many registers each finding was made of, by name, in order of code."""
    counts = {code: int(np.sum(findings >> np.uint32(code) & 1)) for code in ReadingVerdict if code}
    return tuple(Tally(code.name.lower(), count) for code, count in counts.items() if count)


def _told(fact: ReadingsReviewed, columns: Columns, world: World) -> Row:
    found = _rows(world, columns)
    return {"day": iso(fact.day_us)[:10], "registers": fact.registers, "readings": fact.readings, "found": found}


def _rows(world: World, columns: Columns) -> list[Row]:
    energy = world.energy
    rows = zip(*(columns[name].tolist() for name in ("register", "at_us", "findings")), strict=True)
    return [
        {
            "device": energy.name(int(energy.device_of[register])),
            "register": world.books.registers.urn(register),
            "from": iso(at_us),
            "findings": names_of(findings),
            "outcome": "quarantined" if findings & int(QUARANTINES) else "noted",
            "certified_before": bool(findings & int(QUARANTINES) and energy.certified_at_us[register] >= at_us),
        }
        for register, at_us, findings in rows
    ]
