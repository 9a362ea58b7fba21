"""The rows that secrets and stated work come to, with what their provider stated of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.compute.challenge_book import Drawn
from penstock.compute.reexecution import Stated
from penstock.errors import Corrupt
from penstock.journal.segment import Columns
from penstock.usecases.workspace import Workspace

_HASH = 32


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A drawn answer: its place in the statement, its number, its payment id and what was stated of it."""

    row: int
    number: int
    payment_id: bytes
    stated: Stated


@dataclass(frozen=True, slots=True)
class DrawnWork:
    """A draw with its rows."""

    drawn: Drawn
    rows: tuple[DrawnRow, ...]


def draw_on(
    workspace: Workspace, provider: str, work_root: bytes, secrets: Sequence[bytes], rows: int, now_us: int
) -> DrawnWork:
    """Draw so many rows of the work stated with ``work_root``. Nothing is recorded. Raises as `Challenges.drawn`."""
    drawn = workspace.read(lambda world: world.challenges.drawn(provider, work_root, secrets, rows, now_us))
    return DrawnWork(drawn, rows_of(columns_of(workspace, drawn), drawn.work.fact.model, drawn.rows))


def columns_of(workspace: Workspace, drawn: Drawn) -> Columns:
    """The columns of the drawn statement, ``work/1``."""
    fact = next(workspace.facts(drawn.work.seq, drawn.work.seq + 1))
    columns = workspace.columns(fact)
    if columns is None:
        raise Corrupt("challenge.no_rows", "The rows of a statement are missing.", seq=drawn.work.seq)
    return columns


def rows_of(columns: Columns, model: str, rows: Sequence[int]) -> tuple[DrawnRow, ...]:
    """What a statement's columns say of some of its rows."""
    return tuple(_row(columns, model, row) for row in rows)


def _row(columns: Columns, model: str, row: int) -> DrawnRow:
    payment_id, request, answer = _digests(bytes(columns["digests"][row]))
    tokens = int(columns["prompt_tokens"][row]), int(columns["output_tokens"][row])
    return DrawnRow(row, int(columns["number"][row]), payment_id, Stated(model, *tokens, request, answer))


def _digests(packed: bytes) -> tuple[bytes, bytes, bytes]:
    """Payment id, sha256 of the request and of the answer."""
    return packed[:_HASH], packed[_HASH : 2 * _HASH], packed[2 * _HASH : 3 * _HASH]
