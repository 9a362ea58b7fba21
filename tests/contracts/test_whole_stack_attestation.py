"""Attestation up to the waterfall: who lies is outvoted or expelled, and without a fresh report a deal locks up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from nodes import Chain
from rfc9162_reference import tree_root
from whole_stack import LEAVES, USDC, YARDSTICK, Stack, build

from penstock.capital.report import Report
from penstock.chain.typed_data import SetChange, Signature, anchor_domain, set_change_message, sign_typed

GRACE_S = 6 * 3600
GOOD = (2_000_000 * USDC, 100_000_000 * USDC)
LIE = (1 * USDC, 1 * USDC)  # would trip acceleration at once


def text_for(chain: Chain) -> str:
    """The yardstick with a grace of six hours, its first month the chain's own."""
    start = datetime.fromtimestamp(chain.now(), tz=UTC).replace(day=1, hour=0, minute=0, second=0)
    calendar = f"starts: {start:%Y-%m-%dT%H:%M:%SZ}, grace: 6 h"
    return YARDSTICK.replace("starts: 2020-01-20T00:00:00Z", calendar)


def advance_to(stack: Stack, at_s: int) -> None:
    stack.chain.advance(at_s - stack.chain.now())


@pytest.fixture
def stack(chain: Chain) -> Stack:
    """The first month is over, its income delivered, a checkpoint anchored; nobody has voted yet."""
    return ready(chain)


def ready(chain: Chain, sponsor: str = "sponsor") -> Stack:
    made = build(chain, text_for(chain), sponsor=sponsor)
    made.open_class(1000 * USDC, 20_000)
    made.mint(made.at("buyer"), 4_000_000 * USDC)
    made.sell(4000, 0)
    assert made.refused(made.deal.functions.close(), "stranger") == "deal.period_open"
    advance_to(made, made.end_s)
    made.publish()
    return made


def awaited(stack: Stack) -> bool:
    """Whether the deal waits for its report."""
    return stack.refused(stack.deal.functions.close(), "stranger") == "deal.report_awaited"


def state_of(stack: Stack) -> str:
    closing, _ = stack.close("stranger")
    return f"{stack.program.state_name(closing.flags)}, {'fresh' if closing.fresh else 'stale'}"


def locks_up_after_its_grace(stack: Stack) -> None:
    """Waits through the grace, then locks up and declares no default."""
    assert awaited(stack)
    advance_to(stack, stack.end_s + GRACE_S - 600)
    assert awaited(stack)
    advance_to(stack, stack.end_s + GRACE_S)
    assert state_of(stack) == "lockup, stale"
    assert stack.state.lane(stack.program.lanes["E.paid"]) == 0
    assert stack.state.lane(stack.program.lanes["trap"]) > 0


def equivocate(stack: Stack, number: int) -> None:
    """One attester signs two words for the same instant."""
    stack.attest(stack.statement(*GOOD), number)
    stack.attest(stack.statement(*LIE), number)


def test_a_liar_is_outvoted_and_keeps_its_seat(stack: Stack) -> None:
    stack.attest(stack.statement(*LIE), 2)
    stack.attest(stack.statement(*GOOD), 0)
    assert awaited(stack)  # one against one decides nothing
    stack.attest(stack.statement(*GOOD), 1)
    assert stack.report().measures[:2] == GOOD
    assert state_of(stack) == "normal, fresh"
    assert stack.anchor.functions.seats_taken().call() == 3
    assert not stack.anchor.functions.is_frozen(stack.deal.address).call()


def test_an_equivocator_is_expelled_and_the_deal_locks_up(stack: Stack) -> None:
    stack.attest(stack.statement(*GOOD), 0, 1)
    assert stack.report().measures[:2] == GOOD
    stack.attest(stack.statement(*LIE), 1)  # after the fact, too
    anchor = stack.anchor.functions
    assert anchor.expelled(stack.at("attester 1")).call()
    assert (anchor.seats_taken().call(), anchor.epoch().call()) == (2, 1)
    assert anchor.is_frozen(stack.deal.address).call()
    assert stack.report() == Report.missing()
    assert stack.refused(stack.vote("attester 1", stack.statement(*GOOD)), "relayer") == "anchor.attester"
    locks_up_after_its_grace(stack)


def test_after_an_expulsion_the_quorum_speaks_again(stack: Stack) -> None:
    equivocate(stack, 2)
    assert awaited(stack)
    stack.attest(stack.statement(*GOOD), 0)
    assert awaited(stack)  # frozen until the quorum, not one of it
    stack.attest(stack.statement(*GOOD), 1)
    assert not stack.anchor.functions.is_frozen(stack.deal.address).call()
    assert state_of(stack) == "normal, fresh"


def test_an_expelled_seat_is_filled_again_after_two_days(stack: Stack) -> None:
    equivocate(stack, 2)
    change = SetChange(2, 0, added=stack.at("attester 3"))
    message = set_change_message(anchor_domain(stack.chain.w3.eth.chain_id, stack.anchor.address), change)
    consents: list[Signature] = [sign_typed(bytes(stack.by(f"attester {n}").key), message) for n in (0, 1)]
    stack.do(stack.anchor.functions.propose(change.as_tuple(), consents), "relayer")
    assert stack.refused(stack.anchor.functions.execute(change.as_tuple()), "stranger") == "anchor.delay"
    stack.chain.advance(48 * 3600)
    stack.do(stack.anchor.functions.execute(change.as_tuple()), "stranger")
    stack.attest(stack.statement(*GOOD), 3, 0)
    assert state_of(stack) == "normal, fresh"  # the grace was over, but nobody had closed yet


def test_a_lock_up_for_silence_cures(stack: Stack) -> None:
    locks_up_after_its_grace(stack)
    states = []
    for _ in range(2):
        advance_to(stack, stack.end_s)
        stack.publish()
        stack.mint(stack.deal.address, 1_500_000 * USDC)
        stack.attest(stack.statement(*GOOD))
        states.append(state_of(stack))
    assert states == ["lockup, fresh", "normal, fresh"]
    assert stack.state.lane(stack.program.lanes["trap"]) == 0


def test_an_expired_report_is_stale(stack: Stack) -> None:
    expiry_s = stack.end_s + 3600
    stack.attest(stack.statement(*GOOD, expiry_s=expiry_s))
    advance_to(stack, expiry_s)
    assert stack.report().measures[:2] == GOOD  # still there, and not believed
    locks_up_after_its_grace(stack)


def test_a_report_that_a_later_one_overtook_is_gone(stack: Stack) -> None:
    """The anchor keeps one word a deal: who does not close a period before the next report closes it without."""
    stack.attest(stack.statement(*GOOD))
    late = stack.statement(*GOOD)
    now = stack.chain.now() + 60
    stack.chain.advance(60)
    word = Report((*LIE, 0), now, 2**32 - 1).word
    stack.attest(stack.statement(*GOOD, word=word))
    assert stack.refused(stack.vote("attester 2", late), "relayer") == "anchor.late"
    locks_up_after_its_grace(stack)


def test_the_sponsors_vote_is_refused(chain: Chain) -> None:
    stack = ready(chain, sponsor="attester 0")
    assert stack.refused(stack.vote("attester 0", stack.statement(*GOOD)), "relayer") == "anchor.sponsor"
    stack.attest(stack.statement(*GOOD), 1, 2)
    assert state_of(stack) == "normal, fresh"


def test_no_vote_counts_twice_or_for_anything_else(stack: Stack) -> None:
    good = stack.statement(*GOOD)
    stack.attest(good, 0)

    def refused(role: str, *args: object, **domain: object) -> str:
        return stack.refused(stack.vote(role, *args, **domain), "attacker")  # type: ignore[arg-type]

    assert refused("attester 0", good) == "anchor.voted"
    altered = stack.statement(*LIE)
    assert refused("attester 1", altered, good) == "anchor.attester"  # signed the one, brought the other
    for other in ({"definition": b"\x0e" * 32}, {"size": 2}, {"epoch": 1}, {"root": b"\x01" * 32}):
        assert refused("attester 1", stack.statement(*GOOD, **other), good) == "anchor.attester"
    assert refused("attester 1", good, chain_id=1) == "anchor.attester"
    assert refused("attester 1", good, anchor=stack.credit.address) == "anchor.attester"
    assert refused("attacker", good) == "anchor.attester"
    assert refused("attester 1", stack.statement(*GOOD, root=tree_root(LEAVES[1:2]))) == "anchor.root"
    assert awaited(stack)
    stack.attest(good, 1)
    assert refused("attester 2", good) == "anchor.late"
    assert state_of(stack) == "normal, fresh"
    advance_to(stack, stack.end_s)
    for number in range(2):  # last month's votes say nothing about this one
        assert refused(f"attester {number}", good) == "anchor.late"
    assert awaited(stack)


def test_votes_under_way_fall_with_a_change_of_the_set(stack: Stack) -> None:
    good = stack.statement(*GOOD)
    stack.attest(good, 0)
    equivocate(stack, 2)
    assert stack.refused(stack.vote("attester 1", good), "relayer") == "anchor.epoch"
    stack.attest(stack.statement(*GOOD), 1)
    assert awaited(stack)  # attester 0 has to sign for the new epoch
    stack.attest(stack.statement(*GOOD), 0)
    assert state_of(stack) == "normal, fresh"


def test_fewer_attesters_than_the_quorum_never_speak_again(stack: Stack) -> None:
    """Nobody stands above them, so the deal locks up for good: what its notes are owed is paid, the equity is not."""
    for number in (1, 2):
        equivocate(stack, number)
    stack.attest(stack.statement(*GOOD), 0)
    change = SetChange(1, 0)
    message = set_change_message(anchor_domain(stack.chain.w3.eth.chain_id, stack.anchor.address), change)
    alone = [sign_typed(bytes(stack.by("attester 0").key), message)]
    propose = stack.anchor.functions.propose(change.as_tuple(), alone)
    assert stack.refused(propose, "operator") == "anchor.quorum"
    locks_up_after_its_grace(stack)
    stack.pull("A")
    stack.take("A", "sponsor")
    stack.mint(stack.deal.address, 1_500_000 * USDC)
    advance_to(stack, stack.end_s + GRACE_S)
    assert state_of(stack) == "lockup, stale"
    stack.pull("A")
    assert stack.holders["A"].held > 0
