"""Token transfers a second of the embedded chain, against eth-tester, on the same client path.

Each transfer (of the shipped test dollar) is signed, sent raw through web3.py's in-process provider, mined in its own
block, and its receipt fetched. Rounds alternate between the nodes; receipts and the receiver's tokens must be equal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_tester import EthereumTester, PyEVMBackend
from web3 import EthereumTesterProvider, Web3

from bench.result import Race, Result
from penstock.chain.artefact import call_data, creation_data, load_artefact
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider

ROUNDS = 21
TRANSFERS = 20
BATCH = 200
RESTARTS = 3
GOAL = 3
RESTART_GOAL_S = 2
ENDOWMENT_WEI = 10**24
SENDER: LocalAccount = Account.from_key(b"\x01" * 32)
DOLLAR = load_artefact("Dollar")
GENESIS = Genesis(alloc={bytes.fromhex(SENDER.address[2:]): ENDOWMENT_WEI})
RECEIVER = Account.from_key(b"\x02" * 32).address


class _Peer:
    """A node under measurement: its client, its sender's nonce, the time each round has taken."""

    def __init__(self, w3: Web3) -> None:
        self.w3 = w3
        self.chain_id = w3.eth.chain_id
        self.nonce = int(w3.eth.get_transaction_count(SENDER.address))
        self.taken_s: list[float] = []
        self.receipts: list[Any] = []
        self.token: str = self._sent(creation_data(DOLLAR, SENDER.address), None, 3_000_000)["contractAddress"]
        self._sent(call_data(DOLLAR, "mint", SENDER.address, 10**12), self.token, 200_000)

    def round(self) -> None:
        start = time.perf_counter()
        for _ in range(TRANSFERS):
            self._transfer()
        self.taken_s.append(time.perf_counter() - start)

    def _transfer(self) -> None:
        data = call_data(DOLLAR, "transfer", RECEIVER, 1)
        self.receipts.append(self._sent(data, self.token, 60_000))

    def _sent(self, data: bytes, to: str | None, gas: int) -> Any:
        """The receipt of one signed transaction."""
        terms: dict[str, Any] = {"nonce": self.nonce, "chainId": self.chain_id, "value": 0, "gas": gas, "data": data}
        terms |= {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 1} | ({"to": to} if to else {})
        self.nonce += 1
        tx_hash = self.w3.eth.send_raw_transaction(SENDER.sign_transaction(terms).raw_transaction)
        receipt = self.w3.eth.get_transaction_receipt(tx_hash)
        assert receipt["status"] == 1 and receipt["transactionHash"] == tx_hash
        return receipt

    def outcomes(self) -> list[Any]:
        """What the receipts say, apart from the chains' own hashes and numbers of blocks."""
        events = [[(log["address"], log["topics"], log["data"]) for log in each["logs"]] for each in self.receipts]
        return [
            (each["status"], each["gasUsed"], each["cumulativeGasUsed"], logs)
            for each, logs in zip(self.receipts, events, strict=True)
        ]

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


def _restart_s(file: Path, head: bytes) -> float:
    """From a process's start over an existing file to its first answer over HTTP, which is the head as it was left."""
    command = [sys.executable, "-m", "bench.served", str(file), SENDER.address[2:], str(ENDOWMENT_WEI)]
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", False]}
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        place = child.stdout.readline().strip()
        assert place.startswith("http://127.0.0.1:")
        asked = Request(place, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(asked) as answer:  # noqa: S310 (loopback)
            block = json.load(answer)["result"]
        taken_s = time.perf_counter() - start
        child.communicate()
    assert block["hash"] == "0x" + head.hex()
    return taken_s


def _eth_tester() -> Web3:
    w3 = Web3(EthereumTesterProvider(EthereumTester(PyEVMBackend())))
    rich = w3.eth.accounts[0]
    w3.eth.send_transaction({"from": rich, "to": SENDER.address, "value": Web3.to_wei(1_000, "ether")})
    return w3


def run() -> Result:
    """The figures, with the persisted (SQLite, synchronous=FULL) one in the notes."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> Result:
    file = folder / "chain"
    with Node(GENESIS) as remembered, Node(GENESIS, file) as filed:
        ours, theirs = _Peer(Web3(NodeProvider(remembered))), _Peer(_eth_tester())
        durable = _Peer(Web3(NodeProvider(filed)))
        for _ in range(ROUNDS):
            for peer in (ours, theirs, durable):
                peer.round()
        assert ours.outcomes() == theirs.outcomes() == durable.outcomes()
        assert ours.held() == theirs.held() == durable.held() == ROUNDS * TRANSFERS
        assert remembered.head.state_root == filed.head.state_root
        head = filed.head
    race = Race(tuple(ours.taken_s), tuple(theirs.taken_s))
    restart_s = median(_restart_s(file, head.hash) for _ in range(RESTARTS))
    return Result(
        name="node",
        ours=ours.per_second,
        unit="signed token transfers with receipt/s, one a block",
        peer=theirs.per_second,
        ratio=race.ratio,
        peer_name="eth-tester (py-evm backend)",
        notes=(
            f"{race.spread}; goal {GOAL}; both through web3.py in process, which takes about half of our time",
            f"on disk (synchronous=FULL): {durable.per_second:,.0f}/s one a block; "
            f"signed beforehand, {BATCH} to a block: {_batched_per_second(folder):,.0f}/s",
            f"a new process over the file of {head.number:,} blocks: {restart_s:.2f} s from its start to the first "
            f"answer over HTTP, the head as it was left (median of {RESTARTS}; goal {RESTART_GOAL_S})",
        ),
    )


if __name__ == "__main__":
    print(run())
