"""One contract's payments on given dates, whole micro-dollars: what the columns of `asset_flows` must agree with.

Interest is rounded down, once a period; level payments are rounded up; the last payment takes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from penstock.capital.amortise import level_payment_up
from penstock.capital.asset_fields import Repayment
from penstock.money import interest_down
from penstock.rates.calendar import is_month_end
from penstock.rates.day_count import BASIS_DAYS, days

FACTOR_ONE: Final = 10**18
RATE_ONE: Final = 10**8


@dataclass(frozen=True, slots=True)
class Loan:
    """What is lent, at what rate a year [hundred-millionths], and how it is paid back.

    ``payment_usdc_micro`` of 0: as balance, rate and the number of payments ask for.
    """

    balance_usdc_micro: int
    rate_e8: int
    repays: Repayment = Repayment.LEVEL
    count: str = "30/360"
    every_months: int = 1
    payment_usdc_micro: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """One due date [micro-dollars]: interest, principal, and the balance after them."""

    due: date
    interest: int
    principal: int
    balance: int


def level_factor_e18(rate_e8: int, every_months: int, payments: int) -> int:
    """The level payment on one unit lent [1e-18], rounded up."""
    return level_payment_up(FACTOR_ONE, Fraction(rate_e8 * every_months, 12 * RATE_ONE), payments)


def payment_up(loan: Loan, payments: int) -> int:
    """The level payment [micro-dollars]: the one agreed, or the balance's, rounded up."""
    factor = level_factor_e18(loan.rate_e8, loan.every_months, payments)
    return loan.payment_usdc_micro or -(-loan.balance_usdc_micro * factor // FACTOR_ONE)


def payments(loan: Loan, accrues_from: date, dues: Sequence[date]) -> list[Payment]:
    """The payments on ``dues``, with interest from ``accrues_from``."""
    paid, balance, begun, level = [], loan.balance_usdc_micro, accrues_from, payment_up(loan, len(dues))
    for k, due in enumerate(dues):
        passed = _passed(loan, begun, due)
        interest = interest_down(balance, loan.rate_e8, RATE_ONE, passed, BASIS_DAYS[loan.count])
        principal = balance if due == dues[-1] else _principal(loan, k, len(dues), balance, level - interest)
        balance, begun = balance - principal, due
        paid.append(Payment(due, interest, principal, balance))
    return paid


def _passed(loan: Loan, begun: date, due: date) -> int:
    """Days of interest; by 30/360 a whole step is 30 days a month, also where a month lacks the day it is due on."""
    months = 12 * (due.year - begun.year) + due.month - begun.month
    whole = begun.day == due.day or is_month_end(begun) or is_month_end(due)
    if loan.count == "30/360" and months == loan.every_months and whole:
        return 30 * months
    return days(loan.count, begun, due)


def _principal(loan: Loan, k: int, count: int, balance: int, after_interest: int) -> int:
    if loan.repays == Repayment.LEVEL:
        return min(max(after_interest, 0), balance)
    if loan.repays == Repayment.BULLET:
        return 0
    if loan.payment_usdc_micro:
        return min(loan.payment_usdc_micro, balance)
    return loan.balance_usdc_micro * (k + 1) // count - loan.balance_usdc_micro * k // count
