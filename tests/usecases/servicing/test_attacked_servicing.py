"""Servicing under attack: dollars, defaults, periods and pledges that somebody would rather have otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cbor2
import numpy as np
import pytest
from servicing_kit import DEAL, TEXT, USDC, Story, month, payment, table
from test_forged_servicing import altered, refused

from penstock.capital.pooled import total
from penstock.errors import Invalid, PenstockError
from penstock.journal.asset_rows import read_names
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import ReportAttested
from penstock.journal.kinds.ledger import AccountOpened, Transfer
from penstock.journal.kinds.servicing import CollectionKind, DealRole, MarkSet
from penstock.period import DAY_US
from penstock.usecases.originate import originate
from penstock.usecases.recheck import Recheck
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.servicing.bill import Bill, bill
from penstock.usecases.servicing.collect import collect, read_payments
from penstock.usecases.servicing.dispute import dispute, disputed
from penstock.usecases.servicing.mark import mark, milestone
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.release import release
from penstock.usecases.servicing.write_off import write_off

MID = month(0).start_us + 14 * DAY_US
END = month(0).stop_us
BIG = 2**53


@pytest.fixture
def story() -> Story:
    return Story().pooled().at(MID)


def code(caught: pytest.ExceptionInfo[PenstockError]) -> str:
    return str(caught.value.ids.get("cause", caught.value.code))


def sofr(value_e8: int, as_of_us: int, days: int = 90) -> MarkSet:
    return MarkSet("sofr", value_e8, "bank", as_of_us, days * 86_400)


def test_rows_whose_sum_wraps_to_nothing_bring_no_dollars(story: Story) -> None:
    """2,048 rows of 2^53 are 2^64: in 64 bits alone nothing, so that no transfer would have to come with them."""
    story.paid(payment("loan-2", 1, MID))
    (entry,) = collect(story.world, DEAL, "r", [payment("loan-1", 1, MID)] * 2_048, MID)
    kind = np.full(2_048, list(CollectionKind).index(CollectionKind.CALL), dtype=np.uint8)
    kind[:512] = 0
    forged = altered(entry, usdc_micro=np.full(2_048, BIG, dtype=np.int64), kind=kind)
    assert refused(story, Entry(replace(forged.fact, transfers=()), forged.segment)) == "collection.fields"


def test_a_sum_is_exact_where_64_bits_are_too_few() -> None:
    assert total(np.full(4_096, BIG, dtype=np.int64)) == 4_096 * BIG
    assert total(np.array([5, 0, 7], dtype=np.int64)) == 12


def test_assets_together_beyond_a_lane_are_refused(story: Story) -> None:
    (entry,) = pool(story.world, DEAL, table(asset=[f"n-{i}" for i in range(4)]))
    assert entry.segment is not None
    names = np.empty(600, dtype=object)
    names[:] = [cbor2.dumps([f"m-{i}", "", "", "", "", []]) for i in range(600)]
    rows = {name: np.repeat(column[:1], 600) for name, column in entry.segment.columns.items()}
    rows |= {"asset": np.arange(4, 604, dtype=np.int32), "balance_usdc_micro": np.full(600, BIG), "named": names}
    assert refused(story, altered(entry, **rows)) == "asset.sum"


def test_a_sponsors_dollars_do_not_hide_behind_one_row_of_it(story: Story) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.SPONSOR, "sponsor", "arranged it"))
    story.tell([Entry(AccountOpened("sponsor", external=True))])
    story.paid(payment("loan-2", 1, MID))
    rows = [payment("loan-2", 10 * USDC, MID), payment("loan-2", 1, MID, payer="sponsor")]
    (entry,) = collect(story.world, DEAL, "r", rows, MID)
    hidden = (Transfer("sponsor", f"{DEAL}/collect", 10 * USDC + 1, ""),)
    assert refused(story, Entry(replace(entry.fact, transfers=hidden), entry.segment)) == "collection.transfers"
    story.tell([entry])
    assert story.value("collections", 0) == 10 * USDC + 1


@pytest.mark.parametrize("payer", ["Sponsor", " sponsor", "ＳＰＯＮＳＯＲ", "spon\u00adsor".replace("\u00ad", "")])
def test_a_sponsor_spelled_otherwise_is_flagged_all_the_same(story: Story, payer: str) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.SPONSOR, "sponsor", "arranged it"))
    story.paid(payment("loan-2", 5, MID, payer=payer))
    assert story.value("collections", 0) == 0


def test_no_file_moves_what_a_deal_holds(story: Story) -> None:
    story.paid(payment("loan-2", 10 * USDC, MID))
    story.tell(originate(story.world, "other", TEXT, ()))
    story.pooled(table(asset=["a", "b", "c", "d"]), deal="other")
    with pytest.raises(PenstockError) as caught:
        collect(story.world, "other", "r", [payment("a", USDC, MID, payer=f"{DEAL}/collect")], MID)
    assert caught.value.code == "collection.payer"


def test_a_value_published_late_restates_no_period(story: Story) -> None:
    story.tell(mark(story.world, sofr(5, MID), MID))
    story.at(END).taped(0)
    with pytest.raises(PenstockError) as caught:
        mark(story.world, sofr(9, END - 1), END)
    assert caught.value.code == "mark.late"
    assert refused(story, Entry(sofr(9, END))) == "mark.late"
    story.at(END + 2).tell(mark(story.world, sofr(9, END + 1), END + 2))
    assert story.value("sofr", 0) == 5


def test_a_value_that_was_missing_may_still_come(story: Story) -> None:
    story.tell(mark(story.world, sofr(5, MID, days=2), MID))
    story.at(END).taped(0)
    story.tell(mark(story.world, sofr(9, END), END))
    assert story.value("sofr", 0) == 9


def test_the_first_mark_of_a_technology_leaves_earlier_tapes_alone(story: Story) -> None:
    story.at(END).taped(0)
    before = story.world.capital.measuring(DEAL, 0)._stock("value", 0)
    late = MarkSet("value/solar_pv", 1, "appraiser", END, 90 * 86_400)
    assert refused(story, Entry(late)) == "mark.late"
    story.at(END + 1).tell(mark(story.world, replace(late, as_of_us=END + 1), END + 1))
    assert story.world.capital.measuring(DEAL, 0)._stock("value", 0) == before


def test_a_milestone_is_certified_by_who_acts_for_the_deal(story: Story) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.TRUSTEE, "trustee", "appointed"))
    with pytest.raises(PenstockError) as caught:
        milestone(story.world, DEAL, USDC, "the builder itself", MID, "builder")
    assert caught.value.code == "servicing.not_appointed"
    story.tell(milestone(story.world, DEAL, USDC, "engineer", MID, "trustee"))
    assert story.value("milestone", 0) == USDC


@pytest.mark.parametrize("name", ["LOAN-1", "loan 1", "loan\u20111", "ｌｏａｎ-1", "loan_1", "Programme-1"])
def test_an_asset_spelled_otherwise_is_the_same_asset(story: Story, name: str) -> None:
    with pytest.raises(PenstockError) as caught:
        story.pooled(table(asset=[name, "n-2", "n-3", "n-4"]))
    assert caught.value.code == "deal.pledged_twice"


def test_a_default_is_not_washed_away_by_leaving_and_coming_back(story: Story) -> None:
    story.tell(write_off(story.world, DEAL, {"loan-1": 1_000 * USDC}, "lost"))
    story.tell(release(story.world, DEAL, ["loan-1"], "substituted"))
    story.pooled(table(asset=["Loan-1", "n-2", "n-3", "n-4"])).at(END).taped(0)
    assert story.world.capital.measuring(DEAL, 0)._stock("defaulted", 0) == 4_000 * USDC


def test_a_bill_of_the_same_name_on_another_asset_changes_nothing(story: Story) -> None:
    def billed(asset: str) -> Bill:
        return Bill(asset, month(0), MID, 100, "2026-01")

    story.tell(bill(story.world, DEAL, [billed("loan-1"), billed("loan-2")]))
    story.paid(replace(payment("loan-1", 100, MID), bill="2026-01"))
    assert story.world.capital.servicing.bills["open_usdc_micro"].tolist() == [0, 100]
    with pytest.raises(PenstockError) as caught:
        story.paid(replace(payment("loan-1", 1, MID), bill="2026-01"))
    assert caught.value.code == "bill.overpaid"


def test_disputes_add_up_to_no_more_than_an_amount_can_be(story: Story) -> None:
    story.tell(dispute(story.world, disputed(DEAL, "d-1", "loan-1", BIG, "meter")))
    with pytest.raises(PenstockError) as caught:
        dispute(story.world, disputed(DEAL, "d-2", "loan-1", 1, "meter"))
    assert caught.value.code == "dispute.amount"


def test_a_deal_told_again_does_not_begin_anew(story: Story) -> None:
    story.tell(appoint(story.world, DEAL, DealRole.SPONSOR, "sponsor", "arranged it"))
    assert refused(story, Entry(story.world.capital.deal(DEAL).originated)) == "deal.known"


def test_a_fact_of_a_deal_does_not_pledge_what_another_holds(story: Story) -> None:
    *accounts, entry = originate(story.world, "other", TEXT, ())
    story.tell(accounts)
    assert refused(story, Entry(replace(entry.fact, assets=("Loan-3",)))) == "deal.pledged_twice"


def test_an_attester_looks_for_other_pledges_itself(story: Story) -> None:
    (entry,) = pool(story.world, DEAL, table(asset=["n-1", "n-2", "n-3", "n-4"]))
    assert entry.segment is not None
    story.tell([entry])
    recorded = Story().world.capital  # another replica knows nothing of these names
    assert recorded.servicing.pledged == {"programme-1": DEAL}
    from penstock.journal.kinds import KINDS

    with pytest.raises(PenstockError) as caught:
        Recheck(story.world).before(KINDS.record(entry.fact, MID, 0), entry.segment.columns)
    assert caught.value.code == "attest.pledge_differs"


def test_a_period_is_not_told_before_it_is_over(story: Story) -> None:
    fact = ReportAttested(DEAL, 3, month(3).stop_us, (), b"", 0, b"", 1, ())
    assert refused(story, Entry(fact)) == "deal.period_ahead"
    assert story.world.capital.servicing.of(DEAL).period_open == 0


@pytest.mark.parametrize(
    "name", ["../../etc", "a/b", "<b>x</b>", "", " ", "..", "a\u202eb", "x" * 65, "abs/paid", "a\n", "=1+1", "-x"]
)
def test_a_deal_has_a_name_that_is_safe_in_paths_pages_and_ledgers(story: Story, name: str) -> None:
    with pytest.raises(PenstockError) as caught:
        originate(story.world, name, TEXT, ())
    assert caught.value.code == "deal.name"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x81" * 5_000,
        bytes.fromhex("d81c86") + bytes.fromhex("d81d00") * 6,
        bytes.fromhex("c4821b7fffffffffffffff01"),
        cbor2.dumps(["a", "", "", "", "", "bc"]),
        cbor2.dumps(["a", "", "", "", "", [1]]),
        cbor2.dumps(["a\u202eb", "", "", "", "", []]),
        b"",
    ],
)
def test_rows_of_names_that_are_none(raw: bytes) -> None:
    column = np.empty(1, dtype=object)
    column[0] = raw
    with pytest.raises(Invalid) as caught:
        read_names(column)
    assert caught.value.code == "asset.named"


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"asset\n\x00", b"asset,kind,usdc,received,payer\na,call,1,2026-01-01\n", b""]
)
def test_a_file_that_is_no_text_is_refused_whole(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "payments.csv"
    file.write_bytes(raw)
    with pytest.raises(Invalid) as caught:
        read_payments(file)
    assert caught.value.code == "servicing.file"
