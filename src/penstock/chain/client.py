"""A thin client of any EVM chain: ask, read, estimate, sign, send. Embedded or public, by a web3.py provider.

What goes wrong comes back as this project's errors: a chain that does not answer is `Unavailable` (try again), one that
says no is `Refused`, with the contract's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from web3.exceptions import Web3Exception
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint

from penstock.chain.artefact import Artefact, creation_data
from penstock.chain.calls import revert_reason
from penstock.chain.tx_sign import Terms, sign
from penstock.errors import Conflict, NotFound, PenstockError, Refused, Unavailable
from penstock.keys import ChainKey

REVERTED: Final = 3
_KNOWN_ALREADY: Final = ("already known", "already imported", "known transaction")


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Which chain: its id and the hash of its genesis block."""

    chain_id: int
    genesis: bytes


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block in short; ``at_s`` in whole seconds as the chain counts them."""

    number: int
    hash: bytes
    parent_hash: bytes
    at_s: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a mined transaction."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    contract: bytes | None


@dataclass(frozen=True, slots=True)
class ChainLog:
    """An event as the chain tells it."""

    block_number: int
    block_hash: bytes
    log_index: int
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction: its bytes and its hash."""

    raw: bytes
    tx_hash: bytes


class ChainClient:
    """The chain behind ``provider``.

    Raises (all methods):
        Unavailable: ``chain.unreachable``.
        Refused: ``chain.reverted``, ``chain.refused``.
    """

    def __init__(self, provider: BaseProvider) -> None:
        self._provider = provider

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one JSON-RPC method."""
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except PenstockError:
            raise
        except (OSError, ValueError, Web3Exception) as silent:  # requests' errors are OSErrors
            raise Unavailable(
                "chain.unreachable", "The chain does not answer.", hint="Try again.", method=method
            ) from silent
        if answer.get("error"):
            raise _refusal(cast("dict[str, Any]", answer["error"]), method)
        return answer.get("result")

    def identity(self) -> ChainIdentity:
        """Which chain this is."""
        return ChainIdentity(int(self.ask("eth_chainId"), 16), self.block(0).hash)

    def head(self) -> BlockRef:
        """The newest block."""
        return _block(self.ask("eth_getBlockByNumber", "latest", False))

    def block(self, number: int) -> BlockRef:
        """Block ``number``.

        Raises:
            NotFound: ``chain.no_block``.
        """
        found = self.ask("eth_getBlockByNumber", hex(number), False)
        if found is None:
            raise NotFound("chain.no_block", "The chain has no such block.", number=number)
        return _block(found)

    def logs(self, first: int, last: int, addresses: Sequence[bytes]) -> list[ChainLog]:
        """Events of ``addresses`` in blocks ``first`` to ``last``, both included."""
        where = {"fromBlock": hex(first), "toBlock": hex(last), "address": [_hex(address) for address in addresses]}
        return [_log(found) for found in self.ask("eth_getLogs", where)]

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt, or None where the transaction is not mined."""
        found = self.ask("eth_getTransactionReceipt", _hex(tx_hash))
        return None if found is None or found.get("blockHash") is None else _receipt(found)

    def nonce(self, address: bytes, at: int | str = "latest") -> int:
        """The account's nonce after block ``at``, or with the waiting ones at ``pending``."""
        return int(self.ask("eth_getTransactionCount", _hex(address), hex(at) if isinstance(at, int) else at), 16)

    def call(self, to: bytes, data: bytes, *, sender: bytes | None = None, at: int | str = "latest") -> bytes:
        """What a call returns, on the state after block ``at``."""
        terms = {"to": _hex(to), "data": _hex(data)} | ({"from": _hex(sender)} if sender else {})
        return bytes.fromhex(self.ask("eth_call", terms, hex(at) if isinstance(at, int) else at)[2:])

    def estimate(self, sender: bytes, to: bytes | None, data: bytes, value: int) -> int:
        """Gas limit that suffices, a tenth above the estimate: others may change what it touches meanwhile."""
        terms = {"from": _hex(sender), "data": _hex(data), "value": hex(value)} | ({"to": _hex(to)} if to else {})
        return int(self.ask("eth_estimateGas", terms), 16) * 11 // 10

    def fees(self) -> tuple[int, int]:
        """Fee cap and tip to offer [wei per gas]: the cap holds while the base fee doubles."""
        tip = int(self.ask("eth_maxPriorityFeePerGas"), 16)
        base = int(self.ask("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        return 2 * base + tip, tip

    def sign(
        self, key: ChainKey, nonce: int, to: bytes | None, data: bytes, value: int = 0, gas: int | None = None
    ) -> Signed:
        """Price and sign a transaction (EIP-1559); the same arguments on the same chain state give the same bytes.

        ``gas`` is the limit; None estimates it, which refuses what would revert before it is sent.
        """
        cap, tip = self.fees()
        chain_id = int(self.ask("eth_chainId"), 16)
        limit = gas or self.estimate(key.address, to, data, value)
        return Signed(*sign(Terms(chain_id, nonce, tip, cap, limit, to or b"", value, data), key))

    def send_raw(self, raw: bytes) -> None:
        """Hand in a signed transaction; one the chain has waiting already is fine."""
        try:
            self.ask("eth_sendRawTransaction", _hex(raw))
        except Refused as refused:
            if not any(words in refused.message for words in _KNOWN_ALREADY):
                raise

    def transact(self, key: ChainKey, to: bytes | None, data: bytes, value: int = 0) -> Receipt:
        """Sign, send and read the receipt, on a chain that mines at once (the embedded one).

        For anything that must survive a crash use the outbox.

        Raises:
            Refused: also ``chain.tx_failed``.
            Unavailable: also ``chain.not_mined``.
        """
        signed = self.sign(key, self.nonce(key.address, "pending"), to, data, value)
        self.send_raw(signed.raw)
        receipt = self.receipt(signed.tx_hash)
        if receipt is None:
            raise Unavailable("chain.not_mined", "The transaction is sent and not mined yet.", tx=signed.tx_hash.hex())
        if not receipt.succeeded:
            raise Refused("chain.tx_failed", "The transaction was mined and failed.", tx=signed.tx_hash.hex())
        return receipt

    def deploy(self, key: ChainKey, artefact: Artefact, *args: Any) -> bytes:
        """Create a contract on a chain that mines at once; its address. Raises as `transact`."""
        contract = self.transact(key, None, creation_data(artefact, *args)).contract
        if contract is None:
            raise Refused("chain.tx_failed", "No contract was created.", name=artefact.name)
        return contract


def connect(client: ChainClient, expected: ChainIdentity | None) -> ChainIdentity:
    """The chain's identity, which a workspace keeps; another than ``expected`` is refused.

    Raises:
        Conflict: ``chain.wrong_chain``.
    """
    found = client.identity()
    if expected not in (None, found):
        raise Conflict(
            "chain.wrong_chain",
            "This workspace belongs to another chain.",
            hint="Point it at the chain it was made with, or make a new workspace.",
            chain_id=found.chain_id,
            genesis=found.genesis.hex(),
        )
    return found


def _refusal(error: dict[str, Any], method: str) -> Refused:
    message = str(error.get("message", "no reason given"))
    if error.get("code") == REVERTED or message.startswith("execution reverted"):
        data = error.get("data")
        output = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""
        reason = revert_reason(output) or message.removeprefix("execution reverted").lstrip(": ")
        return Refused("chain.reverted", reason or "The contract refused without a reason.", data=_hex(output))
    return Refused("chain.refused", message, method=method)


def _block(found: dict[str, Any]) -> BlockRef:
    return BlockRef(
        int(found["number"], 16), _raw(found["hash"]), _raw(found["parentHash"]), int(found["timestamp"], 16)
    )


def _receipt(found: dict[str, Any]) -> Receipt:
    contract = found.get("contractAddress")
    return Receipt(
        _raw(found["transactionHash"]),
        int(found["blockNumber"], 16),
        _raw(found["blockHash"]),
        int(found["status"], 16) == 1,
        int(found["gasUsed"], 16),
        _raw(contract) if contract else None,
    )


def _log(found: dict[str, Any]) -> ChainLog:
    return ChainLog(
        int(found["blockNumber"], 16),
        _raw(found["blockHash"]),
        int(found["logIndex"], 16),
        _raw(found["transactionHash"]),
        _raw(found["address"]),
        tuple(_raw(topic) for topic in found["topics"]),
        _raw(found["data"]),
    )


def _raw(value: Any) -> bytes:
    return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
