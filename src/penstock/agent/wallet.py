"""The agent's key: it signs the one payment that was permitted, and nothing else, whoever asks.

What is signed is read again here, from the typed data itself. So neither a provider's offer nor a mistake in a payment
library gets a signature beyond the mandate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address

from penstock.agent import credit_payment
from penstock.agent.admission import Ask
from penstock.agent.credit_payment import SPEND_TYPE, TILL
from penstock.agent.mandate import CREDIT
from penstock.errors import Refused
from penstock.keys import ChainKey
from penstock.period import SECOND_US

EXACT_TYPE: Final = "TransferWithAuthorization"
UPTO_TYPE: Final = "PermitWitnessTransferFrom"
PERMIT: Final = "0x000000000022d473030f116ddee9f6b43ac78ba3"
"""Permit2, at its one address on every chain."""
UPTO_PROXY: Final = "0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002"
"""x402's proxy of metered payments, at its one address on every chain."""
LIFE_MAX_US: Final = 3_600 * SECOND_US
"""No payment is signed that could be cashed later than this from now [us]."""
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    EXACT_TYPE: ("from", "to", "value", "validAfter", "validBefore", "nonce"),
    UPTO_TYPE: ("permitted", "spender", "nonce", "deadline", "witness"),
    SPEND_TYPE: tuple(name for name, _ in credit_payment.FIELDS),
}
"""Fields of the structs in EIP-3009 and, with x402's witness, Permit2; and of credits at a till."""
Authorize = Callable[[str, Mapping[str, Any]], bytes]
"""Tells a spending contract of a payment (the struct's name and fields); the bytes to send for a signature."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One payment that may be signed: the ask that was admitted, and when that was."""

    ask: Ask
    now_us: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """A key, and who pays: its own account, or a contract account that `authorize` is the way to."""

    key: ChainKey = field(repr=False)
    spender: str = ""
    authorize: Authorize | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Who pays, checksummed."""
        return str(to_checksum_address(self.spender or self.key.address))

    def permitted(self, permission: Permission) -> PermittedSigner:
        """A signer, as x402's clients take one, of that payment alone."""
        return PermittedSigner(self, permission)


@dataclass(slots=True)
class PermittedSigner:
    """Signs one payment once. Implements x402's ``ClientEvmSigner``."""

    wallet: Wallet = field(repr=False)
    permission: Permission
    valid_before_us: int = 0
    nonce: str = ""

    @property
    def address(self) -> str:
        """Who pays."""
        return self.wallet.address

    def sign_typed_data(
        self, domain: Any, types: Mapping[str, Any], primary_type: str, message: Mapping[str, Any]
    ) -> bytes:
        """The signature, where domain and message are the permitted payment's (EIP-712).

        Raises:
            Refused: ``wallet.signed``, ``wallet.form``, and ``wallet.beyond`` naming what differs.
        """
        if self.nonce:
            raise Refused("wallet.signed", "This permission has been used.", hint="Ask for another.")
        plain = _plain(domain)
        wrong = _form(types, primary_type, message) or self._beyond(plain, primary_type, message)
        if wrong:
            raise Refused("wallet.beyond", f"Not signed: {wrong}.", hint="The offer is not what was permitted.")
        self._remember(primary_type, message)
        if self.wallet.authorize is not None:
            return self.wallet.authorize(primary_type, message)
        return self._sign(plain, types, primary_type, message)

    def _beyond(self, domain: Mapping[str, Any], primary_type: str, message: Mapping[str, Any]) -> str:
        ask = self.permission.ask
        if f"eip155:{domain.get('chainId')}" != ask.network:
            return f"chain {domain.get('chainId')} is not {ask.network}"
        if primary_type == SPEND_TYPE and self.wallet.authorize is not None:
            return "a contract account signs no credits"
        check = {EXACT_TYPE: _beyond_exact, UPTO_TYPE: _beyond_upto, SPEND_TYPE: _beyond_spend}[primary_type]
        return check(ask, domain, message, self.address) or self._too_long(primary_type, message)

    def _too_long(self, primary_type: str, message: Mapping[str, Any]) -> str:
        ends_us = _ends(primary_type, message) * SECOND_US
        return "" if ends_us <= self.permission.now_us + LIFE_MAX_US else "it could be cashed for more than an hour"

    def _remember(self, primary_type: str, message: Mapping[str, Any]) -> None:
        nonce = message["salt" if primary_type == SPEND_TYPE else "nonce"]
        self.nonce = nonce.hex() if isinstance(nonce, bytes) else str(nonce)
        self.valid_before_us = _ends(primary_type, message) * SECOND_US

    def _sign(
        self, domain: Mapping[str, Any], types: Mapping[str, Any], primary_type: str, message: Mapping[str, Any]
    ) -> bytes:
        full = {
            "types": {**_types(types), "EIP712Domain": _domain_type(domain)},
            "primaryType": primary_type,
            "domain": dict(domain),
            "message": dict(message),
        }
        signed = Account.sign_message(encode_typed_data(full_message=full), private_key=self.wallet.key.secret)
        return bytes(signed.signature)


def _form(types: Mapping[str, Any], primary_type: str, message: Mapping[str, Any]) -> str:
    """Only the structs that pay, with exactly their fields: whatever else is typed data may be anything."""
    if primary_type not in FIELDS:
        return f"{primary_type} is no payment"
    names = tuple(_name(item) for item in types.get(primary_type, ()))
    if names != FIELDS[primary_type] or set(message) != set(names):
        return f"{primary_type} has other fields than it should"
    return ""


def _beyond_exact(ask: Ask, domain: Mapping[str, Any], message: Mapping[str, Any], payer: str) -> str:
    said = (
        (domain.get("verifyingContract"), ask.asset, "the token"),
        (message["from"], payer, "who pays"),
        (message["to"], ask.pay_to, "who is paid"),
    )
    if ask.scheme != "exact":
        return f"an exact payment, where {ask.scheme} was permitted"
    return _differs(said) or _too_much(int(message["value"]), ask)


def _beyond_upto(ask: Ask, domain: Mapping[str, Any], message: Mapping[str, Any], payer: str) -> str:
    del payer  # whoever signs is who pays here
    permitted, witness = message["permitted"], message["witness"]
    said = (
        (domain.get("verifyingContract"), PERMIT, "the contract of permits"),
        (permitted["token"], ask.asset, "the token"),
        (message["spender"], UPTO_PROXY, "the proxy"),
        (witness["to"], ask.pay_to, "who is paid"),
    )
    if ask.scheme != "upto":
        return f"a metered payment, where {ask.scheme} was permitted"
    return _differs(said) or _too_much(int(permitted["amount"]), ask)


def _beyond_spend(ask: Ask, domain: Mapping[str, Any], message: Mapping[str, Any], payer: str) -> str:
    said = (
        (domain.get("name"), TILL["name"], "the till's name"),
        (domain.get("version"), TILL["version"], "the till's version"),
        (domain.get("verifyingContract"), ask.pay_to, "who is paid"),
        ("0x" + message["classId"].hex(), ask.asset, "the class of credits"),
        (message["holder"], payer, "who pays"),
    )
    if ask.scheme != CREDIT:
        return f"a spending of credits, where {ask.scheme} was permitted"
    units = int(message["units"])
    return _differs(said) or ("" if 0 <= units <= ask.units else f"{units} units are not within the {ask.units}")


def _differs(said: tuple[tuple[Any, str, str], ...]) -> str:
    return next((f"{what} is {found}, not {due}" for found, due, what in said if str(found).lower() != due.lower()), "")


def _too_much(amount: int, ask: Ask) -> str:
    limit = ask.amount_usdc_micro
    return "" if 0 <= amount <= limit else f"{amount} is not within the {limit} permitted"


def _ends(primary_type: str, message: Mapping[str, Any]) -> int:
    return int(message["deadline" if primary_type == UPTO_TYPE else "validBefore"])


def _plain(domain: Any) -> dict[str, Any]:
    """The domain as EIP-712 names it; x402 hands over either a dataclass or a mapping."""
    if isinstance(domain, Mapping):
        return dict(domain)
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.verifying_contract,
    }


def _domain_type(domain: Mapping[str, Any]) -> list[dict[str, str]]:
    known = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    return [{"name": name, "type": kind} for name, kind in known.items() if name in domain]


def _types(types: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    return {name: [{"name": _name(one), "type": _type(one)} for one in fields] for name, fields in types.items()}


def _name(item: Any) -> str:
    return str(item["name"] if isinstance(item, Mapping) else item.name)


def _type(item: Any) -> str:
    return str(item["type"] if isinstance(item, Mapping) else item.type)
