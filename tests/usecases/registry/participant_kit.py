"""A registry with an organisation of four members, and a kit of what is said of them."""

from __future__ import annotations

from typing import Any

from coincurve import PrivateKey
from device_kit import hours
from eth_utils.crypto import keccak
from registry_kit import Registry

from penstock.energy.wallet import consent_text, signed_bytes
from penstock.journal.kinds.account import AccountAssigned, ApprovalRuled, MemberPlaced, OrganisationRegistered, Role
from penstock.keys import ChainKey
from penstock.usecases.registry.account import say

ORGANISATION = "sun cooperative"
ADMINISTRATOR, TRADER, APPROVER, VIEWER, ATTACKER = (f"{number:012x}" for number in range(1, 6))
ROLES = {
    ADMINISTRATOR: (Role.ADMINISTRATOR,),
    TRADER: (Role.TRADER,),
    APPROVER: (Role.APPROVER, Role.TRADER),
    VIEWER: (Role.VIEWER,),
}
WALLET = ChainKey(bytes(31) + b"\x07")


class Members(Registry):
    """The roof's owner is an account of the organisation; trader and buyer are nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.say(OrganisationRegistered(ORGANISATION))
        for member, roles in ROLES.items():
            self.say(MemberPlaced(ORGANISATION, member, roles))
        self.say(AccountAssigned("owner", ORGANISATION))

    def say(self, fact: Any, hour: float = 5) -> None:
        self.do(say, fact, hour)

    def refuses(self, fact: Any, hour: float = 5) -> str:
        return self.refused(say, fact, hour)

    def two_persons(self, *acts: str, from_wh: int = 0, organisation: str = ORGANISATION) -> Members:
        self.say(ApprovalRuled(organisation, acts, from_wh))
        return self


def consent(account: str, origin: str = "yard.example", wallet: ChainKey = WALLET) -> bytes:
    digest = keccak(signed_bytes(consent_text(origin, account, wallet.address)))
    return PrivateKey(wallet.secret).sign_recoverable(digest, hasher=None)


def later(hour: float) -> int:
    return hours(hour)
