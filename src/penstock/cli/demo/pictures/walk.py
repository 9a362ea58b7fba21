"""The look-through of one answer as a picture: from its roofs down to who was paid, a band for each hop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import bar, joined, picture, scaled, tag, words

_BAND: Final = (196.0, 640.0)
_STEP: Final = 60.0
_HIGH: Final = 38.0
_TOP: Final = 8.0
_LETTER: Final = 7.4


@dataclass(frozen=True, slots=True)
class Part:
    """One register's share of a hop: what it is called, its quantity in words, its weight in the band."""

    name: str
    quantity: str
    weight: int
    title: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the walk: its plain word, its parts, who vouches for it and its state."""

    word: str
    note: str
    style: str
    parts: tuple[Part, ...]
    signed: str
    state: str


def look_through(hops: Sequence[Hop], label: str) -> Markup:
    """Hops from top to bottom; every band is the whole answer, cut where more than one register stands behind it."""
    rows = [_row(hop, _TOP + place * _STEP, last=place == len(hops) - 1) for place, hop in enumerate(hops)]
    return picture(_TOP * 2 + _STEP * (len(hops) - 1) + _HIGH, label, *rows)


def _row(hop: Hop, y: float, last: bool) -> Markup:
    start, stop = _BAND
    found: list[Markup] = []
    if not last:
        found.append(_drop(start, stop, y + _HIGH, y + _STEP))
    found += [
        words(start - 14, y + 17, hop.word, "strong", end=True),
        words(start - 14, y + 33, hop.note, "tiny", end=True),
    ]
    found += [words(stop + 14, y + 17, hop.signed, ""), words(stop + 14, y + 33, hop.state, "tiny")]
    whole, x = sum(part.weight for part in hop.parts) or 1, start
    for part in hop.parts:
        wide = scaled(part.weight, whole, 0, stop - start)
        found.append(bar(x, y, wide - 1.5, _HIGH, hop.style, part.title))
        found += _inside(part, x, y, wide, hop.style)
        x += wide
    return joined(found)


def _inside(part: Part, x: float, y: float, wide: float, style: str) -> list[Markup]:
    if wide < _LETTER * max(len(part.name), len(part.quantity)) + 12:
        return []
    return [
        words(x + 8, y + 16, part.quantity, f"strong num on-{style}"),
        words(x + 8, y + 31, part.name, f"tiny-on on-{style}"),
    ]


def _drop(start: float, stop: float, y1: float, y2: float) -> Markup:
    middle = (start + stop) / 2
    shape = f"M{start:.1f} {y1:.1f}H{stop - 1.5:.1f}V{y2 - 8:.1f}L{middle:.1f} {y2 - 2:.1f}L{start:.1f} {y2 - 8:.1f}Z"
    return tag("path", d=shape, class_="drop")
