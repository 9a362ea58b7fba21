"""Facts of the registry's participants: organisations, who acts for them, what they may do, standing orders.

People's names never enter facts: a member is the id of an API key, or a wallet's address. ``by`` is who asked: a
member, ``""`` or ``operator`` for the registry's operator, ``proposal:N`` for what two members decided, ``order:N`` for
what a standing order did.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.segment import SegmentRef
from penstock.journal.words import Technology


class Role(StrEnum):
    """What a member may do for an organisation; one may have several."""

    VIEWER = "viewer"  # see
    TRADER = "trader"  # act on certificates, and propose
    APPROVER = "approver"  # approve what others proposed
    ADMINISTRATOR = "administrator"  # members, whitelists, wallets, rules


@dataclass(frozen=True, slots=True)
class OrganisationRegistered:
    """An organisation takes part in the registry."""

    KIND: ClassVar[str] = "organisation.registered"
    VERSION: ClassVar[int] = 1
    organisation: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class MemberPlaced:
    """A member has these roles in an organisation from now on, and no others; without any it is a member no more."""

    KIND: ClassVar[str] = "member.placed"
    VERSION: ClassVar[int] = 1
    organisation: str
    member: str
    roles: tuple[Role, ...]
    by: str = ""


@dataclass(frozen=True, slots=True)
class AccountAssigned:
    """From now on an account is an organisation's: its members act for it."""

    KIND: ClassVar[str] = "account.assigned"
    VERSION: ClassVar[int] = 1
    account: str
    organisation: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class WalletBound:
    """A wallet (20 bytes) is an account's. ``signature`` (r || s || v) is the wallet's own consent, as EIP-191 says."""

    KIND: ClassVar[str] = "wallet.bound"
    VERSION: ClassVar[int] = 1
    account: str
    wallet: bytes
    signature: bytes
    by: str = ""


@dataclass(frozen=True, slots=True)
class WalletReleased:
    """A wallet is its account's no more."""

    KIND: ClassVar[str] = "wallet.released"
    VERSION: ClassVar[int] = 1
    account: str
    wallet: bytes
    by: str = ""


@dataclass(frozen=True, slots=True)
class WhitelistStated:
    """From now on an account receives from ``sources`` alone, or again from ``everyone``. The whole list each time."""

    KIND: ClassVar[str] = "whitelist.stated"
    VERSION: ClassVar[int] = 1
    account: str
    sources: tuple[str, ...]
    everyone: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalRuled:
    """These acts need two persons, from ``from_wh`` on: in one organisation, or - ``""`` - in the whole registry.

    The rule replaces the one before; without acts nothing needs two. ``administer`` is what administrators do.
    """

    KIND: ClassVar[str] = "approval.ruled"
    VERSION: ClassVar[int] = 1
    organisation: str
    acts: tuple[str, ...]
    from_wh: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class ActProposed:
    """A member proposes an act; proposals are numbered 1, 2, ... ``asked`` is the act in canonical JSON.

    ``account`` is whose certificates it is about (an organisation where it administers one), ``energy_wh`` how many.
    """

    KIND: ClassVar[str] = "act.proposed"
    VERSION: ClassVar[int] = 1
    proposal: int
    act: str
    account: str
    asked: str
    energy_wh: int
    expires_us: int
    by: str


@dataclass(frozen=True, slots=True)
class ActApproved:
    """Another member approves; the act itself is what follows on this fact, ``by`` ``proposal:N``."""

    KIND: ClassVar[str] = "act.approved"
    VERSION: ClassVar[int] = 1
    proposal: int
    by: str


@dataclass(frozen=True, slots=True)
class ProposalDropped:
    """A proposal is withdrawn by who made it, or declined by an approver."""

    KIND: ClassVar[str] = "proposal.dropped"
    VERSION: ClassVar[int] = 1
    proposal: int
    by: str
    reason: str = ""


class Recurring(StrEnum):
    """What a standing order does with certificates."""

    TRANSFER = "transfer"
    RETIRE = "retire"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """A standing order, numbered 1, 2, ...: of each interval's new certificates of an account, so much.

    ``quantity_wh`` an interval, or ``share_basis_points`` of what the account holds of it, rounded down. Only intervals
    that begin from ``start_us`` on, before ``stop_us`` (0: no end). ``target`` is the account of a transfer, the
    register that drew of a claim. ``register``, ``zone``, ``technology`` narrow what it takes where they are given.
    """

    KIND: ClassVar[str] = "order.placed"
    VERSION: ClassVar[int] = 1
    order: int
    account: str
    act: Recurring
    target: str
    quantity_wh: int
    share_basis_points: int
    start_us: int
    stop_us: int = 0
    register: str = ""
    zone: str = ""
    technology: Technology | None = None
    beneficiary: str = ""
    purpose: str = ""
    statement: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """A standing order does no more."""

    KIND: ClassVar[str] = "order.ended"
    VERSION: ClassVar[int] = 1
    order: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class OrdersRun:
    """All standing orders looked at the issues numbered ``[from_lot, to_lot)``: what each found and took (``order/1``).

    The moves themselves follow. An issue is looked at once: ``from_lot`` is where the run before ended.
    """

    KIND: ClassVar[str] = "order.run"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    from_lot: int
    to_lot: int
