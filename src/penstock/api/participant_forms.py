"""The JSON forms of participants: organisations, members, wallets, whitelists, proposals."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from penstock.api.act_forms import ReleaseAsked, ReserveAsked, RetireAsked, TransferAsked
from penstock.api.forms import Form, Page
from penstock.api.registry_forms import AccountName, Instant
from penstock.journal.kinds.account import Role

Organisation = Annotated[str, Field(min_length=1, max_length=64)]
OrganisationInPath = Annotated[str, Path(max_length=64)]
MemberInPath = Annotated[str, Path(max_length=42, description="An API key's id, or a wallet's address, lower-case.")]
WalletInPath = Annotated[str, Path(pattern="^0x[0-9a-fA-F]{40}$")]
ProposalInPath = Annotated[int, Path(ge=1, lt=2**31)]


class OrganisationAsked(Form):
    """An organisation that takes part."""

    organisation: Organisation


class RolesAsked(Form):
    """What a member may do from now on, and nothing else; without any role it is a member no more."""

    roles: list[Role] = Field(max_length=4)


class ApprovalAsked(Form):
    """Which acts need two persons, from so many Wh on."""

    acts: list[Annotated[str, Field(max_length=32)]] = Field(max_length=32)
    from_wh: Annotated[int, Field(ge=0, lt=2**63)] = 0


class AssignAsked(Form):
    """An account is an organisation's; it is opened where it is not known yet."""

    account: AccountName
    organisation: Organisation


class WhitelistAsked(Form):
    """Whom an account receives from, and nobody else; or again everyone."""

    sources: list[AccountName] = Field(default_factory=list, max_length=1_000)
    everyone: bool = False


class WalletAsked(Form):
    """A wallet stands for an account, by its own signature over the text of ``GET .../consent``."""

    wallet: str = Field(pattern="^0x[0-9a-fA-F]{40}$")
    signature: str = Field(pattern="^(0x)?[0-9a-fA-F]{130}$")


class Consent(Form):
    """The text that a wallet signs, as a personal message, to stand for an account."""

    text: str


class MemberRow(Form):
    """A member and its roles."""

    member: str
    roles: list[str]


class RuleRow(Form):
    """Which acts need two persons, from so many Wh on."""

    acts: list[str]
    from_wh: int


class OrganisationRow(Form):
    """An organisation with its members, accounts and rule."""

    organisation: str
    members: list[MemberRow]
    accounts: list[str]
    two_persons: RuleRow | None


class OrganisationRows(Page):
    """The organisations that whoever asks may see."""

    organisations: list[OrganisationRow]


class Said(Form):
    """What was recorded of participants."""

    act: str
    first_seq: int
    facts: int
    repeated: bool


class ProposeAsked(Form):
    """Exactly one act to propose, and until when it may be approved."""

    transfer: TransferAsked | None = None
    retire: RetireAsked | None = None
    reserve: ReserveAsked | None = None
    release: ReleaseAsked | None = None
    expires: Instant


class ProposalRow(Form):
    """A proposal and where it stands: open, executed, dropped or expired."""

    proposal: int
    act: str
    account: str
    energy_wh: int
    asked: dict[str, Any]
    state: str
    proposed_by: str
    proposed: str
    expires: str
    ended_by: str


class ProposalRows(Page):
    """Proposals of the accounts that whoever asks may see, newest first."""

    proposals: list[ProposalRow]


class DropAsked(Form):
    """Why a proposal is withdrawn or declined."""

    reason: Annotated[str, Field(max_length=200)] = ""
