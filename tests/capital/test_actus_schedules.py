"""ACTUS reference contracts: annuities (ANN), linear (LAM) and bullet (PAM) repayment, payment by payment.

The cases stay outside this tree under their own licence (CC BY-SA 4.0, actusfrf/actus-tests); without them: skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from penstock.capital.asset_fields import Repayment
from penstock.capital.loan import Loan, payments
from penstock.rates.calendar import add_months, adjusted

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "actus"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/actus is not present")
REPAYS = {"ANN": Repayment.LEVEL, "LAM": Repayment.STRAIGHT, "PAM": Repayment.BULLET}
COUNTS = {"30E360": "30/360", "A365": "act/365", "A360": "act/360"}
MONEY = ("ann02", "ann04", "ann06", "ann08", "ann28", "ann30", "lam06", "lam28", "lam30", "pam02", "pam04", "pam16")
TOLERANCE = 0.0005  # a payment agreed to ten decimals is kept in millionths: over ten years that adds up to this


def case(name: str) -> Any:
    return json.loads((DATA / f"actus-tests-{name[:3]}.json").read_text("utf-8"))[name]


def paid_by_date(found: Any) -> dict[date, dict[str, float]]:
    """Each date's distinct payments by kind; some cases list a payment twice."""
    paid: dict[date, dict[str, float]] = {}
    for event in found["results"]:
        if event["eventType"] in ("IP", "PR", "MD"):
            kind = "interest" if event["eventType"] == "IP" else "principal"
            paid.setdefault(date.fromisoformat(event["eventDate"][:10]), {})[kind] = abs(float(event["payoff"]))
    return paid


def months_between(terms: Any) -> int:
    cycle = terms.get("cycleOfPrincipalRedemption", terms["cycleOfInterestPayment"])
    return int(cycle[1 : cycle.index("L") - 1]) * (12 if "Y" in cycle else 1)


def loan_of(terms: Any) -> Loan:
    agreed = Fraction(terms.get("nextPrincipalRedemptionPayment", "0").strip())
    return Loan(
        int(Fraction(str(terms["notionalPrincipal"]).strip()) * 10**6),
        int(Fraction(str(terms["nominalInterestRate"]).strip()) * 10**8),
        REPAYS[terms["contractType"]],
        COUNTS[terms["dayCountConvention"]],
        months_between(terms),
        -int(-agreed * 10**6 // 1),
    )


def dues_of(terms: Any, paid: dict[date, dict[str, float]]) -> Iterator[date]:
    """The dates paid on; where the case stops before the loan does, those of the rest of its term."""
    start = date.fromisoformat(terms["initialExchangeDate"][:10])
    yield from (due for due in sorted(paid) if due > start)
    if "amortizationDate" in terms:
        last, step = max(paid), months_between(terms)
        until = date.fromisoformat(terms["amortizationDate"][:10])
        later = (add_months(last, step * k) for k in range(1, 1_000))
        yield from iter(lambda: next(later), add_months(until, step))


@pytest.mark.parametrize("name", MONEY)
def test_payments(name: str) -> None:
    found = case(name)
    terms, paid = found["terms"], paid_by_date(found)
    start = date.fromisoformat(terms["initialExchangeDate"][:10])
    ours = {one.due: one for one in payments(loan_of(terms), start, list(dues_of(terms, paid)))}
    compared = [due for due in paid if due > start and (name != "ann08" or due < max(paid))]
    assert len(compared) > 2
    for due in compared:
        assert ours[due].interest / 10**6 == pytest.approx(paid[due].get("interest", 0), abs=TOLERANCE)
        assert ours[due].principal / 10**6 == pytest.approx(paid[due].get("principal", 0), abs=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "convention"), [("pam06", "modified following"), ("pam08", "following"), ("pam10", "modified preceding")]
)
def test_month_ends_on_business_days(name: str, convention: str) -> None:
    """Interest dates from 31 January on, each month's last day moved off weekends."""
    paid = sorted(due for due in paid_by_date(case(name)) if due.month < 12 or due.year < 2013)
    inner = [due for due in paid if date(2013, 1, 31) < due < date(2014, 1, 1)]
    wanted = {adjusted(add_months(date(2013, 1, 31), k), "weekends", convention) for k in range(1, 12)}
    assert len(inner) > 8
    assert set(inner) <= wanted
