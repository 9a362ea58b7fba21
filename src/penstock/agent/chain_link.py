"""The agent's way to a chain: the few calls of JSON-RPC that it needs, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from penstock.errors import Refused, Unavailable
from penstock.keys import ChainKey
from penstock.keys.nesting import deeper_than

TRIES: Final = 60
WAIT_S: Final = 0.25
DEPTH_MAX: Final = 32
GAS_MARGIN: Final = (3, 2)
"""A transaction is given so much of the gas it was estimated to take."""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A chain behind its RPC address. ``wait`` sleeps [s]."""

    rpc_url: str
    http: httpx.Client
    wait: Callable[[float], None] = field(repr=False)

    def read(self, to: str, signature: str, values: list[Any], returns: list[str]) -> tuple[Any, ...]:
        """What a view answers, as of the newest block. Raises as `ask`."""
        data = "0x" + calldata(signature, values).hex()
        answer = self.ask("eth_call", [{"to": to_checksum_address(to), "data": data}, "latest"])
        try:
            return tuple(decode(returns, bytes.fromhex(answer[2:])))
        except Exception as error:  # the decoder has many; each means that nothing of this kind stands there
            raise Refused("chain.no_such_view", f"{to} does not answer to {signature}.") from error

    def send(self, key: ChainKey, to: str, data: bytes, value_wei: int = 0) -> str:
        """A transaction by ``key``, mined; its hash. With ``value_wei`` coin goes along.

        Raises:
            Refused: ``chain.reverted`` with the contract's word, where it gave one. Unavailable: as `ask`.
        """
        return str(self._done(key, to, data, value_wei)["transactionHash"])

    def deploy(self, key: ChainKey, creation: bytes) -> str:
        """A contract made by ``key``; its address. Raises as `send`."""
        return str(self._done(key, "", creation)["contractAddress"])

    def last_of_each(self, address: str, event: str) -> dict[str, bool]:
        """The last word on each account in an event that says ``(address indexed, bool)``. Raises as `ask`."""
        asked = {
            "address": address,
            "fromBlock": "0x0",
            "toBlock": "latest",
            "topics": ["0x" + keccak(text=event).hex()],
        }
        found = self.ask("eth_getLogs", [asked])
        return {"0x" + one["topics"][1][-40:]: bool(int(one["data"], 16)) for one in found}

    def chain_id(self) -> int:
        """Which chain this is. Raises as `ask`."""
        return int(self.ask("eth_chainId", []), 16)

    def _done(self, key: ChainKey, to: str, data: bytes, value_wei: int = 0) -> dict[str, Any]:
        """A transaction by ``key``, mined; without ``to`` it makes a contract. Its receipt."""
        sender = to_checksum_address(key.address)
        place = {"to": to_checksum_address(to)} if to else {}
        call = place | {"from": sender, "data": "0x" + data.hex(), "value": hex(value_wei)}
        gas = int(self.ask("eth_estimateGas", [call]), 16) * GAS_MARGIN[0] // GAS_MARGIN[1]
        price = int(self.ask("eth_gasPrice", []), 16)
        made = place | {
            "data": data,
            "value": value_wei,
            "gas": gas,
            "nonce": int(self.ask("eth_getTransactionCount", [sender, "pending"]), 16),
            "chainId": self.chain_id(),
            "maxFeePerGas": 2 * price,
            "maxPriorityFeePerGas": 0,
        }
        signed = Account.sign_transaction(made, key.secret)
        sent = str(self.ask("eth_sendRawTransaction", ["0x" + bytes(signed.raw_transaction).hex()]))
        return self._mined(sent)

    def time_us(self) -> int:
        """The newest block's time [us]."""
        return int(self.ask("eth_getBlockByNumber", ["latest", False])["timestamp"], 16) * 1_000_000

    def ask(self, method: str, params: list[Any]) -> Any:
        """One question.

        Raises:
            Unavailable: ``chain.silent``. Refused: ``chain.reverted`` for an error that the chain answers.
        """
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            heard = self.http.post(self.rpc_url, json=body).text
            if deeper_than(heard, DEPTH_MAX):
                raise ValueError("too deep")
            answer = json.loads(heard)
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("chain.silent", f"The chain does not answer ({type(error).__name__}).") from None
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise Unavailable("chain.silent", "What answers is no chain.")
        if "error" in answer:
            said = str(answer["error"].get("message", "no reason"))[:200]
            raise Refused("chain.reverted", f"The chain says no: {said}.", hint="See the contract's word.")
        return answer["result"]

    def _mined(self, tx: str) -> dict[str, Any]:
        for _ in range(TRIES):
            receipt = self.ask("eth_getTransactionReceipt", [tx])
            if receipt is not None:
                if int(receipt["status"], 16) != 1:
                    raise Refused("chain.reverted", "The chain undid the transaction.", tx=tx)
                return dict(receipt)
            self.wait(WAIT_S)
        raise Unavailable("chain.silent", "The transaction was not mined in time.", tx=tx)


def calldata(signature: str, values: list[Any]) -> bytes:
    """A call: selector of ``signature`` (``name(type,...)``), then the values (Solidity ABI specification)."""
    inside = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + encode(_split(inside), values)


def _split(inside: str) -> list[str]:
    """Types at the top level: commas inside a tuple do not part."""
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part]
