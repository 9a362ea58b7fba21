"""Avoid: certificates leave their own world for good and become carbon credits, by an adopted method.

One command retires the attributes, links them to grams, states the credit and issues its titles, part of them to the
method's buffer. So the same Wh is never certificate and carbon credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.energy.carbon.book import PURPOSE
from penstock.energy.carbon.credit import Avoided, buffer_up, grams_down, register_of
from penstock.errors import Refused
from penstock.journal.cutting import tile_links
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS, TITLES
from penstock.journal.kinds.carbon import CarbonCredited, MethodAdopted
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import ASSURANCES, LinkKind, RegisterKind, Right, TitleState, Unit
from penstock.period import Period, from_us, to_us
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.offset import of_intervals
from penstock.usecases.registry.selection import Selection, Use, quantity_of, select, usable
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Crediting:
    """Which method, whose credits, what is said in public, and who asked."""

    method: str
    version: str
    holder: str
    statement: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose certificates are to be credited, which, and how: what a key stands for."""

    account: str
    selection: Selection
    crediting: Crediting


@dataclass(frozen=True, slots=True)
class Using:
    """So many grams of an account's credits, of one register or any, retired - or handed to ``target``."""

    account: str
    grams: int
    register: str = ""
    target: str = ""
    beneficiary: str = ""
    reason: str = ""
    statement: str = ""
    by: str = ""


def avoid(world: World, parts: Columns, asked: Crediting) -> list[Entry]:
    """Facts that make carbon credits of held certificates (rows of `TitleBook.parts`), whoever holds them.

    Raises:
        NotFound: ``method.unknown``, ``account.unknown``. Refused: as `reckon_avoided`; ``carbon.no_gram`` where all
            of it comes to less than a gram; what the books refuse of the moves.
    """
    method = world.carbon.method(asked.method, asked.version)
    world.books.accounts.id_of(asked.holder)
    avoided = world.carbon.reckon(method, parts)
    urn = register_of(method, avoided.vintage)
    at = grams_down(world.carbon.avoided_ug(urn), avoided.avoided_ug)
    if at[-1] == at[0]:
        raise Refused("carbon.no_gram", "This avoided less than a gram.", hint="Credit more at once.")
    period = of_intervals(world, parts)
    claimed = Claim("", f"{PURPOSE} {urn}", period, asked.statement, asked.by)
    opened = [] if urn in world.books.registers else [_opened(urn)]
    target = world.books.registers.id_of(urn) if not opened else len(world.books.registers)
    return [
        *opened,
        moved(world, Right.ATTRIBUTE, parts, TitleState.RETIRED, claimed),
        _links(parts, target, at, period),
        Entry(_credit(method, urn, at, avoided, asked)),
        _titles(world, method, parts, target, at, avoided, asked),
    ]


def _opened(urn: str) -> Entry:
    return Entry(RegisterOpened(urn, Unit.G_CO2E, RegisterKind.COUNTED, (Right.CARBON,)))


def _links(parts: Columns, target: int, at: Column, period: Period) -> Entry:
    """From each retired span to its grams; some come to none, for the rest is carried."""
    links = {
        **tile_links(0, at, target, at),
        "source": parts["register"],
        "source_start": parts["start"],
        "source_stop": parts["stop"],
    }
    segment = Segment(LINKS, links)
    energy_wh, grams = int(np.sum(parts["stop"] - parts["start"])), int(at[-1] - at[0])
    kind = LinkKind.AVOID
    return Entry(SpansLinked(segment.ref(), kind, period.start_us, period.stop_us, energy_wh, grams, 0), segment)


def _credit(method: MethodAdopted, urn: str, at: Column, avoided: Avoided, asked: Crediting) -> CarbonCredited:
    start, stop = int(at[0]), int(at[-1])
    return CarbonCredited(
        method=method.method,
        version=method.version,
        vintage=avoided.vintage,
        zone=avoided.zone,
        technology=avoided.technology,
        register=urn,
        start=start,
        stop=stop,
        buffer_g=buffer_up(method, stop - start),
        energy_wh=avoided.energy_wh,
        avoided_ug=int(avoided.avoided_ug.sum()),
        holder=asked.holder,
        by=asked.by,
    )


def _titles(
    world: World, method: MethodAdopted, parts: Columns, target: int, at: Column, avoided: Avoided, asked: Crediting
) -> Entry:
    """Titles to the grams: the holder's, then the buffer's."""
    start, stop = int(at[0]), int(at[-1])
    cut = stop - buffer_up(method, stop - start)
    accounts = world.books.accounts
    spans = [(start, cut, asked.holder), (cut, stop, method.buffer)]
    rows = [(target, low, high, accounts.id_of(holder)) for low, high, holder in spans if high > low]
    columns = dict(zip(("register", "start", "stop", "holder"), np.array(rows).T, strict=True))
    year = Period(*(to_us(from_us(0).replace(year=avoided.vintage + more)) for more in (0, 1)))
    columns["interval_us"] = np.full(len(rows), year.start_us, dtype=np.int64)
    segment = Segment(TITLES, columns)
    weakest = ASSURANCES[int(world.books.lots.column("assurance")[parts["lot"]].max())]
    length_us = year.stop_us - year.start_us
    fact = TitlesIssued(segment.ref(), Right.CARBON, avoided.zone, avoided.technology, weakest, length_us, stop - start)
    return Entry(fact, segment)


def avoid_on(workspace: Workspace, key: str, account: str, selection: Selection, asked: Crediting, at_us: int) -> Done:
    """Credit certificates of ``account`` under a key; the same key again tells what it did.

    Raises as `avoid`; Refused ``account.not_whitelisted`` where their holder does not receive from ``account``.
    """

    def decide(world: World) -> list[Entry]:
        parts = usable(world, account, selection, Use(TitleState.RETIRED, ""), at_us)
        for act in ("credit", "retire"):  # a credit is both, and so under the rules of both
            world.participants.check_may(asked.by, account, act, quantity_of(parts))
        world.participants.check_receives(account, asked.holder)
        return avoid(world, parts, asked)

    return done(workspace, key, Asked(account, selection, asked), at_us, decide)


def use_credits(world: World, parts: Columns, asked: Claim, target: str = "") -> list[Entry]:
    """The fact that retires carbon credits (parts of ``Right.CARBON`` titles), or hands them to ``target``.

    Raises:
        Refused: ``carbon.buffered`` where a buffer would sell; what the books refuse of the moves.
    """
    state = TitleState.HELD if target else TitleState.RETIRED
    world.carbon.check_moves({"source": parts["holder"]}, state)
    to = np.full(len(parts["start"]), world.books.accounts.id_of(target), dtype=np.int32) if target else None
    return [moved(world, Right.CARBON, parts, state, asked, to)]


def use_credits_on(workspace: Workspace, key: str, using: Using, at_us: int) -> Done:
    """Use carbon credits of an account under a key. Raises as `use_credits`."""
    selection = Selection(quantity_wh=using.grams, register=using.register)

    def decide(world: World) -> list[Entry]:
        parts = select(world, using.account, selection, right=Right.CARBON)
        world.participants.check_may(using.by, using.account, "transfer" if using.target else "retire", 0)
        if using.target:
            world.participants.check_receives(using.account, using.target)
        claimed = Claim(using.beneficiary, using.reason, None, using.statement, using.by)
        return use_credits(world, parts, claimed, using.target)

    return done(workspace, key, using, at_us, decide)


def credit_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Every carbon credit, as rows for the doors."""
    found = workspace.read(lambda world: list(world.carbon.credits))
    return [
        {
            "fact": seq,
            "method": f"{one.method} {one.version}",
            "vintage": one.vintage,
            "zone": one.zone,
            "technology": one.technology.value,
            "register": one.register,
            "start": one.start,
            "stop": one.stop,
            "grams": one.stop - one.start,
            "buffer_g": one.buffer_g,
            "energy_wh": one.energy_wh,
            "avoided_ug": one.avoided_ug,
            "holder": one.holder,
            "by": one.by,
        }
        for seq, one in found
    ]
