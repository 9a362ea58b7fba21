"""Consume: verified readings of what was drawn become consumption certificates, interval by interval.

A consumption certificate is the right to say what supplied a Wh drawn. It is issued as one of generation is, on a
register that counts what its device draws, to whoever owns the device; the same claim uses both up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import Right
from penstock.usecases.certify import HOURLY, Terms, certify
from penstock.usecases.fleet import segment_of
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Consumption:
    """Consumption certificates are asked for: whatever is not certified yet, in a zone, over intervals so long [us]."""

    zone: str
    interval_us: int = HOURLY.interval_us


def consume(world: World, readings: Sequence[Columns], zone: str, terms: Terms = HOURLY) -> list[Entry]:
    """Consumption certificates for every interval that ended within ``readings`` (columns of reading/1 or /2).

    Of registers that issue them; else as `certify`. Raises as `certify`.
    """
    return certify(world, readings, zone, terms, (Right.CONSUMPTION,))


def consume_on(workspace: Workspace, key: str, asked: Consumption, at_us: int) -> Done:
    """Certify all that was drawn and is not certified yet; the same key again tells what it did. As `certify`."""
    terms = replace(HOURLY, interval_us=asked.interval_us)

    def decide(world: World) -> list[Entry]:
        return consume(world, list(verified(workspace)), asked.zone, terms)

    return done(workspace, key, asked, at_us, decide)


def verified(workspace: Workspace) -> Iterator[Columns]:
    """Every verified reading, in order; those behind the end of a register's certificates are passed over later."""
    for row in workspace.facts():
        if isinstance(row.recorded.fact, ReadingsVerified):
            yield segment_of(workspace, row)
