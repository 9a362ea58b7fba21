"""Settle payments on a chain: the ports of ``connect/x402`` over a chain's client, and the facilitator put together.

The chain is asked directly: what became of a payment never rests on the word of whoever settled it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from penstock.chain.client import ChainClient
from penstock.chain.tx_sign import Terms, sign
from penstock.chain.well_known import EXACT_PAYMENT, UPTO_PAYMENT
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.payment import PERMIT2, Method, Payment
from penstock.connect.x402.ports import Fate, Found, Mined
from penstock.connect.x402.settlements import Settlements
from penstock.errors import PenstockError, Refused, Unavailable
from penstock.keys import ChainKey

TRANSFER_TOPIC: Final = keccak(text="Transfer(address,address,uint256)")
USED_TOPIC: Final = keccak(text="AuthorizationUsed(address,bytes32)")
_STATE: Final = keccak(text="authorizationState(address,bytes32)")[:4]
_BITMAP: Final = keccak(text="nonceBitmap(address,uint256)")[:4]
_SEND: Final = keccak(text="transfer(address,uint256)")[:4]
_PERMIT: Final = "((address,uint256),uint256,uint256)"
_PERMIT_2612: Final = "(uint256,uint256,bytes32,bytes32,uint8)"
_EXACT: Final = f"{_PERMIT},address,(address,uint256),bytes)"
_UPTO: Final = f"{_PERMIT},uint256,address,(address,address,uint256),bytes)"
_SETTLES: Final = {
    (EXACT_PAYMENT, keccak(text=f"settle({_EXACT}")[:4]): (2, 4),
    (EXACT_PAYMENT, keccak(text=f"settleWithPermit({_PERMIT_2612},{_EXACT}")[:4]): (7, 9),
    (UPTO_PAYMENT, keccak(text=f"settle({_UPTO}")[:4]): (2, 5),
    (UPTO_PAYMENT, keccak(text=f"settleWithPermit({_PERMIT_2612},{_UPTO}")[:4]): (7, 10),
}
"""x402's proxies: which words of the call hold nonce and owner."""
_FEES_US: Final = 1_000_000
"""How long a price of gas is good [us]: the cap holds while the base fee doubles, six full blocks."""
_GRACE_S: Final = 30
"""A payment is void only this long after its end: the chain's clock may lag [s]."""
_LOOK_BACK_BLOCKS: Final = 50_000
_WAIT_S: Final = 10.0
_GAS_TRANSFER: Final = 120_000


def now_us() -> int:
    """The machine's clock [us, UTC]."""
    return time.time_ns() // 1_000


class ChainOfPayments:
    """`PaymentChain` over ``client``: every transaction is signed by ``key``, which pays the gas."""

    def __init__(self, client: ChainClient, key: ChainKey, clock: Callable[[], int] = now_us) -> None:
        self._client, self._key, self._clock = client, key, clock
        self.chain_id = int(client.ask("eth_chainId"), 16)
        self.address = key.address
        self._fees, self._fees_until_us = (0, 0), 0

    def call(self, to: bytes, data: bytes) -> bytes:
        return self._client.call(to, data, sender=self.address)

    def code(self, account: bytes) -> bytes:
        return bytes.fromhex(self._client.ask("eth_getCode", "0x" + account.hex(), "latest")[2:])

    def next_nonce(self) -> int:
        return self._client.nonce(self.address, "pending")

    def mined_nonce(self) -> int:
        return self._client.nonce(self.address)

    def sign(self, nonce: int, to: bytes, data: bytes, gas: int) -> tuple[bytes, bytes]:
        cap, tip = self._price()
        return sign(Terms(self.chain_id, nonce, tip, cap, gas, to, 0, data), self._key)

    def send(self, raw: bytes) -> None:
        try:
            self._client.send_raw(raw)
        except Refused as refused:  # a node that mined it already calls its nonce too low
            if self.mined(keccak(raw)) is None:
                raise refused

    def mined(self, tx_hash: bytes) -> Mined | None:
        return mined_of(self._client, tx_hash)

    def _price(self) -> tuple[int, int]:
        now = self._clock()
        if now >= self._fees_until_us:
            self._fees, self._fees_until_us = self._client.fees(), now + _FEES_US
        return self._fees


def mined_of(client: ChainClient, tx_hash: bytes) -> Mined | None:
    """What became of a transaction, with its events."""
    found = client.ask("eth_getTransactionReceipt", "0x" + tx_hash.hex())
    if found is None or found.get("blockHash") is None:
        return None
    logs = tuple((_raw(log["address"]), tuple(map(_raw, log["topics"])), _raw(log["data"])) for log in found["logs"])
    return Mined(int(found["status"], 16) == 1, int(found["blockNumber"], 16), logs)


class ChainWitness:
    """`Witness` over ``client``: the nonce tells whether a payment was used, the events tell by what."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client

    def look(self, payment: Payment, now_us: int) -> Found:
        """The payment's fate. A payment used up without the payee's money is void: cancelled, or spent elsewhere."""
        try:
            if not self._used(payment):
                over = now_us // 1_000_000 > payment.valid_before_s + _GRACE_S
                return Found(Fate.VOID if over else Fate.UNUSED)
            return self._by_what(payment)
        except PenstockError:
            return Found(Fate.UNKNOWN)

    def brought(self, payment: Payment, tx: bytes) -> int:
        """What transaction ``tx`` brought the payee by this payment [smallest units]; 0 also where nobody can tell."""
        try:
            return self._brought(payment, tx)
        except PenstockError:
            return 0

    def _used(self, payment: Payment) -> bool:
        if payment.method is Method.EIP3009:
            data = _STATE + encode(["address", "bytes32"], [payment.payer, payment.nonce])
            return bool(int.from_bytes(self._client.call(payment.token, data), "big"))
        word, bit = divmod(int.from_bytes(payment.nonce, "big"), 256)
        data = _BITMAP + encode(["address", "uint256"], [payment.payer, word])
        return bool(int.from_bytes(self._client.call(PERMIT2, data), "big") >> bit & 1)

    def _by_what(self, payment: Payment) -> Found:
        for tx in self._candidates(payment):
            if amount := self._brought(payment, tx):
                return Found(Fate.PAID, tx, amount)
        return Found(Fate.VOID)

    def _brought(self, payment: Payment, tx: bytes) -> int:
        found = mined_of(self._client, tx)
        if found is None or not found.succeeded:
            return 0
        if payment.method is Method.EIP3009:
            return received(payment, found)
        return transferred(payment, found) if self._carries(payment, tx) else 0

    def _candidates(self, payment: Payment) -> list[bytes]:
        """Transactions that may have used it. Permit2 writes no event of a nonce: transfers to the payee then."""
        payer, payee = bytes(12) + payment.payer, bytes(12) + payment.payee
        exact = payment.method is Method.EIP3009
        topics = [USED_TOPIC, payer, payment.nonce] if exact else [TRANSFER_TOPIC, payer, payee]
        head = self._client.head().number
        terms = {
            "fromBlock": hex(max(0, head - _LOOK_BACK_BLOCKS)), "toBlock": hex(head),
            "address": "0x" + payment.token.hex(), "topics": ["0x" + topic.hex() for topic in topics],
        }  # fmt: skip
        return [_raw(log["transactionHash"]) for log in reversed(self._client.ask("eth_getLogs", terms))]

    def _carries(self, payment: Payment, tx: bytes) -> bool:
        """Whether a transaction is x402's proxy called with this payment, and so with no other beside it."""
        sent = self._client.ask("eth_getTransactionByHash", "0x" + tx.hex())
        if sent is None or not sent["to"]:
            return False
        call = _raw(sent["input"])
        places = _SETTLES.get((_raw(sent["to"]), call[:4]))
        if places is None:
            return False
        nonce, owner = (call[4 + 32 * place : 36 + 32 * place] for place in places)
        return (nonce, owner) == (payment.nonce, bytes(12) + payment.payer)


def received(payment: Payment, found: Mined) -> int:
    """What an EIP-3009 payment brought the payee: the transfer right behind the event of its nonce, and that alone, as
    other payments may share the transaction [smallest units]."""
    used = (payment.token, (USED_TOPIC, bytes(12) + payment.payer, payment.nonce))
    moved = (payment.token, (TRANSFER_TOPIC, bytes(12) + payment.payer, bytes(12) + payment.payee))
    for (at, topics, _), (next_at, next_topics, data) in pairwise(found.logs):
        if (at, topics) == used and (next_at, next_topics) == moved:
            return int.from_bytes(data, "big")
    return 0


def transferred(payment: Payment, found: Mined) -> int:
    """What the payer moved to the payee in a transaction, in the payment's token [smallest units]."""
    wanted = (TRANSFER_TOPIC, bytes(12) + payment.payer, bytes(12) + payment.payee)
    return sum(
        int.from_bytes(data, "big") for at, topics, data in found.logs if (at, topics) == (payment.token, wanted)
    )


class ChainPayout:
    """`Payout` from the key of ``chain``; ``book`` keeps each payment back single."""

    def __init__(self, chain: ChainOfPayments, book: Settlements) -> None:
        self._chain, self._book = chain, book

    def pay(self, reference: bytes, payee: bytes, token: bytes, amount: int) -> bytes:
        """Pay once for each ``reference``. Raises as the port says."""
        claim, sent = self._book.claim(reference, b"refund" + payee + token + amount.to_bytes(32, "big"))
        if claim == "done" and sent:
            return sent.tx
        if claim not in ("ours", "sent"):
            raise Unavailable("payment.refund_pending", "The refund is on its way.", hint="Ask again in a moment.")
        data = _SEND + encode(["address", "uint256"], [payee, amount])
        if sent is None:
            sign = lambda nonce: self._chain.sign(nonce, token, data, _GAS_TRANSFER)  # noqa: E731 (it is one line)
            sent = self._book.send(reference, self._chain.address, self._chain.next_nonce, sign)
        self._chain.send(sent.raw)
        found = self._wait(sent.tx)
        if found is None:
            self._book.release(reference)
            raise Unavailable("payment.refund_pending", "The refund is on its way.", hint="Ask again in a moment.")
        if not found.succeeded:
            self._book.forget(reference)
            hint = "See that the account that refunds holds dollars."
            raise Refused("payment.refund_refused", "The token refused the refund.", hint=hint, tx=sent.tx.hex())
        self._book.settled(reference)
        return sent.tx

    def _wait(self, tx: bytes) -> Mined | None:
        until = time.monotonic() + _WAIT_S
        while (found := self._chain.mined(tx)) is None and time.monotonic() < until:
            time.sleep(0.05)
        return found


def make_facilitator(
    client: ChainClient, key: ChainKey, store: Path | None, assets: Sequence[bytes], clock: Callable[[], int] = now_us
) -> ChainFacilitator:
    """A facilitator that pays gas with ``key`` for payments in ``assets``; ``store`` None keeps its record in memory.

    Several processes may share ``store``, with one key or several.

    Raises:
        Unavailable: ``chain.unreachable``, ``payment.store_failed``.
    """
    return ChainFacilitator(ChainOfPayments(client, key, clock), Settlements(store, clock), assets)


def _raw(text: Any) -> bytes:
    return bytes.fromhex(text[2:]) if isinstance(text, str) else bytes(text)
