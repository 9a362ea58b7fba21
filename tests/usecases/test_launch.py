"""Launch: a deal with a schedule and two pages takes its place on a real chain, once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from penstock.capital.exact import period_bounds
from penstock.capital.report import page_subject
from penstock.capital.schedule_rows import runtime
from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider, web3_on
from penstock.errors import Unavailable
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import CollectionReceived
from penstock.journal.kinds.ledger import Transfer
from penstock.keys import ChainKey, derive_seed
from penstock.period import SECOND_US, parse_iso
from penstock.usecases import enrol
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.launch import Roles, adopt_chain, launch
from penstock.usecases.originate import originate, recompile
from penstock.usecases.pay_period import DealPeriod, accepted_report, close_on_chain
from penstock.usecases.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
AT_US = parse_iso("2016-08-22T07:00:00Z")
NAME = "first"
TEXT = (
    (ROOT / "examples/deals/first.yaml")
    .read_text()
    .replace("accounts:", "schedule:\n  reserve: [300 USDC, 400 USDC, 500 USDC]\n\naccounts:", 1)
    .replace("{target: 500 USDC}", "{target: reserve}")
    .replace("  answers: tokens", "  revenue: USDC\n  answers: tokens")
    .replace("  grace: 6 h", "  periods: 7\n  grace: 6 h")
)
DAILY = 10_000 * 10**6
OPERATOR = ChainKey(derive_seed(b"launch", "operator"))


class Scene:
    """An operator with a chain of its own, the shared contracts deployed, the deal originated."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.now_s = Workspace(folder), AT_US // SECOND_US
        genesis = Genesis({OPERATOR.address: 10**20}, at_s=self.now_s - 1)
        self.node = Node(genesis, now=lambda: self.now_s)
        self.client = ChainClient(NodeProvider(self.node))
        self.desk = ChainDesk(self.workspace, self.client, OPERATOR)
        others = [ChainKey(derive_seed(b"launch", f"{n}")).address for n in range(6)]
        self.roles = Roles(tuple(others[:3]), *others[3:])
        adopt_chain(self.workspace, self.desk, self.roles, AT_US)
        self.workspace.submit("accounts", b"", AT_US, lambda _: enrol.open_accounts([], ["world"]))
        self.workspace.submit("deal", b"", AT_US, lambda world: originate(world, NAME, TEXT, ()))
        _, self.program = recompile(self.workspace.read(lambda world: world.capital.deal(NAME).originated))

    def launch(self) -> None:
        launch(self.workspace, self.desk, NAME, self.roles, AT_US)

    def pay_in(self, number: int) -> None:
        """A day's dollars reach the deal, here and on chain."""
        self.desk.act(f"pay in {number}", "Dollar", "mint", self.desk.contract(NAME).address, DAILY)
        register = f"{NAME}/collect"
        transfer = Transfer("world", register, DAILY, "answers")
        received = CollectionReceived(NAME, register, number * DAILY, (number + 1) * DAILY, (transfer,))
        self.workspace.submit(f"received {number}", b"", AT_US, lambda _: [Entry(received)])

    def sent(self) -> int:
        return len([row for row in self.workspace.store.outbox.rows() if row.state in ("mined", "final")])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "plant")
    with made.workspace, made.node:
        yield made


def test_the_schedule_lies_beside_the_deal_and_both_pages_are_reportable(scene: Scene) -> None:
    scene.launch()
    schedule = bytes.fromhex(scene.desk.view(NAME, "schedule")[2:])
    code = web3_on(scene.node).eth.get_code(Web3.to_checksum_address(schedule))
    assert bytes(code) == runtime(scene.program.rows)
    assert scene.program.pages == 2
    deal = scene.desk.contract(NAME).address
    sponsors = [scene.desk.view("Anchor", "sponsor_of", page_subject(deal, page)) for page in range(2)]
    assert [bytes.fromhex(one[2:]) for one in sponsors] == [OPERATOR.address] * 2
    assert bytes.fromhex(scene.desk.view(NAME, "GOVERNOR")[2:]) == bytes(20)
    assert accepted_report(scene.desk, NAME, 2).measures == (0,) * 6


def test_a_launch_that_dies_half_way_is_taken_up_and_never_done_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = ChainDesk.deploy

    def dying(desk: ChainDesk, name: str, artefact: str, *args: Any) -> Any:
        if artefact == "Deal":
            raise Unavailable("chain.unreachable", "The chain is gone.")
        return honest(desk, name, artefact, *args)

    monkeypatch.setattr(ChainDesk, "deploy", dying)
    with pytest.raises(Unavailable):
        scene.launch()
    monkeypatch.setattr(ChainDesk, "deploy", honest)
    scene.launch()
    sent, at = scene.sent(), scene.desk.view(NAME, "schedule")
    scene.launch()
    assert (scene.sent(), scene.desk.view(NAME, "schedule")) == (sent, at)


def test_periods_close_on_chain_by_the_schedule_as_in_the_exact_engine(scene: Scene) -> None:
    """`close_on_chain` compares every word; the reserve's target is the column's."""
    scene.launch()
    held = []
    for number in range(4):
        scene.pay_in(number)
        end_s = period_bounds(scene.program.code, number, scene.program.rows)[1]
        scene.now_s = end_s + 6 * 3600
        close_on_chain(scene.workspace, scene.desk, DealPeriod(NAME, scene.program, number, end_s * SECOND_US))
        held.append(scene.desk.view(NAME, "lane", scene.program.lanes["dsra"]))
    assert held == [300 * 10**6, 400 * 10**6, 500 * 10**6, 500 * 10**6]  # beyond its end the last value stands
