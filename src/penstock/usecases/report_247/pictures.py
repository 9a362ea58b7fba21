"""The report's pictures as SVG: grey-safe, exact on hover, no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from penstock.energy.carbon.factors import BASIS_POINTS
from penstock.usecases.report_247.words import kwh, per_cent, tonnes

WIDTH: Final = 720
HOURS: Final = 24
_SHADES: Final = 8
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tag(name: str, *inside: object, **said: object) -> Markup:
    """An element, escaped; ``class_`` is class, ``text_anchor`` text-anchor."""
    names = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in said.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(escape(name), names, joined(inside))


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other."""
    return Markup("").join(escape(part) for part in parts)


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def picture(height: float, label: str, *inside: object) -> Markup:
    """A frame; ``label`` says what it shows to those who do not see it."""
    box = f"0 0 {WIDTH} {_short(float(height))}"
    return tag("svg", tag("title", label), *inside, viewBox=box, role="img", xmlns="http://www.w3.org/2000/svg")


def words(x: float, y: float, said: object, class_: str = "", anchor: str | None = None) -> Markup:
    """A line of text."""
    return tag("text", said, x=float(x), y=float(y), class_=class_ or None, text_anchor=anchor)


def block(x: float, y: float, width: float, height: float, class_: str, title: str = "") -> Markup:
    """A rectangle with its exact figure on hover."""
    inside = [tag("title", title)] if title else []
    return tag(
        "rect", *inside, x=float(x), y=float(y), width=float(max(width, 0)), height=float(max(height, 0)), class_=class_
    )


def month_name(month: str) -> str:
    """``2025-06`` as Jun 2025."""
    year, _, number = month.partition("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def emissions(figures: dict[str, Any]) -> Markup:
    """The three answers of scope 2 under one another, on one scale."""
    rows = (
        ("location_ug", "without_average_wh", "Location-based", "the grid as it is"),
        ("market_annual_ug", "without_residual_wh", "Market-based, annual", "a year's volume against a year's use"),
        ("market_hourly_ug", "without_residual_wh", "Market-based, hourly", "each hour against its own certificates"),
    )
    most = max([int(figures[key]) for key, *_ in rows] + [1])
    found = []
    for place, (key, without, name, why) in enumerate(rows):
        y, wide = 4.0 + place * 46, 345.0 * int(figures[key]) / most
        found += [
            words(0, y + 17, name, "strong"),
            words(0, y + 33, why, "soft"),
            block(250, y + 2, max(wide, 1.5), 30, f"bar-{place}", f"{int(figures[key]):,} µg CO2e"),
            words(
                250 + max(wide, 1.5) + 8,
                y + 22,
                tonnes(figures[key]) + (" – incomplete" if figures[without] else ""),
                "strong num",
            ),
        ]
    return picture(140, "Scope 2 emissions by location, by market over the year, and by market hour by hour", *found)


def months(rows: Sequence[dict[str, Any]]) -> Markup:
    """What each month drew: matched in its hour below, the rest above."""
    most = max([one["drawn_wh"] for one in rows] + [1])
    left, top, foot = 78.0, 14.0, 164.0
    step = (WIDTH - left) / max(len(rows), 1)
    wide = min(step * 0.72, 64.0)
    found: list[Markup] = []
    for part in (0, 0.5, 1):
        y = foot - (foot - top) * part
        found += [tag("line", x1=left, y1=y, x2=WIDTH, y2=y, class_="rule")]
        found += [words(left - 8, y + 4, kwh(int(most * part)), "soft num", "end")]
    for place, one in enumerate(rows):
        x = left + step * place + (step - wide) / 2
        drawn, matched = one["drawn_wh"], one["matched_wh"]
        high, low = (foot - top) * drawn / most, (foot - top) * matched / most
        share = f"{matched * 1_000 // max(drawn, 1) / 10:.1f} %"
        title = f"{month_name(one['month'])}: {drawn:,} Wh drawn, {matched:,} Wh matched"
        found += [
            block(x, foot - high, wide, high, "open", title),
            block(x, foot - low, wide, low, "matched", title),
            words(x + wide / 2, foot + 15, _under(one["month"], len(rows)), "soft", "middle"),
            words(x + wide / 2, foot + 30, share if step > 34 else "", "num", "middle"),
        ]
    return picture(200, "Energy drawn by month, and how much of it was matched hour by hour", *found)


def _under(month: str, count: int) -> str:
    return month_name(month) if count <= 6 else month_name(month)[:3]


def heat(table: dict[str, Any]) -> Markup:
    """Matched share by month (rows) and hour of the day (columns)."""
    months_of, left, top, high = table["months"], 78.0, 22.0, 22.0
    wide = (WIDTH - left) / HOURS
    found = [words(left + wide * (h + 0.5), 14, f"{h:02}", "soft num", "middle") for h in range(HOURS)]
    for row, month in enumerate(months_of):
        y = top + row * high
        found.append(words(left - 8, y + 15, month_name(month), "soft", "end"))
        for h in range(HOURS):
            found.append(_cell(table, row, h, month, left + wide * h, y, wide, high))
    return picture(top + high * len(months_of) + 4, "Share matched by month and hour of the day", *found)


def _cell(
    table: dict[str, Any], row: int, hour: int, month: str, x: float, y: float, wide: float, high: float
) -> Markup:
    drawn, matched = table["drawn_wh"][row][hour], table["matched_wh"][row][hour]
    if not drawn:
        return block(
            x + 0.75, y + 0.75, wide - 1.5, high - 1.5, "empty", f"{month_name(month)} {hour:02}:00: nothing drawn"
        )
    bp = matched * BASIS_POINTS // drawn
    title = f"{month_name(month)} {hour:02}:00: {per_cent(bp)} of {drawn:,} Wh"
    shade = min(-(-bp * _SHADES // BASIS_POINTS), _SHADES)
    said = words(x + wide / 2, y + 14.5, bp // 100, f"tiny on-{shade}", "middle")
    return joined([block(x + 0.75, y + 0.75, wide - 1.5, high - 1.5, f"heat-{shade}", title), said])
