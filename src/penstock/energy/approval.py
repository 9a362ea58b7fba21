"""Two persons: which acts one member alone cannot do, and where each proposal stands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.account import ActApproved, ActProposed, ApprovalRuled, ProposalDropped
from penstock.period import DAY_US

LIFETIME_US_MAX: Final = 366 * DAY_US
_BY: Final = "proposal:"


class ProposalState(StrEnum):
    """Where a proposal stands; one that is open expires without a fact."""

    OPEN = "open"
    EXECUTED = "executed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal, whose it is, since when [us], and who ended it."""

    proposed: ActProposed
    organisation: str
    since_us: int
    state: ProposalState = ProposalState.OPEN
    ended_by: str = ""


def by_proposal(number: int) -> str:
    """How what a proposal did says who asked for it."""
    return f"{_BY}{number}"


class Approvals:
    """Rules by organisation (``""``: the whole registry's), and every proposal in order."""

    def __init__(self) -> None:
        self.rules: dict[str, ApprovalRuled] = {}
        self.proposals: list[Proposal] = []
        self._carried_out, self._at_us = 0, 0

    def needs_two(self, organisation: str, act: str, energy_wh: int | None) -> bool:
        """Whether an act of so many Wh (None: any amount) takes two members."""
        found = [self.rules[name] for name in {"", organisation} if name in self.rules]
        return any(act in rule.acts and (energy_wh is None or energy_wh >= rule.from_wh) for rule in found)

    def check_alone(self, organisation: str, act: str, energy_wh: int | None) -> None:
        """That one member alone may do it; raises Refused ``account.two_persons``."""
        if self.needs_two(organisation, act, energy_wh):
            hint = "Propose it: penstock certificate account propose"
            raise Refused("account.two_persons", "This takes two members.", hint=hint, act=act)

    def carries_out(self, by: str, organisation: str, act: str) -> bool:
        """Whether ``by`` is the proposal that was just approved, and this is what it is about."""
        if not self._carried_out or by != by_proposal(self._carried_out):
            return False
        found = self.proposals[self._carried_out - 1]
        return (found.proposed.act, found.organisation) == (act, organisation)

    def proposal(self, number: int) -> Proposal:
        """A proposal by its number; NotFound ``proposal.unknown``."""
        if not 1 <= number <= len(self.proposals):
            raise NotFound("proposal.unknown", f"There is no proposal {number}.", proposal=number)
        return self.proposals[number - 1]

    def check_open(self, number: int, at_us: int) -> Proposal:
        """A proposal that can still be approved; Refused ``proposal.closed``, ``proposal.expired``."""
        found = self.proposal(number)
        if found.state is not ProposalState.OPEN:
            raise Refused("proposal.closed", f"Proposal {number} is {found.state.value}.", proposal=number)
        if at_us >= found.proposed.expires_us:
            raise Refused("proposal.expired", f"Proposal {number} has expired.", hint="Propose it again.")
        return found

    def check_proposed(self, fact: ActProposed, at_us: int) -> None:
        """That a proposal has the next number, says how much, and expires within a year; Invalid ``proposal.form``."""
        if fact.proposal != len(self.proposals) + 1 or fact.energy_wh < 0:
            raise Invalid("proposal.form", "A proposal has the next number and an amount that is not negative.")
        if not at_us < fact.expires_us <= at_us + LIFETIME_US_MAX:
            raise Invalid("proposal.form", "A proposal expires in the future, within 366 days.")

    def check_second(self, number: int, by: str, at_us: int) -> Proposal:
        """That another than the proposer approves; Refused ``proposal.same_member`` and as `check_open`."""
        found = self.check_open(number, at_us)
        if by == found.proposed.by:
            raise Refused("proposal.same_member", "Whoever proposed it cannot approve it.", proposal=number)
        return found

    def begin(self, at_us: int) -> None:
        """The next fact is of this instant [us]: what a proposal did is of the instant it was approved at."""
        if at_us != self._at_us:
            self._carried_out = 0

    def apply(self, recorded: Recorded, organisation: str) -> None:
        """Fold one fact, checked already; ``organisation`` is whose proposal it is, where it is one."""
        fact = recorded.fact
        if isinstance(fact, ApprovalRuled):
            self.rules[fact.organisation] = fact
        elif isinstance(fact, ActProposed):
            self.proposals.append(Proposal(fact, organisation, recorded.at_us))
        elif isinstance(fact, ActApproved):
            self._end(fact.proposal, ProposalState.EXECUTED, fact.by)
            self._carried_out, self._at_us = fact.proposal, recorded.at_us
        elif isinstance(fact, ProposalDropped):
            self._end(fact.proposal, ProposalState.DROPPED, fact.by)

    def _end(self, number: int, state: ProposalState, by: str) -> None:
        self.proposals[number - 1] = replace(self.proposals[number - 1], state=state, ended_by=by)

    def digest(self) -> bytes:
        """sha256 over all of it."""
        return hashlib.sha256(repr((sorted(self.rules.items()), self.proposals)).encode()).digest()
