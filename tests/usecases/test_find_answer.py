"""Answers named by number, rack and number, or payment."""

from __future__ import annotations

import hashlib

import pytest
from small_plant import Plant
from test_record_work import busy, collected, market, provider

from penstock.errors import Invalid, NotFound
from penstock.usecases.find_answer import find_answer
from penstock.usecases.provider.provider import Provider

__all__ = ["market", "provider"]


def payment(number: int) -> str:
    """The id of the gate's payment of a number, from 1."""
    return hashlib.sha256(f"payment {number}".encode()).hexdigest()


def test_an_answer_is_found_by_each_of_its_names(market: Plant, provider: Provider) -> None:
    for _ in range(2):
        collected(market, busy(provider))
    workspace = market.workspace
    assert find_answer(workspace, "7", "rack-2") == ("rack-2", 7)
    assert find_answer(workspace, "rack-2:7", "rack-1") == ("rack-2", 7)
    assert find_answer(workspace, payment(8), "rack-1") == ("rack-2", 7)
    assert find_answer(workspace, "0x" + payment(1).upper(), "rack-1") == ("rack-2", 0)


@pytest.mark.parametrize("named", ["", "-1", "rack-2:", "7:x", "ab", "1" * 40])
def test_a_name_that_is_none(market: Plant, named: str) -> None:
    with pytest.raises(Invalid, match=r"trace\.answer_name"):
        find_answer(market.workspace, named, "rack-2")


def test_a_payment_that_bought_nothing_here(market: Plant, provider: Provider) -> None:
    collected(market, busy(provider))
    with pytest.raises(NotFound, match=r"trace\.no_payment"):
        find_answer(market.workspace, payment(99), "rack-2")
