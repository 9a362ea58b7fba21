"""A pool of level-pay loans that are also repaid early, at a multiple of the PSA standard; and a class planned on it.

Whole micro-dollars. The one irrational step, a twelfth root, is an integer root of 18 digits, the same everywhere.
Standard: PSA, prepayments rise by 0.2 % a year each month to 6 % a year in month 30 of a loan's age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Final

from penstock.capital.amortise import level_payment_up
from penstock.errors import Invalid
from penstock.money import share_down

SCALE: Final = 10**18
RAMP_MONTHS: Final = 30
FULL_CPR: Final = Fraction(6, 100)
PSA_MAX: Final = 1_600  # beyond it, 6 % x PSA / 100 is nearly all of the pool


@dataclass(frozen=True, slots=True)
class Pool:
    """Loans as one: balance [micro-dollars], annual rate paid by borrowers, months to go, age [months]."""

    balance_usdc_micro: int
    rate: Fraction
    term_months: int
    age_months: int = 0


@dataclass(frozen=True, slots=True)
class PoolMonth:
    """A month of a pool [micro-dollars]: interest by borrowers, scheduled and early principal, balance after."""

    interest: int
    scheduled: int
    prepaid: int
    balance: int

    @property
    def principal(self) -> int:
        """Scheduled and early."""
        return self.scheduled + self.prepaid


@lru_cache(maxsize=4096)
def smm_e18(age_months: int, psa: int) -> int:
    """Share of a pool repaid early in the month that makes it ``age_months`` old [1e-18], rounded up."""
    cpr = min(FULL_CPR * Fraction(min(age_months, RAMP_MONTHS), RAMP_MONTHS) * psa / 100, Fraction(1))
    stays = 1 - cpr
    return SCALE - _root_down(stays.numerator * SCALE**12 // stays.denominator, 12)


def _root_down(value: int, degree: int) -> int:
    """The largest integer whose ``degree``-th power is at most ``value``, by Newton's method from above."""
    if value == 0:
        return 0
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def months(pool: Pool, psa: int) -> list[PoolMonth]:
    """Every month of ``pool`` at ``psa`` % of the standard, to its end.

    Raises:
        Invalid: ``schedule.psa`` unless ``psa`` is from 0 to 1,600.
    """
    if not 0 <= psa <= PSA_MAX:
        raise Invalid("schedule.psa", f"{psa} PSA is no speed.", hint=f"Write 0 to {PSA_MAX:,} PSA.")
    monthly, balance, found = pool.rate / 12, pool.balance_usdc_micro, []
    for month in range(1, pool.term_months + 1):
        left = pool.term_months - month + 1
        interest = share_down(balance, monthly.numerator, monthly.denominator)
        scheduled = min(level_payment_up(balance, monthly, left) - interest, balance)
        prepaid = (balance - scheduled) * smm_e18(pool.age_months + month, psa) // SCALE
        balance -= scheduled + prepaid
        found.append(PoolMonth(interest, scheduled, prepaid, balance))
    return found


def planned(pool: Pool, slow_psa: int, fast_psa: int) -> list[int]:
    """Principal that comes in each month at least, at any steady speed between the two: the lesser of both."""
    both = zip(months(pool, slow_psa), months(pool, fast_psa), strict=True)
    return [min(slow.principal, fast.principal) for slow, fast in both]


def planned_balance(amount: int, plan: Sequence[int]) -> list[int]:
    """What a planned class of ``amount`` still has outstanding after each month.

    Raises:
        Invalid: ``schedule.too_large_plan`` where the plan's principal never repays it.
    """
    if amount > sum(plan):
        hint = f"Make it at most {sum(plan) / 1_000_000:,.2f} USDC, or narrow the speeds."
        raise Invalid("schedule.too_large_plan", "The pool cannot keep this plan.", hint=hint, carried=sum(plan))
    return [max(amount - paid, 0) for paid in accumulate(plan)]
