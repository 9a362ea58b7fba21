"""Membership: what each fact about organisations, members, wallets and proposals needs, and what it changes.

A fact is checked before it is recorded and again whenever the journal is read, a wallet's signature included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from penstock.energy.roles import ADMINISTER, APPROVE, OPERATORS, TRADES
from penstock.energy.wallet import check_consent
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.account import (
    AccountAssigned,
    ActApproved,
    ActProposed,
    ApprovalRuled,
    MemberPlaced,
    OrderEnded,
    OrderPlaced,
    OrganisationRegistered,
    ProposalDropped,
    Recurring,
    Role,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)

if TYPE_CHECKING:
    from penstock.energy.participants import Participants

NAME_CHARS_MAX: Final = 64
_MEMBER: Final = re.compile(r"[0-9a-f]{12}|0x[0-9a-f]{40}")


def check(people: Participants, fact: object, at_us: int) -> None:
    """That a fact of this room may stand, as of an instant; other facts always may. Raises as its own check."""
    act = _ACTS.get(type(fact))
    if act is not None:
        act[0](people, fact, at_us)


def fold(people: Participants, recorded: Recorded) -> None:
    """Take in a fact, checked once more; what proposals and standing orders remember, they fold themselves."""
    check(people, recorded.fact, recorded.at_us)
    act = _ACTS.get(type(recorded.fact))
    if act is not None:
        act[1](people, recorded.fact)


def check_organisation(people: Participants, fact: OrganisationRegistered, _at_us: int) -> None:
    """That an organisation may take part.

    Raises:
        Invalid: ``organisation.name``. Conflict: ``organisation.known``. Refused: ``account.operator``.
    """
    _operator_alone(fact.by)
    if not (0 < len(fact.organisation) <= NAME_CHARS_MAX and fact.organisation.isprintable()):
        raise Invalid("organisation.name", f"An organisation has a name of 1 to {NAME_CHARS_MAX} printable characters.")
    if fact.organisation in people.members:
        raise Conflict("organisation.known", "This organisation takes part already.", organisation=fact.organisation)


def check_member(people: Participants, fact: MemberPlaced, _at_us: int) -> None:
    """That a member may have these roles.

    Raises:
        Invalid: ``account.member_form``, ``account.roles``. Refused: ``account.last_administrator`` where a member
            would leave the organisation without one. As `known_organisation`, `Participants.check_administers`.
    """
    if not _MEMBER.fullmatch(fact.member):
        hint = "A member is the id of an API key, or a wallet's address in lower case: no one's name."
        raise Invalid("account.member_form", "This is no member's id.", hint=hint)
    if len(set(fact.roles)) != len(fact.roles):
        raise Invalid("account.roles", "Each role is named once.", member=fact.member)
    members = known_organisation(people, fact.organisation)
    people.check_administers(fact.by, fact.organisation)
    others = any(Role.ADMINISTRATOR in roles for who, roles in members.items() if who != fact.member)
    if Role.ADMINISTRATOR in members.get(fact.member, ()) and Role.ADMINISTRATOR not in fact.roles and not others:
        hint = "Name another administrator first."
        raise Refused("account.last_administrator", "This is the last administrator.", hint=hint, member=fact.member)


def check_assigned(people: Participants, fact: AccountAssigned, _at_us: int) -> None:
    """That an account may become an organisation's.

    Raises:
        NotFound: ``account.unknown``, ``organisation.unknown``. Conflict: ``account.assigned``. Refused:
        ``account.operator``.
    """
    people.accounts.id_of(fact.account)
    check_assigns(people, fact)


def check_assigns(people: Participants, fact: AccountAssigned) -> None:
    """As `check_assigned`, of an account that may still have to be opened."""
    _operator_alone(fact.by)
    known_organisation(people, fact.organisation)
    if people.organisation_of.get(fact.account) == fact.organisation:
        raise Conflict("account.assigned", "This account is that organisation's already.", account=fact.account)


def check_wallet(people: Participants, fact: WalletBound, _at_us: int) -> None:
    """That a wallet may stand for an account.

    Raises:
        NotFound: ``account.unknown``. Conflict: ``wallet.bound``. As `check_consent`, `Participants.check_administers`.
    """
    _check_account(people, fact.by, fact.account)
    check_consent(people.origin, fact.account, fact.wallet, fact.signature)
    if fact.wallet in people.account_of_wallet:
        raise Conflict("wallet.bound", "This wallet stands for an account already.", account=fact.account)


def check_released(people: Participants, fact: WalletReleased, _at_us: int) -> None:
    """That a wallet may stand for its account no more; NotFound ``wallet.unknown``, and as `check_wallet`."""
    _check_account(people, fact.by, fact.account)
    if people.account_of_wallet.get(fact.wallet) != fact.account:
        raise NotFound("wallet.unknown", "This wallet does not stand for the account.", account=fact.account)


def check_whitelist(people: Participants, fact: WhitelistStated, _at_us: int) -> None:
    """That an account may state whom it receives from.

    Raises:
        NotFound: ``account.unknown``. Invalid: ``account.whitelist`` where a source is named twice, or the list is for
            everyone and for some. As `Participants.check_administers`.
    """
    _check_account(people, fact.by, fact.account)
    if len(set(fact.sources)) != len(fact.sources) or (fact.everyone and fact.sources):
        raise Invalid("account.whitelist", "A whitelist names each account once, or everyone.", account=fact.account)
    for source in fact.sources:
        people.accounts.id_of(source)


def check_rule(people: Participants, fact: ApprovalRuled, _at_us: int) -> None:
    """That acts may need two persons.

    Raises:
        Invalid: ``approval.rule`` for an act that nobody proposes, or a negative amount. Refused:
            ``account.operator`` for the whole registry's rule. As `Participants.check_administers`.
    """
    if fact.from_wh < 0 or len(set(fact.acts)) != len(fact.acts) or set(fact.acts) - {*TRADES, ADMINISTER}:
        hint = f"Known are: {', '.join((*TRADES, ADMINISTER))}."
        raise Invalid("approval.rule", "A rule names acts, each once, and from how many Wh on.", hint=hint)
    if fact.organisation:
        known_organisation(people, fact.organisation)
        people.check_administers(fact.by, fact.organisation)
    else:
        _operator_alone(fact.by)


def check_proposed(people: Participants, fact: ActProposed, at_us: int) -> None:
    """That a member may propose an act: it has the role for it. Raises as `Approvals.check_proposed`, `check_role`."""
    people.approvals.check_proposed(fact, at_us)
    people.check_role(fact.by, organisation_in(people, fact), fact.act)


def check_approved(people: Participants, fact: ActApproved, at_us: int) -> None:
    """That another member, an approver, agrees to what a member with the role for it proposed.

    Raises:
        Refused: ``proposal.changed`` where the account is another organisation's by now. As `Approvals.check_second`
        and `check_role`.
    """
    found = people.approvals.check_second(fact.proposal, fact.by, at_us)
    people.check_role(fact.by, found.organisation, APPROVE)
    people.check_role(found.proposed.by, found.organisation, found.proposed.act)  # two members, still
    if organisation_in(people, found.proposed) != found.organisation:
        raise Refused("proposal.changed", "The account is another organisation's by now.", proposal=fact.proposal)


def check_dropped(people: Participants, fact: ProposalDropped, at_us: int) -> None:
    """That who made a proposal withdraws it, or an approver or the operator declines it; raises as `check_approved`."""
    found = people.approvals.check_open(fact.proposal, at_us)
    if fact.by not in (*OPERATORS, found.proposed.by):
        people.check_role(fact.by, found.organisation, APPROVE)


def check_order(people: Participants, fact: OrderPlaced, _at_us: int) -> None:
    """That a standing order may be placed.

    Raises:
        NotFound: ``account.unknown``. As `Orders.check_placed`, `Participants.check_may` - of the order, and of what it
        does, in any amount - and `check_receives`.
    """
    people.accounts.id_of(fact.account)
    people.orders.check_placed(fact)
    people.check_may(fact.by, fact.account, "order")
    if not people.approvals.carries_out(fact.by, people.organisation_of.get(fact.account, ""), "order"):
        people.check_may(fact.by, fact.account, fact.act.value)
    if fact.act is Recurring.TRANSFER:
        people.check_receives(fact.account, fact.target)


def check_order_ended(people: Participants, fact: OrderEnded, _at_us: int) -> None:
    """That a standing order may end; raises as `Orders.living` and `Participants.check_role`."""
    placed = people.orders.living(fact.order)
    if fact.by not in OPERATORS:
        people.check_role(fact.by, people.organisation_of.get(placed.account, ""), "order")


def known_organisation(people: Participants, organisation: str) -> dict[str, frozenset[Role]]:
    """An organisation's members; NotFound ``organisation.unknown``."""
    found = people.members.get(organisation)
    if found is None:
        raise NotFound("organisation.unknown", "There is no such organisation.", organisation=organisation)
    return found


def organisation_in(people: Participants, fact: ActProposed) -> str:
    """Whose proposal it is: the account's organisation, or the one that is administered."""
    return fact.account if fact.act == ADMINISTER else people.organisation_of.get(fact.account, "")


def _operator_alone(by: str) -> None:
    if by not in OPERATORS:
        raise Refused("account.operator", "The registry's operator alone does that.", by=by)


def _check_account(people: Participants, by: str, account: str) -> None:
    people.accounts.id_of(account)
    people.check_administers(by, people.organisation_of.get(account, ""))


def _place(people: Participants, fact: MemberPlaced) -> None:
    members = people.members[fact.organisation]
    members[fact.member] = frozenset(fact.roles)
    if not fact.roles:
        del members[fact.member]


def _state(people: Participants, fact: WhitelistStated) -> None:
    if fact.everyone:
        people.whitelists.pop(fact.account, None)
    else:
        people.whitelists[fact.account] = frozenset(fact.sources)


def _release(people: Participants, fact: WalletReleased) -> None:
    del people.account_of_wallet[fact.wallet]


def _remembered_elsewhere(_people: Participants, _fact: object) -> None:
    """Rules, proposals and orders are folded where they are kept."""


_Check = Callable[["Participants", Any, int], None]
_Fold = Callable[["Participants", Any], None]
_ACTS: Final[dict[type, tuple[_Check, _Fold]]] = {
    OrganisationRegistered: (check_organisation, lambda people, fact: people.members.update({fact.organisation: {}})),
    MemberPlaced: (check_member, _place),
    AccountAssigned: (
        check_assigned, lambda people, fact: people.organisation_of.update({fact.account: fact.organisation}),
    ),
    WalletBound: (check_wallet, lambda people, fact: people.account_of_wallet.update({fact.wallet: fact.account})),
    WalletReleased: (check_released, _release),
    WhitelistStated: (check_whitelist, _state),
    ApprovalRuled: (check_rule, _remembered_elsewhere),
    ActProposed: (check_proposed, _remembered_elsewhere),
    ActApproved: (check_approved, _remembered_elsewhere),
    ProposalDropped: (check_dropped, _remembered_elsewhere),
    OrderPlaced: (check_order, _remembered_elsewhere),
    OrderEnded: (check_order_ended, _remembered_elsewhere),
}  # fmt: skip
