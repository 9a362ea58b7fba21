"""The report's pictures as SVG: grey-safe, exact on hover, no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from markupsafe import Markup

from penstock.usecases.investor_report.words import bound, ratio, short_usdc, usdc
from penstock.usecases.report_247.pictures import WIDTH, block, picture, tag, words

Row = dict[str, Any]
KINDS: Final = ("fee", "interest", "principal", "drawn", "rest", "payment", "held now")
"""What dollars went to, in the order of its shades."""
SHADES: Final = 7
_LEFT, _TOP, _FOOT = 70.0, 12.0, 168.0
_LABELS: Final = 12


def uses(rows: Sequence[Row]) -> Markup:
    """One bar of where a period's dollars went, cut by what for."""
    sums = dict.fromkeys(KINDS, 0)
    for row in rows:
        _, _, what = row["use"].rpartition(", ")
        sums[what] = sums.get(what, 0) + row["usdc_micro"]
    whole = max(sum(sums.values()), 1)
    x, found = 0.0, []
    for place, (kind, amount) in enumerate(sums.items()):
        wide = WIDTH * amount / whole
        if not amount:
            continue
        found.append(block(x, 4, wide - 1.5, 34, f"use-{min(place, SHADES)}", f"{kind}: {usdc(amount)} USDC"))
        if wide > 70:
            found += [words(x + 2, 54, kind, "strong"), words(x + 2, 70, usdc(amount), "soft num")]
        x += wide
    return picture(76, "Where the period's dollars went", *found)


def headroom(test: Row) -> Markup:
    """Where a test stands between its bounds."""
    bounds = [level["bound_millionths"] for level in test["levels"]]
    now = test["ratio_millionths"]
    most = max([*bounds, min(now or 0, 3 * max([*bounds, 1]))]) * 1.18 or 1
    found = [block(0, 16, WIDTH, 8, "track")]
    for level in test["levels"]:
        x = WIDTH * level["bound_millionths"] / most
        below = level["when"] == "below"
        found.append(block(0 if below else x, 16, x if below else WIDTH - x, 8, "forbidden"))
        found += [tag("line", x1=x, y1=10.0, x2=x, y2=30.0, class_="bound")]
        found.append(
            words(x, 44, f"{level['state']} {level['when']} {bound(level['bound_millionths'])}", "soft", "middle")
        )
    if now is not None:
        x = min(WIDTH * now / most, WIDTH - 4.0)
        found += [tag("circle", cx=x, cy=20.0, r=6, class_="now")]
        found.append(
            words(x, 8, ratio(now), "strong num", "middle" if 30 < x < WIDTH - 40 else "end" if x > 30 else None)
        )
    return picture(50, f"{test['name']}: the ratio and its bounds", *found)


def _frame(most: int, said: Callable[[int], str]) -> list[Markup]:
    found: list[Markup] = []
    for part in (0, 0.5, 1):
        y = _FOOT - (_FOOT - _TOP) * part
        found += [tag("line", x1=_LEFT, y1=y, x2=WIDTH, y2=y, class_="rule")]
        found.append(words(_LEFT - 8, y + 4, said(int(most * part)), "soft num", "end"))
    return found


def _dates(rows: Sequence[Row], step: float) -> list[Markup]:
    every = -(-len(rows) // _LABELS)
    return [
        words(_LEFT + step * (at + 0.5), _FOOT + 16, row["number"], "soft num", "middle")
        for at, row in enumerate(rows)
        if at % every == 0
    ]


def stacked(rows: Sequence[Row], key: str, label: str) -> Markup:
    """Bars of a period each, cut by name: balances of tranches, or what payees were paid."""
    names = _names(rows, key)
    most = max([sum(row[key].values()) for row in rows] + [1])
    step = (WIDTH - _LEFT) / max(len(rows), 4)
    found = _frame(most, short_usdc)
    for at, row in enumerate(rows):
        top = _FOOT
        for place, name in enumerate(names):
            amount = row[key].get(name, 0)
            high = (_FOOT - _TOP) * amount / most
            top -= high
            if amount:
                title = f"period {row['number']}, {name}: {usdc(amount)} USDC"
                found.append(block(_LEFT + step * at + step * 0.12, top, step * 0.76, high, _shade(place), title))
    return picture(_FOOT + 24, label, *found, *_dates(rows, step))


def _shade(place: int) -> str:
    return f"use-{place % SHADES}"


def _names(rows: Sequence[Row], key: str) -> list[str]:
    """Those that have anything in any period."""
    return [name for name in rows[-1][key] if any(row[key].get(name) for row in rows)]


def legend(rows: Sequence[Row], key: str) -> list[tuple[str, str]]:
    """Names of a stacked picture with their classes."""
    return [(name, _shade(place)) for place, name in enumerate(_names(rows, key))]


def ratios(rows: Sequence[Row], test: Row) -> Markup:
    """A test's ratio over time, with its bounds and the deal's state below."""
    bounds = [level["bound_millionths"] for level in test["levels"]]
    top = 3 * max([*bounds, 1])
    known = [(at, min(row["ratios_millionths"].get(test["name"]) or 0, top)) for at, row in enumerate(rows)
             if row["ratios_millionths"].get(test["name"]) is not None]  # fmt: skip
    most = max([value for _, value in known] + bounds + [1]) * 11 // 10
    step, high = (WIDTH - _LEFT) / max(len(rows), 4), _FOOT - _TOP
    found = _frame(most, ratio)
    for level in test["levels"]:
        y = _FOOT - high * level["bound_millionths"] / most
        found += [tag("line", x1=_LEFT, y1=y, x2=WIDTH, y2=y, class_="bound")]
        found.append(
            words(WIDTH, y - 4, f"{level['state']} {level['when']} {bound(level['bound_millionths'])}", "soft", "end")
        )
    points = [(_LEFT + step * (at + 0.5), _FOOT - high * value / most) for at, value in known]
    found.append(tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_="line"))
    for (x, y), (at, _) in zip(points, known, strict=True):
        said = ratio(rows[at]["ratios_millionths"][test["name"]])
        found.append(
            tag("circle", tag("title", f"period {rows[at]['number']}: {said}"), cx=x, cy=y, r=2.6, class_="now")
        )
    return picture(_FOOT + 24, f"{test['name']} over time", *found, *_dates(rows, step))


def states(rows: Sequence[Row], names: Sequence[str]) -> Markup:
    """A strip of the states, period by period; hatched where no fresh report was there."""
    step = (WIDTH - _LEFT) / max(len(rows), 4)
    found = [words(_LEFT - 8, 15, "state", "soft", "end")]
    for at, row in enumerate(rows):
        place = list(names).index(row["state"]) if row["state"] in names else 0
        title = f"period {row['number']}: {row['state']}{'' if row['fresh'] else ', no fresh report'}"
        x = _LEFT + step * at
        found.append(block(x + 0.5, 2, step - 1, 18, f"state-{min(place, 4)}", title))
        if not row["fresh"]:
            found.append(tag("line", x1=x + 1, y1=20.0, x2=x + step - 1, y2=2.0, class_="bound"))
    return picture(24, "The deal's state, period by period", *found)
