"""Offset: certificates retired for AI work - a rack's, a model's, or one answer's - to the energy that its record says.

The work's energy is read from the links, in millijoules, and rounded up to Wh: an offset covers at least what was used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from penstock.energy.carbon.book import offset_purpose
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.carbon import OffsetRetired, Work
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.segment import Columns
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.period import Period
from penstock.trace.lineage import answer_span
from penstock.units import MJ_PER_WH
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.selection import Selection, Use, usable
from penstock.usecases.serve import billed_register
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Offset:
    """For which work: an answer's ``number`` of the rack ``name``; else all of the rack or model so far."""

    work: Work
    name: str
    beneficiary: str
    number: int = 0
    statement: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose certificates, which suit, and for what: what a key stands for."""

    account: str
    filters: Selection
    offset: Offset


def energy_mj(world: World, asked: Offset) -> int:
    """What the work took [mJ]: an answer's own share, all of a rack's draw, or the answers of a model.

    Raises:
        NotFound: ``trace.no_rack``, ``trace.no_answer``, ``offset.no_model``.
    """
    books = world.books
    if asked.work is Work.MODEL:
        return _model_mj(world, asked.name)
    rack = _rack(world, asked.name)
    if asked.work is Work.RACK:
        return books.links[LinkKind.WORK].spent(books.registers.id_of(rack.energy_register))
    span = answer_span(books, rack, asked.number)
    return _behind(world, books.registers.id_of(rack.token_register), np.array([span.start]), np.array([span.stop]))


def _rack(world: World, name: str) -> RackRegistered:
    if name not in world.compute.racks:
        raise NotFound("trace.no_rack", f"There is no rack {name}.", rack=name)
    return world.compute.racks[name]


def _model_mj(world: World, model: str) -> int:
    classes = [name for name, book in world.compute.credits.items() if book.terms.model == model]
    if not classes:
        raise NotFound("offset.no_model", f"No credits of the model {model} are offered.", model=model)
    total, bills = 0, world.books.links[LinkKind.BILL].columns()
    for name in classes:
        rows = np.flatnonzero(bills["target"] == world.books.registers.id_of(billed_register(name)))
        for register in np.unique(bills["source"][rows]).tolist():
            of = rows[bills["source"][rows] == register]
            total += _behind(world, register, bills["source_start"][of], bills["source_stop"][of])
    return total


def _behind(world: World, tokens: int, start: Any, stop: Any) -> int:
    """Energy behind tokens [mJ]: through accelerator time."""
    served = world.books.links[LinkKind.SERVE].backward(tokens, start, stop)
    worked = world.books.links[LinkKind.WORK].backward(served.source, served.source_start, served.source_stop)
    return int((worked.source_stop - worked.source_start).sum())


def wh_up(mj: int) -> int:
    """Millijoules as Wh, rounded up."""
    return -(-mj // MJ_PER_WH)


def offset(world: World, parts: Columns, asked: Offset, period: Period) -> list[Entry]:
    """Facts that retire held certificates (rows of `TitleBook.parts`) for AI work, and say for which.

    Raises:
        Refused: ``offset.quantity`` unless the parts are exactly the work's energy, rounded up to Wh, less what was
            offset of it before; ``offset.nothing`` where nothing is left. Conflict: ``offset.twice``.
            As `energy_mj`, and what the books refuse of the moves.
    """
    mj, due_wh = needed(world, asked)
    quantity = int(np.sum(parts["stop"] - parts["start"]))
    if quantity != due_wh:
        sentence = f"This work takes {due_wh} Wh; {quantity} are given."
        raise Refused("offset.quantity", sentence, hint="Select exactly so many.", due_wh=due_wh)
    number = asked.number if _is_answer(asked) else -1
    fact = OffsetRetired(
        asked.work, asked.name, number, period.start_us, period.stop_us, mj, quantity, asked.beneficiary, asked.by
    )
    retired = Claim(asked.beneficiary, offset_purpose(fact), period, asked.statement, asked.by)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.RETIRED, retired), Entry(fact)]


def offset_on(workspace: Workspace, key: str, account: str, filters: Selection, asked: Offset, at_us: int) -> Done:
    """Retire as many of an account's certificates as the work took, of those that suit. Raises as `offset`."""

    def decide(world: World) -> list[Entry]:
        _, due_wh = needed(world, asked)
        exactly = replace(filters, quantity_wh=due_wh)
        parts = usable(world, account, exactly, Use(TitleState.RETIRED, asked.beneficiary), at_us)
        world.participants.check_may(asked.by, account, "retire", due_wh)
        return offset(world, parts, asked, of_intervals(world, parts))

    return done(workspace, key, Asked(account, filters, asked), at_us, decide)


def of_intervals(world: World, parts: Columns) -> Period:
    """From the first interval of certificates to the end of the last."""
    length_us = world.books.lots.column("interval_us")[parts["lot"]]
    return Period(int(parts["interval_us"].min()), int((parts["interval_us"] + length_us).max()))


def needed(world: World, asked: Offset) -> tuple[int, int]:
    """The work's energy [mJ], and the Wh to retire for it: less what was retired for this rack or model before.

    Raises:
        Refused: ``offset.nothing``. Conflict: ``offset.twice``. As `energy_mj`.
    """
    mj = energy_mj(world, asked)
    number = asked.number if _is_answer(asked) else -1
    named = OffsetRetired(asked.work, asked.name, number, 0, 0, mj, 0, asked.beneficiary)
    world.carbon.check_offset(named)
    same = [
        one for _, one in world.carbon.offsets if (one.work, one.name, one.number) == (named.work, named.name, number)
    ]
    due_wh = wh_up(mj) - sum(one.quantity_wh for one in same)
    if due_wh < 1:
        raise Refused("offset.nothing", "There is no energy of this work left to offset.", work=asked.name)
    return mj, due_wh


def offset_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Every offset, as rows for the doors."""
    found = workspace.read(lambda world: list(world.carbon.offsets))
    return [
        {
            "fact": seq,
            "work": one.work.value,
            "name": one.name,
            "number": one.number,
            "energy_mj": one.energy_mj,
            "quantity_wh": one.quantity_wh,
            "beneficiary": one.beneficiary,
            "by": one.by,
        }
        for seq, one in found
    ]


def _is_answer(asked: Offset) -> bool:
    return asked.work is Work.ANSWER
