"""Organisations, members, wallets, whitelists: who may do what, and what is refused with nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from participant_kit import (
    ADMINISTRATOR,
    APPROVER,
    ATTACKER,
    ORGANISATION,
    TRADER,
    VIEWER,
    WALLET,
    Members,
    consent,
)
from registry_kit import named

from penstock.energy.roles import TRADES
from penstock.errors import Refused
from penstock.journal.kinds.account import (
    AccountAssigned,
    ApprovalRuled,
    MemberPlaced,
    OrganisationRegistered,
    Role,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)
from penstock.journal.kinds.ledger import AccountOpened
from penstock.usecases.registry.account import account, accounts, open_account, organisations
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.transfer import Transfer, transfer


@pytest.fixture
def members() -> Members:
    made = Members()
    made.with_hours()
    return made


def sell(by: str, start: int = 0, stop: int = 100) -> Transfer:
    return Transfer("owner", "buyer", named((start, stop)), by=by)


def test_a_trader_acts_and_nobody_else_does(members: Members) -> None:
    codes = {who: members.refused(transfer, sell(who)) for who in (ADMINISTRATOR, VIEWER, ATTACKER)}
    assert codes == {ADMINISTRATOR: "account.role", VIEWER: "account.role", ATTACKER: "account.not_member"}
    members.do(transfer, sell(TRADER))
    members.do(transfer, sell(APPROVER, 100, 200))  # who is a trader too
    members.do(transfer, sell("", 200, 300))  # the operator
    members.do(transfer, sell("operator", 300, 400))
    assert members.wh("buyer") == 400


def test_a_member_acts_for_its_own_organisation_alone(members: Members) -> None:
    members.do(transfer, sell(TRADER))
    back = Transfer("buyer", "owner", named((0, 100)), by=TRADER)
    assert members.refused(transfer, back) == "account.not_member"  # buyer is no organisation's
    members.say(OrganisationRegistered("mill"))
    members.say(AccountAssigned("buyer", "mill"))
    assert members.refused(transfer, back) == "account.not_member"
    members.say(MemberPlaced("mill", TRADER, (Role.TRADER,)))
    members.do(transfer, back)
    assert members.world.participants.accounts_of(TRADER).keys() == {"owner", "buyer"}


def test_who_loses_a_role_loses_what_it_allows(members: Members) -> None:
    members.say(MemberPlaced(ORGANISATION, TRADER, (), by=ADMINISTRATOR))
    assert members.refused(transfer, sell(TRADER)) == "account.not_member"
    assert TRADER not in members.world.participants.members[ORGANISATION]


def test_administrators_name_members_and_others_do_not(members: Members) -> None:
    named_by = {who: MemberPlaced(ORGANISATION, ATTACKER, (Role.TRADER,), by=who) for who in (TRADER, ATTACKER)}
    assert members.refuses(named_by[TRADER]) == "account.role"
    assert members.refuses(named_by[ATTACKER]) == "account.not_member"
    members.say(MemberPlaced(ORGANISATION, "0x" + "ab" * 20, (Role.TRADER,), by=ADMINISTRATOR))
    members.do(transfer, sell("0x" + "ab" * 20))


@pytest.mark.parametrize("member", ["", "Jane Roe", "0x" + "AB" * 20, "0xab", "operator", "proposal:1", "00000000000g"])
def test_no_name_is_a_member(members: Members, member: str) -> None:
    assert members.refuses(MemberPlaced(ORGANISATION, member, (Role.VIEWER,))) == "account.member_form"


def test_the_last_administrator_stays(members: Members) -> None:
    for roles in ((), (Role.TRADER,)):
        gone = MemberPlaced(ORGANISATION, ADMINISTRATOR, roles, by=ADMINISTRATOR)
        assert members.refuses(gone) == "account.last_administrator"
    members.say(MemberPlaced(ORGANISATION, TRADER, (Role.ADMINISTRATOR,), by=ADMINISTRATOR))
    members.say(MemberPlaced(ORGANISATION, ADMINISTRATOR, (), by=TRADER))


def test_what_the_operator_alone_does(members: Members) -> None:
    for fact in (
        OrganisationRegistered("mill", by=ADMINISTRATOR),
        AccountAssigned("buyer", ORGANISATION, by=ADMINISTRATOR),
        ApprovalRuled("", ("transfer",), by=ADMINISTRATOR),
    ):
        assert members.refuses(fact) == "account.operator"


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        (OrganisationRegistered(ORGANISATION), "organisation.known"),
        (OrganisationRegistered(""), "organisation.name"),
        (OrganisationRegistered("two\nlines"), "organisation.name"),
        (OrganisationRegistered("x" * 65), "organisation.name"),
        (MemberPlaced("nobody", TRADER, ()), "organisation.unknown"),
        (MemberPlaced(ORGANISATION, TRADER, (Role.VIEWER, Role.VIEWER)), "account.roles"),
        (AccountAssigned("owner", "nobody"), "organisation.unknown"),
        (AccountAssigned("owner", ORGANISATION), "account.assigned"),
        (AccountAssigned("  ", ORGANISATION), "account.name"),
        (WhitelistStated("nobody", ()), "account.unknown"),
        (WhitelistStated("buyer", ("nobody",)), "account.unknown"),
        (WhitelistStated("buyer", ("owner", "owner")), "account.whitelist"),
        (WhitelistStated("buyer", ("owner",), everyone=True), "account.whitelist"),
        (ApprovalRuled(ORGANISATION, ("fly",)), "approval.rule"),
        (ApprovalRuled(ORGANISATION, ("retire", "retire")), "approval.rule"),
        (ApprovalRuled(ORGANISATION, ("retire",), -1), "approval.rule"),
        (ApprovalRuled("nobody", ("retire",)), "organisation.unknown"),
    ],
)
def test_bad_facts_are_refused(members: Members, fact: object, code: str) -> None:
    assert members.refuses(fact) == code


def test_an_account_is_opened_once(members: Members) -> None:
    members.say(AccountAssigned("newcomer", ORGANISATION))
    assert "newcomer" in members.world.books.accounts
    members.tell(open_account(members.world, "another"))
    with pytest.raises(Exception, match="open already"):
        open_account(members.world, "another")


def test_until_a_whitelist_is_stated_an_account_receives_from_all(members: Members) -> None:
    members.do(transfer, sell(TRADER))
    members.say(WhitelistStated("buyer", ("trader",)))
    assert members.refused(transfer, sell(TRADER, 100, 200)) == "account.not_whitelisted"
    assert members.refused(transfer, sell("operator", 100, 200)) == "account.not_whitelisted"
    members.say(WhitelistStated("buyer", ("trader", "owner")))
    members.do(transfer, sell(TRADER, 100, 200))
    members.say(WhitelistStated("buyer", ()))
    assert members.refused(transfer, sell(TRADER, 200, 300)) == "account.not_whitelisted"
    members.say(WhitelistStated("buyer", (), everyone=True))
    members.do(transfer, sell(TRADER, 200, 300))
    assert members.wh("buyer") == 300


def test_a_whitelist_is_the_organisations_own(members: Members) -> None:
    assert members.refuses(WhitelistStated("owner", (), by=TRADER)) == "account.role"
    assert members.refuses(WhitelistStated("buyer", (), by=ADMINISTRATOR)) == "account.not_member"
    members.say(WhitelistStated("owner", (), by=ADMINISTRATOR))


def test_a_wallet_stands_for_an_account_once_it_consents(members: Members) -> None:
    bound = WalletBound("owner", WALLET.address, consent("owner"), by=ADMINISTRATOR)
    assert members.refuses(replace(bound, signature=consent("buyer"))) == "wallet.signature"
    assert members.refuses(replace(bound, signature=consent("owner", origin="elsewhere"))) == "wallet.signature"
    assert members.refuses(replace(bound, signature=b"")) == "wallet.signature"
    assert members.refuses(replace(bound, wallet=bytes(20))) == "wallet.signature"
    assert members.refuses(replace(bound, wallet=bytes(19))) == "wallet.form"
    assert members.refuses(replace(bound, by=TRADER)) == "account.role"
    members.say(bound)
    assert members.refuses(bound) == "wallet.bound"
    assert members.world.participants.account_of_wallet == {WALLET.address: "owner"}
    assert account(members.world, "owner")["wallets"] == ["0x" + WALLET.address.hex()]
    assert members.refuses(WalletReleased("buyer", WALLET.address)) == "wallet.unknown"
    members.say(WalletReleased("owner", WALLET.address, by=ADMINISTRATOR))
    members.say(replace(bound, signature=bound.signature[:64] + bytes([bound.signature[64] + 27])))


def test_an_act_that_no_role_names_is_the_operators(members: Members) -> None:
    people = members.world.participants
    with pytest.raises(Refused) as caught:
        people.check_may(TRADER, "owner", "withdraw")
    assert caught.value.code == "account.role"
    for act in TRADES:
        people.check_may(TRADER, "owner", act, 1)
        people.check_may("", "owner", act)


def test_what_a_member_asked_for_is_checked_again_where_it_is_applied(members: Members) -> None:
    """A fact that was decided for the operator and says a member asked for it does not stand."""
    (entry,) = transfer(members.world, sell("operator"), 0)
    forged = replace(entry, fact=replace(entry.fact, by=ATTACKER))
    with pytest.raises(Refused) as caught:
        members.tell([forged])
    assert caught.value.code == "account.not_member"
    (used,) = retire(members.world, Retirement("owner", named((500, 600)), "somebody", "sport"), 0)
    forged = replace(used, fact=replace(used.fact, by="proposal:1"))
    with pytest.raises(Refused):
        Members().with_hours().tell([forged])


def test_rows_tell_of_organisations_and_accounts(members: Members) -> None:
    members.two_persons("retire", from_wh=1_000)
    (row,) = organisations(members.world)
    assert row["organisation"] == ORGANISATION and row["accounts"] == ["owner"]
    assert row["two_persons"] == {"acts": ["retire"], "from_wh": 1_000}
    assert {"member": APPROVER, "roles": ["approver", "trader"]} in row["members"]
    members.say(WhitelistStated("owner", ("trader",)))
    told = account(members.world, "owner")
    assert told["certificates_wh"] == {"held": 5_000} and told["receives_from"] == ["trader"]
    assert [one["account"] for one in accounts(members.world, ORGANISATION)] == ["owner"]
    assert account(members.world, "buyer")["receives_from"] == "everyone"


def test_equal_facts_make_equal_participants(members: Members) -> None:
    other = Members()
    other.with_hours()
    assert other.world.participants.digest() == members.world.participants.digest()
    members.say(WhitelistStated("owner", ()))
    assert other.world.participants.digest() != members.world.participants.digest()
    assert isinstance(open_account(other.world, "more")[0].fact, AccountOpened)
