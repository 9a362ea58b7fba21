"""Headroom: what may still be promised of a plant that other forwards promise from too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.energy.forward.promise import WHOLE, Promise
from penstock.errors import Refused


def overlapping(promise: Promise, others: Iterable[Promise]) -> list[Promise]:
    """Other forwards of the same registers whose windows share time with this one's."""
    mine = promise.offered
    return [
        one
        for one in others
        if one.number != promise.number
        and one.roots & promise.roots
        and one.offered.start_us < mine.stop_us
        and mine.start_us < one.offered.stop_us
    ]


def counted_wh(one: Promise, within: Promise) -> int:
    """What a forward promised that counts in another's window: by the time they share, rounded up [Wh]."""
    start_us = max(one.offered.start_us, within.offered.start_us)
    stop_us = min(one.offered.stop_us, within.offered.stop_us)
    length_us = one.offered.stop_us - one.offered.start_us
    return -(-one.sold_wh * (stop_us - start_us) // length_us)


def check_headroom(promise: Promise, energy_wh: int, basis_points: int, others: Sequence[Promise]) -> int:
    """That so much more can be promised; returns what was promised before of this window, by all [Wh].

    Together forwards promise no more than P50 in the window of each, and no more than all of an interval's output.

    Raises:
        Refused: ``forward.oversold``.
    """
    beside = overlapping(promise, others)
    if promise.sold_basis_points + basis_points + sum(one.sold_basis_points for one in beside) > WHOLE:
        raise Refused("forward.oversold", "Shares of one plant come to no more than all of its output.")
    before = promise.sold_wh + sum(counted_wh(one, promise) for one in beside)
    _check_p50(promise, before + energy_wh)
    for one in beside:
        share = _grown(promise, energy_wh, one)
        rest = [other for other in overlapping(one, others) if other.number != promise.number]
        _check_p50(one, one.sold_wh + share + sum(counted_wh(other, one) for other in rest))
    return before


def _grown(promise: Promise, energy_wh: int, within: Promise) -> int:
    """`counted_wh` as it would be with so much more promised."""
    start_us = max(promise.offered.start_us, within.offered.start_us)
    stop_us = min(promise.offered.stop_us, within.offered.stop_us)
    length_us = promise.offered.stop_us - promise.offered.start_us
    return -(-(promise.sold_wh + energy_wh) * (stop_us - start_us) // length_us)


def _check_p50(promise: Promise, promised_wh: int) -> None:
    if promised_wh > promise.offered.p50_wh:
        hint = "What other forwards of the plant promised for the same time counts too."
        sentence = f"{promised_wh} Wh would be promised in the window of {promise.name}, above its P50."
        raise Refused("forward.oversold", sentence, hint=hint, p50_wh=promise.offered.p50_wh)
