"""What a deal costs on chain, to the unit of gas, on both nodes; and who may do what.

Write ``gas_deal.json`` anew after a change: ``GAS_DEAL=write pytest tests/contracts/test_deal_gas.py``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deal_rig import ANCHOR
from nodes import Chain
from vyper import compile_code
from vyper.compiler.settings import OptimizationLevel, Settings
from web3.contract import Contract

from penstock.capital.compile import compile_deal
from penstock.capital.exact import DealState, close_period, opening_state, period_bounds, withdraw
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report

HERE = Path(__file__).parent
PINNED = HERE / "gas_deal.json"
USDC = 10**6
NEVER_S = 2**32 - 1
NOBODY = "0x" + "00" * 20
GOOD = (2_000_000, 100_000_000)  # CFADS and value [USDC]: all tests pass
POOR = (900_000, 100_000_000)  # CFADS of 1.14 times A's service: lock-up
BAD = (500_000, 100_000_000)  # acceleration


@dataclass
class Scene:
    """A deal on a node, its twin beside it."""

    chain: Chain
    program: Program
    dollar: Contract
    anchor: Contract
    deal: Contract
    state: DealState

    def close(self, cash: int, measures: tuple[int, int] | None) -> int:
        """Gas of the whole transaction that closes the next period; the twin must end in the same words."""
        minter = self.chain.account("minter")
        self.chain.send(self.dollar.functions.mint(self.deal.address, cash * USDC), minter)
        end = period_bounds(self.program.code, self.state.period)[1]
        report = Report.missing()
        if measures:
            report = Report((measures[0] * USDC, measures[1] * USDC, 0), end, NEVER_S)
        self.chain.send(self.anchor.functions.attest(self.deal.address, report.word), minter)
        balance = int(self.dollar.functions.balanceOf(self.deal.address).call())
        self.state = close_period(self.program.code, self.state, report, balance, self.chain.now()).state
        gas = self.chain.gas(self.deal.functions.close(), self.chain.account("anyone"))
        words = tuple(self.deal.functions.words(i).call() for i in range(len(self.state.words)))
        assert words == self.state.words
        assert gas - 21_064 <= self.program.gas_ceiling
        return gas

    def withdraw(self, payee: str) -> int:
        """Gas of a withdrawal by its payee."""
        lane = self.program.payee_lanes[payee]
        self.state, amount = withdraw(self.state, lane)
        receiver = self.chain.account(payee)
        before = self.dollar.functions.balanceOf(receiver.address).call()
        gas = self.chain.gas(self.deal.functions.withdraw(lane), receiver)
        assert self.dollar.functions.balanceOf(receiver.address).call() - before == amount > 0
        return gas


@pytest.fixture
def scene(chain: Chain) -> Scene:
    program = compile_deal(load_deal((HERE / "four_tranches.yaml").read_text()))
    minter = chain.account("minter")
    dollar = chain.deploy("Dollar", minter.address)
    settings = Settings(evm_version="prague", optimize=OptimizationLevel.GAS)
    stand_in: dict[str, Any] = compile_code(ANCHOR, settings=settings, output_formats=["abi", "bytecode"])
    anchor = chain.deploy_code(stand_in)
    payees = [chain.account(name).address for name in program.payee_lanes]
    shared = (dollar.address, anchor.address, program.code, NOBODY, program.deal_hash, payees)
    deal = chain.deploy("Deal", *shared, chain.account("governor").address)
    return Scene(chain, program, dollar, anchor, deal, opening_state(program.code))


def pinned(figures: dict[str, int]) -> None:
    if os.environ.get("GAS_DEAL") == "write":
        PINNED.write_text(json.dumps(figures, indent=1) + "\n")
    assert figures == json.loads(PINNED.read_text())


def test_gas_of_a_deals_life_is_as_pinned(scene: Scene) -> None:
    receipt_of_deployment = scene.chain.w3.eth.get_block("latest")["gasUsed"]
    figures = {"deploy": int(receipt_of_deployment)}
    figures["close, first ever"] = scene.close(4_000_000, GOOD)
    figures["withdraw, first"] = scene.withdraw("A")
    figures["close, normal"] = scene.close(1_500_000, GOOD)
    figures["withdraw, later"] = scene.withdraw("A")
    figures["close, normal, a slot leaves zero: first shortfall"] = scene.close(950_000, GOOD)
    figures["close, lock-up trips, shortfall caught up"] = scene.close(1_200_000, POOR)
    figures["close, locked up, one clean period"] = scene.close(1_500_000, GOOD)
    figures["close, cured, trap released"] = scene.close(1_500_000, GOOD)
    figures["close, lock-up trips"] = scene.close(1_200_000, POOR)
    figures["close, no report"] = scene.close(1_500_000, None)
    figures["close, acceleration trips, a slot leaves zero"] = scene.close(1_500_000, BAD)
    figures["close, accelerated"] = scene.close(1_500_000, BAD)
    assert figures["close, normal"] <= 115_000
    assert figures["close, lock-up trips"] <= 125_000
    assert figures["withdraw, later"] <= 52_000
    pinned(figures)


def test_only_the_payee_withdraws_and_only_after_its_end_a_period_closes(scene: Scene) -> None:
    attacker = scene.chain.account("attacker")
    scene.close(2_000_000, GOOD)
    lane = scene.program.payee_lanes["A"]
    for number in (lane, 0, 4, 2**255):
        assert scene.chain.refused(scene.deal.functions.withdraw(number), attacker) == "deal.not_a_payee"
    assert scene.withdraw("A") > 0
    again = scene.chain.send(scene.deal.functions.withdraw(lane), scene.chain.account("A"))
    assert again["status"] == 1
    assert not again["logs"]  # nothing owed, nothing moved


def test_views_tell_what_the_program_says(scene: Scene) -> None:
    deal, program = scene.deal.functions, scene.program
    assert deal.program().call() == program.code
    assert deal.program_hash().call() == program.program_hash
    assert deal.deal_hash().call() == program.deal_hash
    assert deal.period_end().call() == period_bounds(program.code, 0)[1]
    assert deal.lane(program.lanes["A.balance"]).call() == 60_000_000 * USDC
    assert [deal.payee(lane).call() for lane in program.payee_lanes.values()] == [
        scene.chain.account(name).address for name in program.payee_lanes
    ]
    scene.close(2_000_000, BAD)
    assert deal.period().call() == 1
    assert program.state_name(deal.flags().call()) == "accel"
    assert deal.unpaid(program.payee_lanes["A"]).call() == scene.state.lane(program.payee_lanes["A"])


def test_the_page_tells_the_pinned_figures() -> None:
    page = (HERE.parents[1] / "docs" / "deal-language.md").read_text()
    told = page[page.index("### Gas") :]
    figures = json.loads(PINNED.read_text())
    named = ("normal", "lock-up trips", "cured, trap released", "no report", "accelerated", "first ever")
    for figure in (*(figures[f"close, {name}"] for name in named), figures["withdraw, later"], figures["deploy"]):
        assert f"{figure:,}" in told
