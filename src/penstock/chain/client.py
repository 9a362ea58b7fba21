"""A client of any EVM chain: calls, logs, signed transactions. JSON-RPC underneath, and nothing more.

It speaks to a node in this process or to an address; a wallet would use the same methods.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eth_account import Account
from eth_utils.crypto import keccak

from penstock.chain.artefact import Contract, Log, decode_log, to_bytes, to_hex
from penstock.chain.dispatch import Dispatch
from penstock.chain.methods import Methods
from penstock.chain.node import Node
from penstock.errors import Invalid, Refused, Unavailable
from penstock.keys import ChainKey

REVERTED: Final = 3
GAS_MOST: Final = 12_000_000
PRIORITY_FEE_WEI: Final = 1_000_000
TIMEOUT_S: Final = 30
_ANSWER_MAX: Final = 1 << 26
_BATCH: Final = 200


class Rpc(Protocol):
    """Something that answers JSON-RPC."""

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """The result. Raises Refused ``chain.reverted``, ``chain.refused``; Unavailable ``chain.unreachable``."""

    def request_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Results of one method for many parameters, in one batch; raises as `request` at the first refusal."""


class NodeRpc:
    """A node in this process."""

    def __init__(self, node: Node) -> None:
        self._dispatch = Dispatch(Methods(node))

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """As `Rpc.request`."""
        return _result(self._dispatch.answer(_question(method, params)))

    def request_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """As `Rpc.request_many`."""
        return _results(params, lambda batch: self._dispatch.answer(batch), method)


class HttpRpc:
    """A node at an http address."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise Invalid("chain.address", "A chain's address starts with http:// or https://.", url=url)
        self._url = url

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """As `Rpc.request`."""
        return _result(self._post(_question(method, params)))

    def request_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """As `Rpc.request_many`."""
        return _results(params, self._post, method)

    def _post(self, question: Any) -> Any:
        body = json.dumps(question).encode()
        asked = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return json.loads(answer.read(_ANSWER_MAX))
        except (OSError, ValueError) as error:
            hint = "Is the node running? See: penstock serve"
            raise Unavailable("chain.unreachable", f"The chain does not answer: {error}.", hint=hint) from None


def _question(method: str, params: Sequence[Any], number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _results(params: Sequence[Sequence[Any]], ask: Callable[[Any], Any], method: str) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(params), _BATCH):
        batch = [_question(method, one, number) for number, one in enumerate(params[start : start + _BATCH])]
        answers = sorted(ask(batch), key=lambda answer: int(answer["id"]))
        found += [_result(answer) for answer in answers]
    return found


def _result(answer: Any) -> Any:
    if "error" not in answer:
        return answer["result"]
    error = answer["error"]
    code = "chain.reverted" if error.get("code") == REVERTED else "chain.refused"
    raise Refused(code, f"The chain says: {error.get('message', 'no')}.", rpc_code=error.get("code"))


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction's receipt: whether it succeeded, what it cost, what it made and said."""

    tx_hash: bytes
    ok: bool
    gas_used: int
    block_number: int
    contract: bytes | None
    logs: tuple[dict[str, Any], ...]


class Client:
    """Reads and sends, over any `Rpc`."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.chain_id = int(rpc.request("eth_chainId", []), 16)

    def genesis(self) -> bytes:
        """The hash of block 0: with the chain id it names the chain."""
        return to_bytes(self.rpc.request("eth_getBlockByNumber", ["0x0", False])["hash"])

    def height(self) -> int:
        """The latest block's number."""
        return int(self.rpc.request("eth_blockNumber", []), 16)

    def now_s(self) -> int:
        """The latest block's time [s]."""
        return int(self.rpc.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)

    def nonce(self, account: bytes) -> int:
        """The next nonce, waiting transactions counted."""
        return int(self.rpc.request("eth_getTransactionCount", [to_hex(account), "pending"]), 16)

    def call(self, contract: Contract, function: str, *args: Any, sender: bytes | None = None) -> Any:
        """What a function answers now. Raises Refused ``chain.reverted``."""
        asked = {"to": to_hex(contract.address), "data": to_hex(contract.encode(function, *args))}
        if sender:
            asked["from"] = to_hex(sender)
        return contract.decode(function, len(args), to_bytes(self.rpc.request("eth_call", [asked, "latest"])))

    def code(self, address: bytes) -> bytes:
        """The code at an address."""
        return to_bytes(self.rpc.request("eth_getCode", [to_hex(address), "latest"]))

    def sign(self, key: ChainKey, nonce: int, target: bytes | None, data: bytes, gas: int = GAS_MOST) -> bytes:
        """A signed type-2 transaction that pays up to twice the present base fee."""
        base_wei = int(self.rpc.request("eth_gasPrice", []), 16)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": 2 * base_wei + PRIORITY_FEE_WEI,
            "maxPriorityFeePerGas": PRIORITY_FEE_WEI,
            "value": 0,
            "data": to_hex(data),
        }
        if target is not None:
            fields["to"] = target
        return bytes(Account.sign_transaction(fields, key.secret).raw_transaction)

    def send(self, raw: bytes) -> bytes:
        """Hand over a signed transaction; its hash. One that is known already is no error."""
        tx_hash = keccak(raw)
        try:
            self.rpc.request("eth_sendRawTransaction", [to_hex(raw)])
        except Refused:
            if self.rpc.request("eth_getTransactionByHash", [to_hex(tx_hash)]) is None:
                raise
        return tx_hash

    def send_many(self, raws: Sequence[bytes]) -> list[bytes]:
        """Hand over signed transactions in batches that share blocks; their hashes, in order."""
        return [
            to_bytes(one) for one in self.rpc.request_many("eth_sendRawTransaction", [[to_hex(raw)] for raw in raws])
        ]

    def mined(self, tx_hash: bytes) -> Mined | None:
        """The receipt, once there is one."""
        found = self.rpc.request("eth_getTransactionReceipt", [to_hex(tx_hash)])
        if found is None:
            return None
        made = found.get("contractAddress")
        return Mined(
            tx_hash,
            int(found["status"], 16) == 1,
            int(found["gasUsed"], 16),
            int(found["blockNumber"], 16),
            to_bytes(made) if made else None,
            tuple(found["logs"]),
        )

    def logs(self, contract: Contract, event: str, from_block: int = 0) -> list[Log]:
        """All logs of one event of a contract, from a block on."""
        topic = next(topic for topic, one in contract.artefact.events.items() if one.name == event)
        asked = {"address": to_hex(contract.address), "topics": [to_hex(topic)], "fromBlock": hex(from_block)}
        return [decode_log(contract.artefact, raw) for raw in self.rpc.request("eth_getLogs", [asked])]
