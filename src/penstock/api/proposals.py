"""Paths of what needs two persons: one member proposes an act, another approves it, and it is done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from penstock.api.acts import (
    command_key,
    instant_us,
    release_of,
    reserve_of,
    retirement_of,
    told,
    transfer_of,
)
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.participant_forms import DropAsked, ProposalInPath, ProposalRow, ProposalRows, ProposeAsked
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import Done, IdempotencyKey
from penstock.api.state import following
from penstock.errors import Invalid, NotFound
from penstock.journal.kinds.account import ActApproved, ProposalDropped
from penstock.usecases.api_keys import READ, WRITE
from penstock.usecases.registry import approve as use
from penstock.usecases.trail import OPERATOR
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/proposals``."""
    router = APIRouter(prefix="/proposals", tags=["proposals"], responses=WITH_A_KEY)

    @router.post("", status_code=201)
    def propose(asked: ProposeAsked, shown: Credentials, key: IdempotencyKey = None) -> ProposalRow:
        """A member proposes an act, as it would ask for it alone."""
        by = gate.member(shown, WRITE)
        proposed = use.Propose(act_of(asked, by), instant_us(asked.expires), by)
        return _row(use.propose_on(workspace, command_key(by, "propose", key), proposed, gate.clock()))

    @router.get("")
    def proposals(shown: Credentials, after: After = 0, limit: Limit = 100) -> ProposalRows:
        """Proposals of the accounts that whoever asks may see, newest first."""
        by, now = gate.member(shown, READ), gate.clock()
        found = workspace.read(lambda world: [row for row in use.proposals(world, now) if _sees(world, by, row)])
        rows = [_row(row) for row in found[after : after + limit]]
        return ProposalRows(total=len(found), next_after=following(after, limit, len(found)), proposals=rows)

    @router.get("/{proposal}")
    def one(proposal: ProposalInPath, shown: Credentials) -> ProposalRow:
        """Where one proposal stands."""
        by, now = gate.member(shown, READ), gate.clock()
        return _row(workspace.read(lambda world: _seen(world, by, proposal, now)))

    @router.post("/{proposal}/approve", status_code=201)
    def approve(proposal: ProposalInPath, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Another member approves, and the act is done."""
        by = gate.member(shown, WRITE)
        fact = ActApproved(proposal, by)
        return told(use.approve_on(workspace, command_key(by, f"approve {proposal}", key), fact, gate.clock()))

    @router.post("/{proposal}/drop", status_code=201)
    def drop(proposal: ProposalInPath, asked: DropAsked, shown: Credentials, key: IdempotencyKey = None) -> ProposalRow:
        """Who made it withdraws a proposal, or an approver declines it."""
        by = gate.member(shown, WRITE)
        fact = ProposalDropped(proposal, by, asked.reason)
        return _row(use.drop_on(workspace, command_key(by, f"drop {proposal}", key), fact, gate.clock()))

    return router


def act_of(asked: ProposeAsked, by: str) -> Any:
    """The one act that is proposed. Raises Invalid ``proposal.act``, and as the act's own form."""
    forms = [(asked.transfer, transfer_of), (asked.retire, retirement_of), (asked.reserve, reserve_of)]
    made = [read(form, by) for form, read in (*forms, (asked.release, release_of)) if form is not None]  # type: ignore[operator]
    if len(made) != 1:
        raise Invalid("proposal.act", "Exactly one act is proposed.", hint="Name transfer, retire, reserve or release.")
    return made[0]


def _row(row: use.Row) -> ProposalRow:
    return ProposalRow(**{name: row[name] for name in ProposalRow.model_fields})


def _seen(world: World, by: str, number: int, at_us: int) -> use.Row:
    row = use.proposal_row(world, number, at_us)
    if not _sees(world, by, row):
        raise NotFound("proposal.unknown", f"There is no proposal {number}.", proposal=number)
    return row


def _sees(world: World, by: str, row: use.Row) -> bool:
    """Whether a proposal is about an account, or an organisation, of whoever asks."""
    people = world.participants
    about = row["account"]
    return by == OPERATOR or about in people.accounts_of(by) or bool(people.roles(by, about))
