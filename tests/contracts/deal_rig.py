"""A deal on titanoboa beside its exact twin: what both are asked, and how they are compared.

Contracts are called by raw data: fast, and nothing stands between the test and the bytecode.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from nodes import artefact
from vyper.compiler.settings import OptimizationLevel

from penstock.capital.exact import Closing, DealState, close_period, opening_state, withdraw
from penstock.capital.report import Report
from penstock.errors import Invalid, Refused

SOURCE = Path(__file__).parents[2] / "contracts" / "Deal.vy"
DEAL_HASH = bytes(range(32))
CALLER = "0x" + "ca" * 20
CLOSED = keccak(text="PeriodClosed(uint256,uint256,uint256,uint256,bool)")

ANCHOR = """
reports: HashMap[address, uint256]

@external
def attest(subject: address, word: uint256):
    self.reports[subject] = word

@external
@view
def report(subject: address) -> uint256:
    return self.reports[subject]
"""

DOLLAR = """
balanceOf: public(HashMap[address, uint256])

@external
def hold(holder: address, amount: uint256):
    self.balanceOf[holder] = amount

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True
"""


class Refusal(Exception):
    """A call or a deployment failed; the text is the contract's reason."""


GAS = 16_000_000
"""What a transaction may use; titanoboa's own limit takes minutes to burn."""


def create(code: bytes) -> str:
    """The address of a new contract."""
    address, computation = boa.env.deploy(bytecode=code)
    if computation.is_error:
        raise Refusal(reason(computation.output))
    # A contract that a test rolled back may have stood at the same address; titanoboa would still speak for it.
    boa.env._contracts.pop(bytes.fromhex(str(address)[2:]), None)
    return str(address)


def reason(output: bytes) -> str:
    """The text of ``Error(string)``; empty for a bare revert."""
    return str(decode(["string"], output[4:])[0]) if len(output) > 4 else ""


def execute(to: str, signature: str, *args: Any, sender: str = CALLER) -> Any:
    """The computation of ``name(types)``; raises `Refusal`."""
    types = signature[signature.index("(") + 1 : -1]
    data = keccak(text=signature)[:4] + encode(types.split(",") if types else [], args)
    computation = boa.env.execute_code(to, sender, gas=GAS, data=data)
    if computation.is_error:
        raise Refusal(reason(computation.output))
    return computation


def call(to: str, signature: str, *args: Any, sender: str = CALLER) -> int:
    """The number that ``name(types)`` answers."""
    return int.from_bytes(execute(to, signature, *args, sender=sender).output[:32], "big")


@cache
def compiled(source: str, *, venom: bool = False) -> bytes:
    """Creation code of a source."""
    options = {"evm_version": "prague", "optimize": OptimizationLevel.GAS, "experimental_codegen": venom}
    return bytes(boa.loads_partial(source, compiler_args=options).compiler_data.bytecode)


DOLLAR_AT = create(compiled(DOLLAR))
ANCHOR_AT = create(compiled(ANCHOR))


def payee_address(place: int) -> str:
    """The address of a payee by its place."""
    return f"0x{0xC0DE + place:040x}"


def launch(code: bytes, payees: int, *, venom: bool = False) -> str:
    """The contract's address; raises `Refusal` where its constructor refuses. The shipped code, unless ``venom``."""
    shipped = bytes.fromhex(artefact("Deal")["bytecode"][2:])
    creation = compiled(SOURCE.read_text(), venom=True) if venom else shipped
    types = ["address", "address", "bytes", "bytes32", "address[]"]
    people = [payee_address(place) for place in range(payees)]
    return create(creation + encode(types, [DOLLAR_AT, ANCHOR_AT, code, DEAL_HASH, people]))


def refused_alike(code: bytes, payees: int) -> bool:
    """Whether both refuse the program; fails where only the twin does (`Pair.open` where only the contract does)."""
    try:
        opening_state(code)
    except Invalid:
        try:
            launch(code, payees)
        except Refusal as refused:
            assert str(refused).startswith("program.") or not str(refused)
            return True
        raise AssertionError("the contract took a program that the twin refuses") from None
    return False


@dataclass(slots=True)
class Pair:
    """One deal twice. Every act is done to both, and every storage word compared."""

    code: bytes
    address: str
    state: DealState

    @classmethod
    def open(cls, code: bytes, payees: int, *, venom: bool = False) -> Pair:
        pair = cls(code, launch(code, payees, venom=venom), opening_state(code))
        pair.compare()
        return pair

    def compare(self) -> None:
        """Every storage word, read below the contract's views; and one word more, which must be untouched."""
        words = [int(boa.env.get_storage(self.address, i)) for i in range(len(self.state.words) + 1)]
        assert words == [*self.state.words, 0]

    @property
    def balance(self) -> int:
        return call(DOLLAR_AT, "balanceOf(address)", self.address)

    def hold(self, amount: int) -> None:
        """Let the deal's address hold so many dollars."""
        execute(DOLLAR_AT, "hold(address,uint256)", self.address, min(amount, 2**256 - 1))

    def close(self, report: Report, now_s: int, cash: int = 0) -> Closing | None:
        """Both close, or both refuse (then None)."""
        self.hold(self.balance + cash)
        execute(ANCHOR_AT, "attest(address,uint256)", self.address, report.word)
        boa.env.timestamp = now_s
        try:
            closing = close_period(self.code, self.state, report, self.balance, now_s)
        except Refused as refused:
            self.refuse_close(refused.code)
            return None
        done = execute(self.address, "close()")
        assert int.from_bytes(done.output, "big") == closing.flags
        _, topics, data = done.get_log_entries()[0]
        assert topics == (int.from_bytes(CLOSED, "big"), closing.period)
        assert decode(["uint256"] * 4, data) == (closing.flags, closing.inflow, report.word, int(closing.fresh))
        self.state = closing.state
        self.compare()
        return closing

    def refuse_close(self, code: str) -> None:
        """The contract gives this reason and changes nothing."""
        try:
            execute(self.address, "close()")
        except Refusal as refused:
            assert str(refused) == code
            self.compare()
            return
        raise AssertionError(f"the contract closed, the twin says {code}")

    def withdraw(self, lane: int) -> int:
        """Both pay the lane's payee, if the dollars are there."""
        payee = payee_address(lane - self.state.paid)
        owed, held = call(self.address, "unpaid(uint256)", lane), self.balance
        before = call(DOLLAR_AT, "balanceOf(address)", payee)
        state, amount = withdraw(self.state, lane)
        assert owed == amount
        if amount > held:  # the dollar's issuer took some back
            return 0
        self.state = state
        assert call(self.address, "withdraw(uint256)", lane, sender=payee) == amount
        assert call(DOLLAR_AT, "balanceOf(address)", payee) - before == amount
        self.compare()
        return amount
