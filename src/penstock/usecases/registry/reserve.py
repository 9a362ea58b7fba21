"""Reserve and release: certificates are kept for somebody until a time; their holder cannot use them otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.words import Right, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import Selection, of_spans, quantity_of, select
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

RELEASE: Final = "release"
LAPSE: Final = "the reservation's time has come"
"""Purpose of releasing what nobody took in time."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Certificates of ``account`` are kept for ``beneficiary`` until ``until_us``; 0 for as long as that one wants."""

    account: str
    selection: Selection
    beneficiary: str
    until_us: int
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Reserved certificates of ``account`` are free again: because ``beneficiary`` says so, or their time has come."""

    account: str
    selection: Selection
    beneficiary: str = ""
    by: str = ""


def reserve(world: World, asked: Reserve, at_us: int) -> list[Entry]:
    """The fact of a reservation.

    Raises:
        Invalid: ``reserve.beneficiary`` without one, ``reserve.until`` for a time that has come, ``retire.text``.
        As `select` and `check_may`.
    """
    check_text(asked.beneficiary, asked.reason)
    if not asked.beneficiary.strip():
        raise Invalid("reserve.beneficiary", "A reservation says for whom.")
    if asked.until_us and not at_us < asked.until_us < 2**63:
        raise Invalid("reserve.until", "A reservation ends later than it begins.")
    parts = select(world, asked.account, asked.selection, at_us=at_us)
    world.participants.check_may(asked.by, asked.account, "reserve", quantity_of(parts))
    period = Period(at_us, asked.until_us) if asked.until_us else None
    told = Claim(asked.beneficiary, asked.reason or "reservation", period, "", asked.by)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.RESERVED, told, at_us=at_us)]


def release(world: World, asked: Release, at_us: int) -> list[Entry]:
    """The fact of a release: before its time by whom it is for, afterwards by the holder.

    Raises:
        Refused: ``reserve.for_another``. As `select` and `check_may`.
    """
    parts = select(world, asked.account, asked.selection, (TitleState.RESERVED,))
    world.reservations.check(parts, TitleState.HELD, asked.beneficiary, at_us)
    world.participants.check_may(asked.by, asked.beneficiary or asked.account, RELEASE, quantity_of(parts))
    told = Claim(asked.beneficiary, RELEASE, None, "", asked.by)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, told, at_us=at_us)]


def lapse(world: World, at_us: int) -> list[Entry]:
    """The fact that releases every reservation whose time has come; raises Refused ``reserve.none_lapsed``."""
    spans = world.reservations.lapsed(at_us)
    if not len(spans["start"]):
        raise Refused("reserve.none_lapsed", "No reservation's time has come.")
    parts = of_spans(world, None, spans, (TitleState.RESERVED,))
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, Claim("", LAPSE, None), at_us=at_us)]


def reserve_on(workspace: Workspace, key: str, asked: Reserve, at_us: int) -> Done:
    """Record a reservation under a key; the same key again tells what it did. Raises as `reserve`."""
    return done(workspace, key, asked, at_us, lambda world: reserve(world, asked, at_us))


def release_on(workspace: Workspace, key: str, asked: Release, at_us: int) -> Done:
    """Record a release under a key; the same key again tells what it did. Raises as `release`."""
    return done(workspace, key, asked, at_us, lambda world: release(world, asked, at_us))


def lapse_on(workspace: Workspace, key: str, at_us: int) -> Done:
    """Record that reservations' time has come, under a key. Raises as `lapse`."""
    return done(workspace, key, b"", at_us, lambda world: lapse(world, at_us))
