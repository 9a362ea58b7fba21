"""Take payments for answers: a till in the provider's folder and a gate before the work, settled on a chain.

The provider is a process of its own with a folder of its own: its till, the book of its refunds, its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_utils.address import to_checksum_address

from penstock.chain.client import ChainClient
from penstock.connect.x402 import offers
from penstock.connect.x402.asking import CreditClass, Terms
from penstock.connect.x402.gate import Hands, PaymentGate
from penstock.connect.x402.ports import Facilitator
from penstock.connect.x402.settlements import Settlements
from penstock.connect.x402.till import Till
from penstock.keys import ChainKey
from penstock.usecases.facilitate import ChainOfPayments, ChainPayout, ChainWitness, now_us

TILL_FILE: Final = "till.sqlite"
REFUNDS_FILE: Final = "refunds.sqlite"


@dataclass(frozen=True, slots=True)
class Selling:
    """What a provider sells for: a token of a chain, to an account; ``key`` is that account's where refunds and
    offers are to be signed by it, and ``upto_usdc_micro`` the least cap asked for in ``upto``."""

    asset: bytes
    asset_name: str
    asset_version: str
    pay_to: bytes
    key: ChainKey | None = None
    credits: tuple[CreditClass, ...] = ()
    upto_usdc_micro: int = 0


class OpenTill(AbstractContextManager["OpenTill"]):
    """A gate and what it stands on, open. ``gate`` goes to the door; close it when the door is closed.

    Raises:
        Unavailable: ``chain.unreachable``, ``payment.till_in_use``, ``payment.till_failed``, ``payment.store_failed``.
    """

    def __init__(
        self,
        folder: Path,
        client: ChainClient,
        facilitator: Facilitator,
        selling: Selling,
        clock: Callable[[], int] = now_us,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._refunds = Settlements(folder / REFUNDS_FILE, clock)
        self.till = Till(folder / TILL_FILE, clock)
        payout = sign = None
        if selling.key is not None:
            payout = ChainPayout(ChainOfPayments(client, selling.key, clock), self._refunds)
            sign = offers.by_account(selling.key)
        hands = Hands(facilitator, ChainWitness(client), payout, sign)
        self.gate = PaymentGate(_terms(client, facilitator, selling), self.till, hands, clock)

    def close(self) -> None:
        """Give the files back; harmless when repeated."""
        self.till.close()
        self._refunds.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def _terms(client: ChainClient, facilitator: Facilitator, selling: Selling) -> Terms:
    """What the facilitator supports on this chain decides the schemes that are offered."""
    chain_id = int(client.ask("eth_chainId"), 16)
    kinds = [one for one in facilitator.get_supported().kinds if one.network == f"eip155:{chain_id}"]
    extras: dict[str, dict[str, Any]] = {one.scheme: one.extra or {} for one in kinds if one.x402_version == 2}
    upto = str(extras.get("upto", {}).get("facilitatorAddress", ""))
    terms = Terms(
        chain_id, selling.asset, selling.asset_name, selling.asset_version, selling.pay_to,
        schemes=(*(name for name in ("exact", "upto") if name in extras), "credit"),
        upto_usdc_micro=selling.upto_usdc_micro, credits=selling.credits,
    )  # fmt: skip
    return replace(terms, facilitator=bytes.fromhex(to_checksum_address(upto)[2:])) if upto else terms
