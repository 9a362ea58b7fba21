"""How likely a lie is caught: the published probability behind a challenge, and how many rows it takes.

Rows are drawn without putting back, so the number of false ones among them is hypergeometric. A false row that is done
again shows as false with probability ``power``: 1 for an invented answer, measured for a smaller model
(docs/delivery.md). Source: Johnson, Kotz and Kemp, Univariate Discrete Distributions, 6.2.
"""

from __future__ import annotations

from math import comb

from penstock.errors import Invalid


def caught(count: int, false: int, drawn: int, power: float = 1.0) -> float:
    """Probability [1] that at least one of ``false`` rows among ``count`` shows, when ``drawn`` are done again.

    Raises:
        Invalid: ``detection.figures`` unless 0 <= false <= count, 0 <= drawn and 0 <= power <= 1.
    """
    return 1 - missed(count, false, drawn, power)


def missed(count: int, false: int, drawn: int, power: float = 1.0) -> float:
    """Probability [1] that none shows: the hypergeometric mean of ``(1 - power) ** false rows drawn``; as `caught`."""
    if not (0 <= false <= count and drawn >= 0 and 0 <= power <= 1):
        raise Invalid("detection.figures", "False rows are among all rows, a power is from 0 to 1.")
    drawn = min(drawn, count)
    if power == 1.0:
        return _ratio(count, false, drawn, 0)
    hits = range(max(0, drawn + false - count), min(drawn, false) + 1)
    return sum(_ratio(count, false, drawn, hit) * (1 - power) ** hit for hit in hits)


def missed_with_friends(missed_once: float, friends: int) -> float:
    """An upper bound of `missed` when ``friends`` of the challengers are the provider's [1].

    Each of them may show its secret or withhold it once all others are known, so they choose among 2 ** friends draws.
    One challenger who is nobody's friend keeps the draws unknown until the work is stated.
    """
    return min(1.0, missed_once * 2.0**friends)


def rows_for(count: int, false: int, wanted: float, power: float = 1.0) -> int:
    """The fewest rows drawn that catch ``false`` rows among ``count`` with at least probability ``wanted`` [1].

    All of them where even that would not do.

    Raises:
        Invalid: ``detection.figures``.
    """
    if not 0 <= wanted <= 1:
        raise Invalid("detection.figures", "A probability is from 0 to 1.")
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if caught(count, false, middle, power) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def false_alarm(rate_a_row: float, drawn: int) -> float:
    """Probability [1] that an honest provider shows at least one false row: re-execution is exact only within a bound.

    ``rate_a_row`` is how often an honest answer lies outside the tolerance; measured in docs/delivery.md.
    """
    if not 0 <= rate_a_row <= 1:
        raise Invalid("detection.figures", "A probability is from 0 to 1.")
    return 1 - (1 - rate_a_row) ** drawn


def _ratio(count: int, false: int, drawn: int, hit: int) -> float:
    """Probability that exactly ``hit`` false rows are drawn; whole numbers until the one division."""
    if drawn - hit > count - false or hit > false:
        return 0.0
    return comb(false, hit) * comb(count - false, drawn - hit) / comb(count, drawn)
