"""Pictures by day: answers given and turned away, the waterfall, and the cover ratio over its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import RIGHT, bar, joined, line, path, picture, scaled, tag, ticks, words
from penstock.cli.demo.waterfall import Paid, local_day
from penstock.cli.show import usdc

_FIRST: Final = 112.0
_LAST: Final = RIGHT - 166.0
_ROW: Final = 46.0
_HIGH: Final = 26.0
_LETTERS: Final = 7.5


def payee_class(name: str) -> str:
    """The style of a payee's dollars; those of another deal share one."""
    known = {"roofs", "servicer", "A", "dsra", "B", "trap", "E"}
    return f"to-{name}" if name in known else "to-other"


def answers(days: Sequence[dict[str, Any]]) -> Markup:
    """Requests of each day: answered, turned away for want of energy, turned away for want of capacity."""
    most = max((one["answers"] + one["refused_energy"] + one["refused_capacity"] for one in days), default=1)
    rows = [_answers_row(one, most, 12 + place * 34.0) for place, one in enumerate(days)]
    return picture(16 + 34 * len(days), "Answers given and requests turned away, by day", *rows)


def _answers_row(one: dict[str, Any], most: int, y: float) -> Markup:
    parts = (
        ("answers", "work", "answered"),
        ("refused_energy", "none-left", "turned away: no matched energy"),
        ("refused_capacity", "full", "turned away: no capacity"),
    )
    found, x = [words(_FIRST - 12, y + 17, local_day(one["day"]), "num", end=True)], _FIRST
    for key, style, said in parts:
        wide = scaled(one[key], most, 0, RIGHT - 4 - _FIRST)
        found.append(bar(x, y, wide, 24, style, f"{one[key]:,} {said}"))
        if wide > 60:
            found.append(words(x + 8, y + 17, f"{one[key]:,}", f"num on-{style}"))
        x += wide
    return joined(found)


def waterfall(days: Sequence[Paid], names: Sequence[str]) -> Markup:
    """Each day's dollars in order of seniority; a tick where the day's own collections end, reserves beyond it."""
    most = max((sum(day.by_payee.values()) for day in days), default=1)
    rows = [_fall(day, names, most, 34 + place * _ROW) for place, day in enumerate(days)]
    heads = joined([words(RIGHT - 88, 18, "in, dollars", "soft", end=True), words(RIGHT - 56, 18, "state", "soft")])
    return picture(40 + _ROW * len(days), "Dollars through the waterfall, by day and payee", heads, *rows)


def _fall(day: Paid, names: Sequence[str], most: int, y: float) -> Markup:
    found: list[Markup] = []
    if day.state != "normal":
        found.append(bar(0, y - 8, RIGHT, _ROW - 4, "locked"))
    found.append(words(_FIRST - 12, y + 18, day.day, "num", end=True))
    x = _FIRST
    for name in names:
        x = _poured(found, day, name, x, y, most)
    edge = scaled(day.inflow, most, _FIRST, _LAST)
    found.append(line(edge, y - 4, edge, y + _HIGH + 4, "tick"))
    found.append(words(RIGHT - 88, y + 18, usdc(day.inflow).removeprefix("$"), "num", end=True))
    found.append(_state(day, y))
    return joined(found)


def _poured(found: list[Markup], day: Paid, name: str, x: float, y: float, most: int) -> float:
    paid, drawn = day.by_payee.get(name, 0), day.from_reserves.get(name, 0)
    wide = scaled(paid, most, 0, _LAST - _FIRST)
    found.append(bar(x, y, wide, _HIGH, payee_class(name), f"{name}: {paid:,} micro-dollars"))
    if drawn:
        part = scaled(drawn, most, 0, _LAST - _FIRST)
        found.append(bar(x + wide - part, y, part, _HIGH, "from-reserve", f"{drawn:,} micro-dollars from the reserve"))
    if wide > _LETTERS * len(name) + 10:
        found.append(words(x + 6, y + 18, name, f"on-{payee_class(name)}"))
    return x + wide


def _state(day: Paid, y: float) -> Markup:
    shape = "M0 5L5 0L10 5L5 10Z" if day.state != "normal" else "M5 0A5 5 0 1 1 5 10A5 5 0 1 1 5 0Z"
    mark = tag("path", d=shape, class_="lock-mark" if day.state != "normal" else "ok-mark")
    word = words(RIGHT - 56, y + 18, day.word, "strong" if day.state != "normal" else "")
    return joined([tag("g", mark, transform=f"translate({RIGHT - 72:.1f} {y + 8:.1f})"), word])


def cover(days: Sequence[Paid], test: str, floor: float, title: str) -> Markup:
    """A test's ratio of each day against the floor below which it asks for another state."""
    covers = [(place, day.covers.get(test)) for place, day in enumerate(days)]
    known = [(place, ratio) for place, ratio in covers if ratio is not None]
    marks = ticks(max([ratio for _, ratio in known] + [floor]))
    top, foot, step = 26.0, 150.0, (RIGHT - _FIRST) / max(len(days), 1)

    def spot(place: int, ratio: float) -> tuple[float, float]:
        return _FIRST + step * (place + 0.5), scaled(ratio, marks[-1], foot, top)

    found = [
        line(_FIRST, scaled(mark, marks[-1], foot, top), RIGHT, scaled(mark, marks[-1], foot, top), "grid")
        for mark in marks
    ]
    found += [
        words(_FIRST - 12, scaled(mark, marks[-1], foot, top) + 4, f"{mark:g}", "soft num", end=True) for mark in marks
    ]
    y = scaled(floor, marks[-1], foot, top)
    found += [line(_FIRST, y, RIGHT, y, "floor"), words(_FIRST + 6, y - 5, f"floor {floor:.2f}", "warn-text")]
    if known:
        found.append(path([spot(*one) for one in known], "cover-line"))
    found += [_dot(*spot(place, ratio), days[place], ratio, floor) for place, ratio in known]
    found += [
        words(_FIRST + step * (place + 0.5), foot + 20, day.day, "soft", middle=True) for place, day in enumerate(days)
    ]
    return picture(foot + 30, f"{title} by day, against its floor", *found)


def _dot(x: float, y: float, day: Paid, ratio: float, floor: float) -> Markup:
    below = ratio < floor
    shape = f"M{x - 6:.1f} {y:.1f}l6 -6l6 6l-6 6Z" if below else f"M{x:.1f} {y - 5:.1f}a5 5 0 1 1 0 10a5 5 0 1 1 0 -10Z"
    dot = tag(
        "path", tag("title", f"{day.day}: {ratio:.4f}, {day.word}"), d=shape, class_="lock-mark" if below else "ok-mark"
    )
    return joined([dot, words(x, y - 11, f"{ratio:.2f}", "num strong", middle=True)])
