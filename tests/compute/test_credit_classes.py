"""Credits: sold within capacity and time, redeemed when delivered, billed without drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.compute.credit import Compute, billed_positions, whole_credits
from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, CreditsRedeemed, CreditsSold
from penstock.journal.segment import SegmentRef

EXPIRES_US = 1_000
TERMS = CreditsOffered("answers", "operator", "model", "answers/credits", 1_000, 2_600, 100, EXPIRES_US)


def compute(*facts: FactBody) -> Compute:
    found = Compute()
    for seq, fact in enumerate((TERMS, *facts)):
        found.apply(Recorded(seq, 0, fact, b""), None)
    return found


def sold(count: int) -> CreditsSold:
    return CreditsSold("answers", "buyer", count, ())


def redeemed(count: int) -> CreditsRedeemed:
    return CreditsRedeemed("answers", "buyer", count, b"", ())


@pytest.mark.parametrize("count", [1, 40, 60])
def test_a_sale_costs_its_credits_at_the_price(count: int) -> None:
    assert compute(sold(40)).check_sale("answers", count, EXPIRES_US - 1) == count * 2_600


@pytest.mark.parametrize(
    ("count", "at_us", "code"),
    [
        (61, 0, "credit.oversold"),
        (10**30, 0, "credit.oversold"),
        (1, EXPIRES_US, "credit.expired"),
        (1, EXPIRES_US + 1, "credit.expired"),
        (0, 0, "credit.quantity"),
        (-1, 0, "credit.quantity"),
    ],
)
def test_a_sale_is_refused(count: int, at_us: int, code: str) -> None:
    with pytest.raises(Refused) as caught:
        compute(sold(40)).check_sale("answers", count, at_us)
    assert caught.value.code == code


def test_what_is_redeemed_does_not_make_room_to_sell_again() -> None:
    book = compute(sold(100), redeemed(100))
    with pytest.raises(Refused) as caught:
        book.check_sale("answers", 1, 0)
    assert caught.value.code == "credit.oversold"


def test_only_what_is_outstanding_is_redeemed() -> None:
    book = compute(sold(40), redeemed(15))
    assert book.check_redemption("answers", 25) == 25 * 2_600
    for count in (26, 0, -1):
        with pytest.raises(Refused) as caught:
            book.check_redemption("answers", count)
        assert caught.value.code == "credit.not_outstanding"


def test_a_class_is_offered_once_on_terms_that_make_sense() -> None:
    with pytest.raises(Conflict) as twice:
        compute().check_offer(TERMS)
    assert twice.value.code == "credit.offered_twice"
    other = replace(TERMS, credit_class="other")
    compute().check_offer(other)
    for changed in ({"price_usdc_micro": 0}, {"units_per_credit": 0}, {"capacity_credits": 0}):
        with pytest.raises(Refused) as caught:
            compute().check_offer(replace(other, **changed))  # type: ignore[arg-type]
        assert caught.value.code == "credit.terms"


def test_a_class_nobody_offers_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        compute().check_sale("other", 1, 0)
    assert caught.value.code == "credit.unknown_class"


def test_answers_add_up_by_rack() -> None:
    ref = SegmentRef("request/1", 0, 0, b"")
    facts = [
        AnswersServed(ref, rack, 0, 1, answers, tokens, 0, 0, 0, True)
        for rack, answers, tokens in (("a", 2, 30), ("b", 1, 5), ("a", 3, 70))
    ]
    found = compute(*facts)
    assert (found.tokens_served, found.answers_served) == ({"a": 100, "b": 5}, {"a": 5, "b": 1})


@pytest.mark.parametrize(("tokens", "credits"), [(0, 0), (999, 0), (1_000, 1), (1_999, 1), (2_000, 2)])
def test_a_credit_is_delivered_with_its_last_token(tokens: int, credits: int) -> None:
    assert whole_credits(tokens, 1_000) == credits


sizes = st.lists(st.integers(0, 10**7), min_size=1, max_size=30)


@given(sizes, st.integers(1, 10**6), st.integers(1, 10**5), st.integers(0, 2**40))
def test_bills_are_floors_of_cumulative_tokens(counts: list[int], price: int, per: int, start: int) -> None:
    terms = replace(TERMS, price_usdc_micro=price, units_per_credit=per)
    positions = np.cumsum([start, *counts])
    assert billed_positions(positions, terms).tolist() == [p * price // per for p in positions.tolist()]


@given(sizes, st.integers(1, 3_000))
def test_bills_never_drift(counts: list[int], price: int) -> None:
    """One answer at a time or all at once: the same bill, never a micro-dollar over what the tokens cost."""
    terms = replace(TERMS, price_usdc_micro=price)
    positions = np.cumsum([0, *counts])
    billed = billed_positions(positions, terms)
    one_by_one = [billed_positions(positions[i : i + 2], terms).tolist() for i in range(len(counts))]
    assert [stop for _, stop in one_by_one] == billed[1:].tolist()
    assert 0 <= int(positions[-1]) * price - int(billed[-1]) * 1_000 < 1_000


@pytest.mark.parametrize("tokens", [2**62 - 1, 2**62, 2**63 // 2_600 - 1, 2**63 // 2_600 + 1])
def test_bills_are_exact_beyond_63_bits(tokens: int) -> None:
    terms = replace(TERMS, units_per_credit=10_000)
    positions = np.array([0, 1, tokens // 2, tokens], dtype=np.int64)
    assert billed_positions(positions, terms).tolist() == [p * 2_600 // 10_000 for p in positions.tolist()]


def test_no_tokens_no_bill() -> None:
    assert billed_positions(np.empty(0, dtype=np.int64), TERMS).tolist() == []
