"""What others did to a deal on chain is recorded here, in its order and to the same words - or it is said why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_vote import AMEND, KEYS, NAME, NOTE, REPLACE, WAIVE, Scene, refused

from penstock.capital.exact import period_bounds
from penstock.journal.kinds.capital import IncomePulled, PeriodClosed
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.journal.kinds.voting import ChangeProposed
from penstock.usecases.ballot import ballot_contract
from penstock.usecases.consent import compiled, note_hash, payload_hash
from penstock.usecases.follow import UNNAMED, follow
from penstock.usecases.originate import recompile
from penstock.usecases.pay_period import DealPeriod, close_on_chain, pull_income

AT_US = 1_471_849_200_000_000


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "plant")
    with made.workspace:
        yield made


def outside(scene: Scene, role: str, act: str, contract: str, function: str, *args: object) -> None:
    """Done on chain by somebody who tells this workspace nothing."""
    scene.desk_of(role).act(act, contract, function, *args)


def after_period(scene: Scene, number: int) -> None:
    program = recompile(scene.record.originated)[1]
    scene.now_s = max(scene.now_s, period_bounds(program.code, number)[1] + 6 * 3600)


def agree(scene: Scene) -> None:
    """Words on chain are the journal's; what accounts of the deal hold in the ledger is what its address holds."""
    words = scene.record.state.words
    assert tuple(scene.desk.view(NAME, "words", place) for place in range(len(words))) == words
    ledger = scene.workspace.read(lambda world: {
        world.books.accounts.name(number): amount for number, amount in world.books.ledger.balances().items()
    })  # fmt: skip
    held = sum(amount for name, amount in ledger.items() if name.startswith(f"{NAME}/") and "/tranche/" not in name)
    assert held == scene.desk.view("Dollar", "balanceOf", scene.desk.contract(NAME).address)
    for letter in "ABE":
        at = scene.desk.contract(f"{NAME}/{letter}").address
        assert ledger.get(f"{NAME}/tranche/{letter}", 0) == scene.desk.view("Dollar", "balanceOf", at)


def test_closes_pulls_and_gifts_of_strangers_are_followed(scene: Scene) -> None:
    gift = 3_000 * 10**6 + 1
    scene.desk.act("gift", "Dollar", "mint", scene.desk.contract(NAME).address, gift)
    for number in range(3):
        after_period(scene, number)
        outside(scene, "stranger", f"close {number}", NAME, "close")
        outside(scene, "stranger", f"pull A {number}", f"{NAME}/A", "pull")
    outside(scene, "servicer", "fee", NAME, "withdraw", recompile(scene.record.originated)[1].payee_lanes["servicer"])
    assert scene.record.state.period == 0
    follow(scene.workspace, scene.desk, NAME, AT_US)
    assert [one.period for one in scene.facts(PeriodClosed)] == [0, 1, 2]
    assert {one.payee for one in scene.facts(IncomePulled)} == {"A", "servicer"}
    assert scene.record.state.taken_in == gift
    assert -scene.workspace.read(lambda w: w.books.ledger.balance(w.books.accounts.id_of(UNNAMED))) == gift
    agree(scene)
    size = scene.workspace.store.size()
    follow(scene.workspace, scene.desk_of("stranger"), NAME, AT_US)  # a desk that has read nothing yet
    assert scene.workspace.store.size() == size


def test_a_period_closed_by_another_meanwhile_is_closed_once(scene: Scene) -> None:
    program = recompile(scene.record.originated)[1]
    period = DealPeriod(NAME, program, 0, AT_US)
    assert refused(close_on_chain, scene.workspace, scene.desk, period) == "deal.period_open"
    after_period(scene, 0)
    outside(scene, "stranger", "close", NAME, "close")
    close_on_chain(scene.workspace, scene.desk, period)
    close_on_chain(scene.workspace, scene.desk, period)
    assert len(scene.facts(PeriodClosed)) == 1
    outside(scene, "stranger", "pull", f"{NAME}/E", "pull")
    pull_income(scene.workspace, scene.desk, period, "E", 1)
    agree(scene)


def test_a_close_that_came_too_early_is_no_obstacle_later(scene: Scene) -> None:
    program = recompile(scene.record.originated)[1]
    period = DealPeriod(NAME, program, 0, AT_US)
    assert refused(close_on_chain, scene.workspace, scene.desk, period) == "deal.period_open"
    after_period(scene, 0)
    close_on_chain(scene.workspace, scene.desk, period)
    agree(scene)


def test_what_passed_and_strangers_carried_out_is_followed(scene: Scene) -> None:
    waiver, replacement, amendment = scene.passed(WAIVE), scene.passed(REPLACE), scene.passed(AMEND)
    after_period(scene, 0)
    scene.desk.act("dollars", "Dollar", "mint", scene.desk.contract(NAME).address, 50 * 10**6)
    outside(scene, "stranger", "close", NAME, "close")
    ballot = ballot_contract(NAME)
    program = recompile(scene.record.originated)[1]
    lane, amended = program.payee_lanes["servicer"], compiled(AMEND.text)[1]
    outside(scene, "stranger", "w", ballot, "execute_waiver", waiver, 1, 3)
    outside(scene, "stranger", "r", ballot, "execute_replacement", replacement, lane, REPLACE.account)
    terms = (amended.code, bytes(20), amended.deal_hash)
    outside(scene, "stranger", "a", ballot, "execute_amendment", amendment, *terms)
    outside(scene, "servicer", "former", NAME, "withdraw_former")
    after_period(scene, 1)
    close_on_chain(scene.workspace, scene.desk, DealPeriod(NAME, program, 1, AT_US))
    outside(scene, "stranger", "own", NAME, "withdraw", lane)
    follow(scene.workspace, scene.desk, NAME, AT_US)
    assert scene.facts(TestWaived) == [TestWaived(NAME, "dscr", 3, waiver, NOTE)]
    assert scene.facts(PayeeReplaced) == [PayeeReplaced(NAME, "servicer", lane, REPLACE.account, replacement, NOTE)]
    assert [(one.text, one.proposal, one.period) for one in scene.facts(DealAmended)] == [(AMEND.text, amendment, 1)]
    assert scene.record.state.period == 2
    agree(scene)


def test_a_text_nobody_brought_stops_the_record_and_says_what_to_do(scene: Scene) -> None:
    """Proposed and carried out on chain alone; once the text is brought, the record goes on where it stood."""
    old, new = recompile(scene.record.originated)[1], compiled(AMEND.text)[1]
    digest = payload_hash(old, "amendment", new.program_hash, bytes(20), bytes(32), new.deal_hash)
    ballot = ballot_contract(NAME)
    outside(scene, "senior", "p", ballot, "propose", 0, digest, note_hash(NOTE))
    scene.vote(1, "junior", "B")
    scene.vote(1, "senior", "A")
    scene.now_s += 2 * 86_400
    outside(scene, "senior", "x", ballot, "execute_amendment", 1, new.code, bytes(20), new.deal_hash)
    after_period(scene, 0)
    period = DealPeriod(NAME, old, 0, AT_US)
    assert refused(close_on_chain, scene.workspace, scene.desk, period) == "vote.text_unknown"
    assert scene.record.state.period == 0
    scene.carry_out(1, AMEND)
    close_on_chain(scene.workspace, scene.desk, period)
    assert scene.record.originated.text == AMEND.text
    agree(scene)


def test_a_proposal_is_recorded_in_full_once(scene: Scene) -> None:
    number = scene.propose(REPLACE)
    assert scene.propose(REPLACE) == number
    expected = ChangeProposed(NAME, number, "replacement", "", "", 0, "servicer", KEYS["stranger"].address, NOTE)
    assert scene.facts(ChangeProposed) == [expected]
    assert scene.record.proposed == [expected]
