"""What a schedule of cash still brings, seen from each period's end: summed, or discounted. Whole units, exact ratios.

Forward DSCR is the sum of cash over the sum of service of the periods to come; LLCR the worth of cash until a loan's
end over its balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate


def total(cash: Sequence[int], over: int) -> tuple[int, ...]:
    """By period, the sum of the ``over`` periods that follow it, as far as there are any."""
    sums = [0, *accumulate(cash)]
    last = len(cash)
    return tuple(sums[min(period + over, last)] - sums[period] for period in range(1, last + 1))


def worth_down(cash: Sequence[int], rate: Fraction) -> tuple[int, ...]:
    """By period, the value at its end of all cash that follows, at ``rate`` a period, rounded down once."""
    num, den = rate.numerator, rate.denominator
    worth, grown, found = 0, 1, []  # over ``grown``, uncancelled: cancelling hundreds of digits each period is slow
    for one in reversed(cash):
        found.append(worth // grown)
        worth, grown = (worth + one * grown) * den, grown * (den + num)
    return tuple(reversed(found))
