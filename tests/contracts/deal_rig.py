"""A deal on titanoboa beside its exact twin: what both are asked, and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from vyper.compiler.settings import OptimizationLevel

from penstock.capital.exact import Closing, DealState, close_period, opening_state, withdraw
from penstock.capital.report import Report
from penstock.errors import Invalid, Refused

CONTRACTS = Path(__file__).parents[2] / "contracts"
DEAL_HASH = bytes(range(32))

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
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount

@external
def burn(holder: address, amount: uint256):
    self.balanceOf[holder] -= amount

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True
"""


@cache
def deployer(venom: bool = False) -> Any:
    """The compiled contract; the second pipeline only for comparison."""
    settings = {"evm_version": "prague", "optimize": OptimizationLevel.GAS, "experimental_codegen": venom}
    return boa.loads_partial((CONTRACTS / "Deal.vy").read_text(), compiler_args=settings)


@cache
def dollar() -> Any:
    """One test dollar for all deals."""
    return boa.loads(DOLLAR)


@cache
def anchor() -> Any:
    """One stand-in for the anchor: holds what it is told."""
    return boa.loads(ANCHOR)


def payee_addresses(count: int) -> list[str]:
    """An address for each payee, by its place."""
    return [f"0x{0xC0DE + i:040x}" for i in range(count)]


def launch(code: bytes, payees: int, *, venom: bool = False) -> Any:
    """The contract on titanoboa, or `boa.BoaError` where its constructor refuses."""
    return deployer(venom).deploy(dollar(), anchor(), code, DEAL_HASH, payee_addresses(payees))


@dataclass(slots=True)
class Pair:
    """One deal twice. Every act is done to both, and every storage word compared."""

    code: bytes
    contract: Any
    state: DealState
    at_s: int = 0

    @classmethod
    def open(cls, code: bytes, payees: int, *, venom: bool = False) -> Pair:
        pair = cls(code, launch(code, payees, venom=venom), opening_state(code))
        pair.compare()
        return pair

    def compare(self) -> None:
        words = tuple(self.contract.words(i) for i in range(len(self.state.words)))
        assert words == self.state.words
        for i, withdrawn in enumerate(self.state.withdrawn):
            lane = self.state.paid + i
            assert self.contract.unpaid(lane) == self.state.lane(lane) - withdrawn

    @property
    def balance(self) -> int:
        return int(dollar().balanceOf(self.contract))

    def close(self, report: Report, now_s: int, cash: int = 0) -> Closing | None:
        """Both close, or both refuse (then None)."""
        if cash:
            dollar().mint(self.contract, cash)
        anchor().attest(self.contract, report.word)
        boa.env.timestamp = now_s
        try:
            closing = close_period(self.code, self.state, report, self.balance, now_s)
        except Refused as refused:
            reason = {"deal.period_open": "period is open", "deal.report_awaited": "report awaited"}[refused.code]
            with boa.reverts(reason):
                self.contract.close()
            self.compare()
            return None
        assert self.contract.close() == closing.flags
        event = next(log for log in self.contract.get_logs() if type(log).__name__ == "PeriodClosed")
        assert (event.period, event.flags, event.inflow) == (closing.period, closing.flags, closing.inflow)
        assert (event.report, event.fresh) == (report.word, closing.fresh)
        self.state = closing.state
        self.compare()
        return closing

    def withdraw(self, lane: int) -> int:
        payee = payee_addresses(lane - self.state.paid + 1)[-1]
        before = int(dollar().balanceOf(payee))
        self.state, amount = withdraw(self.state, lane)
        with boa.env.prank(payee):
            assert self.contract.withdraw(lane) == amount
        assert dollar().balanceOf(payee) - before == amount
        self.compare()
        return amount


def refused_alike(code: bytes, payees: int) -> bool:
    """Whether both refuse the program; fails where only one does."""
    try:
        opening_state(code)
    except Invalid:
        try:
            launch(code, payees)
        except boa.BoaError:
            return True
        raise AssertionError("the contract took a program that the twin refuses") from None
    return False
