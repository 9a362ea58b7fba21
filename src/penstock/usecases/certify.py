"""Certify: verified readings become titles to the attribute and to the energy of whole intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from penstock.energy.certificate import interval_spans
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Refused
from penstock.journal.correction import COUNTED_RIGHTS
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Assurance, Right, Technology, TitleState
from penstock.period import HOUR_US
from penstock.usecases.world import World

COVER: Final = "cover of the issuer's debt"
"""Purpose of withdrawing what a register issues below its debt."""


def certify(world: World, readings: Sequence[Columns], zone: str) -> list[Entry]:
    """Titles for every interval that ended within ``readings`` (columns of reading/1 or /2), on issuing registers.

    Of a register in quarantine, those before its first doubtful reading.

    Whoever owns the device's output in an interval holds them. One fact for each right, technology and assurance
    level - an interval's is the weakest of the readings behind it - and one more wherever a register's level changes;
    all or nothing. What covers an issuer's debt is withdrawn at once, for `COVER`: one fact more for each right. A
    register that was corrected issues nothing.

    Raises:
        Refused: ``certificate.nothing`` where no whole interval has energy; what the title books refuse.
    """
    taken = _accepted(world, readings)
    energy = world.energy
    spans = interval_spans(
        taken["register"],
        taken["at_us"],
        taken["position_wh"],
        energy.certified_at_us,
        energy.certified_wh,
        assurance=taken["assurance"],
    )
    if not len(spans["register"]):
        raise Refused("certificate.nothing", "No whole interval has energy to certify yet.")
    level = spans.pop("assurance")
    columns: dict[str, Column] = {**spans, "holder": _owners(world, spans["register"], spans["interval_us"])}
    technology = energy.technology[energy.device_of[spans["register"]]]
    entries = []
    for right in COUNTED_RIGHTS:
        world.books.check_issue(right, columns)
        entries += [_issue(columns, right, zone, *alike) for alike in _alike(columns, technology, level)]
    return entries + _covers(world, columns)


def withdrawn(right: Right, spans: Columns, purpose: str) -> Entry:
    """The fact that takes titles to spans (register, start, stop) away from their ``holder``."""
    code = TITLE_STATES.index(TitleState.WITHDRAWN)
    columns = {name: spans[name] for name in ("register", "start", "stop")}
    columns |= {"source": spans["holder"], "target": spans["holder"]}
    segment = Segment(MOVES, {**columns, "state": np.full(len(spans["start"]), code, dtype=np.uint8)})
    quantity = int(np.sum(spans["stop"] - spans["start"]))
    return Entry(TitlesMoved(segment.ref(), right, TitleState.WITHDRAWN, purpose, "", quantity), segment)


def _covers(world: World, issued: Columns) -> list[Entry]:
    """What of an issue covers a debt - a register's units below it - withdrawn in both rights."""
    stop = np.minimum(issued["stop"], world.books.corrections.debt_wh(issued["register"]))
    rows = np.flatnonzero(stop > issued["start"])
    if not len(rows):
        return []
    spans = {name: issued[name][rows] for name in ("register", "start", "holder")} | {"stop": stop[rows]}
    return [withdrawn(right, spans, COVER) for right in COUNTED_RIGHTS]


def _alike(columns: Columns, technology: Column, level: Column) -> Iterator[tuple[Column, Technology, Assurance]]:
    """Rows of one technology and level; those of a register whose level changes, run after run."""
    register = columns["register"]
    changes = np.r_[0, (level[1:] != level[:-1]) & (register[1:] == register[:-1])].cumsum()
    begins = np.flatnonzero(np.r_[True, register[1:] != register[:-1]])
    run = changes - np.repeat(changes[begins], np.diff(np.r_[begins, len(register)]))
    keys, group = np.unique(np.column_stack([run, technology, level]), axis=0, return_inverse=True)
    for number, (_, kind, code) in enumerate(keys.tolist()):
        yield np.flatnonzero(group.ravel() == number), TECHNOLOGIES[kind], ASSURANCES[code]


def _accepted(world: World, readings: Sequence[Columns]) -> dict[str, Column]:
    """Accepted readings of registers that issue certificates, in one table."""
    readings = [{"assurance": np.zeros(len(part["verdict"]), dtype=np.uint8), **part} for part in readings]
    names = ("register", "at_us", "position_wh", "assurance", "verdict")
    joined = {name: np.concatenate([part[name] for part in readings]) for name in names}
    doubtful = joined["at_us"] >= world.energy.held_from_us(joined["register"])  # by the review of its day
    verdict = np.where(doubtful, ReadingVerdict.HELD_BACK, joined.pop("verdict"))
    issues = world.books.registers.issues(Right.ATTRIBUTE)[joined["register"]]
    ended = world.books.corrections.ended(len(world.books.registers))[joined["register"]]
    return {name: column[(verdict == 0) & issues & ~ended] for name, column in joined.items()}


def _owners(world: World, registers: Column, interval_us: Column) -> Column:
    """The account of whoever owns what each register's device counts in an interval."""
    energy, device = world.energy, world.energy.device_of[registers]
    owner = energy.ownership.owner_at(device, energy.site[device], interval_us)
    present, place = np.unique(owner, return_inverse=True)
    names = [energy.ownership.owners.name(number) for number in present.tolist()]
    return np.array([world.books.accounts.id_of(name) for name in names], dtype=np.int32)[place]


def _issue(
    columns: Columns, right: Right, zone: str, rows: Column, technology: Technology, assurance: Assurance
) -> Entry:
    segment = Segment(TITLES, {name: column[rows] for name, column in columns.items()})
    fact = TitlesIssued(
        segment=segment.ref(),
        right=right,
        zone=zone,
        technology=technology,
        assurance=assurance,
        interval_us=HOUR_US,
        quantity=int(np.sum(segment.columns["stop"] - segment.columns["start"])),
    )
    return Entry(fact, segment)
