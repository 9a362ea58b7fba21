"""Two persons: proposed by one, approved by another and done in the same command; expiry, withdrawal, no way around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from device_kit import hours
from participant_kit import ADMINISTRATOR, APPROVER, ATTACKER, ORGANISATION, TRADER, VIEWER, Members
from registry_kit import named

from penstock.errors import PenstockError, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import (
    ActApproved,
    ApprovalRuled,
    MemberPlaced,
    OrderPlaced,
    ProposalDropped,
    Recurring,
    Role,
    WhitelistStated,
)
from penstock.usecases.registry.account import say
from penstock.usecases.registry.approve import Propose, approve, drop, proposal_row, proposals, propose
from penstock.usecases.registry.export_certificates import Export
from penstock.usecases.registry.recurring import place_order
from penstock.usecases.registry.reserve import Reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.transfer import Transfer, transfer

EXPIRES_US = hours(48)


@pytest.fixture
def members() -> Members:
    made = Members()
    made.with_hours()
    return made.two_persons("transfer", "retire", "order", "administer", from_wh=1_000)


def sell(wh: int = 1_000, by: str = "") -> Transfer:
    return Transfer("owner", "buyer", Selection(quantity_wh=wh), by=by)


def proposed(members: Members, asked: Any, by: str = TRADER, hour: float = 5) -> int:
    members.do(propose, Propose(asked, EXPIRES_US, by), hour)
    return len(members.world.participants.approvals.proposals)


def state(members: Members, number: int = 1, hour: float = 6) -> str:
    found: str = proposal_row(members.world, number, hours(hour))["state"]
    return found


def test_alone_below_the_limit_and_by_two_from_it_on(members: Members) -> None:
    members.do(transfer, sell(999, TRADER))
    assert members.refused(transfer, sell(1_000, TRADER)) == "account.two_persons"
    number = proposed(members, sell())
    assert members.wh("buyer") == 999
    entries = members.do(approve, ActApproved(number, APPROVER), 6)
    assert members.wh("buyer") == 1_999
    assert [entry.fact.KIND for entry in entries] == ["act.approved", "titles.moved"]
    assert entries[1].fact.by == "proposal:1"  # type: ignore[attr-defined]
    assert state(members) == "executed"
    (row,) = proposals(members.world, 0, "owner")
    assert (row["proposed_by"], row["ended_by"], row["energy_wh"]) == (TRADER, APPROVER, 1_000)


def test_who_may_propose_and_who_may_approve(members: Members) -> None:
    ask = Propose(sell(), EXPIRES_US, TRADER)
    codes = [members.refused(propose, replace(ask, by=who)) for who in (VIEWER, ADMINISTRATOR, ATTACKER, "")]
    assert codes == ["account.role", "account.role", "account.not_member", "account.not_member"]
    number = proposed(members, sell(), by=APPROVER)
    codes = [members.refused(approve, ActApproved(number, who)) for who in (APPROVER, TRADER, ATTACKER, "operator")]
    assert codes == ["proposal.same_member", "account.role", "account.not_member", "account.not_member"]
    assert members.wh("buyer") == 0 and state(members) == "open"


def test_a_proposal_is_done_once(members: Members) -> None:
    number = proposed(members, sell())
    members.do(approve, ActApproved(number, APPROVER))
    assert members.refused(approve, ActApproved(number, APPROVER)) == "proposal.closed"
    assert members.refused(drop, ProposalDropped(number, TRADER)) == "proposal.closed"
    assert members.refused(approve, ActApproved(9, APPROVER)) == "proposal.unknown"


def test_a_proposal_expires(members: Members) -> None:
    number = proposed(members, sell())
    assert members.refused(approve, ActApproved(number, APPROVER), 48) == "proposal.expired"
    assert state(members, hour=48) == "expired"
    members.do(approve, ActApproved(number, APPROVER), 47.9)


@pytest.mark.parametrize("expires_us", [hours(5), hours(4), hours(5 + 367 * 24)])
def test_a_proposal_expires_in_the_future_within_a_year(members: Members, expires_us: int) -> None:
    assert members.refused(propose, Propose(sell(), expires_us, TRADER)) == "proposal.form"


def test_who_made_it_withdraws_it_and_an_approver_declines(members: Members) -> None:
    for who, code in ((VIEWER, "account.role"), (ATTACKER, "account.not_member")):
        number = proposed(members, sell())
        assert members.refused(drop, ProposalDropped(number, who)) == code
    for who in (TRADER, APPROVER, "operator"):
        number = proposed(members, sell())
        members.do(drop, ProposalDropped(number, who, "no longer needed"))
        assert state(members, number) == "dropped"
        assert members.refused(approve, ActApproved(number, APPROVER)) == "proposal.closed"


def test_what_cannot_be_done_is_neither_proposed_nor_approved(members: Members) -> None:
    assert members.refused(propose, Propose(sell(6_000), EXPIRES_US, TRADER)) == "selection.short"
    number = proposed(members, Transfer("owner", "buyer", named((0, 1_000))))
    members.do(transfer, sell(500, TRADER))
    assert members.refused(approve, ActApproved(number, APPROVER)) == "titles.other_holder"
    assert state(members) == "open"


def test_a_share_that_has_become_another_amount_is_proposed_again(members: Members) -> None:
    number = proposed(members, Transfer("owner", "buyer", Selection(share_basis_points=5_000)))
    members.do(transfer, sell(500, TRADER))
    assert members.refused(approve, ActApproved(number, APPROVER)) == "proposal.changed"


@pytest.mark.parametrize(
    "asked",
    [
        Retirement("owner", named((0, 1_500)), "somebody", "sport"),
        Reserve("owner", named((0, 1_500)), "somebody", hours(60)),
        Export("owner", "other registry", named((0, 1_500))),
        OrderPlaced(0, "owner", Recurring.TRANSFER, "buyer", 0, 2_500, 0),
    ],
)
def test_other_acts_are_proposed_as_well(members: Members, asked: Any) -> None:
    number = proposed(members, asked)
    members.do(approve, ActApproved(number, APPROVER))
    assert state(members) == "executed"


def test_an_order_takes_two_where_what_it_does_takes_two(members: Members) -> None:
    order = OrderPlaced(0, "owner", Recurring.RETIRE, "", 10, 0, 0, by=TRADER)
    assert members.refused(place_order, order) == "account.two_persons"
    members.say(ApprovalRuled(ORGANISATION, ("retire",), 1_000))
    assert members.refused(place_order, order) == "account.two_persons"
    members.say(ApprovalRuled(ORGANISATION, ("transfer",), 1_000))
    members.do(place_order, order)


def test_one_administrator_cannot_lift_the_rule_alone(members: Members) -> None:
    loosened = ApprovalRuled(ORGANISATION, (), by=ADMINISTRATOR)
    friend = MemberPlaced(ORGANISATION, ATTACKER, (Role.APPROVER,), by=ADMINISTRATOR)
    listed = WhitelistStated("owner", ("trader",), by=ADMINISTRATOR)
    for fact in (loosened, friend, listed):
        assert members.refused(say, fact) == "account.two_persons"
        number = proposed(members, replace(fact, by=""), by=ADMINISTRATOR)
        assert members.refused(approve, ActApproved(number, ADMINISTRATOR)) == "proposal.same_member"
        members.do(approve, ActApproved(number, APPROVER))
        if fact is loosened:
            assert members.world.participants.approvals.rules[ORGANISATION].by == f"proposal:{number}"
            members.two_persons("administer")


def test_the_whole_registrys_rule_binds_every_organisation(members: Members) -> None:
    members.two_persons("transfer", from_wh=10, organisation="")
    assert members.refused(transfer, sell(10, TRADER)) == "account.two_persons"
    members.do(transfer, sell(9, TRADER))
    members.do(transfer, sell(4_000))  # the operator's own acts are not a member's


def test_without_an_amount_any_amount_is_meant(members: Members) -> None:
    with pytest.raises(Refused) as caught:
        members.world.participants.check_may(TRADER, "owner", "transfer")
    assert caught.value.code == "account.two_persons"


def forged(members: Members, change: Callable[[Entry], Entry]) -> bool:
    number = proposed(members, sell())
    entries = approve(members.world, ActApproved(number, APPROVER), hours(6))
    with pytest.raises(PenstockError) as caught:
        members.tell([entries[0], change(entries[1])], hours(6))
    return caught.value.code == "account.not_member"


def test_what_follows_an_approval_is_what_was_proposed(members: Members) -> None:
    """A retirement that says a proposal asked for it, which was one of a transfer, does not stand."""
    (retired,) = retire(members.world, Retirement("owner", named((4_000, 5_000)), "somebody", "sport"), hours(5))
    assert forged(members, lambda moved: replace(retired, fact=replace(fact_of(retired), by=fact_of(moved).by)))


def fact_of(entry: Entry) -> Any:
    return entry.fact


def test_a_second_act_does_not_pass_on_an_old_approval(members: Members) -> None:
    number = proposed(members, sell())
    members.do(approve, ActApproved(number, APPROVER), 6)
    (entry,) = transfer(members.world, sell(), hours(7))
    fact: Any = entry.fact
    with pytest.raises(Refused):
        members.tell([replace(entry, fact=replace(fact, by=f"proposal:{number}"))], hours(7))


def test_nothing_else_is_proposed(members: Members) -> None:
    assert members.refused(propose, Propose(ProposalDropped(1, ""), EXPIRES_US, TRADER)) == "proposal.act"


def test_what_a_member_proposed_that_is_none_any_more_is_not_done(members: Members) -> None:
    number = proposed(members, sell())
    members.say(MemberPlaced(ORGANISATION, TRADER, (Role.VIEWER,)), 6)
    assert members.refused(approve, ActApproved(number, APPROVER), 6) == "account.role"
    members.say(MemberPlaced(ORGANISATION, TRADER, ()), 6)
    assert members.refused(approve, ActApproved(number, APPROVER), 6) == "account.not_member"
    assert members.wh("buyer") == 0
