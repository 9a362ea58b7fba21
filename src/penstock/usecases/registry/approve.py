"""Approve: what one member proposes, another agrees to - and it is done, in the same command.

A proposal says the act in full. What it would do is worked out when it is proposed and again when it is approved; where
that is another amount by then, it has to be proposed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from penstock.energy.approval import Proposal, ProposalState, by_proposal
from penstock.energy.membership import check
from penstock.errors import Refused
from penstock.journal.canonical import load
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import (
    ActApproved,
    ActProposed,
    ApprovalRuled,
    MemberPlaced,
    ProposalDropped,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.words import Right
from penstock.period import iso
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.match_hours import Hours
from penstock.usecases.registry.proposable import act_of, read_asked, written
from penstock.usecases.registry.reserve import Release
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Propose:
    """``by`` proposes an act (a form of `proposable.ACTS`), to be approved before ``expires_us``."""

    asked: Any
    expires_us: int
    by: str


def propose(world: World, asked: Propose, at_us: int) -> list[Entry]:
    """The fact of a proposal; what it asks for could be done now.

    Raises:
        Invalid: ``proposal.act``, ``proposal.form``. Refused: ``proposal.organisation`` where it is about accounts of
        more than one. As `Participants.check_role` and the act itself.
    """
    act = act_of(type(asked.asked))
    _check_one_organisation(world, asked.asked)
    entries = act.decide(world, replace(asked.asked, by=""), at_us)
    fact = ActProposed(
        proposal=len(world.participants.approvals.proposals) + 1,
        act=act.name,
        account=_concerns(world, asked.asked),
        asked=written(asked.asked),
        energy_wh=_energy_wh(entries),
        expires_us=asked.expires_us,
        by=asked.by,
    )
    check(world.participants, fact, at_us)
    return [Entry(fact)]


def approve(world: World, fact: ActApproved, at_us: int) -> list[Entry]:
    """The fact of an approval and those of the act itself.

    Raises:
        NotFound: ``proposal.unknown``. Refused: ``proposal.closed``, ``proposal.expired``, ``proposal.same_member``,
        ``proposal.changed`` where it would do another amount by now. As `Participants.check_role` and the act itself.
    """
    check(world.participants, fact, at_us)
    proposed = world.participants.approvals.proposal(fact.proposal).proposed
    asked = read_asked(proposed)
    _check_one_organisation(world, asked)
    entries = act_of(type(asked)).decide(world, asked, at_us)
    if _energy_wh(entries) != proposed.energy_wh:
        hint = "Propose it again."
        raise Refused("proposal.changed", "It would do another amount by now.", hint=hint, proposal=fact.proposal)
    return [Entry(fact), *_signed(entries, by_proposal(fact.proposal))]


def drop(world: World, fact: ProposalDropped, at_us: int) -> list[Entry]:
    """The fact that a proposal is withdrawn or declined; raises as `membership.check_dropped`."""
    check(world.participants, fact, at_us)
    return [Entry(fact)]


def propose_on(workspace: Workspace, key: str, asked: Propose, at_us: int) -> Row:
    """Record a proposal and tell where it stands. Raises as `propose`."""
    told = ActProposed(0, "", "", written(asked.asked), 0, asked.expires_us, asked.by)
    receipt = workspace.submit(key, told, at_us, lambda world: propose(world, asked, at_us))
    (row,) = workspace.facts(receipt.first_seq, receipt.first_seq + 1)
    number = cast(ActProposed, row.recorded.fact).proposal
    return workspace.read(lambda world: proposal_row(world, number, at_us)) | {"repeated": receipt.repeated}


def approve_on(workspace: Workspace, key: str, fact: ActApproved, at_us: int) -> Done:
    """Record an approval and what it did, under a key. Raises as `approve`."""
    return done(workspace, key, fact, at_us, lambda world: approve(world, fact, at_us))


def drop_on(workspace: Workspace, key: str, fact: ProposalDropped, at_us: int) -> Row:
    """Record that a proposal ends, and tell where it stands. Raises as `drop`."""
    workspace.submit(key, fact, at_us, lambda world: drop(world, fact, at_us))
    return workspace.read(lambda world: proposal_row(world, fact.proposal, at_us))


def proposals(world: World, at_us: int, account: str = "") -> list[Row]:
    """Every proposal, of one account or of all, newest first."""
    rows = [proposal_row(world, number, at_us) for number in range(len(world.participants.approvals.proposals), 0, -1)]
    return [row for row in rows if account in ("", row["account"])]


def proposal_row(world: World, number: int, at_us: int) -> Row:
    """One proposal as the doors show it. Raises NotFound ``proposal.unknown``."""
    found = world.participants.approvals.proposal(number)
    proposed = found.proposed
    return {
        "proposal": number,
        "act": proposed.act,
        "account": proposed.account,
        "energy_wh": proposed.energy_wh,
        "asked": load(proposed.asked.encode()),
        "state": _state(found, at_us),
        "proposed_by": proposed.by,
        "proposed": iso(found.since_us),
        "expires": iso(proposed.expires_us),
        "ended_by": found.ended_by,
    }


def _concerns(world: World, asked: Any) -> str:
    """The account that an act is about; the organisation where it administers one."""
    if isinstance(asked, MemberPlaced | ApprovalRuled):
        return asked.organisation
    if isinstance(asked, WhitelistStated | WalletBound | WalletReleased):
        return world.participants.organisation_of.get(asked.account, "")
    if isinstance(asked, Release) and asked.beneficiary:
        return asked.beneficiary
    return cast(str, asked.account)


def _check_one_organisation(world: World, asked: Any) -> None:
    """Members of one organisation decide: others' accounts are not theirs. Raises Refused ``proposal.organisation``."""
    accounts = (asked.account, *asked.consumers) if isinstance(asked, Hours) else ()
    if len({world.participants.organisation_of.get(account) for account in accounts}) > 1:
        raise Refused("proposal.organisation", "A proposal is about accounts of one organisation.")


def _energy_wh(entries: Sequence[Entry]) -> int:
    moves = (entry.fact for entry in entries if isinstance(entry.fact, TitlesMoved))
    return sum(fact.quantity for fact in moves if fact.right is Right.ATTRIBUTE)


def _signed(entries: Sequence[Entry], by: str) -> list[Entry]:
    """The same facts, asked for by a proposal wherever they say by whom."""
    return [
        replace(entry, fact=replace(cast(Any, entry.fact), by=by))
        if "by" in {field.name for field in fields(cast(Any, entry.fact))}
        else entry
        for entry in entries
    ]


def _state(found: Proposal, at_us: int) -> str:
    late = found.state is ProposalState.OPEN and at_us >= found.proposed.expires_us
    return "expired" if late else found.state.value
