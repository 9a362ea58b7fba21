"""Badges as rows for the doors: what was retired on chain, for whom and what for, and the very certificates it was."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.kinds.lift import TitlesReturned
from penstock.journal.words import Right
from penstock.period import iso
from penstock.usecases.fleet import segment_of
from penstock.usecases.registry.certificate_rows import rows_of
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
CERTIFICATES_MAX: Final = 200


def badge(workspace: Workspace, trail: Trail, number: int) -> Row:
    """One badge, by its number on chain.

    Raises:
        NotFound: ``badge.unknown``, also before its burn is final and taken in.
    """
    burned = trail.badge(number)
    fact, seq = burned.recorded.fact, burned.recorded.seq
    if not isinstance(fact, TitlesReturned):
        raise TypeError(fact.KIND)
    rows = _certificates(workspace, seq + 1)
    return {
        "badge": number,
        "energy_wh": fact.quantity,
        "beneficiary": fact.beneficiary,
        "purpose": fact.purpose,
        "holder": f"0x{fact.holder.hex()}",
        "certificate": fact.certificate.hex(),
        "at": iso(burned.recorded.at_us),
        "seq": seq,
        "zones": sorted({row["zone"] for row in rows}),
        "technologies": sorted({row["technology"] for row in rows}),
        "produced_from": min((row["hour"] for row in rows), default=""),
        "produced_to": max((row["ends"] for row in rows), default=""),
        "certificates": rows,
    }


def _certificates(workspace: Workspace, seq: int) -> list[Row]:
    """The first certificates of the move that follows a burn."""
    (row,) = workspace.facts(seq, seq + 1)
    if not isinstance(row.recorded.fact, TitlesMoved):
        return []
    moved = {name: column[:CERTIFICATES_MAX] for name, column in segment_of(workspace, row).items()}
    spans = tuple(np.asarray(moved[name]) for name in ("register", "start", "stop"))
    return workspace.read(lambda world: rows_of(world, world.books.titles[Right.ATTRIBUTE].parts(*spans)))
