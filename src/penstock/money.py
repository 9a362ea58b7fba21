"""Rounding with its direction in the name. Multiply first, divide once, in unbounded integers.

Remainders have a named home: whoever calls ``share_down`` keeps what is left over.
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import Invalid


def share_down(amount: int, num: int, den: int) -> int:
    """``floor(amount * num / den)``, the part that never exceeds its due. Same unit as ``amount``.

    Raises:
        Invalid: ``money.negative`` for a negative argument, ``money.zero_divisor`` for ``den`` of 0.
    """
    _check(amount, num, den)
    return amount * num // den


def share_up(amount: int, num: int, den: int) -> int:
    """``ceil(amount * num / den)``, the part that never falls short. Raises as `share_down`."""
    _check(amount, num, den)
    return -(-amount * num // den)


def interest_down(balance: int, rate_num: int, rate_den: int, days: int, basis_days: int) -> int:
    """Simple interest ``floor(balance * rate * days / basis)`` with one floor; rate is an exact ratio per year."""
    return share_down(balance, rate_num * days, rate_den * basis_days)


def split_last(amount: int, weights: Sequence[int]) -> list[int]:
    """Split ``amount`` by ``weights``: floors for all but the last, which takes the rest, so the parts always sum.

    Raises:
        Invalid: ``money.zero_divisor`` where the weights sum to 0.
    """
    total = sum(weights)
    parts = [share_down(amount, weight, total) for weight in weights[:-1]]
    _check(amount, 0, total)
    return [*parts, amount - sum(parts)]


def _check(amount: int, num: int, den: int) -> None:
    if den == 0:
        raise Invalid("money.zero_divisor", "A share needs a divisor above zero.")
    if amount < 0 or num < 0 or den < 0:
        raise Invalid("money.negative", f"Shares are of whole, non-negative amounts, not {amount} * {num} / {den}.")
