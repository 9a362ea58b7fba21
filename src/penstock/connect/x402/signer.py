"""The x402 package's view of a chain, for one settlement: it reads, and it sends one transaction, once.

Implements the package's ``FacilitatorEvmSigner`` and ``PendingSettlementStore`` over this folder's ports.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address
from x402.mechanisms.evm.constants import BALANCE_OF_ABI, MULTICALL3_ADDRESS
from x402.mechanisms.evm.types import TransactionReceipt, TypedDataDomain, TypedDataField
from x402.mechanisms.evm.verify import verify_typed_data_strict

from penstock.connect.x402.ports import Mined, PaymentChain
from penstock.connect.x402.settlements import Outgoing, Settlements
from penstock.errors import Refused, Unavailable

Abi = list[dict[str, Any]]
GAS_MAX: Final = 400_000
"""Gas limit of a settlement: a contract that pays has its signature check in it."""
_FIRST_LOOK_S: Final = 0.002
_LOOK_S_MAX: Final = 0.2


class SettlementSigner:
    """One payment's dealings with the chain. ``wait_s`` is how long it waits for a block."""

    def __init__(self, chain: PaymentChain, settlements: Settlements, payment_id: bytes, wait_s: float) -> None:
        self._chain, self._settlements, self._payment_id, self._wait_s = chain, settlements, payment_id, wait_s
        self.sent: Outgoing | None = None
        self.mined: Mined | None = None
        self.displaced = False

    def get_addresses(self) -> list[str]:
        """The one account it sends from."""
        return [to_checksum_address(self._chain.address)]

    def get_chain_id(self) -> int:
        """EIP-155 id."""
        return self._chain.chain_id

    def get_code(self, address: str) -> bytes:
        """Code at ``address``."""
        return self._chain.code(bytes.fromhex(address[2:]))

    def get_balance(self, address: str, token_address: str) -> int:
        """Tokens of an account [smallest units]."""
        return int(self.read_contract(token_address, BALANCE_OF_ABI, "balanceOf", address))

    def read_contract(self, address: str, abi: Abi, function_name: str, *args: Any) -> Any:
        """A view, or what a call would come to."""
        if address.lower() == MULTICALL3_ADDRESS.lower():
            return self._one_by_one(args[1])  # chains without Multicall3 then give the same precise reasons
        item = _function(abi, function_name)
        found = decode(_types(item.get("outputs", [])), self._chain.call(bytes.fromhex(address[2:]), _data(item, args)))
        return found[0] if len(found) == 1 else list(found)

    def verify_typed_data(
        self,
        address: str,
        domain: TypedDataDomain,
        types: dict[str, list[TypedDataField]],
        primary_type: str,
        message: dict[str, Any],
        signature: bytes,
    ) -> bool:
        """As the chain would: by recovery for a plain account, by ERC-1271 for one with code."""
        named: dict[str, list[TypedDataField | dict[str, str]]] = {name: list(of) for name, of in types.items()}
        return verify_typed_data_strict(self, address, domain, named, primary_type, message, signature)

    def write_contract(
        self, address: str, abi: Abi, function_name: str, *args: Any, data_suffix: str | None = None
    ) -> str:
        """The payment's one transaction: signed and written down, then sent; the same one when asked again."""
        data = _data(_function(abi, function_name), args) + bytes.fromhex((data_suffix or "").removeprefix("0x"))
        chain, to = self._chain, bytes.fromhex(address[2:])
        self.sent = self._settlements.send(
            self._payment_id, chain.address, chain.next_nonce, lambda nonce: chain.sign(nonce, to, data, GAS_MAX)
        )
        chain.send(self.sent.raw)
        return "0x" + self.sent.tx.hex()

    def send_transaction(self, to: str, data: bytes) -> str:  # noqa: ARG002 (the package names them)
        """Never: a facilitator deploys nobody's wallet."""
        raise Refused("payment.no_deployment", "Wallets are not deployed for their owners here.", to=to)

    def wait_for_transaction_receipt(self, tx_hash: str) -> TransactionReceipt:
        """The receipt; what is still missing is sent again meanwhile.

        Raises:
            Unavailable: ``payment.not_mined``. Refused: ``payment.displaced`` where its nonce went to another.
        """
        tx, until, pause = bytes.fromhex(tx_hash[2:]), time.monotonic() + self._wait_s, _FIRST_LOOK_S
        while (found := self._chain.mined(tx)) is None:
            if time.monotonic() > until:
                raise Unavailable("payment.not_mined", "The payment is sent and in no block yet.", tx=tx_hash)
            time.sleep(pause)
            pause = min(2 * pause, _LOOK_S_MAX)
            if pause >= _LOOK_S_MAX / 2:
                self._send_again(tx)
        self.mined = found
        logs = [{"address": a, "topics": list(topics), "data": data} for a, topics, data in found.logs]
        named = [{**log, "address": "0x" + bytes(log["address"]).hex()} for log in logs]  # type: ignore[arg-type]
        return TransactionReceipt(int(found.succeeded), found.block, tx_hash, named)

    # PendingSettlementStore: the record of settlements holds it all

    def get(self, key: str) -> str | None:  # noqa: ARG002 (the package names it)
        """The transaction already sent for this payment."""
        return "0x" + self.sent.tx.hex() if self.sent else None

    def set(self, key: str, tx_hash: str) -> None:
        """It is written down since before it left."""

    def delete(self, key: str) -> None:
        """Whether it is done is told by the receipt."""

    def _send_again(self, tx: bytes) -> None:
        """A nonce that never left holds up all above it: hand in everything that waits."""
        below = self._chain.mined_nonce()
        for one in self._settlements.waiting(self._chain.address):
            if one.tx == tx and one.nonce < below and self._chain.mined(tx) is None:
                self.displaced = True
                raise Refused("payment.displaced", "Another transaction took the payment's place.", tx=tx.hex())
            if one.nonce >= below:
                self._chain.send(one.raw)

    def _one_by_one(self, calls: Sequence[tuple[str, bytes]]) -> list[tuple[bool, bytes]]:
        return [self._tried(bytes.fromhex(to[2:]), data) for to, data in calls]

    def _tried(self, to: bytes, data: bytes) -> tuple[bool, bytes]:
        try:
            return True, self._chain.call(to, data)
        except Refused as refused:
            return False, bytes.fromhex(refused.ids.get("data", "0x").removeprefix("0x"))


def _function(abi: Abi, name: str) -> dict[str, Any]:
    return next(item for item in abi if item["type"] == "function" and item["name"] == name)


def _types(items: Sequence[Any]) -> list[str]:
    return [collapse_if_tuple(item) for item in items]


def _data(item: Any, args: Sequence[Any]) -> bytes:
    return function_abi_to_4byte_selector(item) + encode(_types(item["inputs"]), args)
