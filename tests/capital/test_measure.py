"""Measures: a period's report, its arithmetic written out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from first_week import USDC, deal, program, text

from penstock.capital.deal import Deal
from penstock.capital.deal_book import DealBook
from penstock.capital.fees import FeeTerms
from penstock.capital.measure import VALID_S, Performance
from penstock.capital.report import Report
from penstock.errors import NotFound, Refused
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.compute import AnswersServed, CreditsRedeemed, CreditsSold
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef
from penstock.period import DAY_US, HOUR_US, Period, parse_iso

START_US = parse_iso("2016-08-22T00:00:00-07:00")
DAY = Period(START_US, START_US + DAY_US)
NEXT = Period(DAY.stop_us, DAY.stop_us + DAY_US)
COLLECT = "first/collect"
REF = SegmentRef("request/1", 0, 0, b"")


def served(start_us: int, energy_wh: int, tokens: int, length_us: int = HOUR_US) -> tuple[int, FactBody]:
    fact = AnswersServed(REF, "rack", start_us, start_us + length_us, 1, tokens, energy_wh * 3_600_000, 0, 0, True)
    return start_us + length_us, fact


def released(at_us: int, micro: int, target: str = COLLECT) -> tuple[int, FactBody]:
    transfer = Transfer("answers/escrow", target, micro, "answers delivered")
    return at_us, CreditsRedeemed("answers", "buyer", 1, b"", (transfer,))


def fees(of: Deal, energy_wh: int, tokens: int = 0, inflow: int = 0) -> int:
    values = {"energy": energy_wh, "answers": tokens}
    return FeeTerms(of, 0, DAY, inflow, values.__getitem__).all()


def book(*facts: tuple[int, FactBody]) -> DealBook:
    found = DealBook()
    begun = DealOriginated("first", text(), b"d", program().code, b"p", program().rows, "compiler", ("rack",))
    for seq, (at_us, fact) in enumerate(((0, begun), *facts)):
        found.apply(Recorded(seq, at_us, fact, b""), None)
    return found


def performance(*facts: tuple[int, FactBody]) -> Performance:
    return book(*facts).performance


def report(*facts: tuple[int, FactBody]) -> Report:
    return book(*facts).report("first", 0)


def test_a_day_written_out() -> None:
    """800,003 Wh and 2,000 USDC: roofs 800,003 * 0.08/1000 = 64.000240 USDC, servicer 40 USDC."""
    found = report(
        served(START_US + 8 * HOUR_US, 500_001, 1_000),
        served(START_US + 9 * HOUR_US, 300_002, 7),
        released(START_US + 12 * HOUR_US, 1_500 * USDC),
        released(DAY.stop_us, 500 * USDC + 1),
        released(START_US + 12 * HOUR_US, 99 * USDC, "elsewhere"),
        (START_US + 1, CreditsSold("answers", "buyer", 1, (Transfer("buyer", COLLECT, 5, "sold"),))),
    )
    assert found.measures == (800_003, 2_000_000_001 - 64_000_240 - 40_000_000, 1_007)
    assert found.as_of_s == DAY.stop_us // 1_000_000
    assert found.expiry_s == found.as_of_s + VALID_S
    assert found.is_fresh(DAY.stop_us // 1_000_000, found.as_of_s + VALID_S - 1)


def test_fees_are_one_floor_each() -> None:
    """0.08 USDC a kWh is 80 micro-dollars a Wh; the servicer's 40 USDC come on top."""
    assert fees(deal(), 0) == 40 * USDC
    assert fees(deal(), 1, inflow=10**12) == 40 * USDC + 80
    assert fees(deal(), 2**53 + 1) == 40 * USDC + 80 * (2**53 + 1)


@pytest.mark.parametrize(
    ("at_us", "day"), [(DAY.start_us, None), (DAY.start_us + 1, DAY), (DAY.stop_us, DAY), (DAY.stop_us + 1, NEXT)]
)
def test_a_dollar_belongs_to_the_period_in_whose_last_instant_it_came(at_us: int, day: Period | None) -> None:
    found = performance(released(at_us, 7))
    assert [found.released_to(COLLECT, one) for one in (DAY, NEXT)] == [7 * (day == one) for one in (DAY, NEXT)]


def test_energy_belongs_to_the_period_it_starts_in() -> None:
    found = performance(served(DAY.start_us, 1, 10), served(DAY.stop_us - HOUR_US, 2, 20), served(DAY.stop_us, 4, 40))
    assert (found.of(DAY).energy_wh, found.of(DAY).tokens) == (3, 30)
    assert (found.of(NEXT).energy_wh, found.of(NEXT).tokens) == (4, 40)


def test_without_revenue_the_cash_flow_is_below_zero() -> None:
    assert report(served(START_US, 1_000, 5)).measures == (1_000, -40 * USDC - 80_000, 5)


def test_a_period_in_which_nothing_was_served_has_no_report() -> None:
    with pytest.raises(NotFound) as caught:
        report(served(NEXT.start_us, 1, 1), released(DAY.stop_us, 5))
    assert caught.value.code == "measure.nothing_served"


def test_a_fee_per_unit_is_charged_on_the_measure_it_names() -> None:
    """The same 80 micro-dollars a unit, once on Wh and once on tokens: 3 * 80 or 7 * 80, and 40 USDC."""
    on_tokens = replace(deal(), fees=tuple(replace(fee, measure="answers") for fee in deal().fees))
    assert fees(deal(), 3, 7) == 40 * USDC + 3 * 80
    assert fees(on_tokens, 3, 7) == 40 * USDC + 7 * 80
    circular = replace(deal(), fees=tuple(replace(fee, measure="cfads") for fee in deal().fees))
    with pytest.raises(Refused, match="charged on what fees lower"):
        fees(circular, 3, 7)
