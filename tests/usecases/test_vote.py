"""Votes on a real chain: proposed, voted by holders under their own keys, carried out, recorded, refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.errors import NotFound, PenstockError, Refused
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.keys import ChainKey, derive_seed
from penstock.period import SECOND_US, parse_iso
from penstock.usecases import enrol
from penstock.usecases.ballot import DELAY_S, VOTE_S, ballot_contract, know_deal, rules_of
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.consent import Amendment, Change, Replacement, Waiver
from penstock.usecases.launch import Admission, Roles, admit, adopt_chain, launch, place
from penstock.usecases.originate import originate, recompile
from penstock.usecases.sequencer import Sequencer
from penstock.usecases.vote import carry_out, cast, proposals, propose
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ROOT = Path(__file__).resolve().parents[2]
AT_US = parse_iso("2016-08-22T07:00:00Z")
VOTES = """
votes:
  amendment: {classes: [A, B], share: 66.67 %}
  waiver: {classes: [A], share: 50 %}
  replacement: {classes: [A], share: 50 %}
"""
TEXT = (ROOT / "examples/deals/first.yaml").read_text() + VOTES
NAME, NOTE = "first", "The inverter is late."
ROLES = ("operator", "trustee", "guardian", "senior", "junior", "servicer", "stranger")
KEYS = {role: ChainKey(derive_seed(b"vote", role)) for role in ROLES}
WAIVE = Waiver("dscr", 3)
REPLACE = Replacement("servicer", KEYS["stranger"].address)
AMEND = Amendment(TEXT.replace("servicer: {amount: 40 USDC}", "servicer: {amount: 45 USDC}"))


class Scene:
    """A launched deal whose `senior` holds three quarters of A, whose `junior` a quarter, and all of B."""

    def __init__(self, folder: Path, node: Node | None = None) -> None:
        self.workspace, self.now_s = Workspace(folder), AT_US // SECOND_US
        genesis = Genesis({key.address: 10**20 for key in KEYS.values()}, at_s=self.now_s - 1)
        self.client = ChainClient(NodeProvider(node or Node(genesis, now=lambda: self.now_s)))
        self.desk = ChainDesk(self.workspace, self.client, KEYS["operator"])
        attesters = tuple(ChainKey(derive_seed(b"vote", f"attester-{n}")).address for n in range(3))
        at = {role: key.address for role, key in KEYS.items()}
        roles = Roles(attesters, at["trustee"], at["guardian"], at["servicer"])
        adopt_chain(self.workspace, self.desk, roles, AT_US)
        self.workspace.submit("accounts", b"", AT_US, lambda _: enrol.open_accounts(["operator"], ["wallets"]))
        self.workspace.submit("deal", b"", AT_US, lambda world: originate(world, NAME, TEXT, ()))
        launch(self.workspace, self.desk, NAME, roles, AT_US)
        holders = {
            "A": [Admission(at["senior"], 840, 1, 1_500_000 * 10**6), Admission(at["junior"], 840, 1, 500_000 * 10**6)],
            "B": [Admission(at["junior"], 840, 1, 500_000 * 10**6)],
        }
        admit(self.desk, NAME, holders["A"])
        for tranche, admissions in holders.items():
            place(self.desk, f"{NAME}/{tranche}", admissions)

    def desk_of(self, role: str) -> ChainDesk:
        desk = ChainDesk(self.workspace, self.client, KEYS[role])
        self.workspace.read(lambda world: know_deal(world, desk, NAME))
        return desk

    def propose(self, change: Change, by: str = "operator", note: str = NOTE) -> int:
        return propose(self.workspace, self.desk_of(by), NAME, change, note)

    def vote(self, proposal: int, role: str, tranche: str, support: bool = True) -> None:
        cast(self.workspace, self.desk_of(role), NAME, proposal, tranche, support)

    def carry_out(self, proposal: int, change: Change, note: str = NOTE) -> None:
        carry_out(self.workspace, self.desk_of("stranger"), NAME, proposal, change, note, AT_US)

    def passed(self, change: Change) -> int:
        """A proposal that everybody voted for, its delay over."""
        proposal = self.propose(change)
        for role, tranche in (
            (("junior", "B"), ("senior", "A")) if isinstance(change, Amendment) else (("senior", "A"),)
        ):
            self.vote(proposal, role, tranche)
        self.now_s += DELAY_S
        return proposal

    @property
    def record(self) -> Any:
        return self.workspace.read(lambda world: world.capital.deal(NAME))

    def facts(self, kind: type) -> list[Any]:
        return [row.recorded.fact for row in self.workspace.facts() if isinstance(row.recorded.fact, kind)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "plant")
    with made.workspace:
        yield made


def refused(act: Any, *args: Any) -> str:
    """The code, or for what the chain refused its reason."""
    with pytest.raises(PenstockError) as raised:
        act(*args)
    error = raised.value
    return error.message.split(": ")[-1].strip(".") if error.code == "chain.act_refused" else error.code


def test_a_waiver_takes_its_share_its_delay_and_anyone(scene: Scene) -> None:
    number = scene.propose(WAIVE)
    assert scene.propose(WAIVE) == number  # the same again is the same vote
    assert refused(scene.carry_out, number, WAIVE) == "ballot.not_passed"
    scene.vote(number, "junior", "A")
    assert proposals(scene.desk_of("stranger"), NAME)[0]["state"] == "open"  # a quarter is no half
    scene.vote(number, "senior", "A")
    (row,) = proposals(scene.desk_of("stranger"), NAME)
    assert (row["state"], row["classes"]) == ("passed", [{"class": 0, "yes": 2 * 10**12, "no": 0, "enough": True}])
    assert refused(scene.carry_out, number, Waiver("dscr", 4)) == "vote.other_change"
    assert refused(scene.carry_out, number, WAIVE, "Another reason.") == "vote.other_change"
    scene.now_s += DELAY_S
    scene.carry_out(number, WAIVE)
    scene.carry_out(number, WAIVE)
    assert scene.desk.view(NAME, "waived_through", 1) == 3 == scene.record.state.waived[0]
    assert scene.facts(TestWaived) == [TestWaived(NAME, "dscr", 3, number, NOTE)]
    assert proposals(scene.desk_of("stranger"), NAME)[0]["state"] == "done"


def test_an_amendment_runs_from_the_next_close_and_binds_the_terms_it_was_voted_on(scene: Scene) -> None:
    rival = Amendment(TEXT.replace("40 USDC}", "50 USDC}"))
    first, second = scene.propose(AMEND), scene.propose(rival)
    for number in (first, second):
        for role, tranche in (("junior", "B"), ("senior", "A")):
            scene.vote(number, role, tranche)
    scene.now_s += DELAY_S
    scene.carry_out(first, AMEND)
    program = recompile(scene.record.originated)[1]
    assert scene.record.originated.text == AMEND.text
    assert bytes(scene.desk.view(NAME, "deal_hash")) == program.deal_hash
    assert bytes(scene.desk.view(NAME, "program_hash")) == program.program_hash
    assert tuple(scene.desk.view(NAME, "words", place) for place in range(3)) == scene.record.state.words[:3]
    assert refused(scene.carry_out, second, rival) == "vote.other_change"  # it was voted on other terms
    assert [one.proposal for one in scene.facts(DealAmended)] == [first]
    again = Sequencer(scene.workspace.store, World, KINDS)
    assert again.read(lambda world: world.capital.deal(NAME).state) == scene.record.state


def test_a_replaced_payee_leaves_tranches_alone(scene: Scene) -> None:
    number = scene.passed(REPLACE)
    scene.carry_out(number, REPLACE)
    lane = recompile(scene.record.originated)[1].payee_lanes["servicer"]
    assert bytes.fromhex(scene.desk.view(NAME, "payee", lane)[2:]) == KEYS["stranger"].address
    assert scene.facts(PayeeReplaced) == [PayeeReplaced(NAME, "servicer", lane, REPLACE.account, number, NOTE)]
    assert refused(scene.propose, Replacement("A", KEYS["stranger"].address)) == "deal.not_replaceable"
    assert refused(scene.propose, Replacement("ghost", KEYS["stranger"].address)) == "deal.no_payee"


def test_who_executes_first_leaves_the_rest_to_the_record(scene: Scene) -> None:
    """A holder carried it out by itself; the workspace records it all the same, and only the change it was."""
    number = scene.passed(WAIVE)
    scene.desk_of("senior").act("by itself", ballot_contract(NAME), "execute_waiver", number, 1, 3)
    assert refused(scene.carry_out, number, Waiver("dscr", 2)) == "vote.other_change"
    scene.carry_out(number, WAIVE)
    assert scene.record.state.waived[0] == 3


def test_too_late_is_never(scene: Scene) -> None:
    number = scene.passed(WAIVE)
    scene.now_s += 14 * 86_400
    assert proposals(scene.desk_of("stranger"), NAME)[0]["state"] == "passed"  # by the last block's clock
    assert refused(scene.carry_out, number, WAIVE) == "ballot.expired"
    assert scene.facts(TestWaived) == []
    again = scene.propose(WAIVE)
    assert again != number
    scene.now_s += VOTE_S
    assert refused(scene.vote, again, "senior", "A") == "ballot.over"


def test_votes_count_once_and_only_of_holders(scene: Scene) -> None:
    number = scene.propose(WAIVE, "senior")
    scene.vote(number, "junior", "A", False)
    key = f"again:{number}"
    again = scene.desk_of("junior")
    assert refused(again.act, key, ballot_contract(NAME), "vote", number, 0, True) == "ballot.voted"
    assert refused(scene.vote, number, "stranger", "A") == "ballot.no_shares"
    assert refused(scene.vote, number, "junior", "B") == "ballot.class"
    assert refused(scene.vote, number, "junior", "Z") == "deal.no_tranche"
    assert refused(scene.propose, WAIVE, "stranger", "Mine.") == "ballot.not_a_proposer"
    assert refused(scene.carry_out, 9, WAIVE) == "vote.unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Waiver("ltv", 3), "deal.no_test"),
        (Waiver("dscr", 2**16), "deal.waiver"),
        (Amendment(TEXT.replace("servicer", "manager")), "vote.other_names"),
        (Amendment(TEXT.replace("2016-08-22T00", "2016-08-22T01")), "deal.dates"),
        (Amendment("deal: First"), "deal.malformed"),
    ],
)
def test_what_the_deal_would_not_take_is_never_proposed(scene: Scene, change: Change, code: str) -> None:
    assert refused(scene.propose, change) == code
    assert scene.desk.view(ballot_contract(NAME), "count") == 0


def test_a_change_needs_a_reason_and_a_deal_a_ballot(scene: Scene) -> None:
    assert refused(scene.propose, WAIVE, "operator", " ") == "vote.no_note"
    text = TEXT.replace(VOTES, "")
    scene.workspace.submit("silent", b"", AT_US, lambda world: originate(world, "silent", text, ()))
    with pytest.raises(Refused, match="Nobody votes"):
        scene.workspace.read(lambda world: know_deal(world, scene.desk, "silent"))
    with pytest.raises(NotFound):
        scene.workspace.read(lambda world: know_deal(world, scene.desk, "ghost"))


def test_shares_of_a_vote_are_basis_points_rounded_up(scene: Scene) -> None:
    deal = recompile(scene.record.originated)[0]
    assert rules_of(deal) == ((0b011, 6_667), (0b001, 5_000), (0b001, 5_000))
