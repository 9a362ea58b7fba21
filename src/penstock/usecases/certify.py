"""Certify: verified readings become titles to the attribute and to the energy of whole intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from penstock.energy.certificate import interval_spans
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Invalid, Refused
from penstock.journal.correction import PRODUCED_RIGHTS
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Assurance, Right, Technology, TitleState
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, iso
from penstock.usecases.world import World

INTERVALS_US: Final = (QUARTER_HOUR_US, 2 * QUARTER_HOUR_US, HOUR_US)
"""How long a certificate's interval can be [us]."""
CARBON_MAX: Final = 10**9
VALID_US_MAX: Final = 100 * 366 * DAY_US
SUPPORT_CHARS_MAX: Final = 32
"""As many as fit where a certificate is lifted."""
COVER: Final = "cover of the issuer's debt"
"""Purpose of withdrawing what a register issues below its debt."""
NOT_METERED: Final = "not metered by the interval"
"""Purpose of withdrawing certificates whose readings lie too far apart."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all certificates of one issue share: the length of their interval [us], carbon, validity [us], support.

    Validity and support are of the attribute, not of the energy. Where readings around an end of an interval lie
    further apart than ``gap_us`` (0: any), it was not metered as such: its certificate is withdrawn at once, for
    `NOT_METERED`.
    """

    interval_us: int = HOUR_US
    carbon_mg_per_kwh: int = 0
    valid_us: int = 0
    support: str = ""
    gap_us: int = 0


HOURLY: Final = Terms()


def certify(
    world: World,
    readings: Sequence[Columns],
    zone: str,
    terms: Terms = HOURLY,
    rights: Sequence[Right] = PRODUCED_RIGHTS,
) -> list[Entry]:
    """Titles for every interval that ended within ``readings`` (columns of reading/1 or /2), on issuing registers.

    Of a register in quarantine, those before its first doubtful reading.

    Whoever owns the device's output in an interval holds them. One fact for each right, technology and assurance
    level - an interval's is the weakest of the readings behind it - and one more wherever a register's level changes;
    all or nothing. What covers an issuer's debt is withdrawn at once, for `COVER`: one fact more for each right. A
    register that was corrected issues nothing. ``rights`` are issued together, on registers that issue the first.

    Raises:
        Invalid: ``certificate.interval``, ``certificate.terms``. Refused: ``certificate.nothing`` where no whole
        interval has energy; ``certificate.border`` where a register's certificates of another length reach into one;
        what the title books refuse.
    """
    check_terms(terms)
    taken = _accepted(world, readings, rights[0])
    energy = world.energy
    spans = interval_spans(
        taken["register"],
        taken["at_us"],
        taken["position_wh"],
        energy.certified_at_us,
        energy.certified_wh,
        terms.interval_us,
        assurance=taken["assurance"],
        gap=True,
    )
    coarse = (spans.pop("gap_us") > terms.gap_us) & (terms.gap_us > 0)
    if not len(spans["register"]):
        raise Refused("certificate.nothing", "No whole interval has energy to certify yet.")
    _check_borders(world, rights[0], spans)
    level = spans.pop("assurance")
    columns: dict[str, Column] = {**spans, "holder": owners(world, spans["register"], spans["interval_us"])}
    technology = energy.technology[energy.device_of[spans["register"]]]
    entries = []
    for right in rights:
        world.books.check_issue(right, columns)
        entries += [_issue(columns, right, zone, terms, *alike) for alike in _alike(columns, technology, level)]
    entries += [one for right in rights for one in covers(world, right, columns)]
    said = [right for right in rights if right is not Right.ENERGY] if coarse.any() else []
    return entries + [one for right in said for one in _not_metered(world, right, columns, coarse)]


def check_terms(terms: Terms) -> None:
    """That certificates can be issued so.

    Raises:
        Invalid: ``certificate.interval`` for a length other than 15 or 30 minutes or an hour; ``certificate.terms``
        for a carbon or validity out of bounds, or a support that cannot be printed.
    """
    if terms.interval_us not in INTERVALS_US:
        raise Invalid("certificate.interval", "A certificate covers 15 minutes, 30 minutes or an hour.")
    times = 0 <= terms.valid_us <= VALID_US_MAX and 0 <= terms.gap_us <= VALID_US_MAX
    if not (times and 0 <= terms.carbon_mg_per_kwh <= CARBON_MAX):
        raise Invalid("certificate.terms", "Carbon, validity and gap are whole numbers of 0 or more, within bounds.")
    if len(terms.support) > SUPPORT_CHARS_MAX or not (terms.support.isascii() and terms.support.isprintable()):
        raise Invalid("certificate.terms", f"Support is named in up to {SUPPORT_CHARS_MAX} printable characters.")


def _check_borders(world: World, right: Right, spans: Columns) -> None:
    """That each register's next interval begins where its certificates end, or later."""
    _, reach_us = world.books.last_interval(right, spans["register"])
    early = np.flatnonzero(spans["interval_us"] < reach_us)
    if len(early):
        row = int(early[0])
        urn = world.books.registers.urn(int(spans["register"][row]))
        hint = f"Intervals of another length begin at {iso(int(reach_us[row]))} or later, on one of their own borders."
        raise Refused("certificate.border", f"{urn} has certificates within this interval.", hint=hint, register=urn)


def withdrawn(right: Right, spans: Columns, purpose: str) -> Entry:
    """The fact that takes titles to spans (register, start, stop) away from their ``holder``."""
    code = TITLE_STATES.index(TitleState.WITHDRAWN)
    columns = {name: spans[name] for name in ("register", "start", "stop")}
    columns |= {"source": spans["holder"], "target": spans["holder"]}
    segment = Segment(MOVES, {**columns, "state": np.full(len(spans["start"]), code, dtype=np.uint8)})
    quantity = int(np.sum(spans["stop"] - spans["start"]))
    return Entry(TitlesMoved(segment.ref(), right, TitleState.WITHDRAWN, purpose, "", quantity), segment)


def covers(world: World, right: Right, issued: Columns) -> list[Entry]:
    """What of an issue (columns of title/1) covers a debt, withdrawn: to be recorded right behind the issue."""
    row, start, stop = world.books.corrections.debts.covering(right, issued)
    if not len(row):
        return []
    spans = {"register": issued["register"][row], "start": start, "stop": stop, "holder": issued["holder"][row]}
    return [withdrawn(right, spans, COVER)]


def _not_metered(world: World, right: Right, issued: Columns, coarse: Column) -> list[Entry]:
    """Titles whose intervals were not metered as such, withdrawn where no debt took them already."""
    row, start, stop = world.books.corrections.debts.covering(right, issued)
    rows, mine = np.flatnonzero(coarse), coarse[row]
    begins = np.r_[rows, row[mine]], np.r_[issued["start"][rows], stop[mine]]
    ends = np.r_[rows, row[mine]], np.r_[issued["stop"][rows], start[mine]]
    first, last = np.lexsort(begins[::-1]), np.lexsort(ends[::-1])
    left = {"row": begins[0][first], "start": begins[1][first], "stop": ends[1][last]}
    full = left["stop"] > left["start"]
    left = {name: column[full] for name, column in left.items()}
    spans = {"register": issued["register"][left["row"]], "holder": issued["holder"][left["row"]]}
    spans |= {name: left[name] for name in ("start", "stop")}
    return [withdrawn(right, spans, NOT_METERED)] if len(left["row"]) else []


def _alike(columns: Columns, technology: Column, level: Column) -> Iterator[tuple[Column, Technology, Assurance]]:
    """Rows of one technology and level; those of a register whose level changes, run after run."""
    register = columns["register"]
    changes = np.r_[0, (level[1:] != level[:-1]) & (register[1:] == register[:-1])].cumsum()
    begins = np.flatnonzero(np.r_[True, register[1:] != register[:-1]])
    run = changes - np.repeat(changes[begins], np.diff(np.r_[begins, len(register)]))
    keys, group = np.unique(np.column_stack([run, technology, level]), axis=0, return_inverse=True)
    for number, (_, kind, code) in enumerate(keys.tolist()):
        yield np.flatnonzero(group.ravel() == number), TECHNOLOGIES[kind], ASSURANCES[code]


def _accepted(world: World, readings: Sequence[Columns], right: Right) -> dict[str, Column]:
    """Accepted readings of registers that issue a right, in one table."""
    readings = [{"assurance": np.zeros(len(part["verdict"]), dtype=np.uint8), **part} for part in readings]
    names = ("register", "at_us", "position_wh", "assurance", "verdict")
    joined = {name: np.concatenate([part[name] for part in readings]) for name in names}
    doubtful = joined["at_us"] >= world.energy.held_from_us(joined["register"])  # by the review of its day
    verdict = np.where(doubtful, ReadingVerdict.HELD_BACK, joined.pop("verdict"))
    issues = world.books.registers.issues(right)[joined["register"]]
    ended = world.books.corrections.ended(len(world.books.registers))[joined["register"]]
    if right in PRODUCED_RIGHTS:
        ended |= _stored(world, joined["register"])
    return {name: column[(verdict == 0) & issues & ~ended] for name, column in joined.items()}


def _stored(world: World, register: Column) -> Column:
    """Which registers count what a battery gives back: it generates nothing, and is certified by `registry.storage`."""
    device = world.energy.device_of[register]
    battery = (device >= 0) & (world.energy.technology[device] == TECHNOLOGIES.index(Technology.BATTERY))
    stored: Column = battery | world.books.storages.gives(len(world.books.registers))[register]
    return stored


def owners(world: World, registers: Column, interval_us: Column) -> Column:
    """The account of whoever owns what each register's device counts in an interval."""
    energy, device = world.energy, world.energy.device_of[registers]
    owner = energy.ownership.owner_at(device, energy.site[device], interval_us)
    present, place = np.unique(owner, return_inverse=True)
    names = [energy.ownership.owners.name(number) for number in present.tolist()]
    return np.array([world.books.accounts.id_of(name) for name in names], dtype=np.int32)[place]


def _issue(
    columns: Columns, right: Right, zone: str, terms: Terms, rows: Column, technology: Technology, assurance: Assurance
) -> Entry:
    segment = Segment(TITLES, {name: column[rows] for name, column in columns.items()})
    quantity = int(np.sum(segment.columns["stop"] - segment.columns["start"]))
    fact = TitlesIssued(segment.ref(), right, zone, technology, assurance, terms.interval_us, quantity)
    if right is Right.ATTRIBUTE:
        fact = replace(fact, carbon_mg_per_kwh=terms.carbon_mg_per_kwh, valid_us=terms.valid_us, support=terms.support)
    return Entry(fact, segment)
