"""A facilitator: checks x402 payments and settles them on one chain, for tokens it was told of.

The x402 package judges the schemes; this keeps a settlement single, whatever dies, and tells a second asker the truth.
Source: x402 specification v2, section 7 (facilitator interface).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from x402.mechanisms.evm.constants import (
    ERR_FAILED_TO_VERIFY_SIGNATURE,
    ERR_NETWORK_MISMATCH,
    ERR_NONCE_ALREADY_USED,
    ERR_SETTLEMENT_PENDING,
    ERR_UNSUPPORTED_SCHEME,
)
from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme, ExactEvmSchemeConfig
from x402.mechanisms.evm.upto.facilitator import UptoEvmScheme, UptoEvmSchemeConfig
from x402.schemas import (
    PaymentPayload,
    PaymentRequirements,
    SettleResponse,
    SupportedKind,
    SupportedResponse,
    VerifyResponse,
)

from penstock.connect.x402.payment import Payment, read_payment, terms_digest, written
from penstock.connect.x402.ports import PaymentChain
from penstock.connect.x402.settlements import Claim, Settlements
from penstock.connect.x402.signer import SettlementSigner
from penstock.errors import Invalid, PenstockError

ASSET_NOT_SERVED: Final = "unsupported_asset"
ALTERED: Final = "payment_altered"
MALFORMED: Final = "invalid_payload"
WAIT_S: Final = 10.0
_THREADS: Final = 16


class ChainFacilitator:
    """Settles over ``chain``; ``assets`` are the tokens it pays gas for."""

    def __init__(
        self, chain: PaymentChain, settlements: Settlements, assets: Sequence[bytes], *, wait_s: float = WAIT_S
    ) -> None:
        self._chain, self._settlements, self._wait_s = chain, settlements, wait_s
        self._assets = frozenset(assets)
        self._network = f"eip155:{chain.chain_id}"
        self._threads = ThreadPoolExecutor(_THREADS, "x402")

    async def verify(self, payload: PaymentPayload, requirements: PaymentRequirements) -> VerifyResponse:
        """Whether the payment would settle now."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.verify_now, payload, requirements)

    async def settle(self, payload: PaymentPayload, requirements: PaymentRequirements) -> SettleResponse:
        """Settle it. ``settlement_pending``: sent and not in a block yet, or another process is at it; ask again."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.settle_now, payload, requirements)

    def get_supported(self) -> SupportedResponse:
        """Schemes, networks and the account that pays gas."""
        signer = written(self._chain.address)
        kinds = [
            SupportedKind(x402_version=2, scheme="exact", network=self._network),
            SupportedKind(x402_version=2, scheme="upto", network=self._network, extra={"facilitatorAddress": signer}),
        ]
        return SupportedResponse(kinds=kinds, extensions=[], signers={"eip155:*": [signer]})

    def verify_now(self, payload: PaymentPayload, requirements: PaymentRequirements) -> VerifyResponse:
        """`verify`, in this thread."""
        try:
            payment = read_payment(payload)
        except Invalid as malformed:
            return _invalid(MALFORMED, None, malformed.message)
        payer = written(payment.payer)
        if reason := self._not_served(payment, requirements):
            return _invalid(reason, payer)
        try:
            return self._scheme(payment, self._signer(payment)).verify(payload, requirements)
        except Exception as failed:
            return VerifyResponse(
                is_valid=False,
                invalid_reason=ERR_FAILED_TO_VERIFY_SIGNATURE,
                invalid_message=_said(failed),
                payer=payer,
            )

    def settle_now(self, payload: PaymentPayload, requirements: PaymentRequirements) -> SettleResponse:
        """`settle`, in this thread."""
        try:
            payment = read_payment(payload)
        except Invalid as malformed:
            return self._refusal(None, MALFORMED, malformed.message)
        if reason := self._not_served(payment, requirements):
            return self._refusal(payment, reason)
        claim, sent = self._settlements.claim(payment.id, terms_digest(payment, requirements))
        tx = sent.tx if sent else b""
        refused = {Claim.BUSY: ERR_SETTLEMENT_PENDING, Claim.DONE: ERR_NONCE_ALREADY_USED, Claim.ALTERED: ALTERED}
        if claim in refused:
            return self._refusal(payment, refused[claim], tx=tx)
        signer = self._signer(payment)
        signer.sent = sent
        return self._followed(payment, signer, payload, requirements)

    def close(self) -> None:
        """Wait for what is under way; the record of settlements is the caller's to close."""
        self._threads.shutdown()

    def _followed(
        self, payment: Payment, signer: SettlementSigner, payload: PaymentPayload, requirements: PaymentRequirements
    ) -> SettleResponse:
        """Settle, and write down how it ended before anybody hears of it."""
        try:
            answer = self._scheme(payment, signer).settle(payload, requirements)
        except Exception as failed:
            answer = self._refusal(payment, ERR_SETTLEMENT_PENDING if signer.sent else MALFORMED, _said(failed))
        if answer.success and signer.mined:
            self._settlements.settled(payment.id)
        elif signer.sent and signer.mined is None and not signer.displaced:
            self._settlements.release(payment.id)
        else:
            self._settlements.forget(payment.id)
        return answer.model_copy(update={"amount": requirements.amount}) if answer.success else answer

    def _not_served(self, payment: Payment, requirements: PaymentRequirements) -> str:
        if requirements.scheme not in ("exact", "upto") or payment.scheme != requirements.scheme:
            return ERR_UNSUPPORTED_SCHEME
        if requirements.network != self._network or payment.chain_id != self._chain.chain_id:
            return ERR_NETWORK_MISMATCH
        asked = requirements.asset.lower()
        if asked != "0x" + payment.token.hex() or payment.token not in self._assets:
            return ASSET_NOT_SERVED
        return ""

    def _signer(self, payment: Payment) -> SettlementSigner:
        return SettlementSigner(self._chain, self._settlements, payment.id, self._wait_s)

    def _scheme(self, payment: Payment, signer: SettlementSigner) -> ExactEvmScheme | UptoEvmScheme:
        if payment.scheme == "upto":
            return UptoEvmScheme(signer, UptoEvmSchemeConfig(simulate_in_settle=True), signer)
        return ExactEvmScheme(signer, ExactEvmSchemeConfig(simulate_in_settle=True), signer)

    def _refusal(
        self, payment: Payment | None, reason: str, message: str | None = None, tx: bytes = b""
    ) -> SettleResponse:
        return SettleResponse(
            success=False,
            error_reason=reason,
            error_message=message,
            payer=written(payment.payer) if payment else None,
            transaction="0x" + tx.hex() if tx else "",
            network=self._network,
        )


def _said(failed: Exception) -> str:
    return failed.message if isinstance(failed, PenstockError) else type(failed).__name__


def _invalid(reason: str, payer: str | None, message: str | None = None) -> VerifyResponse:
    return VerifyResponse(is_valid=False, invalid_reason=reason, invalid_message=message, payer=payer)
