"""How principal comes back: level, straight and sculpted, and sums that grow. Whole units, exact ratios, no floats.

Interest is rounded down, as the chain rounds it; what rounding leaves over lies in the last payment. ``rate`` is a
period's: an annual rate of a monthly deal divided by twelve.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from penstock.errors import Invalid
from penstock.money import share_down


def level_payment_up(principal: int, rate: Fraction, count: int) -> int:
    """The level payment that repays ``principal`` in ``count`` periods, rounded up so that the last is no larger."""
    if rate == 0:
        return -(-principal // count)
    num, den = _annuity(rate, count)
    return -(-principal * num // den)


@lru_cache(maxsize=2048)
def _annuity(rate: Fraction, count: int) -> tuple[int, int]:
    """``rate / (1 - (1 + rate)^-count)``, above and below the line; pools ask for the same ones at every speed."""
    num, den = rate.numerator, rate.denominator
    grown: int = (den + num) ** count
    plain: int = den**count
    return num * grown, den * (grown - plain)


def level(principal: int, rate: Fraction, count: int) -> tuple[int, ...]:
    """The principal in each of ``count`` level payments; they add up to ``principal``."""
    payment, balance, parts = level_payment_up(principal, rate, count), principal, []
    for left in range(count, 0, -1):
        interest = share_down(balance, rate.numerator, rate.denominator)
        part = balance if left == 1 else min(payment - interest, balance)
        parts.append(part)
        balance -= part
    return tuple(parts)


def straight(principal: int, count: int) -> tuple[int, ...]:
    """Equal parts of ``principal``, cut where the running total stands at ``floor(principal x k / count)``."""
    cuts = [principal * k // count for k in range(count + 1)]
    return tuple(after - before for before, after in pairwise(cuts))


def sculpted_debt_down(cash: Sequence[int], target: Fraction, rate: Fraction) -> int:
    """The most debt that ``cash`` carries at a coverage of ``target``: the value today of cash / target."""
    num, den = rate.numerator, rate.denominator
    worth, grown = 0, 1  # over target and ``grown``, uncancelled: cancelling hundreds of digits each period is slow
    for one in reversed(cash):
        worth, grown = (worth + one * target.denominator * grown) * den, grown * (den + num)
    return worth // (target.numerator * grown)


def sculpt(cash: Sequence[int], target: Fraction, debt: int, rate: Fraction) -> tuple[int, ...]:
    """Principal in each period such that interest and principal are ``cash / target``, until ``debt`` is repaid.

    What flooring of service leaves of a debt that is all the cash can carry (less than one unit a period, with its
    interest) is repaid in the last period.

    Raises:
        Invalid: ``schedule.too_much_debt`` where the cash cannot carry it, ``schedule.interest_uncovered`` where
            the interest of a period alone is more than cash / target.
    """
    carried = sculpted_debt_down(cash, target, rate)
    if debt > carried:
        hint = f"Borrow at most {carried / 1_000_000:,.2f} USDC, or lower the coverage."
        raise Invalid("schedule.too_much_debt", "The cash cannot repay this debt.", hint=hint, carried=carried)
    balance, parts = debt, []
    for period, one in enumerate(cash, 1):
        service = share_down(one, target.denominator, target.numerator)
        interest = share_down(balance, rate.numerator, rate.denominator)
        if interest > service:
            raise Invalid(
                "schedule.interest_uncovered",
                f"In period {period} the interest alone is more than cash / {float(target):g}.",
                hint="Lower the debt, or start repaying later.",
            )
        part = balance if period == len(cash) else min(max(service - interest, 0), balance)
        parts.append(part)
        balance -= part
    return tuple(parts)


def grow(base: int, by: Fraction, less: Fraction, every: int, count: int) -> tuple[int, ...]:
    """``floor(base x (1 + by)^k x (1 - less)^k)`` with k stepping up every ``every`` periods: one floor each."""
    factor = (1 + by) * (1 - less)
    num, den, values = base, 1, []
    for period in range(count):
        if period and period % every == 0:
            num, den = num * factor.numerator, den * factor.denominator
        values.append(num // den)
    return tuple(values)
