"""Serve: a rack's answers of a period, each with its energy, its time, its tokens and its price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.compute.credit import billed_positions
from penstock.compute.energy_share import EnergyShare, share_metered
from penstock.compute.service import RackModel, Service
from penstock.journal.cutting import positions_of
from penstock.journal.fact import Entry
from penstock.journal.formats import REQUESTS
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, RackRegistered
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import LinkKind
from penstock.period import HOUR_US, Period
from penstock.units import MJ_PER_WH
from penstock.usecases.match import link_entry
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answered requests of a period, in order of arrival, and the hours they were served in."""

    period: Period
    arrived_us: Column
    tokens: Column
    service: Service
    buyer: str


def billed_register(credit_class: str) -> str:
    """The register of what a credit class billed [micro-dollars]."""
    return f"{credit_class}/billed"


def record_answers(world: World, rack: RackRegistered, answers: Answers, model: RackModel) -> list[Entry]:
    """Facts of the answers and their links: energy to accelerator time, time to tokens.

    What the rack's meter counted is shared out exactly: each answer's part, and idle as a named loss.

    Raises:
        Invalid: ``energy_share.no_answers``; Refused or Conflict as the books' `check_links`.
    """
    share = _share(world, rack, answers, model)
    time_ms = model.time_ms(answers.tokens)
    served = _served(world, rack, answers, time_ms, int(np.sum(answers.service.import_wh)) * MJ_PER_WH)
    work, calendar = _work_links(world, rack, answers, share, time_ms)
    tokens = spans_of(positions_of(answers.tokens, _reached(world, rack.token_register)))
    serve = tile_spans(world, rack.calendar_register, calendar, rack.token_register, tokens)
    return [
        served,
        link_entry(world, LinkKind.WORK, work, answers.period),
        link_entry(world, LinkKind.SERVE, serve, answers.period),
    ]


def bill_answers(world: World, rack: RackRegistered, terms: CreditsOffered, period: Period) -> list[Entry]:
    """What the answers not yet billed cost: tokens to micro-dollars, at floors of cumulative tokens."""
    token_register = world.books.registers.id_of(rack.token_register)
    served = world.books.links[LinkKind.SERVE].columns()
    start = world.books.links[LinkKind.BILL].spent(token_register)
    rows = (served["target"] == token_register) & (served["target_start"] >= start)
    tokens_at = np.append(served["target_start"][rows], served["target_stop"][rows][-1:])
    billed = spans_of(billed_positions(tokens_at, terms))
    register = billed_register(terms.credit_class)
    bill = tile_spans(world, rack.token_register, spans_of(tokens_at), register, billed)
    return [link_entry(world, LinkKind.BILL, bill, period)]


Spans = tuple[Column, Column]


def spans_of(positions: Column) -> Spans:
    """Consecutive spans between n + 1 positions."""
    return positions[:-1], positions[1:]


def _reached(world: World, register: str) -> int:
    return int(world.books.registers.read[world.books.registers.id_of(register)])


def _share(world: World, rack: RackRegistered, answers: Answers, model: RackModel) -> EnergyShare:
    service = answers.service
    start_mj = world.books.links[LinkKind.WORK].spent(world.books.registers.id_of(rack.energy_register))
    return share_metered(
        start_mj, service.hour_us, service.import_wh, model.idle_mj_per_hour, answers.arrived_us, answers.tokens
    )


def _served(world: World, rack: RackRegistered, answers: Answers, time_ms: Column, energy_mj: int) -> Entry:
    count = len(answers.tokens)
    first = world.compute.answers_served.get(rack.rack, 0)
    columns: dict[str, Column] = {
        "number": np.arange(first, first + count, dtype=np.int64),
        "arrived_us": answers.arrived_us,
        "buyer": np.full(count, world.books.accounts.id_of(answers.buyer), dtype=np.int32),
        "tokens": answers.tokens,
        "time_ms": time_ms,
    }
    segment = Segment(REQUESTS, columns)
    fact = AnswersServed(
        segment=segment.ref(),
        rack=rack.rack,
        start_us=answers.period.start_us,
        stop_us=answers.period.stop_us,
        answers=count,
        tokens=int(np.sum(answers.tokens)),
        energy_mj=energy_mj,
        refused_energy=answers.service.refused_energy,
        refused_capacity=answers.service.refused_capacity,
        modelled=True,
    )
    return Entry(fact, segment)


def _work_links(
    world: World, rack: RackRegistered, answers: Answers, share: EnergyShare, time_ms: Column
) -> tuple[Columns, Spans]:
    """Energy to accelerator time, answer by answer, and idle to its loss register, hour by hour."""
    calendar = _calendar_spans(world, rack, answers, time_ms)
    work = tile_spans(
        world, rack.energy_register, (share.answer_start, share.answer_stop), rack.calendar_register, calendar
    )
    idle_at = positions_of(share.idle_stop - share.idle_start, _reached(world, rack.idle_register))
    idle = tile_spans(
        world, rack.energy_register, (share.idle_start, share.idle_stop), rack.idle_register, spans_of(idle_at)
    )
    joined = {name: np.concatenate([work[name], idle[name]]) for name in work}
    order = np.argsort(joined["source_start"], kind="stable")
    return {name: column[order] for name, column in joined.items()}, calendar


def _calendar_spans(world: World, rack: RackRegistered, answers: Answers, time_ms: Column) -> Spans:
    """Each answer's stretch of the calendar: consecutive within its hour."""
    hour_us = answers.arrived_us // HOUR_US * HOUR_US
    stop = np.cumsum(time_ms)
    first_of_hour = np.searchsorted(hour_us, hour_us)
    within = stop - time_ms - (stop - time_ms)[first_of_hour]
    start = world.capacity.calendar(rack.rack).positions(hour_us) + within
    return start, start + time_ms


def tile_spans(world: World, source: str, source_spans: Spans, target: str, target_spans: Spans) -> Columns:
    """Columns of link/1 from spans of one register to spans of another, row by row."""
    rows = len(source_spans[0])
    return {
        "source": np.full(rows, world.books.registers.id_of(source), dtype=np.int32),
        "source_start": source_spans[0],
        "source_stop": source_spans[1],
        "target": np.full(rows, world.books.registers.id_of(target), dtype=np.int32),
        "target_start": target_spans[0],
        "target_stop": target_spans[1],
    }
