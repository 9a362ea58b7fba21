"""Match hours: an account's certificates are claimed for what was drawn in the same intervals, by stated rules.

The kernel says which Wh supplied which (`energy.matching`); the claim uses up both sides, its links keep the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from penstock.energy.matching import Preference, Rules, Side, match
from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.overlay import Edges
from penstock.journal.segment import Column, Columns
from penstock.journal.words import Right, TitleState
from penstock.period import HOUR_US, Period, iso
from penstock.usecases.claim import Claim, claim
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import Selection, suits
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
PURPOSE: Final = "matched to consumption"
UNPRICED: Final = 2**62
"""Where a lot has no price it goes last."""
WHOLE_BASIS_POINTS: Final = 10_000
MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Priced:
    """What certificates of a lot cost [micro-dollars per MWh]."""

    lot: int
    usdc_micro_per_mwh: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Certificates of ``account`` for what ``consumers`` drew (none named: itself) from ``start_us`` until ``stop_us``.

    ``certificates`` narrows which (its filters alone count). ``prices`` are asked for where the cheapest go first;
    first in, first out goes by issue.
    """

    account: str
    start_us: int
    stop_us: int
    consumers: tuple[str, ...] = ()
    beneficiary: str = ""
    rules: Rules = field(default_factory=Rules)
    certificates: Selection = field(default_factory=Selection)
    prices: tuple[Priced, ...] = ()
    statement: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Titles of both sides (columns of `TitleBook`) and which units of them meet."""

    supply: Columns
    demand: Columns
    edges: Edges

    def links(self) -> dict[str, Column]:
        """The edges as columns of link/1."""
        edges = self.edges
        source_start = self.supply["start"][edges.left] + edges.left_at
        target_start = self.demand["start"][edges.right] + edges.right_at
        return {
            "source": self.supply["register"][edges.left],
            "source_start": source_start,
            "source_stop": source_start + edges.units,
            "target": self.demand["register"][edges.right],
            "target_start": target_start,
            "target_stop": target_start + edges.units,
        }


def plan_hours(world: World, asked: Hours, at_us: int) -> Matched:
    """What would be matched; nothing is recorded.

    Raises:
        Invalid: ``period.empty``, ``match.price``, ``match.selection``. NotFound: ``account.unknown``. As
        `energy.matching.match`.
    """
    period = Period(asked.start_us, asked.stop_us)
    if asked.certificates.spans or asked.certificates.quantity_wh or asked.certificates.share_basis_points:
        raise Invalid("match.selection", "A match takes what suits what was drawn.", hint="Only narrow what may suit.")
    supply = titles_held(world, (asked.account,), Right.ATTRIBUTE, period, at_us)
    fits = suits(world, asked.certificates, supply)
    supply = {name: column[fits] for name, column in supply.items()}
    demand = titles_held(world, asked.consumers or (asked.account,), Right.CONSUMPTION, period, at_us)
    price = _prices(world, asked) if asked.rules.preference is Preference.CHEAPEST else None
    sides = side_of(world, supply, price), side_of(world, demand, None)
    return Matched(supply, demand, match(*sides, world.books.lots.texts, asked.rules))


def match_hours(world: World, asked: Hours, at_us: int) -> list[Entry]:
    """Facts of a claim: links of certificates to what they supplied, and both sides used up.

    Raises:
        Refused: ``match.nothing`` where no certificate suits what was drawn; as `check_may`. Invalid: ``retire.text``.
        As `plan_hours` and `claim`.
    """
    beneficiary = asked.beneficiary or asked.account
    check_text(beneficiary, asked.statement)
    found = plan_hours(world, asked, at_us)
    if not len(found.edges):
        hint = "See: penstock certificate match preview"
        raise Refused("match.nothing", "No certificate suits what was drawn in this time.", hint=hint)
    energy_wh = int(found.edges.units.sum())
    for account in dict.fromkeys((asked.account, *asked.consumers)):
        world.participants.check_may(asked.by, account, "claim", energy_wh)
    purpose = f"{PURPOSE}: {asked.rules}"
    told = Claim(beneficiary, purpose, Period(asked.start_us, asked.stop_us), asked.statement, asked.by)
    return claim(world, found.links(), told, at_us)


def match_hours_on(workspace: Workspace, key: str, asked: Hours, at_us: int) -> Done:
    """Record a match under a key; the same key again tells what it did. Raises as `match_hours`."""
    return done(workspace, key, asked, at_us, lambda world: match_hours(world, asked, at_us))


def preview(world: World, asked: Hours, at_us: int) -> Row:
    """What a match would come to: in all, and by zone and interval of consumption. Raises as `plan_hours`."""
    found = plan_hours(world, asked, at_us)
    zone = world.books.lots.column("zone")[found.demand["lot"]]
    zones = world.books.lots.texts
    present, cell = np.unique(found.demand["interval_us"] // MINUTE_US * len(zones) + zone, return_inverse=True)
    drawn, matched = (np.zeros(len(present), dtype=np.int64) for _ in range(2))
    np.add.at(drawn, cell, found.demand["stop"] - found.demand["start"])
    np.add.at(matched, cell[found.edges.right], found.edges.units)
    rows = [
        {
            "interval": iso(at // len(zones) * MINUTE_US),
            "zone": zones[at % len(zones)],
            "drawn_wh": want,
            "matched_wh": got,
        }
        for at, want, got in zip(present.tolist(), drawn.tolist(), matched.tolist(), strict=True)
    ]
    whole, got = int(drawn.sum()), int(matched.sum())
    return {
        "rules": str(asked.rules),
        "certificates_wh": int(np.sum(found.supply["stop"] - found.supply["start"])),
        "drawn_wh": whole,
        "matched_wh": got,
        "matched_basis_points": got * WHOLE_BASIS_POINTS // whole if whole else 0,
        "intervals": rows,
    }


def titles_held(world: World, accounts: tuple[str, ...], right: Right, period: Period, at_us: int) -> dict[str, Column]:
    """Titles that accounts hold in a period, neither expired nor sold forward, in order of issue."""
    book, numbers = world.books.titles[right], [world.books.accounts.id_of(one) for one in dict.fromkeys(accounts)]
    rows = book.owned(numbers[0] if len(numbers) == 1 else None, (TitleState.HELD,))
    fits = (
        np.isin(rows["holder"], numbers)
        & (rows["interval_us"] >= period.start_us)
        & (rows["interval_us"] < period.stop_us)
    )
    fits &= ~world.books.expired(rows["lot"], rows["interval_us"], at_us)
    fits &= world.forwards.spare(right, rows)
    kept = np.flatnonzero(fits)
    kept = kept[np.lexsort((rows["start"][kept], rows["register"][kept], rows["lot"][kept]))]
    return {name: column[kept] for name, column in rows.items()}


def side_of(world: World, rows: Columns, price: Column | None) -> Side:
    """Titles as the kernel takes them; ``price`` is what each lot costs [micro-dollars per MWh]."""
    lots = world.books.lots
    length_us = np.where(lots.column("interval_us") == 0, HOUR_US, lots.column("interval_us"))
    return Side(
        zone=lots.column("zone")[rows["lot"]],
        interval_us=rows["interval_us"],
        length_us=length_us[rows["lot"]],
        units_wh=rows["stop"] - rows["start"],
        price=None if price is None else price[rows["lot"]],
        carbon=lots.column("carbon_mg_per_kwh")[rows["lot"]],
    )


def _prices(world: World, asked: Hours) -> Column:
    """What each lot costs; those without a price go last."""
    price = np.full(len(world.books.lots), UNPRICED, dtype=np.int64)
    for one in asked.prices:
        number = world.books.lots[one.lot].number
        if not 0 <= one.usdc_micro_per_mwh < UNPRICED:
            raise Invalid("match.price", "A price is not negative.", lot=one.lot)
        price[number] = one.usdc_micro_per_mwh
    return price
