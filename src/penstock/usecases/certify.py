"""Certify: verified readings become titles to the attribute and to the energy of whole intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.energy.certificate import interval_spans
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import TITLES
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.period import HOUR_US
from penstock.usecases.world import World


def certify(world: World, readings: Sequence[Columns], zone: str) -> list[Entry]:
    """Titles for every interval that ended within ``readings`` (columns of reading/1), on issuing registers.

    Each site's owner holds them. One fact a right; all or nothing.

    Raises:
        Refused: ``certificate.nothing`` where no whole interval has energy; what the title books refuse.
    """
    taken = _accepted(world, readings)
    energy = world.energy
    spans = interval_spans(
        taken["register"], taken["at_us"], taken["position_wh"], energy.certified_at_us, energy.certified_wh
    )
    if not len(spans["register"]):
        raise Refused("certificate.nothing", "No whole interval has energy to certify yet.")
    columns: dict[str, Column] = {**spans, "holder": _owners(world, spans["register"])}
    return [_issue(world, columns, right, zone) for right in (Right.ATTRIBUTE, Right.ENERGY)]


def _accepted(world: World, readings: Sequence[Columns]) -> dict[str, Column]:
    """Accepted readings of registers that issue certificates, in one table."""
    joined = {name: np.concatenate([part[name] for part in readings]) for name in ("register", "at_us", "position_wh")}
    verdict = np.concatenate([part["verdict"] for part in readings])
    issues = world.books.registers.issues(Right.ATTRIBUTE)[joined["register"]]
    return {name: column[(verdict == 0) & issues] for name, column in joined.items()}


def _owners(world: World, registers: Column) -> Column:
    """The account of each register's site owner."""
    books, energy = world.books, world.energy
    owners = np.array([books.accounts.id_of(books.sites[site].owner) for site in energy.sites], dtype=np.int32)
    return owners[energy.site[energy.device_of[registers]]]


def _issue(world: World, columns: Columns, right: Right, zone: str) -> Entry:
    world.books.check_issue(right, columns)
    segment = Segment(TITLES, columns)
    fact = TitlesIssued(
        segment=segment.ref(),
        right=right,
        zone=zone,
        technology=Technology.SOLAR_PV,
        assurance=Assurance.METER_SIGNED,
        interval_us=HOUR_US,
        quantity=int(np.sum(columns["stop"] - columns["start"])),
    )
    return Entry(fact, segment)
