"""Bulk in chunks: many moves, row by row with a verdict each, and others' commands pass in between.

A chunk is one command. Its rows are sealed, written and synced before its turn comes, on the guess that all of them
will stand; so the turn itself takes a few milliseconds. Where some do not, the chunk is sealed anew without them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Columns, Segment, check_columns
from penstock.journal.state import refuse_first
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.usecases.claim import Claim
from penstock.usecases.fleet import segment_of
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

CHUNK_ROWS: Final = 5_000
_NONE_DONE: Final = np.zeros(0, dtype=np.bool_)
_NO_VERDICTS: Final = np.zeros(0, dtype=np.uint8)
Check = Callable[[World, Columns], None]


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """Moves of titles into one state: columns of move/1 but ``state``, for what `told` says.

    ``whole``: all of them or none, by one command. ``check`` is asked of each chunk in its turn, and may refuse it.
    """

    moves: Columns
    state: TitleState
    told: Claim
    right: Right = Right.ATTRIBUTE
    whole: bool = False
    check: Check | None = None

    def __len__(self) -> int:
        return len(self.moves["start"])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Which rows were ``done``; of the others why not (`Verdict`; OK where only the first asking was refused)."""

    done: NDArray[np.bool_]
    verdicts: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """A chunk whose segment is durable, and kept from the sweep until ``staged`` is closed."""

    part: Columns
    entry: Entry
    staged: ExitStack


def move_in_chunks(workspace: Workspace, key: str, bulk: Bulk, at_us: int, rows: int = CHUNK_ROWS) -> Outcome:
    """Record bulk moves under ``key`` and each chunk's number; asked again, it goes on where it was interrupted.

    One chunk is prepared while the one before it is recorded.

    Raises:
        Invalid: ``segment.columns``. As `Workspace.submit`, `SqlStore.staged` and ``check``, the chunks before it done;
        of a whole bulk `refuse_first`.
    """
    parts = _parts(bulk, max(len(bulk), 1) if bulk.whole else rows)
    outcomes, ahead = [Outcome(_NONE_DONE, _NO_VERDICTS)], list[Future[_Ready]]()
    with ThreadPoolExecutor(1) as pool:
        try:
            for number, part in enumerate(parts):
                ahead = ahead or [pool.submit(_prepare, workspace, bulk, part)]
                ready = ahead.pop().result()
                if number + 1 < len(parts):
                    ahead = [pool.submit(_prepare, workspace, bulk, parts[number + 1])]
                with ready.staged:
                    outcomes.append(_record(workspace, f"{key}.{number}", bulk, ready, at_us))
        finally:
            for left in ahead:
                left.result().staged.close()
    done, verdicts = ([getattr(one, name) for one in outcomes] for name in ("done", "verdicts"))
    return Outcome(np.concatenate(done), np.concatenate(verdicts))


def _parts(bulk: Bulk, size: int) -> list[Columns]:
    states = np.full(len(bulk), TITLE_STATES.index(bulk.state), dtype=np.uint8)
    columns = check_columns(MOVES, {**bulk.moves, "state": states})
    return [{name: column[at : at + size] for name, column in columns.items()} for at in range(0, len(bulk), size)]


def _prepare(workspace: Workspace, bulk: Bulk, part: Columns) -> _Ready:
    """Seal a chunk and write it, on the guess that all of it will stand."""
    segment, staged = Segment(MOVES, part), ExitStack()
    entry = _entry(bulk, segment)
    staged.enter_context(workspace.store.staged([segment]))
    return _Ready(part, entry, staged)


def _record(workspace: Workspace, key: str, bulk: Bulk, ready: _Ready, at_us: int) -> Outcome:
    part, judged = ready.part, list[NDArray[np.uint8]]()

    def decide(world: World) -> list[Entry]:
        if bulk.check:
            bulk.check(world, part)
        world.forwards.check_moves(bulk.right, part)
        verdicts = world.books.judge_moves(bulk.right, part, at_us)
        if bulk.whole:
            refuse_first(verdicts, part)
        judged[:] = [verdicts]
        if not verdicts.any():
            return [ready.entry]
        kept = np.flatnonzero(verdicts == 0)
        standing = Segment(MOVES, {name: column[kept] for name, column in part.items()})
        return [_entry(bulk, standing)] if len(kept) else []

    receipt = workspace.submit(key, ready.entry.fact, at_us, decide)
    if receipt.repeated:
        return _outcome_of(workspace, bulk, part, receipt.first_seq, at_us)
    return Outcome(judged[0] == 0, judged[0])


def _entry(bulk: Bulk, segment: Segment) -> Entry:
    told = bulk.told
    start_us, stop_us = (told.period.start_us, told.period.stop_us) if told.period else (0, 0)
    fact = TitlesMoved(
        segment.ref(), bulk.right, bulk.state, told.purpose, told.beneficiary,
        int(np.sum(segment.columns["stop"] - segment.columns["start"])), told.statement, start_us, stop_us, told.by,
    )  # fmt: skip
    return Entry(fact, segment)


def _outcome_of(workspace: Workspace, bulk: Bulk, part: Columns, seq: int, at_us: int) -> Outcome:
    """What became of a chunk that was recorded before: the rows of its fact, which stand in the chunk's order."""
    recorded = segment_of(workspace, next(workspace.facts(seq, seq + 1)))
    done, at = np.zeros(len(part["start"]), dtype=np.bool_), 0
    rows, kept = (np.stack([columns[name] for name in part]).T.tolist() for columns in (part, recorded))
    for row, asked in enumerate(rows):
        if at < len(kept) and asked == kept[at]:
            done[row], at = True, at + 1
    verdicts = workspace.read(lambda world: world.books.judge_moves(bulk.right, part, at_us))
    return Outcome(done, np.where(done, 0, verdicts).astype(np.uint8))
