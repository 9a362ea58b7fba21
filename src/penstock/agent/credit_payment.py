"""Credits that are held at a provider's till, spent by the holder's signature: x402's scheme ``credit``.

What is signed is ``Spend`` (EIP-712) under the domain of the payee's till: class, holder, units, salt, end. A class of
32 zero bytes is prepaid dollars. What credits are worth is the agent's own sum, at the quoted price: the mandate bounds
what is used up, however it was paid for.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

from penstock.agent.mandate import CREDIT
from penstock.agent.quotes import Quote

SPEND_TYPE: Final = "Spend"
TILL: Final = {"name": "Penstock Till", "version": "1"}
DOLLARS: Final = "0x" + "00" * 32
"""The class of prepaid dollars, in micro-dollars."""
FIELDS: Final = (
    ("classId", "bytes32"),
    ("holder", "address"),
    ("units", "uint256"),
    ("salt", "bytes32"),
    ("validBefore", "uint256"),
)


class Signer(Protocol):
    """What signs: x402's ``ClientEvmSigner``."""

    @property
    def address(self) -> str:
        """Who holds the credits."""

    def sign_typed_data(self, domain: Any, types: Any, primary_type: str, message: Any) -> bytes:
        """The signature (EIP-712)."""


def worth_up(offer: Any, quote: Quote, tokens: int) -> int | None:
    """What a demand for credits comes to at the quoted price [micro-dollars], rounded up; None where it makes no sense:
    more units than tokens asked for, several for one request, or another unit."""
    units, unit, prepaid = int(offer.amount), offer.extra.get("unit"), offer.asset.lower() == DOLLARS
    if units < 0 or prepaid != (unit == "usdc_micro"):
        return None
    if prepaid:
        return units
    if unit == "tokens" and units <= tokens:
        return quote.charge_up(units)
    return quote.charge_up(tokens) if unit == "requests" and units == 1 else None


@dataclass(frozen=True, slots=True)
class CreditScheme:
    """The client's side of ``credit``, beside x402's own schemes."""

    signer: Signer
    scheme: str = CREDIT

    def create_payment_payload(self, requirements: Any, extensions: Any = None) -> dict[str, Any]:
        """A spending of so many units as are asked for, signed."""
        del extensions
        salt, until = secrets.token_bytes(32), int(time.time()) + int(requirements.max_timeout_seconds)
        message = {
            "classId": bytes.fromhex(requirements.asset[2:]),
            "holder": self.signer.address,
            "units": int(requirements.amount),
            "salt": salt,
            "validBefore": until,
        }
        chain = int(str(requirements.network).partition(":")[2])
        domain = TILL | {"chainId": chain, "verifyingContract": requirements.pay_to}
        types = {SPEND_TYPE: [{"name": name, "type": kind} for name, kind in FIELDS]}
        signature = self.signer.sign_typed_data(domain, types, SPEND_TYPE, message)
        spend = {"classId": requirements.asset, "holder": self.signer.address, "units": requirements.amount}
        return {
            "spend": spend | {"salt": "0x" + salt.hex(), "validBefore": str(until)},
            "signature": "0x" + signature.hex(),
        }
