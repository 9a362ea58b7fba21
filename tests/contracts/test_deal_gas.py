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
from web3 import Web3
from web3.contract import Contract

from penstock.capital import edition
from penstock.capital.compile import compile_deal
from penstock.capital.exact import DealState, close_period, opening_state, period_bounds, withdraw
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report, page_subject
from penstock.capital.schedule_rows import creation

HERE = Path(__file__).parent
FOUR = (HERE / "four_tranches.yaml").read_text()
WIDE = (
    FOUR.replace("cfads: USDC, value: USDC}", "cfads: USDC, value: USDC, energy: Wh, answers: tokens}")
    .replace("accounts:", "schedule:\n  reserve: [1_700_000 USDC, 1_600_000 USDC, 1_500_000 USDC]\naccounts:")
    .replace("dsra: {target: 1_700_000 USDC}", "dsra: {target: reserve}")
    .replace("00:00:00Z}", "00:00:00Z, periods: 240}")
)
PINNED = HERE / "gas_deal.json"
USDC = 10**6
NEVER_S = 2**32 - 1
NOBODY = "0x" + "00" * 20
GOOD = (2_000_000, 100_000_000)  # CFADS and value [USDC]: all tests pass
POOR = (900_000, 100_000_000)  # CFADS of 1.14 times A's service: lock-up
BAD = (500_000, 100_000_000)  # acceleration


@dataclass
class Scene:
    """A deal on a node, its twin beside it. ``schedule`` is the data contract of its rows."""

    chain: Chain
    program: Program
    dollar: Contract
    anchor: Contract
    schedule: str
    deal: Contract
    state: DealState

    def close(self, cash: int, measures: tuple[int, ...] | None) -> int:
        """Gas of the whole transaction that closes the next period; the twin must end in the same words."""
        minter = self.chain.account("minter")
        self.chain.send(self.dollar.functions.mint(self.deal.address, cash * USDC), minter)
        code, rows = self.program.code, self.program.rows
        end = period_bounds(code, self.state.period, rows)[1]
        report = Report.missing()
        if measures:
            report = Report.of([one * USDC for one in measures], end, NEVER_S)
        for page, word in enumerate(report.words):
            subject = page_subject(bytes.fromhex(self.deal.address[2:]), page)
            self.chain.send(self.anchor.functions.attest(Web3.to_checksum_address(subject), word), minter)
        balance = int(self.dollar.functions.balanceOf(self.deal.address).call())
        self.state = close_period(code, self.state, report, balance, self.chain.now(), rows).state
        gas = self.chain.gas(self.deal.functions.close(), self.chain.account("anyone"))
        words = tuple(self.deal.functions.words(i).call() for i in range(len(self.state.words)))
        assert words == self.state.words
        assert gas - 21_064 <= self.program.gas_ceiling
        return gas

    def govern(self, act: str, *args: Any) -> int:
        """Gas of an act of the governor."""
        return self.chain.gas(getattr(self.deal.functions, act)(*args), self.chain.account("governor"))

    def withdraw(self, payee: str) -> int:
        """Gas of a withdrawal by its payee."""
        lane = self.program.payee_lanes[payee]
        self.state, amount = withdraw(self.state, lane)
        receiver = self.chain.account(payee)
        before = self.dollar.functions.balanceOf(receiver.address).call()
        gas = self.chain.gas(self.deal.functions.withdraw(lane), receiver)
        assert self.dollar.functions.balanceOf(receiver.address).call() - before == amount > 0
        return gas


def launched(chain: Chain, text: str) -> Scene:
    """A deal beside a dollar and a stand-in of the anchor."""
    program = compile_deal(load_deal(text))
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    settings = Settings(evm_version="prague", optimize=OptimizationLevel.GAS)
    stand_in: dict[str, Any] = compile_code(ANCHOR, settings=settings, output_formats=["abi", "bytecode"])
    anchor = chain.deploy_code(stand_in)
    schedule = NOBODY
    if program.rows:
        schedule = chain.deploy_code({"abi": [], "bytecode": creation(program.rows)}).address
    payees = [chain.account(name).address for name in program.payee_lanes]
    shared = (dollar.address, anchor.address, program.code, schedule, program.deal_hash, payees)
    deal = chain.deploy("Deal", *shared, chain.account("governor").address)
    return Scene(chain, program, dollar, anchor, schedule, deal, opening_state(program.code))


@pytest.fixture
def scene(chain: Chain) -> Scene:
    return launched(chain, FOUR)


def pinned(figures: dict[str, int]) -> None:
    """What is pinned of these names is these figures."""
    known: dict[str, int] = json.loads(PINNED.read_text())
    if os.environ.get("GAS_DEAL") == "write":
        known |= figures
        PINNED.write_text(json.dumps(known, indent=1) + "\n")
    assert figures == {name: known.get(name) for name in figures}


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
    assert figures["withdraw, later"] <= 55_000
    pinned(figures)


def test_gas_of_twelve_tranches_is_as_pinned(chain: Chain) -> None:
    scene = launched(chain, (HERE / "twelve_tranches.yaml").read_text())
    figures = {"twelve tranches: deploy": int(scene.chain.w3.eth.get_block("latest")["gasUsed"])}
    figures["twelve tranches: close, first ever"] = scene.close(4_000_000, (2_000_000, 110_000_000, 700_000))
    figures["twelve tranches: close, normal"] = scene.close(1_500_000, (2_000_000, 110_000_000, 700_000))
    figures["twelve tranches: close, lock-up trips"] = scene.close(1_300_000, (320_000, 110_000_000, 700_000))
    assert figures["twelve tranches: close, normal"] <= 155_000
    pinned(figures)


def test_gas_of_a_schedule_and_a_second_page_is_as_pinned(chain: Chain) -> None:
    """The same deal with a column and four measures: what these two cost a close."""
    scene, good = launched(chain, WIDE), (*GOOD, 0, 0)
    figures = {}
    for name in ("first ever", "normal"):
        figures[f"schedule and second page: close, {name}"] = scene.close(1_500_000, good)
    pinned(figures)


def test_gas_of_governing_is_as_pinned(scene: Scene) -> None:
    """And what a deal costs that was once amended or waived: every later close reads two words more."""
    for cash in (4_000_000, 1_500_000):
        scene.close(cash, GOOD)
    figures = {"waive": scene.govern("waive", 1, 4)}
    scene.state = edition.waive(scene.state, 1, 4)
    figures["close, waived"] = scene.close(1_500_000, GOOD)
    code = scene.program.code
    figures["amend"] = scene.govern("amend", code, NOBODY, bytes(32))
    scene.state = edition.amend(scene.state, (code, b""), (code, b""))
    figures["close, amended"] = scene.close(1_500_000, GOOD)
    lane = next(iter(scene.program.payee_lanes.values()))
    figures["replace"] = scene.govern("replace", lane, scene.chain.account("successor").address)
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
    untold = (
        "slot leaves zero",
        "one clean period",
        "caught up",
        "twelve tranches: deploy",
        "first ever",
        "withdraw, first",
    )
    figures = json.loads(PINNED.read_text())
    named = {name for name in figures if not any(word in name for word in untold)} | {"close, first ever"}
    assert sorted(name for name in named if f"{figures[name]:,}" not in told) == []
