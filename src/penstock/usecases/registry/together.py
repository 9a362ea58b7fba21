"""Together: issue, transfer, and claim or retire, as one command: all of it is recorded or nothing.

The later facts are about titles that the first ones issue, so no book knows them yet: they are made from the issue's
own columns, and from them alone, so that none can fail once the issue stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from penstock.energy.matching import Rules, Side, match
from penstock.errors import Invalid, Refused
from penstock.journal import link_rules
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.segment import Column, Columns
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.period import Period
from penstock.usecases.certify import HOURLY, NOT_METERED, Terms, certify
from penstock.usecases.claim import Claim, move_entry
from penstock.usecases.match import link_entry
from penstock.usecases.registry.consume import verified
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.issue import check_issue
from penstock.usecases.registry.match_hours import Matched, side_of, titles_held
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import quantity_of
from penstock.usecases.registry.transfer import PURPOSE, check_receiver
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


class Then(StrEnum):
    """What becomes of certificates once they are issued, and transferred."""

    HOLD = "hold"
    CLAIM = "claim"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Together:
    """Issue in a zone on these terms; what ``account`` gets of it goes to ``target`` (empty: it keeps it).

    Then it is held, claimed for what ``consumers`` drew in the same intervals - as much of it as was - or retired for
    a ``reason``.
    """

    zone: str
    account: str
    target: str = ""
    then: Then = Then.HOLD
    terms: Terms = HOURLY
    consumers: tuple[str, ...] = ()
    beneficiary: str = ""
    reason: str = ""
    statement: str = ""
    rules: Rules = field(default_factory=Rules)
    by: str = ""

    @property
    def holder(self) -> str:
        """Who has the certificates in the end."""
        return self.target or self.account


def together(world: World, readings: Sequence[Columns], asked: Together, at_us: int) -> list[Entry]:
    """The facts of all of it, in order.

    Raises:
        Invalid: ``retire.reason``, ``retire.text``. Refused: ``together.nothing`` where ``account`` gets none of the
        issue, ``together.unmatched`` where nothing was drawn in its intervals. As `check_issue`, `certify`,
        `check_receiver`, `check_may`.
    """
    check_text(asked.beneficiary, asked.reason, asked.statement)
    if asked.then is Then.RETIRE and not asked.reason.strip():
        raise Invalid("retire.reason", "A retirement says what for.")
    check_issue(world, asked.zone, asked.by)
    entries = certify(world, readings, asked.zone, asked.terms)
    rows = _issued(world, entries, asked, at_us)
    if asked.target or asked.then is not Then.HOLD:
        world.forwards.check_issued(rows)
    if asked.target:
        entries.append(_transferred(world, rows, asked))
        rows = {**rows, "holder": np.full(len(rows["start"]), world.books.accounts.id_of(asked.target), dtype=np.int32)}
    if asked.then is Then.RETIRE:
        entries.append(_retired(world, rows, asked))
    elif asked.then is Then.CLAIM:
        entries += _claimed(world, rows, asked, at_us)
    return entries


def _issued(world: World, entries: Sequence[Entry], asked: Together, at_us: int) -> dict[str, Column]:
    """What ``account`` gets of an issue: certificates as they will stand, without what is withdrawn at once."""
    parts = [one.segment.columns for one in entries if _is_certificates(one) and one.segment is not None]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = _uncovered(world, rows)
    terms = asked.terms
    kept = (rows["holder"] == world.books.accounts.id_of(asked.account)) & _metered(entries, rows)
    if terms.valid_us:
        kept &= at_us - rows["interval_us"] - terms.interval_us < terms.valid_us
    if not kept.any():
        raise Refused("together.nothing", f"{asked.account} gets no certificate by this issue.", account=asked.account)
    return {name: column[kept] for name, column in rows.items()}


def _is_certificates(entry: Entry) -> bool:
    return isinstance(entry.fact, TitlesIssued) and entry.fact.right is Right.ATTRIBUTE


def _metered(entries: Sequence[Entry], rows: Columns) -> Column:
    """Which rows were metered by the interval: the others are withdrawn at once, up to where they stop."""
    stands = np.ones(len(rows["start"]), dtype=bool)
    for entry in entries:
        fact, segment = entry.fact, entry.segment
        if segment is not None and isinstance(fact, TitlesMoved) and fact.purpose == NOT_METERED:
            gone = set(zip(segment.columns["register"].tolist(), segment.columns["stop"].tolist(), strict=True))
            ends = zip(rows["register"].tolist(), rows["stop"].tolist(), strict=True)
            stands &= np.array([end not in gone for end in ends], dtype=bool)
    return stands


def _uncovered(world: World, rows: Columns) -> dict[str, Column]:
    """Rows without what of them covers a debt."""
    row, _, stop = world.books.corrections.debts.covering(Right.ATTRIBUTE, rows)
    if not len(row):
        return dict(rows)
    low, high = rows["start"].copy(), rows["stop"].copy()
    np.maximum.at(low, row, stop)  # what is issued next covers first, so cover comes at the head of what is issued
    return {name: column[high > low] for name, column in {**rows, "start": low}.items()}


def _transferred(world: World, rows: Columns, asked: Together) -> Entry:
    target = check_receiver(world, asked.account, asked.target)
    world.participants.check_may(asked.by, asked.account, "transfer", quantity_of(rows))
    told = Claim(asked.target, PURPOSE, None, asked.statement, asked.by)
    targets = np.full(len(rows["start"]), target, dtype=np.int32)
    return move_entry(Right.ATTRIBUTE, rows, TitleState.HELD, told, targets)


def _retired(world: World, rows: Columns, asked: Together) -> Entry:
    world.participants.check_may(asked.by, asked.holder, "retire", quantity_of(rows))
    told = Claim(asked.beneficiary or asked.holder, asked.reason, _period(rows, asked), asked.statement, asked.by)
    return move_entry(Right.ATTRIBUTE, rows, TitleState.RETIRED, told)


def _claimed(world: World, rows: Columns, asked: Together, at_us: int) -> list[Entry]:
    consumers, period = asked.consumers or (asked.holder,), _period(rows, asked)
    demand = titles_held(world, consumers, Right.CONSUMPTION, period, at_us)
    zones = list(dict.fromkeys([*world.books.lots.texts, asked.zone]))
    edges = match(_side(rows, asked, zones), side_of(world, demand, None), zones, asked.rules)
    if not len(edges):
        raise Refused("together.unmatched", "Nothing was drawn in these intervals that is not claimed already.")
    links = Matched(rows, demand, edges).links()
    _check_links(world, links)
    energy_wh = int(edges.units.sum())
    for account in dict.fromkeys((asked.holder, *consumers)):
        world.participants.check_may(asked.by, account, "claim", energy_wh)
    purpose = f"claimed for consumption: {asked.rules}"
    told = Claim(asked.beneficiary or asked.holder, purpose, period, asked.statement, asked.by)
    used = {
        "register": links["source"],
        "start": links["source_start"],
        "stop": links["source_stop"],
        "holder": rows["holder"][edges.left],
    }
    drawn = {
        "register": links["target"],
        "start": links["target_start"],
        "stop": links["target_stop"],
        "holder": demand["holder"][edges.right],
    }
    return [
        link_entry(world, LinkKind.CLAIM, links, period, check=False),
        move_entry(Right.ATTRIBUTE, used, TitleState.CLAIMED, told),
        move_entry(Right.CONSUMPTION, drawn, TitleState.CLAIMED, told),
    ]


def _check_links(world: World, links: Columns) -> None:
    """All that the books ask of links but for the titles of their sources, which are issued by the same command."""
    link_rules.check(LinkKind.CLAIM, links, world.books.registers)
    world.books.links[LinkKind.CLAIM].check_add(links)


def _side(rows: Columns, asked: Together, zones: Sequence[str]) -> Side:
    count = len(rows["start"])
    return Side(
        zone=np.full(count, zones.index(asked.zone)),
        interval_us=rows["interval_us"],
        length_us=np.full(count, asked.terms.interval_us),
        units_wh=rows["stop"] - rows["start"],
        carbon=np.full(count, asked.terms.carbon_mg_per_kwh),
    )


def _period(rows: Columns, asked: Together) -> Period:
    first_us, last_us = int(rows["interval_us"].min()), int(rows["interval_us"].max())
    return Period(first_us, last_us + asked.terms.interval_us)


def together_on(workspace: Workspace, key: str, asked: Together, at_us: int) -> Done:
    """Record all of it under a key; the same key again tells what it did. Raises as `together`."""

    def decide(world: World) -> list[Entry]:
        return together(world, list(verified(workspace)), asked, at_us)

    return done(workspace, key, asked, at_us, decide)
