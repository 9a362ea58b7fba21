"""The compute page's pictures as SVG without script: load and energy by the hour, published curves, a price's parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from penstock.api.page import usdc
from penstock.period import HOUR_US, parse_iso
from penstock.units import Usdc

Row = dict[str, Any]
WIDTH, HEIGHT = 960, 260
_LEFT, _RIGHT, _TOP, _FOOT = 64, 64, 14, 30
HOURS_SHOWN: Final = 168
_LINES: Final = ("a", "b", "c")


def load_chart(hours: Sequence[Row]) -> Markup:
    """Load by the hour as bars [%, left], energy of 1,000 tokens as marks [J, right]; empty where nothing ran.

    Hours without work stay blank; no more than the last week is shown.
    """
    if not hours:
        return Markup("")
    last_us = parse_iso(hours[-1]["hour"])
    hours = [one for one in hours if last_us - parse_iso(one["hour"]) < HOURS_SHOWN * HOUR_US]
    first_us = parse_iso(hours[0]["hour"])
    most_mj = max([one["energy_mj_per_1k_tokens"] or 0 for one in hours] + [1])
    step = (WIDTH - _LEFT - _RIGHT) / max((last_us - first_us) // HOUR_US + 1, 12)
    drawn = [_grid((f"{part} %" for part in (0, 25, 50, 75, 100)), most_mj)]
    for one in hours:
        x = _LEFT + step * ((parse_iso(one["hour"]) - first_us) // HOUR_US)
        drawn.append(_bar(x, step * 0.8, one["load_bp"] / 10_000, _said(one)))
        if one["energy_mj_per_1k_tokens"] is not None:
            y = _y(one["energy_mj_per_1k_tokens"] / most_mj)
            drawn.append(f'<circle class="mark" cx="{x + step * 0.4:.1f}" cy="{y:.1f}" r="3"/>')
    ends = f"{hours[0]['hour']} to {hours[-1]['hour']}"
    drawn.append(f'<text x="{_LEFT}" y="{HEIGHT - 8}">{escape(ends)}</text>')
    return _svg(f"Load and energy per token, {ends}", drawn)


def curve_chart(curves: Sequence[Row], own: Sequence[tuple[str, int]]) -> Markup:
    """Energy per token over the batch, both by powers of ten or two; racks of here as lines across (mJ/token)."""
    points = [point for curve in curves for point in curve["points"]]
    shown = [point["mj_per_token"] for point in points] + [max(mj, 1) for _, mj in own]
    low, high = math.floor(math.log10(min(shown))), math.ceil(math.log10(max(shown)))
    least, widest = (math.log2(found(point["batch"] for point in points)) for found in (min, max))

    def x(batch: int) -> float:
        return _LEFT + (math.log2(batch) - least) / (widest - least) * (WIDTH - _LEFT - _RIGHT - 60)

    def y(mj: float) -> float:
        return _y((math.log10(max(mj, 1)) - low) / max(high - low, 1))

    drawn = [_decades(low, high, y), *_batches(sorted({point["batch"] for point in points}), x)]
    drawn += [_line(curve, line, x, y) for curve, line in zip(curves, _LINES, strict=False)]
    drawn += [_across(name, mj, y(mj)) for name, mj in own]
    return _svg("Energy per token over the batch, from published runs", drawn)


def share_bar(share_bp: int) -> Markup:
    """The part of a price that pays for energy, to scale."""
    wide = WIDTH * min(share_bp, 10_000) / 10_000
    label = f"Energy is {share_bp / 100:.1f} % of the price"
    parts = f'<rect class="rest" width="{WIDTH}" height="26"/><rect class="energy" width="{wide:.1f}" height="26"/>'
    return Markup(f'<svg viewBox="0 0 {WIDTH} 26" role="img" aria-label="{label}">{parts}</svg>')  # noqa: S704


def _svg(label: str, drawn: Iterable[str]) -> Markup:
    return Markup(  # noqa: S704 - numbers, and text that is escaped where it is put in
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(drawn)}</svg>'
    )


def _y(part: float) -> float:
    """Height of a part of the whole, 0 at the foot."""
    return HEIGHT - _FOOT - part * (HEIGHT - _FOOT - _TOP)


def _grid(labels: Iterable[str], most_mj: int) -> str:
    lines = []
    for place, label in enumerate(labels):
        y = _y(place / 4)
        lines.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{label}</text>')
        lines.append(f'<text x="{WIDTH - _RIGHT + 6}" y="{y + 4:.1f}">{joules(most_mj * place // 4)}</text>')
    return f'<g class="grid">{"".join(lines)}</g>'


def _bar(x: float, wide: float, part: float, said: str) -> str:
    y = _y(min(part, 1.0))
    box = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{HEIGHT - _FOOT - y:.1f}"'
    return f'<rect class="load" {box}><title>{escape(said)}</title></rect>'


def _said(one: Row) -> str:
    energy = one["energy_mj_per_1k_tokens"]
    told = f", {joules(energy)} a thousand tokens" if energy is not None else ""
    return f"{one['hour']}: load {one['load_bp'] / 100:.1f} %, {one['tokens']:,} tokens{told}"


def _decades(low: int, high: int, y: Any) -> str:
    lines = []
    for power in range(low, high + 1):
        at = y(10.0**power)
        lines.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text class="end" x="{_LEFT - 6}" y="{at + 4:.1f}">{joules(10**power)}</text>')
    return f'<g class="grid">{"".join(lines)}</g>'


def _batches(batches: Sequence[int], x: Any) -> list[str]:
    foot = HEIGHT - 12
    return [f'<text class="middle" x="{x(batch):.1f}" y="{foot}">{batch:,}</text>' for batch in batches]


def _line(curve: Row, name: str, x: Any, y: Any) -> str:
    places = [(x(point["batch"]), y(point["mj_per_token"]), point) for point in curve["points"]]
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in places)
    marks = "".join(
        f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4"><title>{_run(point)}</title></circle>'
        for across, up, point in places
    )
    across, up, _ = places[-1]
    label = f'<text x="{across + 8:.1f}" y="{up + 4:.1f}">{escape(curve["accelerator"])}</text>'
    return f'<g class="curve {name}"><polyline points="{path}"/>{marks}{label}</g>'


def _run(point: Row) -> str:
    energy = f"batch {point['batch']:,}: {joules(point['mj_per_token'])} a token"
    return f"{energy}, {point['power_w']} W, {point['tokens_per_s']:,} tokens/s"


def _across(name: str, mj: int, y: float) -> str:
    line = f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    said = f"{escape(name)}, here: {joules(mj)}"
    return f'<g class="own">{line}<text class="end" x="{WIDTH - _RIGHT}" y="{y - 5:.1f}">{said}</text></g>'


def dollars(micro: int) -> str:
    """Micro-dollars for people: cents cut off towards zero; below a dollar, where single answers are, all digits."""
    return usdc(micro) if micro == 0 or abs(micro) >= 1_000_000 else str(Usdc(micro))


def joules(mj: int) -> str:
    """Millijoules for people."""
    for unit, of_unit in (("GJ", 10**12), ("MJ", 10**9), ("kJ", 10**6), ("J", 10**3)):
        if mj >= of_unit:
            return f"{mj / of_unit:,.3g} {unit}" if mj < 1_000 * of_unit else f"{mj / of_unit:,.0f} {unit}"
    return f"{mj:,} mJ"
