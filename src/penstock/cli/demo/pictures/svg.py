"""SVG by hand: escaped elements, a frame, axes and scales. Colours are classes; the page's style sheet names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

from penstock.cli.demo.sunshine import OFFSET_US
from penstock.cli.demo.waterfall import local_day
from penstock.period import DAY_US, Period, iso

WIDTH: Final = 960
LEFT: Final = 76
RIGHT: Final = WIDTH - 12
_NICE: Final = (1, 2, 2.5, 5, 10)


def tag(name: str, *inside: object, **attributes: object) -> Markup:
    """An element; what is not markup already is escaped. ``class_`` is class, ``text_anchor`` text-anchor."""
    said = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _written(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(escape(name), said, joined(inside))


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other, escaped where they are no markup."""
    return Markup("").join(escape(part) for part in parts)


def _written(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def picture(height: float, label: str, *inside: object) -> Markup:
    """The frame: ``label`` is what the picture shows, for those who do not see it."""
    box = f"0 0 {WIDTH} {_written(float(height))}"
    return tag("svg", tag("title", label), *inside, viewBox=box, role="img", xmlns="http://www.w3.org/2000/svg")


def words(x: float, y: float, said: object, class_: str = "", end: bool = False, middle: bool = False) -> Markup:
    """A line of text."""
    anchor = "end" if end else "middle" if middle else None
    return tag("text", said, x=float(x), y=float(y), class_=class_ or None, text_anchor=anchor)


def bar(x: float, y: float, width: float, height: float, class_: str, title: str = "") -> Markup:
    """A rectangle with its exact figure on hover; never thinner than a hair where it stands for anything."""
    inside = [tag("title", title)] if title else []
    shown = max(width, 0.4) if width > 0 else 0.0
    return tag("rect", *inside, x=float(x), y=float(y), width=float(shown), height=float(max(height, 0)), class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, closed: bool = False, title: str = "") -> Markup:
    """Straight strokes through points."""
    drawn = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")
    return tag("path", *([tag("title", title)] if title else []), d=drawn, class_=class_)


def scaled(value: float, most: float, start: float, stop: float) -> float:
    """Where ``value`` of 0 to ``most`` lies between two ends."""
    return start + (stop - start) * (value / most if most else 0)


def ticks(most: float, about: int = 4) -> list[float]:
    """Round marks from 0 to the first that is not below ``most``."""
    rough = max(most, 1e-9) / about
    power = 1.0
    while power * 10 <= rough:
        power *= 10
    while power > rough:
        power /= 10
    step = next(one * power for one in _NICE if one * power >= rough)
    count = -(-most // step)
    return [step * place for place in range(int(count) + 1)]


def y_axis(marks: Sequence[float], top: float, foot: float, unit: str) -> Markup:
    """Grid lines with their numbers on the left, and the unit above them."""
    found: list[Markup] = [words(LEFT - 8, top - 14, unit, "soft", end=True)]
    for mark in marks:
        y = scaled(mark, marks[-1], foot, top)
        found += [line(LEFT, y, RIGHT, y, "grid"), words(LEFT - 8, y + 4, f"{mark:,g}", "soft num", end=True)]
    return joined(found)


def at(week: Period, instant_us: float) -> float:
    """Where an instant lies across the week."""
    return scaled(instant_us - week.start_us, week.stop_us - week.start_us, LEFT, RIGHT)


def day_axis(week: Period, top: float, foot: float) -> Markup:
    """A line at each local midnight, the day's name below."""
    found: list[Markup] = []
    for day in week.steps(DAY_US):
        x, middle = at(week, day.start_us), at(week, day.start_us + DAY_US / 2)
        found += [
            line(x, top, x, foot, "grid"),
            words(middle, foot + 18, local_day(iso(day.start_us)), "soft", middle=True),
        ]
    return joined(found)


def clock(at_us: int) -> str:
    """Local hour of an instant: ``Mon 22 Aug 14:00``."""
    text = iso(at_us)
    return f"{local_day(text)} {iso(at_us + OFFSET_US)[11:16]}"
