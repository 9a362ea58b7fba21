"""Servicing: payments count once and in their period, tapes close it, losses and disputes leave the pool."""

from __future__ import annotations

import pytest
from servicing_kit import DEAL, START_US, USDC, Story, month, payment, table

from penstock.errors import Conflict, NotFound, PenstockError, Refused
from penstock.journal.kinds.servicing import CollectionKind, DealRole, DisputeOutcome, MarkSet
from penstock.period import DAY_US, HOUR_US
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.servicing.bill import Bill, bill
from penstock.usecases.servicing.call import exercise
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.servicing.dispute import dispute, disputed, resolve
from penstock.usecases.servicing.mark import mark, milestone
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.recover import recover
from penstock.usecases.servicing.release import release
from penstock.usecases.servicing.report import Standing, report
from penstock.usecases.servicing.write_off import write_off

PRINCIPAL, REVENUE, RECOVERY = CollectionKind.PRINCIPAL, CollectionKind.REVENUE, CollectionKind.RECOVERY
JANUARY, FEBRUARY = month(0), month(1)
MID = JANUARY.start_us + 14 * DAY_US
AFTER = JANUARY.stop_us + 2 * DAY_US


@pytest.fixture
def story() -> Story:
    return Story().pooled().at(MID)


def code(act: object) -> str:
    """The code that a refused act gives."""
    assert callable(act)
    with pytest.raises(PenstockError) as caught:
        act()
    return caught.value.code


def test_a_month_written_out(story: Story) -> None:
    """Interest 60 and principal 100 come in; the servicer has 40, the administrator 0.25 % of 8,900 for 31 of 360 days.

    9,900 are outstanding, of which the sponsor's 1,000 performs but is not lent against.
    """
    story.paid(payment("loan-1", 60 * USDC, MID), payment("loan-1", 100 * USDC, MID, PRINCIPAL))
    story.at(AFTER).taped(0)
    admin = 9_900 * USDC * 25 * 31 // (10_000 * 360)
    assert story.value("pool", 0) == 9_900 * USDC
    assert story.value("cfads", 0) == 160 * USDC - 40 * USDC - admin
    assert (story.value("interest", 0), story.value("principal", 0)) == (60 * USDC, 100 * USDC)
    assert story.value("losses", 0) == 0
    # lent: 3,900 at 90 % and 3,000 at 80 % to the utility, 2,000 at 90 % to the town; each group at most half of 8,900
    assert story.value("base", 0) == min(3_510 + 2_400, 4_450) * USDC + 1_800 * USDC


def test_dollars_arrive_in_the_first_account_and_nothing_is_lost(story: Story) -> None:
    ledger, accounts = story.world.books.ledger, story.world.books.accounts
    story.paid(payment("loan-1", 7, MID), payment("loan-2", 5, MID))
    assert ledger.balance(accounts.id_of(f"{DEAL}/collect")) == 12
    assert ledger.paid_in == 12


@pytest.mark.parametrize(("received_us", "period"), [(JANUARY.stop_us, 0), (JANUARY.stop_us + 1, 1)])
def test_a_payment_counts_in_the_period_of_its_last_instant(story: Story, received_us: int, period: int) -> None:
    story.at(AFTER).paid(payment("loan-1", 9, received_us))
    assert [story.value("interest", one) for one in (0, 1)] == [9 * (one == period) for one in (0, 1)]


def test_what_comes_late_counts_in_the_next_period_and_restates_nothing(story: Story) -> None:
    story.paid(payment("loan-1", 60, MID)).at(AFTER).taped(0)
    before = story.value("interest", 0), story.value("pool", 0)
    story.paid(payment("loan-2", 11, MID), payment("loan-2", 5, MID, PRINCIPAL))
    assert (story.value("interest", 0), story.value("pool", 0)) == before
    story.at(FEBRUARY.stop_us).taped(1)
    assert story.value("interest", 1) == 11
    assert story.value("pool", 1) == before[1] - 5


def test_principal_of_the_next_month_is_not_taken_off_this_months_pool(story: Story) -> None:
    story.at(AFTER).paid(payment("loan-1", 100, JANUARY.stop_us + HOUR_US, PRINCIPAL)).taped(0)
    assert story.value("pool", 0) == 10_000 * USDC
    story.at(FEBRUARY.stop_us).taped(1)
    assert story.value("pool", 1) == 10_000 * USDC - 100


def test_a_tape_counts_the_lower_of_what_it_says_and_what_was_collected(story: Story) -> None:
    said = {"loan-1": 3_990, "loan-2": 3_100, "loan-3": 2_000, "loan-4": 1_000}
    story.at(AFTER).taped(0, {name: Standing(usdc * USDC) for name, usdc in said.items()})
    assert story.value("pool", 0) == (3_990 + 3_000 + 2_000 + 1_000) * USDC
    assert story.world.capital.servicing.of(DEAL).tapes[0].differs == 2


@pytest.mark.parametrize(("days", "pool", "delinquent", "defaulted"), [(30, 4, 0, 0), (31, 4, 4, 0), (121, 0, 0, 4)])
def test_late_assets_are_delinquent_and_then_in_default(
    story: Story, days: int, pool: int, delinquent: int, defaulted: int
) -> None:
    others = {"loan-2": 3_000, "loan-3": 2_000, "loan-4": 1_000}
    standings = {name: Standing(usdc * USDC) for name, usdc in others.items()}
    story.at(AFTER).taped(0, standings | {"loan-1": Standing(4_000 * USDC, days)})
    measuring = story.world.capital.measuring(DEAL)
    assert measuring._stock("pool", 0) == (6_000 + pool * 1_000) * USDC
    assert measuring._stock("delinquent", 0) == delinquent * 1_000 * USDC
    assert measuring._stock("defaulted", 0) == defaulted * 1_000 * USDC


def test_a_loss_a_recovery_and_their_periods(story: Story) -> None:
    story.tell(write_off(story.world, DEAL, {"loan-3": 1_500 * USDC}, "bankrupt"))
    story.at(AFTER).taped(0)
    assert story.value("losses", 0) == 1_500 * USDC
    assert story.value("pool", 0) == 8_000 * USDC  # what is left of the loan is in default
    story.tell(recover(story.world, DEAL, "auction", [payment("loan-3", 300 * USDC, AFTER)], story.at_us))
    story.at(FEBRUARY.stop_us).taped(1)
    assert (story.value("losses", 1), story.value("recoveries", 1)) == (0, 300 * USDC)
    assert story.value("ltm", 1) == story.value("cfads", 0) + story.value("cfads", 1)


def test_what_is_disputed_backs_nothing_until_it_is_resolved(story: Story) -> None:
    story.tell(bill(story.world, DEAL, [Bill("loan-1", JANUARY, AFTER, 500, "b-1")]))
    story.tell(dispute(story.world, disputed(DEAL, "d-1", "loan-2", 200 * USDC, "panel broken")))
    assert code(lambda: release(story.world, DEAL, ["loan-2"], "repaid")) == "release.disputed"
    story.at(AFTER).taped(0)
    assert story.value("pool", 0) == 9_800 * USDC
    assert story.value("base", 0) == min(3_600, 3_000) * USDC + 1_800 * USDC
    assert code(lambda: resolve(story.world, DEAL, "d-1", DisputeOutcome.UPHELD, 1, "")) == "dispute.credit"
    story.tell(resolve(story.world, DEAL, "d-1", DisputeOutcome.REJECTED, 0, "inspected"))
    story.at(FEBRUARY.stop_us).taped(1)
    assert story.value("pool", 1) == 10_000 * USDC
    assert code(lambda: resolve(story.world, DEAL, "d-1", DisputeOutcome.REJECTED, 0, "")) == "dispute.unknown"


def test_a_bill_is_paid_once(story: Story) -> None:
    story.tell(bill(story.world, DEAL, [Bill("loan-1", JANUARY, AFTER, 500, "b-1")]))

    def pays(asset: str, usdc_micro: int, number: int) -> None:
        one = Payment(asset, CollectionKind.REVENUE, usdc_micro, MID, "home", "b-1")
        story.tell(collect(story.world, DEAL, f"r-{number}", [one], story.at_us))

    assert code(lambda: pays("loan-2", 1, 0)) == "bill.elsewhere"
    pays("loan-1", 300, 1)
    assert code(lambda: pays("loan-1", 201, 2)) == "bill.overpaid"
    pays("loan-1", 200, 3)
    assert code(lambda: pays("loan-1", 1, 4)) == "bill.overpaid"


def test_a_rate_needs_a_mark_that_speaks(story: Story) -> None:
    story.at(AFTER).taped(0)
    assert code(lambda: story.world.capital.report(DEAL, 0)) == "measure.mark_missing"
    sofr = MarkSet("sofr", 5_300_000, "published by the bank", JANUARY.stop_us - DAY_US, 2 * 86_400)
    story.tell(mark(story.world, sofr, story.at_us))
    assert story.world.capital.report(DEAL, 0).measures[4] == 5_300_000
    assert story.world.capital.ready.covers(DEAL, 0, story.world.books.size)
    story.at(FEBRUARY.stop_us).taped(1)
    assert code(lambda: story.world.capital.report(DEAL, 1)) == "measure.mark_stale"
    assert not story.world.capital.ready.covers(DEAL, 1, story.world.books.size)
    assert code(lambda: mark(story.world, sofr, story.at_us)) == "mark.order"


def test_a_period_is_ready_with_its_tape_and_not_before(story: Story) -> None:
    story.tell(mark(story.world, MarkSet("sofr", 1, "bank", START_US, 400 * 86_400), story.at_us))
    ready = story.world.capital.ready
    story.paid(payment("loan-1", 5, MID))
    assert not list(ready.periods(DEAL, 0, story.world.books.size))
    story.at(AFTER).taped(0)
    size = story.world.books.size
    assert [number for number, _ in ready.periods(DEAL, 0, size)] == [0]
    assert not list(ready.periods(DEAL, 0, size - 1))  # the tape is the newest fact


def test_milestones_are_drawn_in_their_period(story: Story) -> None:
    story.tell(milestone(story.world, DEAL, 2_500 * USDC, "engineer", story.at_us))
    assert (story.value("milestone", 0), story.value("milestone", 1)) == (2_500 * USDC, 0)


def test_what_is_pooled_later_is_a_purchase(story: Story) -> None:
    assert story.value("purchases", 0) == 0  # the first pool is what the notes were sold for
    new = table(asset=["x-1", "x-2", "x-3", "x-4"])
    story.pooled(new)
    assert story.value("purchases", 0) == 10_000 * USDC


@pytest.mark.parametrize("payer", ["servicer", "sponsor-account"])
def test_a_payment_from_inside_the_deal_is_flagged_and_counts_in_nothing(story: Story, payer: str) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.SPONSOR, "sponsor-account", "brings the deal"))
    story.world.capital.servicing.of(DEAL).paid["servicer"] = -1  # paid at the close before this period
    story.paid(payment("loan-1", 50, MID, payer=payer), payment("loan-1", 7, MID))
    assert story.value("interest", 0) == 7
    assert story.value("collections", 0) == 7


def test_a_related_partys_asset_pays_and_counts_in_nothing(story: Story) -> None:
    story.paid(payment("loan-4", 50, MID))
    assert story.value("interest", 0) == 0


def test_nobody_hides_behind_another_payers_name(story: Story) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.SPONSOR, "operator", "brings the deal"))
    one = [payment("loan-1", 5, MID, payer="home")]
    assert code(lambda: collect(story.world, DEAL, "r", one, story.at_us, source="operator")) == "fund.not_external"
    assert code(lambda: story.paid(payment("loan-1", 5, MID, payer="operator"))) == "ledger.overdrawn"


@pytest.mark.parametrize(
    ("payments", "expected"),
    [
        ([payment("loan-1", 5, MID + 1)], "collection.ahead"),
        ([payment("loan-1", 0, MID)], "collection.fields"),
        ([payment("loan-1", -1, MID)], "servicing.amount"),
        ([payment("loan-1", 2**64, MID)], "servicing.amount"),
        ([payment("loan-9", 5, MID)], "asset.unknown"),
        ([payment("loan-1", 4_000 * USDC + 1, MID, PRINCIPAL)], "collection.principal"),
        ([payment("loan-1", micro, MID, PRINCIPAL) for micro in (4_000 * USDC, 1)], "collection.principal"),
        ([payment("loan-1", 5, MID, RECOVERY)], "collection.no_loss"),
        ([payment("loan-1", 5, MID, payer="")], "servicing.words"),
        ([], "collection.fields"),
    ],
)  # fmt: skip
def test_bad_payments_change_nothing(story: Story, payments: list[Payment], expected: str) -> None:
    before = story.world.capital.servicing.digest(), story.world.books.digest()
    assert code(lambda: story.paid(*payments)) == expected
    assert (story.world.capital.servicing.digest(), story.world.books.digest()) == before


def test_a_statement_is_recorded_once(story: Story) -> None:
    story.paid(payment("loan-1", 5, MID), reference="bank-1")
    assert code(lambda: story.paid(payment("loan-1", 5, MID), reference="bank-1")) == "collection.known"


@pytest.mark.parametrize(
    ("period", "standings", "at_us", "expected"),
    [
        (1, {}, AFTER, "tape.early"),
        (0, {}, JANUARY.stop_us - 1, "tape.early"),
        (0, {"loan-1": Standing(1)}, AFTER, "tape.incomplete"),
        (0, {"stranger": Standing(1)}, AFTER, "tape.incomplete"),
        (0, {f"loan-{n}": Standing(1, -1) for n in (1, 2, 3, 4)}, AFTER, "tape.fields"),
        (0, {f"loan-{n}": Standing(-1) for n in (1, 2, 3, 4)}, AFTER, "servicing.amount"),
    ],
)
def test_a_bad_tape_is_refused(
    story: Story, period: int, standings: dict[str, Standing], at_us: int, expected: str
) -> None:
    assert code(lambda: report(story.world, DEAL, period, standings, at_us)) == expected


def test_a_closed_period_is_never_restated(story: Story) -> None:
    story.at(AFTER).taped(0)
    with pytest.raises(Refused, match="another period"):
        story.taped(0)


def test_an_asset_backs_one_deal(story: Story) -> None:
    with pytest.raises(Conflict) as caught:
        story.pooled(table())
    assert caught.value.code == "deal.pledged_twice"
    one = table(asset=["loan-5", "programme-1", "loan-7", "loan-8"])
    assert code(lambda: pool(story.world, DEAL, one)) == "deal.pledged_twice"  # by the deal file itself
    twice = table(asset=["n-1", "n-2", "n-3", "n-4"], registers=["m/1", "", "m/1", ""])
    assert code(lambda: pool(story.world, DEAL, twice)) == "deal.pledged_twice"


def test_a_released_asset_is_free_again_and_its_old_number_stays(story: Story) -> None:
    story.tell(release(story.world, DEAL, ["loan-1", "loan-2", "loan-3", "loan-4"], "sold back"))
    assert not len(story.world.capital.servicing.assets.live(DEAL))
    story.pooled(table())
    assert story.world.capital.servicing.assets.live(DEAL).tolist() == [4, 5, 6, 7]
    assert code(lambda: collect(story.world, "none", "r", [payment("loan-1", 1, MID)], MID)) == "deal.unknown"


def test_only_who_is_appointed_acts(story: Story) -> None:
    world = story.world
    story.tell(appoint(world, DEAL, DealRole.SPONSOR, "sponsor-account", ""))
    assert code(lambda: appoint(world, DEAL, DealRole.SERVICER, "servicer-1", "", by="attacker")) == (
        "servicing.not_appointed"
    )
    story.tell(appoint(world, DEAL, DealRole.SERVICER, "servicer-1", "", by="sponsor-account"))
    one = [payment("loan-1", 5, MID)]
    assert code(lambda: collect(world, DEAL, "r", one, MID, by="attacker")) == "servicing.not_appointed"
    assert code(lambda: collect(world, DEAL, "r", one, MID)) == "servicing.not_appointed"
    story.tell(collect(world, DEAL, "r", one, MID, by="servicer-1"))
    story.tell(appoint(world, DEAL, DealRole.SERVICER, "servicer-2", "failed", by="sponsor-account"))
    assert code(lambda: collect(world, DEAL, "s", one, MID, by="servicer-1")) == "servicing.not_appointed"
    story.tell(collect(world, DEAL, "s", one, MID, by="servicer-2"))


def test_the_sponsor_never_attests_and_seats_are_replaced(story: Story) -> None:
    world = story.world
    story.tell(appoint(world, DEAL, DealRole.SPONSOR, "sponsor-account", ""))

    def seat(account: str, replaces: str = "") -> None:
        by = "sponsor-account"
        story.tell(appoint(world, DEAL, DealRole.ATTESTER, account, "", replaces=replaces, by=by))

    assert code(lambda: seat("sponsor-account")) == "role.sponsor_attests"
    seat("one")
    seat("two")
    assert code(lambda: seat("two")) == "role.held"
    assert code(lambda: seat("three", "nobody")) == "role.not_held"
    seat("three", "one")
    assert world.capital.servicing.of(DEAL).roles[DealRole.ATTESTER] == ("two", "three")


def test_a_call_the_deal_does_not_have(story: Story) -> None:
    with pytest.raises(NotFound, match="no call cleanup"):
        exercise(story.world, DEAL, "cleanup", 5, "outside")
