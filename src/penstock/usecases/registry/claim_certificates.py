"""Claim: chosen certificates are used for what somebody drew in the same intervals, Wh for Wh.

Where only the time matters and not which certificates, see `match_hours`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.energy.matching import Rules, match
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.segment import Columns
from penstock.journal.words import Right, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim, claim
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.match_hours import Matched, side_of, titles_held
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import Selection, Use, quantity_of, usable
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class ClaimCertificates:
    """Certificates of ``account`` for what ``consumers`` drew (none named: itself), on behalf of ``beneficiary``."""

    account: str
    selection: Selection
    consumers: tuple[str, ...] = ()
    beneficiary: str = ""
    statement: str = ""
    rules: Rules = field(default_factory=Rules)
    by: str = ""


def claim_certificates(world: World, asked: ClaimCertificates, at_us: int) -> list[Entry]:
    """The facts of a claim: links, and both sides used up.

    Raises:
        Refused: ``claim.beyond_consumption`` where less was drawn and is free in these intervals and zones than is
        claimed. Invalid: ``retire.text``. As `usable`, `check_may`, `energy.matching.match` and `claim`.
    """
    beneficiary = asked.beneficiary or asked.account
    check_text(beneficiary, asked.statement)
    parts = usable(world, asked.account, asked.selection, Use(TitleState.CLAIMED, beneficiary), at_us)
    period = period_of(world, parts)
    demand = titles_held(world, asked.consumers or (asked.account,), Right.CONSUMPTION, period, at_us)
    edges = match(side_of(world, parts, None), side_of(world, demand, None), world.books.lots.texts, asked.rules)
    quantity, found = quantity_of(parts), int(edges.units.sum())
    if found != quantity:
        hint = "Consumption certificates of these intervals have to be held by who drew it."
        raise Refused(
            "claim.beyond_consumption",
            f"{quantity} Wh are claimed for {found} that were drawn.",
            hint=hint,
            drawn=found,
        )
    for account in dict.fromkeys((asked.account, *asked.consumers)):
        world.participants.check_may(asked.by, account, "claim", quantity)
    told = Claim(beneficiary, f"claimed for consumption: {asked.rules}", period, asked.statement, asked.by)
    return claim(world, Matched(parts, demand, edges).links(), told, at_us)


def period_of(world: World, parts: Columns) -> Period:
    """From the first interval's start to the last one's end."""
    stop_us = parts["interval_us"] + world.books.lots.column("interval_us")[parts["lot"]]
    return Period(int(parts["interval_us"].min()), int(stop_us.max()))


def claim_on(workspace: Workspace, key: str, asked: ClaimCertificates, at_us: int) -> Done:
    """Record a claim under a key; the same key again tells what it did. Raises as `claim_certificates`."""
    return done(workspace, key, asked, at_us, lambda world: claim_certificates(world, asked, at_us))
