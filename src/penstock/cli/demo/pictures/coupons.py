"""What holders took, as distributions: a histogram of the largest tranche, dots for the smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from penstock.cli.demo.pictures.days import payee_class
from penstock.cli.demo.pictures.svg import (
    LEFT,
    RIGHT,
    bar,
    joined,
    line,
    picture,
    scaled,
    tag,
    ticks,
    words,
    y_axis,
)
from penstock.cli.show import usdc

_BINS: Final = 40
_MANY: Final = 100
_TOP, _FOOT = 30.0, 170.0


def coupons(taken: Sequence[int], tranche: str) -> Markup:
    """One tranche's withdrawals [micro-dollars]: bars where holders are many, a dot each where they are few."""
    marks = ticks(max(taken, default=1) / 1_000_000, 8)
    return _bars(taken, marks, tranche) if len(taken) > _MANY else _dots(taken, marks, tranche)


def _bars(taken: Sequence[int], marks: Sequence[float], tranche: str) -> Markup:
    most = marks[-1] * 1_000_000
    counts = [0] * _BINS
    for micro in taken:
        counts[min(int(micro * _BINS // most), _BINS - 1)] += 1
    rungs, wide = ticks(max(counts)), (RIGHT - LEFT) / _BINS
    bars = []
    for place, count in enumerate(counts):
        y = scaled(count, rungs[-1], _FOOT, _TOP)
        low, high = (usdc(int(most * edge / _BINS)) for edge in (place, place + 1))
        x = LEFT + place * wide + 0.8
        bars.append(bar(x, y, wide - 1.6, _FOOT - y, payee_class(tranche), f"{count} holders took {low} to {high}"))
    label = f"Dollars taken by the {len(taken):,} holders of {tranche}"
    return picture(_FOOT + 40, label, y_axis(rungs, _TOP, _FOOT, "holders"), *bars, _scale(marks, _FOOT))


def _dots(taken: Sequence[int], marks: Sequence[float], tranche: str) -> Markup:
    y = 26.0
    spots = [
        tag(
            "circle",
            tag("title", f"{micro:,} micro-dollars"),
            cx=scaled(micro / 1_000_000, marks[-1], LEFT, RIGHT),
            cy=y,
            r=7,
            class_=f"{payee_class(tranche)} dot",
        )
        for micro in taken
    ]
    label = f"Dollars taken by each of the {len(taken)} holders of {tranche}"
    return picture(y + 54, label, line(LEFT, y + 14, RIGHT, y + 14, "grid"), *spots, _scale(marks, y + 14))


def _scale(marks: Sequence[float], y: float) -> Markup:
    found = [
        words(
            scaled(mark, marks[-1], LEFT, RIGHT),
            y + 18,
            f"${mark:,g}",
            "soft num",
            middle=0 < mark < marks[-1],
            end=mark == marks[-1],
        )
        for mark in marks
    ]
    return joined(found)
