"""The deal book: what facts make of a deal."""

from __future__ import annotations

import pytest
from first_week import closings, program, text

from penstock.capital.deal_book import DealBook
from penstock.capital.exact import opening_state, unpaid
from penstock.errors import NotFound
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import (
    DealLaunched,
    DealOriginated,
    Deployed,
    IncomePulled,
    PeriodClosed,
    ReportAttested,
)
from penstock.journal.segment import SegmentRef

AFTER_US = 2**51  # every period told here is over by then
ORIGINATED = DealOriginated("first", text(), b"d", program().code, b"p", program().rows, "compiler", ("rack",))


def book(*facts: FactBody) -> DealBook:
    found = DealBook()
    for seq, fact in enumerate((ORIGINATED, *facts)):
        found.apply(Recorded(seq, AFTER_US + seq, fact, b""), None)
    return found


def closed(day: int) -> PeriodClosed:
    one = closings()[day]
    return PeriodClosed(
        SegmentRef("step/1", 0, 0, b""), "first", day, one.end_s * 10**6, "normal", one.inflow, one.state.words, ()
    )


def test_a_deal_opens_as_the_contract_would() -> None:
    record = book().deal("first")
    assert record.state == opening_state(program().code)
    assert (record.contracts, record.chain_id, record.closed, record.reports) == ({}, 0, [], {})


def test_a_launch_says_where_it_stands() -> None:
    record = book(DealLaunched("first", 1_337, (Deployed("Deal", b"a" * 20), Deployed("Tranche A", b"b" * 20)))).deal(
        "first"
    )
    assert (record.chain_id, record.contracts) == (1_337, {"Deal": b"a" * 20, "Tranche A": b"b" * 20})


def test_a_close_leaves_the_words_it_names() -> None:
    record = book(closed(0), closed(1)).deal("first")
    assert record.state.words == closings()[1].state.words
    assert [one.period for one in record.closed] == [0, 1]
    assert record.state.period == 2


def test_a_pull_pays_a_lane_once() -> None:
    lane = program().payee_lanes["A"]
    before = book(closed(0)).deal("first")
    assert unpaid(before.state, lane) > 0
    after = book(closed(0), IncomePulled("first", "A", lane, 0, 3, ())).deal("first")
    assert unpaid(after.state, lane) == 0
    assert after.state.paid_out == before.state.paid_out + unpaid(before.state, lane)
    for other in set(program().payee_lanes.values()) - {lane}:
        assert unpaid(after.state, other) == unpaid(before.state, other)


def test_reports_are_kept_by_period() -> None:
    report = ReportAttested("first", 3, 5, (1, 2, 3), b"", 0, b"", 2, (b"x",))
    assert book(report).deal("first").reports == {3: report}


def test_a_deal_nobody_originated_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        book().deal("second")
    assert (caught.value.code, caught.value.ids) == ("deal.unknown", {"deal": "second"})
