"""A chain written by the test: blocks, reorganisations, events and receipts, behind a web3.py provider."""

from __future__ import annotations

from typing import Any, cast

from eth_utils.crypto import keccak
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

TOKEN = bytes.fromhex("aa" * 20)


class ScriptedChain(BaseProvider):
    """Blocks are named; a block's hash follows from its name and parent, so a fork is a list with another name."""

    def __init__(self, chain_id: int = 7) -> None:
        super().__init__()
        self.chain_id = chain_id
        self.names = ["genesis"]
        self.down = False
        self.asked: list[str] = []

    def mine(self, *names: str) -> None:
        self.names += names

    def reorganise(self, keep: int, *names: str) -> None:
        """Keep the first ``keep`` blocks after the genesis, then ``names``."""
        self.names = [*self.names[: keep + 1], *names]

    def block_hash(self, number: int) -> bytes:
        return keccak(text="/".join(self.names[: number + 1]))

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if self.down:
            raise ConnectionError("no route")
        self.asked.append(method)
        return cast(RPCResponse, {"jsonrpc": "2.0", "id": 1, "result": getattr(self, method)(*params)})

    def eth_chainId(self) -> str:
        return hex(self.chain_id)

    def eth_getBlockByNumber(self, tag: str, full: bool) -> Any:
        number = len(self.names) - 1 if tag == "latest" else int(tag, 16)
        if number >= len(self.names):
            return None
        parent = self.block_hash(number - 1) if number else bytes(32)
        return {
            "number": hex(number),
            "hash": "0x" + self.block_hash(number).hex(),
            "parentHash": "0x" + parent.hex(),
            "timestamp": hex(1_000 + number),
            "baseFeePerGas": "0x7",
        }

    def eth_getLogs(self, where: dict[str, Any]) -> list[Any]:
        """Each block that is named with a ``!`` carries one event, its data the name."""
        first, last = int(where["fromBlock"], 16), int(where["toBlock"], 16)
        numbers = [n for n in range(first, min(last, len(self.names) - 1) + 1) if self.names[n].endswith("!")]
        return [self._log(number) for number in numbers]

    def _log(self, number: int) -> Any:
        return {
            "blockNumber": hex(number),
            "blockHash": "0x" + self.block_hash(number).hex(),
            "logIndex": "0x0",
            "transactionHash": "0x" + keccak(text=self.names[number]).hex(),
            "address": "0x" + TOKEN.hex(),
            "topics": ["0x" + "11" * 32],
            "data": "0x" + self.names[number].encode().hex(),
        }
