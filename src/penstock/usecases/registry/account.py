"""Accounts: organisations, who acts for them, the wallets that stand for them, and whom they receive from."""

from __future__ import annotations

import hashlib
from typing import Any

from penstock.energy.membership import check, check_assigns
from penstock.energy.wallet import consent_text
from penstock.errors import Invalid
from penstock.journal.canonical import dump, to_plain
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.account import (
    AccountAssigned,
    ApprovalRuled,
    MemberPlaced,
    OrganisationRegistered,
    Role,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.words import TITLE_STATES, Right
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
Said = (
    OrganisationRegistered
    | MemberPlaced
    | AccountAssigned
    | WalletBound
    | WalletReleased
    | WhitelistStated
    | ApprovalRuled
)
"""What can be said about participants, each by a fact."""
NAME_CHARS_MAX = 128


def say(world: World, fact: Said, at_us: int) -> list[Entry]:
    """The fact; an account that is assigned and not known yet is opened first.

    Raises:
        As `membership.check`; Invalid ``account.name``.
    """
    opened: list[Entry] = []
    if isinstance(fact, AccountAssigned) and fact.account not in world.books.accounts:
        opened = open_account(world, fact.account)
        check_assigns(world.participants, fact)
    else:
        check(world.participants, fact, at_us)
    return [*opened, Entry(fact)]


def open_account(world: World, account: str) -> list[Entry]:
    """The fact that opens an account.

    Raises:
        Invalid: ``account.name``. Conflict: ``account.known``.
    """
    if not (0 < len(account) <= NAME_CHARS_MAX and account.isprintable() and account == account.strip()):
        raise Invalid("account.name", f"An account has a name of 1 to {NAME_CHARS_MAX} printable characters.")
    fact = AccountOpened(account)
    world.books.accounts.check_open(fact)
    return [Entry(fact)]


def say_on(workspace: Workspace, fact: Said, at_us: int, key: str = "") -> Row:
    """Record what is said, under a key or once for each time it is said. Raises as `say`."""
    receipt = workspace.submit(key or said_key(workspace, fact), fact, at_us, lambda world: say(world, fact, at_us))
    return {"act": fact.KIND, "first_seq": receipt.first_seq, "facts": receipt.facts, "repeated": receipt.repeated}


def said_key(workspace: Workspace, fact: FactBody) -> str:
    """A key for something that may be said again later: it names what was recorded by then."""
    said = hashlib.sha256(dump(to_plain(fact))).hexdigest()[:24]
    return f"{fact.KIND}:{workspace.store.size()}:{said}"


def consent_on(workspace: Workspace, account: str, wallet: bytes) -> str:
    """The text that a wallet signs to stand for an account here."""
    return workspace.read(lambda world: consent_text(world.participants.origin, account, wallet))


def organisations(world: World) -> list[Row]:
    """Every organisation with its members, its accounts and its rule."""
    people = world.participants
    return [
        {
            "organisation": name,
            "members": [_member(member, roles) for member, roles in members.items()],
            "accounts": [account for account, owner in people.organisation_of.items() if owner == name],
            "two_persons": _rule(people.approvals.rules.get(name)),
        }
        for name, members in people.members.items()
    ]


def account(world: World, name: str) -> Row:
    """One account: whose it is, what it holds by state [Wh], its wallets, whom it receives from.

    Raises:
        NotFound: ``account.unknown``.
    """
    people, book = world.participants, world.books.titles[Right.ATTRIBUTE]
    number, listed = world.books.accounts.id_of(name), people.whitelists.get(name)
    held = {state.value: book.balance(number, state) for state in TITLE_STATES}
    return {
        "account": name,
        "organisation": people.organisation_of.get(name, ""),
        "certificates_wh": {state: energy_wh for state, energy_wh in held.items() if energy_wh},
        "wallets": ["0x" + wallet.hex() for wallet in people.wallets_of(name)],
        "receives_from": "everyone" if listed is None else sorted(listed),
    }


def accounts(world: World, organisation: str = "") -> list[Row]:
    """Every account, or an organisation's, as `account`."""
    found, owned = world.books.accounts, world.participants.organisation_of
    names = (found.name(number) for number in range(len(found)))
    return [account(world, name) for name in names if not organisation or owned.get(name) == organisation]


def _member(member: str, roles: frozenset[Role]) -> Row:
    return {"member": member, "roles": sorted(role.value for role in roles)}


def _rule(rule: ApprovalRuled | None) -> Row | None:
    return {"acts": list(rule.acts), "from_wh": rule.from_wh} if rule and rule.acts else None
