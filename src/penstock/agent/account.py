"""The owner's hand on a `Spender`: deployed with a mandate's bounds, filled, bounded anew, revoked.

The owner's key is in none of the agent's files: each act is given it, signs its transactions, and forgets it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eth_abi.abi import encode

from penstock.agent.chain_link import ChainLink, calldata
from penstock.agent.mandate import UPTO, Mandate
from penstock.errors import Conflict, Invalid
from penstock.keys import ChainKey
from penstock.period import SECOND_US

BOUNDS: Final = "(uint256,uint256,uint256,uint256,uint256)"
"""The contract's Mandate: a payment, an hour, in all, the owner is asked above [micro-dollars]; the end [s]."""
PAYEES_MAX: Final = 32
NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Standing:
    """A Spender as the chain has it: what it may still pay, and what it holds [micro-dollars]."""

    owner: str
    agent: str
    balance_usdc_micro: int
    hour_left_usdc_micro: int
    total_left_usdc_micro: int
    expires_us: int

    @property
    def revoked(self) -> bool:
        """No agent may spend from it."""
        return self.agent == NOBODY


@dataclass(frozen=True, slots=True)
class Account:
    """The Spender at ``address``, and its owner's ``key``."""

    address: str
    link: ChainLink
    key: ChainKey = field(repr=False)

    def bound(self, mandate: Mandate) -> list[str]:
        """Write the mandate's bounds and payees over what stands there; the transactions.

        Payees that the mandate does not name are forbidden first, so that dying half way leaves less allowed, not more.

        Raises:
            Invalid: as `terms_of`. Refused, Unavailable: as `ChainLink.send`.
        """
        asset, bounds, payees = terms_of(mandate)
        self._same_dollar(asset)
        allowed = self.link.last_of_each(self.address, "Allowed(address,bool)")
        stale = sorted(who for who, yes in allowed.items() if yes and who not in payees)
        sent = [self._send("allow_payee(address,bool)", [who, False]) for who in stale]
        sent.append(self._send(f"set_mandate({BOUNDS})", [bounds]))
        fresh = [who for who in payees if not allowed.get(who)]
        sent += [self._send("allow_payee(address,bool)", [who, True]) for who in fresh]
        return [*sent, self._send("allow_metered(bool)", [_metered(mandate)])]

    def fund(self, amount_usdc_micro: int) -> str:
        """Move dollars of its owner's account there; the transaction. Raises as `ChainLink.send`."""
        (dollar,) = self.link.read(self.address, "dollar()", [], ["address"])
        moved = calldata("transfer(address,uint256)", [self.address, amount_usdc_micro])
        return self.link.send(self.key, str(dollar), moved)

    def withdraw(self, amount_usdc_micro: int) -> str:
        """Take dollars back to its owner's account; the transaction. Raises as `ChainLink.send`."""
        return self._send("withdraw(address,uint256)", ["0x" + self.key.address.hex(), amount_usdc_micro])

    def revoke(self) -> str:
        """No agent any more, and what was announced and not settled is void; the transaction. Raises as
        `ChainLink.send`."""
        return self._send("revoke()", [])

    def _send(self, signature: str, values: list[Any]) -> str:
        return self.link.send(self.key, self.address, calldata(signature, values))

    def _same_dollar(self, asset: str) -> None:
        (dollar,) = self.link.read(self.address, "dollar()", [], ["address"])
        if str(dollar).lower() != asset:
            raise Conflict("spender.dollar", f"The Spender holds {dollar}, and the mandate pays in {asset}.")


def deploy(creation: bytes, mandate: Mandate, agent: bytes, link: ChainLink, key: ChainKey) -> str:
    """Deploy a Spender of ``creation`` code with the mandate's bounds for ``agent`` (20 bytes); its address.

    Raises:
        Invalid: as `terms_of`. Conflict: ``spender.chain`` where the link leads to another chain than the mandate's.
        Refused, Unavailable: as `ChainLink.send`.
    """
    asset, bounds, payees = terms_of(mandate)
    here, due = f"eip155:{link.chain_id()}", next(iter(_tokens(mandate)))[0]
    if here != due:
        raise Conflict("spender.chain", f"The mandate pays on {due}, and this is {here}.")
    kinds = ["address", "address", "address", BOUNDS, "address[]"]
    made = [key.address, agent, asset, bounds, list(payees)]
    address = link.deploy(key, creation + encode(kinds, made))
    if _metered(mandate):
        link.send(key, address, calldata("allow_metered(bool)", [True]))
    return address


def standing(address: str, link: ChainLink) -> Standing:
    """What stands on the chain. Raises Refused ``chain.no_such_view`` where no Spender does, Unavailable as
    `ChainLink.ask`."""
    kinds = [("owner()", "address"), ("agent()", "address"), ("dollar()", "address"), ("mandate()", BOUNDS)]
    owner, agent, dollar, bounds = (link.read(address, name, [], [kind])[0] for name, kind in kinds)
    hour, total = link.read(address, "left()", [], ["uint256", "uint256"])
    (balance,) = link.read(dollar, "balanceOf(address)", [address], ["uint256"])
    return Standing(str(owner), str(agent), int(balance), int(hour), int(total), int(bounds[4]) * SECOND_US)


def terms_of(mandate: Mandate) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """The dollar, the bounds and the payees that a mandate has a contract keep.

    Raises:
        Invalid: ``spender.one_dollar`` where it pays in several tokens or on several chains, ``spender.payees`` for
        more than a contract takes.
    """
    tokens = _tokens(mandate)
    if len(tokens) != 1:
        raise Invalid("spender.one_dollar", "A Spender holds one dollar, and the mandate names several.")
    payees = tuple(sorted({venue.pay_to for venue in mandate.venues}))
    if len(payees) > PAYEES_MAX:
        raise Invalid("spender.payees", f"A Spender is deployed with at most {PAYEES_MAX} payees.")
    money = mandate.budget
    bounds = (
        *(money.call_usdc_micro, money.hour_usdc_micro, money.total_usdc_micro, money.ask_above_usdc_micro),
        mandate.until_us // SECOND_US,
    )
    return next(iter(tokens))[1], bounds, payees


def _tokens(mandate: Mandate) -> set[tuple[str, str]]:
    """Chain and address of each token that is paid in; credits stay where they are."""
    return {(rail.network, rail.asset) for rail in mandate.rails if not rail.is_credit}


def _metered(mandate: Mandate) -> bool:
    return any(UPTO in rail.schemes for rail in mandate.rails)
