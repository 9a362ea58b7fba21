"""Pictures across the week: the measured sunshine with what was refused, and each hour's energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import (
    LEFT,
    RIGHT,
    at,
    bar,
    clock,
    day_axis,
    joined,
    line,
    path,
    picture,
    scaled,
    tag,
    ticks,
    words,
    y_axis,
)
from penstock.cli.demo.sunshine import Sunshine
from penstock.period import HOUR_US, QUARTER_HOUR_US, Period, parse_iso

FOUND_AS: Final = {
    "forged": "bad_signature",
    "altered": "bad_signature",
    "replayed": "replayed",
    "backward": "register_backward",
    "impossible": "over_capacity",
    "stranger": "unknown_device",
    "garbled": "malformed",
}
"""Each kind of planted packet and the verdict that has to find it."""
_TOP, _FOOT, _LANE = 30.0, 218.0, 19.0


def sunshine(sun: Sunshine, factor: Sequence[float], planted: Sequence[dict[str, Any]]) -> Markup:
    """Measured power of the array over the week [kW], and below it a lane for each kind of planted packet."""
    marks = ticks(float(sun.power_w.max()) / 1000)
    kinds = [kind for kind in FOUND_AS if any(one["kind"] == kind for one in planted)]
    height = _FOOT + 38 + _LANE * len(kinds)
    lanes = [_lane(sun.week, planted, kind, _FOOT + 44 + _LANE * row) for row, kind in enumerate(kinds)]
    measured, kept = _curve(sun, [1.0] * len(factor), marks[-1]), _curve(sun, factor, marks[-1])
    clouded = [path(measured[1:-1], "line-soft")] if min(factor, default=1.0) < 1 else []
    return picture(
        height,
        "Measured solar power over the week, with the bad packets that were planted and refused",
        y_axis(marks, _TOP, _FOOT, "kW"),
        day_axis(sun.week, _TOP, _FOOT),
        path(kept, "sun-area", closed=True),
        path(kept[1:-1], "sun-line"),
        *clouded,
        *lanes,
    )


def _curve(sun: Sunshine, factor: Sequence[float], most_kw: float) -> list[tuple[float, float]]:
    rows = zip(sun.start_us.tolist(), sun.power_w.tolist(), factor, strict=True)
    points = [
        (at(sun.week, start + QUARTER_HOUR_US / 2), scaled(watts * part / 1000, most_kw, _FOOT, _TOP))
        for start, watts, part in rows
    ]
    return [(points[0][0], _FOOT), *points, (points[-1][0], _FOOT)]


def _lane(week: Period, planted: Sequence[dict[str, Any]], kind: str, y: float) -> Markup:
    found = [line(LEFT, y, RIGHT, y, "grid"), words(LEFT - 8, y + 4, kind, "tiny", end=True)]
    for one in planted:
        if one["kind"] == kind:
            hour = parse_iso(one["hour"])
            found.append(_cross(at(week, hour + HOUR_US / 2), y, f"{kind}: {one['device']}, {clock(hour)}"))
    return joined(found)


def _cross(x: float, y: float, title: str) -> Markup:
    arms = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"
    return tag("g", tag("title", title), tag("circle", cx=x, cy=y, r=7, class_="hit"), tag("path", d=arms, class_="x"))


USES: Final = (
    ("claimed_wh", "sun", "of the roofs', claimed by the rack"),
    ("evening_wh", "store", "given back by the battery, claimed by the rack"),
    ("stored_wh", "charged", "of the roofs', claimed for the battery's charge"),
    ("forward_wh", "forward", "of the roofs', sold ahead"),
    ("retired_wh", "retired", "of the roofs', retired for the badge"),
)
"""What certificates of an hour were used for, from the ground up: the row's figure, its style, and what it is."""


def hours(week: Period, rows: Sequence[dict[str, Any]]) -> Markup:
    """Each hour's certified energy by its use, what nobody used on top; what the rack's own meter drew [kWh]."""
    marks = ticks(max((_whole_wh(row) for row in rows), default=0) / 1000)
    wide = at(week, week.start_us + HOUR_US) - LEFT
    bars = [_hour(week, row, wide, marks[-1]) for row in rows]
    return picture(
        _FOOT + 30,
        "Energy by hour: certified, claimed by the rack, kept by the battery, unused",
        y_axis(marks, _TOP, _FOOT, "kWh"),
        day_axis(week, _TOP, _FOOT),
        *bars,
        path(_drawn(week, rows, marks[-1]), "work-line"),
    )


def _whole_wh(row: dict[str, Any]) -> int:
    """What certificates of the hour there were: the roofs', and those of what the battery gave back."""
    return int(row["certified_wh"] + row["returned_wh"])


def _hour(week: Period, row: dict[str, Any], wide: float, most: float) -> Markup:
    hour, used = parse_iso(row["hour"]), sum(row[name] for name, _, _ in USES)
    parts = [(row[name], style, said) for name, style, said in USES]
    x, foot, found = at(week, hour), _FOOT, []
    for energy_wh, style, said in [*parts, (_whole_wh(row) - used, "unsold", "that nobody used")]:
        if energy_wh:
            high = scaled(energy_wh / 1000, most, 0, _FOOT - _TOP)
            foot -= high
            found.append(bar(x + 0.3, foot, wide - 0.6, high, style, f"{clock(hour)}: {energy_wh:,} Wh {said}"))
    return joined(found)


def _drawn(week: Period, rows: Sequence[dict[str, Any]], most: float) -> list[tuple[float, float]]:
    points = []
    for row in rows:
        hour, y = parse_iso(row["hour"]), scaled(row["drawn_wh"] / 1000, most, _FOOT, _TOP)
        points += [(at(week, hour), y), (at(week, hour + HOUR_US), y)]
    return points
