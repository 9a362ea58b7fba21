"""The agent's purchases: each call as high as it cost, by provider, and what of the budget was used by then."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import LEFT, RIGHT, bar, path, picture, scaled, ticks, words, y_axis
from penstock.cli.show import usdc

_TOP: Final = 34.0
_FOOT: Final = 210.0
STYLES: Final = ("sun", "charged")


def purchases(calls: Sequence[tuple[str, int]], names: Sequence[str], budget_usdc_micro: int) -> Markup:
    """``calls`` in order: provider and price [micro-dollars]; a line for the sum, which the budget bounds."""
    marks = ticks(max((micro for _, micro in calls), default=1) / 10**6)
    wide = (RIGHT - LEFT) / max(len(calls), 1)
    bars = [
        _call(place, name, micro, marks[-1], wide, STYLES[names.index(name) % len(STYLES)])
        for place, (name, micro) in enumerate(calls)
    ]
    sums = list(accumulate(micro for _, micro in calls))
    points = [
        (LEFT + (place + 1) * wide, scaled(used, budget_usdc_micro, _FOOT, _TOP)) for place, used in enumerate(sums)
    ]
    label = "Price of each call, by provider, and the part of the budget that was used"
    end = words(RIGHT, _TOP - 14, f"budget {usdc(budget_usdc_micro)}", "soft", end=True)
    return picture(_FOOT + 26, label, y_axis(marks, _TOP, _FOOT, "$ a call"), *bars, path(points, "work-line"), end)


def _call(place: int, name: str, micro: int, most: float, wide: float, style: str) -> Markup:
    top = scaled(micro / 10**6, most, _FOOT, _TOP)
    said = f"call {place + 1}: {usdc(micro)} to {name}"
    return bar(LEFT + place * wide + 0.6, top, max(wide - 1.2, 0.8), _FOOT - top, style, said)
