"""Redeem: delivered tokens, accelerator time or answers fill credits, and their dollars move on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.credit_book import answered_register
from penstock.compute.deliver import fill, next_worked, one_span
from penstock.compute.due import Link
from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.segment import Column
from penstock.journal.words import LinkKind, Unit
from penstock.period import Period
from penstock.usecases.compute.entries import entries_of
from penstock.usecases.match import link_entry
from penstock.usecases.serve import spans_of, tile_spans
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Redeem:
    """Work was delivered for a holder's credits.

    ``sources`` are the spans delivered, on the rack's token register or calendar; without them the next ones that
    fill no credit yet. For credits in requests ``answers`` are the token positions of the requests answered, in order:
    n + 1 of them. ``work_root`` is the root of the work stated; ``period`` when it was done.
    """

    credit_class: str
    holder: str
    credits: int
    work_root: bytes
    period: Period
    sources: tuple[tuple[int, int], ...] = ()
    answers: tuple[int, ...] = ()


def redeem_credits(world: World, asked: Redeem, at_us: int) -> list[Entry]:
    """The facts of a redemption: for requests first what tokens answered them; then dollars, links, titles used up.

    Raises:
        As `Credits.reckon_redemption`. Refused: ``credit.undelivered``; what the books refuse of links.
    """
    act = world.capacity.reckon_redemption(asked.credit_class, asked.holder, asked.credits, asked.work_root, at_us)
    one = world.capacity.credits.named(asked.credit_class)
    rack = world.capacity.rack(one.terms.backing_rack)
    due = next(due for due in act.dues if isinstance(due, Link))
    before = [_answered(world, one, rack, asked)] if one.terms.unit is Unit.REQUESTS else []
    sources = _sources(world, one, rack, asked)
    links = fill(due.source, sources, due.target, due.spans)
    return [*before, *entries_of(world, act, link_entry(world, LinkKind.DELIVER, links, asked.period, not before))]


def _sources(world: World, one: Backed, rack: RackRegistered, asked: Redeem) -> dict[str, Column]:
    units = asked.credits * one.terms.units_per_credit
    deliver, registers = world.books.links[LinkKind.DELIVER], world.books.registers
    register = registers.id_of(world.capacity.credits.source_register(one, rack))
    if one.terms.unit is Unit.REQUESTS:
        start = int(registers.read[register])
        return one_span(start, start + units)
    if asked.sources:
        return _named(asked.sources)
    if one.terms.unit is Unit.MS:
        return next_worked(world.books.links[LinkKind.WORK], deliver, register, units)
    start = deliver.spent(register)
    if start + units > int(registers.read[register]):
        raise Refused("credit.undelivered", "Credits are redeemed for tokens that were served.", credits=asked.credits)
    return one_span(start, start + units)


def _named(sources: tuple[tuple[int, int], ...]) -> dict[str, Column]:
    spans = np.array(sources, dtype=np.int64)
    if (spans[:, 0] < 0).any() or (spans[:, 0] >= spans[:, 1]).any():
        raise Invalid("credit.sources", "What was delivered is spans that run upwards from 0 or more.")
    return {"start": spans[:, 0], "stop": spans[:, 1]}


def _answered(world: World, one: Backed, rack: RackRegistered, asked: Redeem) -> Entry:
    """Tokens answered requests of the application, one after the other."""
    positions = np.array(asked.answers, dtype=np.int64)
    if len(positions) != asked.credits * one.terms.units_per_credit + 1 or (np.diff(positions) <= 0).any():
        hint = "One more position than requests, each above the one before."
        raise Invalid("credit.answers", "Say which tokens answered each request.", hint=hint)
    register = answered_register(one.terms.credit_class)
    start = int(world.books.registers.read[world.books.registers.id_of(register)])
    requests = np.arange(start, start + len(positions), dtype=np.int64)
    links = tile_spans(world, rack.token_register, spans_of(positions), register, spans_of(requests))
    return link_entry(world, LinkKind.SERVE, links, asked.period)
