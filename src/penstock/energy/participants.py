"""Participants: who acts for whom in the registry, and from whom each account receives, folded from the facts.

Every fact that names a member as the one who asked is checked again as it is applied: nobody acts for an account
without the role for it, and not alone where two persons are needed.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from penstock.energy import membership
from penstock.energy.approval import Approvals
from penstock.energy.recurring import Orders
from penstock.energy.roles import ADMINISTER, OPERATORS, ROLE_FOR
from penstock.errors import Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.account import ActProposed, Role
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.kinds.ledger import AccountFunded, WorkspaceOpened
from penstock.journal.register import Accounts
from penstock.journal.segment import Columns
from penstock.journal.words import TitleState

_ACT_OF: Final = {
    TitleState.RESERVED: "reserve",
    TitleState.CLAIMED: "claim",
    TitleState.RETIRED: "retire",
    TitleState.EXPORTED: "export",
    TitleState.LIFTED: "lift",
}


class Participants:
    """Organisations, their members and accounts, and what each account states of those it receives from."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.members: dict[str, dict[str, frozenset[Role]]] = {}
        self.organisation_of: dict[str, str] = {}
        self.account_of_wallet: dict[bytes, str] = {}
        self.whitelists: dict[str, frozenset[str]] = {}
        self.origin = ""
        self.approvals = Approvals()
        self.orders = Orders()

    def check_receives(self, source: str, target: str) -> None:
        """That ``target`` receives titles from ``source``: until it states a whitelist, an account does from all.

        Raises:
            NotFound: ``account.unknown``. Refused: ``account.not_whitelisted``.
        """
        self.accounts.id_of(target)
        listed = self.whitelists.get(target)
        if listed is not None and source != target and source not in listed:
            hint = f"An administrator of {target} can put {source} on its whitelist."
            raise Refused("account.not_whitelisted", f"{target} does not receive from {source}.", hint=hint)

    def check_may(self, by: str, account: str, act: str, energy_wh: int | None = None) -> None:
        """That ``by`` may do ``act`` for an account; ``""`` and ``operator`` are the registry's operator, who may all.

        ``energy_wh`` is how much it is about, None where that cannot be said: then it is any amount.

        Raises:
            Refused: ``account.not_member``, ``account.role``, ``account.two_persons``.
        """
        organisation = self.organisation_of.get(account, "")
        if by in OPERATORS or self.approvals.carries_out(by, organisation, act):
            return
        self.check_role(by, organisation, act)
        self.approvals.check_alone(organisation, act, energy_wh)

    def check_administers(self, by: str, organisation: str) -> None:
        """That ``by`` may change an organisation's members, whitelists, wallets and rules; raises as `check_may`."""
        if by in OPERATORS or self.approvals.carries_out(by, organisation, ADMINISTER):
            return
        self.check_role(by, organisation, ADMINISTER)
        self.approvals.check_alone(organisation, ADMINISTER, None)

    def check_role(self, by: str, organisation: str, act: str) -> None:
        """That a member has the role for an act in an organisation, with another's approval or without.

        Raises:
            Refused: ``account.not_member``, ``account.role``.
        """
        roles = self.roles(by, organisation)
        if not roles:
            raise Refused("account.not_member", "Only members of its organisation act for it.", by=by, act=act)
        needed = ROLE_FOR.get(act)
        if needed not in roles:
            hint = f"That takes a member who is {needed.value}." if needed else "The registry's operator does that."
            raise Refused("account.role", "This member's roles do not allow that.", hint=hint, by=by, act=act)

    def roles(self, member: str, organisation: str) -> frozenset[Role]:
        """What a member may do for an organisation; nothing where it is none of its members."""
        return self.members.get(organisation, {}).get(member, frozenset())

    def accounts_of(self, member: str) -> dict[str, frozenset[Role]]:
        """The accounts that a member acts for or sees, with its roles."""
        found = {name: self.roles(member, organisation) for name, organisation in self.organisation_of.items()}
        return {name: roles for name, roles in found.items() if roles}

    def wallets_of(self, account: str) -> list[bytes]:
        """An account's wallets, in the order they were bound."""
        return [wallet for wallet, owner in self.account_of_wallet.items() if owner == account]

    def apply(self, recorded: Recorded, columns: Columns | None = None) -> None:
        """Fold one fact, checked once more; raises as `membership.check`, `check_may` and `check_receives`."""
        fact = recorded.fact
        self.approvals.begin(recorded.at_us)
        self.orders.begin(recorded.at_us)
        if isinstance(fact, WorkspaceOpened):
            self.origin = fact.origin
        elif isinstance(fact, TitlesMoved) and columns is not None:
            self._check_moved(fact, columns)
        elif isinstance(fact, AccountFunded):
            self._check_funded(fact)
        membership.fold(self, recorded)
        self.approvals.apply(recorded, membership.organisation_in(self, fact) if isinstance(fact, ActProposed) else "")
        self.orders.apply(recorded, columns)

    def _check_moved(self, fact: TitlesMoved, columns: Columns) -> None:
        """That who asked for these moves may have: the operator may all.

        How much one member does alone is judged where the act is decided: a move does not tell which act it is of.
        """
        if fact.by in OPERATORS:
            return
        sources, targets = columns["source"], columns["target"]
        stays = bool((sources == targets).all())
        act = _ACT_OF.get(fact.state, "release" if stays else "transfer")
        freed = fact.beneficiary if act == "release" and fact.beneficiary in self.accounts else ""
        for number in np.unique(sources).tolist():
            self._check_moves(fact.by, freed or self.accounts.name(number), act)
        if not stays and self.whitelists:
            pairs = np.unique(sources.astype(np.int64) * len(self.accounts) + targets)
            for source, target in zip(*(part.tolist() for part in np.divmod(pairs, len(self.accounts))), strict=True):
                self.check_receives(self.accounts.name(source), self.accounts.name(target))

    def _check_moves(self, by: str, account: str, act: str) -> None:
        organisation = self.organisation_of.get(account, "")
        if not (self.orders.carries_out(by, account, act) or self.approvals.carries_out(by, organisation, act)):
            self.check_role(by, organisation, act)

    def _check_funded(self, fact: AccountFunded) -> None:
        """That dollars come from outside, and nobody's here are moved; raises Refused ``fund.not_external``."""
        for one in fact.transfers:
            if not self.accounts.is_external(self.accounts.id_of(one.source)):
                raise Refused("fund.not_external", "Dollars come in through an external account.", account=one.source)

    def digest(self) -> bytes:
        """sha256 over all of it."""
        said = (
            {name: sorted((who, *sorted(roles)) for who, roles in each.items()) for name, each in self.members.items()},
            self.organisation_of,
            self.account_of_wallet,
            {name: sorted(listed) for name, listed in self.whitelists.items()},
        )
        return hashlib.sha256(repr(said).encode() + self.approvals.digest() + self.orders.digest()).digest()
