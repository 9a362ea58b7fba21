"""A chain to test contracts on: the same signed transactions against the embedded node and against anvil.

Accounts are derived from the test's own name, so addresses - and with them the gas of call data - depend neither on
the order of tests nor on the node. Fees are fixed and never the subject.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractLogicError, TransactionNotFound
from web3.types import RPCEndpoint

from penstock.chain.node import Genesis
from penstock.chain.node import Node as ChainNode
from penstock.chain.provider import NodeProvider
from penstock.chain.well_known import well_known_code

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "src" / "penstock" / "chain" / "artefacts"
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 31337
GENESIS_AT_S = 1_790_000_000
GAS_LIMIT = 16_000_000  # under the cap of EIP-7825
FEE_WEI = 100 * 10**9
ENDOWMENT_WEI = 10**21
WAIT_S = 20.0
RICH: LocalAccount = Account.from_key(keccak(text="rich"))

Receipt = Any  # web3's TxReceipt is a TypedDict without the fields of every node


class Reverted(Exception):
    """A transaction was mined and failed; the text is the contract's reason."""


def artefact(name: str) -> dict[str, Any]:
    """The compiled contract that ships in the package."""
    found: dict[str, Any] = json.loads((ARTEFACTS / f"{name}.json").read_text())
    return found


def reason_of(error: ContractLogicError) -> str:
    """The contract's own words in an error of ``eth_call``; empty for a bare revert."""
    return str(error.message or "").removeprefix("execution reverted").lstrip(": ")


@dataclass
class Node:
    """A running node and what only it can do: fund an account, move its clock."""

    name: str
    w3: Web3

    def fund(self, address: str) -> None:
        """Give ``address`` enough to pay any fee."""
        raise NotImplementedError

    def advance(self, seconds: int) -> None:
        """Move the clock of the next block forward."""
        raise NotImplementedError


@dataclass
class Anvil(Node):
    """Foundry's node, Prague rules."""

    def fund(self, address: str) -> None:
        self.w3.provider.make_request(RPCEndpoint("anvil_setBalance"), [address, hex(ENDOWMENT_WEI)])

    def advance(self, seconds: int) -> None:
        self.w3.provider.make_request(RPCEndpoint("evm_increaseTime"), [seconds])
        self.w3.provider.make_request(RPCEndpoint("evm_mine"), [])


@contextlib.contextmanager
def anvil() -> Iterator[Node]:
    """A fresh anvil on a free loopback port; a missing binary is a failure, never a skip."""
    if not ANVIL.exists():
        raise FileNotFoundError(f"anvil is missing: run `npm ci` ({ANVIL.relative_to(ROOT)})")
    options = ["--hardfork", "prague", "--port", "0", "--chain-id", str(CHAIN_ID), "--accounts", "1"]
    options += ["--timestamp", str(GENESIS_AT_S), "--gas-limit", "60000000", "--prune-history"]
    with tempfile.TemporaryDirectory() as folder:  # a pipe that nobody reads would stop the node when it is full
        said = Path(folder) / "anvil.log"
        with said.open("w") as out:
            process = subprocess.Popen([str(ANVIL), *options], stdout=out)
        try:
            w3 = Web3(Web3.HTTPProvider(_listening(process, said), request_kwargs={"timeout": WAIT_S}))
            for address, code in well_known_code().items():
                w3.provider.make_request(RPCEndpoint("anvil_setCode"), ["0x" + address.hex(), "0x" + code.hex()])
            yield Anvil("anvil", w3)
        finally:
            process.terminate()
            process.wait()


@dataclass
class Embedded(Node):
    """The package's own node on a clock of the test's; a rich account funds the others."""

    clock_s: list[int]

    def fund(self, address: str) -> None:
        nonce = self.w3.eth.get_transaction_count(RICH.address)
        terms: dict[str, Any] = {"chainId": CHAIN_ID, "nonce": nonce, "gas": 21_000, "to": address, "type": 2}
        terms |= {"value": ENDOWMENT_WEI, "maxFeePerGas": FEE_WEI, "maxPriorityFeePerGas": 0}
        self.w3.eth.send_raw_transaction(RICH.sign_transaction(terms).raw_transaction)

    def advance(self, seconds: int) -> None:
        self.clock_s[0] += seconds
        self.w3.provider.make_request(RPCEndpoint("evm_mine"), [])


@contextlib.contextmanager
def embedded() -> Iterator[Node]:
    """The embedded node in memory."""
    clock_s = [GENESIS_AT_S]
    genesis = Genesis({bytes.fromhex(RICH.address[2:]): 10**30}, CHAIN_ID, GENESIS_AT_S, code=well_known_code())
    with ChainNode(genesis, now=lambda: clock_s[0]) as running:
        yield Embedded("embedded", Web3(NodeProvider(running, may_mine=True)), clock_s)


NODES = {"anvil": anvil, "embedded": embedded}


def _listening(process: subprocess.Popen[bytes], said: Path) -> str:
    """The address anvil printed once it listened."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"Listening on (\S+)\n", said.read_text())
        if found:
            return f"http://{found[1]}"
        time.sleep(0.01)
    raise RuntimeError("anvil did not start to listen")


@dataclass
class Chain:
    """One test's view of a node: its own role accounts, signed transactions, receipts."""

    node: Node
    salt: str
    deployed_gas: dict[str, int] = field(default_factory=dict)
    _accounts: dict[str, LocalAccount] = field(default_factory=dict)
    _nonces: dict[str, int] = field(default_factory=dict)

    @property
    def w3(self) -> Web3:
        return self.node.w3

    def account(self, role: str) -> LocalAccount:
        """The funded account of a role, the same on both nodes."""
        if role not in self._accounts:
            made: LocalAccount = Account.from_key(keccak(text=f"{self.salt}/{role}"))
            self.node.fund(made.address)
            self._accounts[role] = made
        return self._accounts[role]

    def now(self) -> int:
        """Time of the newest block [Unix s]."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def advance(self, seconds: int) -> None:
        """Let ``seconds`` pass."""
        self.node.advance(seconds)

    def deploy(self, name: str, *args: Any, sender: LocalAccount | None = None) -> Contract:
        """Deploy a shipped artefact; ``sender`` is the role `deployer` unless named."""
        return self.deploy_code(artefact(name), *args, sender=sender)

    def deploy_code(self, code: dict[str, Any], *args: Any, sender: LocalAccount | None = None) -> Contract:
        """Deploy ``{abi, bytecode}``."""
        factory = self.w3.eth.contract(abi=code["abi"], bytecode=code["bytecode"])
        receipt = self._send(sender or self.account("deployer"), None, factory.constructor(*args).data_in_transaction)
        made: Contract = self.w3.eth.contract(address=receipt["contractAddress"], abi=code["abi"])
        self.deployed_gas[made.address] = int(receipt["gasUsed"])
        return made

    def send(self, call: Any, sender: LocalAccount) -> Receipt:
        """Sign, send and wait for ``contract.functions.act(...)``; raises ``Reverted`` with the reason."""
        return self._send(sender, call.address, call._encode_transaction_data())

    def gas(self, call: Any, sender: LocalAccount) -> int:
        """Gas of the whole transaction, from its receipt."""
        return int(self.send(call, sender)["gasUsed"])

    def refused(self, call: Any, sender: LocalAccount) -> str:
        """The reason a call is refused with; fails when it is not."""
        try:
            self.send(call, sender)
        except Reverted as error:
            return str(error)
        raise AssertionError(f"{call.fn_name} was not refused")

    def refused_deploy(self, name: str, *args: Any) -> str:
        """The reason a deployment is refused with; fails when it is not."""
        try:
            self.deploy(name, *args)
        except Reverted as error:
            return str(error)
        raise AssertionError(f"the deployment of {name} was not refused")

    def sign(self, sender: LocalAccount, to: str | None, data: str) -> bytes:
        """The next signed transaction of ``sender``, type 2."""
        nonce = self._nonces.get(sender.address, -1) + 1 or self.w3.eth.get_transaction_count(sender.address)
        self._nonces[sender.address] = nonce
        terms: dict[str, Any] = {"chainId": CHAIN_ID, "nonce": nonce, "gas": GAS_LIMIT, "value": 0, "data": data}
        terms |= {"maxFeePerGas": FEE_WEI, "maxPriorityFeePerGas": 0, "type": 2} | ({"to": to} if to else {})
        return bytes(sender.sign_transaction(terms).raw_transaction)

    def _send(self, sender: LocalAccount, to: str | None, data: str) -> Receipt:
        receipt = self._wait(self.w3.eth.send_raw_transaction(self.sign(sender, to, data)))
        if receipt["status"] != 1:
            raise Reverted(self._reason(sender, to, data))
        return receipt

    def _reason(self, sender: LocalAccount, to: str | None, data: str) -> str:
        """A failed transaction changed nothing, so a call on the newest state fails the same way."""
        terms: Any = {"from": sender.address, "data": data, "gas": GAS_LIMIT} | ({"to": to} if to else {})
        try:
            self.w3.eth.call(terms)
        except ContractLogicError as error:
            return reason_of(error)
        raise AssertionError("the transaction failed, the same call does not")

    def _wait(self, tx_hash: bytes) -> Receipt:
        """Anvil mines after it answers, so the receipt may come a moment later."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(TransactionNotFound):
                return self.w3.eth.get_transaction_receipt(tx_hash)  # type: ignore[arg-type]
            time.sleep(0.002)
        raise TimeoutError(f"no receipt for 0x{tx_hash.hex()}")
