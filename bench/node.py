"""Token transfers a second of the embedded chain, against eth-tester, on the same client path.

Each transfer (of the shipped test dollar) is signed, sent raw through web3.py's in-process provider, mined in its own
block, and its receipt fetched. Rounds alternate between the nodes; status, gas and the receiver's tokens must be equal.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_tester import EthereumTester, PyEVMBackend
from web3 import EthereumTesterProvider, Web3

from penstock.chain.artefact import call_data, creation_data, load_artefact
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider

ROUNDS = 6
TRANSFERS = 60
BATCH = 200
ENDOWMENT_WEI = 10**24
SENDER: LocalAccount = Account.from_key(b"\x01" * 32)
DOLLAR = load_artefact("Dollar")
GENESIS = Genesis(alloc={bytes.fromhex(SENDER.address[2:]): ENDOWMENT_WEI})
RECEIVER = Account.from_key(b"\x02" * 32).address


class _Peer:
    """A node under measurement: its client, its sender's nonce, the time it has taken."""

    def __init__(self, w3: Web3) -> None:
        self.w3 = w3
        self.chain_id = w3.eth.chain_id
        self.nonce = int(w3.eth.get_transaction_count(SENDER.address))
        self.taken_s: list[float] = []
        self.gas: list[int] = []
        self.token: str = self._sent(creation_data(DOLLAR, SENDER.address), None, 3_000_000)["contractAddress"]
        self._sent(call_data(DOLLAR, "mint", SENDER.address, 10**12), self.token, 200_000)

    def round(self) -> None:
        start = time.perf_counter()
        for _ in range(TRANSFERS):
            self.gas.append(self._transfer())
        self.taken_s.append(time.perf_counter() - start)

    def _transfer(self) -> int:
        data = call_data(DOLLAR, "transfer", RECEIVER, 1)
        return int(self._sent(data, self.token, 60_000)["gasUsed"])

    def _sent(self, data: bytes, to: str | None, gas: int) -> Any:
        """The receipt of one signed transaction."""
        terms: dict[str, Any] = {"nonce": self.nonce, "chainId": self.chain_id, "value": 0, "gas": gas, "data": data}
        terms |= {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 1} | ({"to": to} if to else {})
        self.nonce += 1
        tx_hash = self.w3.eth.send_raw_transaction(SENDER.sign_transaction(terms).raw_transaction)
        receipt = self.w3.eth.get_transaction_receipt(tx_hash)
        assert receipt["status"] == 1 and receipt["transactionHash"] == tx_hash
        return receipt

    def held(self) -> int:
        """The receiver's tokens."""
        terms: Any = {"to": self.token, "data": call_data(DOLLAR, "balanceOf", RECEIVER)}
        return int.from_bytes(self.w3.eth.call(terms), "big")

    @property
    def per_second(self) -> float:
        """The median round's."""
        return TRANSFERS / median(self.taken_s)


def _batched_per_second(folder: Path) -> float:
    """Transfers a second on disk, signed beforehand, `BATCH` to a block."""
    with Node(GENESIS, folder / "batched") as node:
        peer = _Peer(Web3(NodeProvider(node)))
        terms: dict[str, Any] = {"chainId": peer.chain_id, "to": peer.token, "gas": 60_000, "maxFeePerGas": 10**11}
        terms |= {"value": 0, "maxPriorityFeePerGas": 1, "data": call_data(DOLLAR, "transfer", RECEIVER, 1)}
        raws = [bytes(SENDER.sign_transaction(terms | {"nonce": peer.nonce + n}).raw_transaction) for n in range(BATCH)]
        start = time.perf_counter()
        assert all(isinstance(result, bytes) for result in node.send_many(raws))
        taken_s = time.perf_counter() - start
        assert peer.held() == BATCH
    return BATCH / taken_s


def _eth_tester() -> Web3:
    w3 = Web3(EthereumTesterProvider(EthereumTester(PyEVMBackend())))
    rich = w3.eth.accounts[0]
    w3.eth.send_transaction({"from": rich, "to": SENDER.address, "value": Web3.to_wei(1_000, "ether")})
    return w3


def run() -> dict[str, Any]:
    """The figures, with the persisted (SQLite, synchronous=FULL) one in the notes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Node(GENESIS) as remembered,
        Node(GENESIS, Path(folder) / "chain") as filed,
    ):
        ours, theirs = _Peer(Web3(NodeProvider(remembered))), _Peer(_eth_tester())
        durable = _Peer(Web3(NodeProvider(filed)))
        for _ in range(ROUNDS):
            for peer in (ours, theirs, durable):
                peer.round()
        assert ours.gas == theirs.gas == durable.gas
        batched = _batched_per_second(Path(folder))
        assert ours.held() == theirs.held() == durable.held() == ROUNDS * TRANSFERS
    return {
        "name": "embedded chain: signed token transfer and receipt",
        "ours": round(ours.per_second, 1),
        "peer": round(theirs.per_second, 1),
        "ratio": round(ours.per_second / theirs.per_second, 2),
        "unit": "transfers/s",
        "peer_name": "eth-tester (py-evm backend)",
        "notes": f"one block each, web3.py in process; on disk (synchronous=FULL) {durable.per_second:.1f}/s; "
        f"on disk, signed beforehand, {BATCH} to a block {batched:.1f}/s",
    }


if __name__ == "__main__":
    print(run())
