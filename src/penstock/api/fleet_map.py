"""The fleet on a map: one mark a cell, its area the cell's capacity, its colour how the devices there stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup, escape

Row = dict[str, Any]
WIDTH, HEIGHT, MARGIN = 960, 420, 44
_LARGEST, _SMALLEST, _LEAST_DEG = 24.0, 5.0, 0.1
_STEPS_DEG: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0)
_LINES_MOST: Final = 9
COLOURS: Final = {"reporting": "#2a9d5c", "silent": "#8a8f98", "quarantined": "#d1495b"}


def fleet_map(cells: Sequence[Row]) -> Markup:
    """An SVG of the cells that have a place (``latitude_deg``, ``longitude_deg``), on a plain grid of degrees."""
    placed = [cell for cell in cells if cell["latitude_deg"] is not None]
    if not placed:
        return Markup("")
    frame = _Frame(placed)
    largest_w = max(cell["capacity_w"] for cell in placed) or 1
    marks = "".join(_mark(frame, cell, largest_w) for cell in sorted(placed, key=lambda one: -one["capacity_w"]))
    return Markup(  # noqa: S704 - numbers, and text that is escaped where it is put in
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Map of {len(placed)} cells" class="map">'
        f"{frame.grid()}{marks}</svg>"
    )


class _Frame:
    """Plate carree around the cells, a degree of longitude shrunk by the cosine of the middle latitude."""

    def __init__(self, cells: Sequence[Row]) -> None:
        latitudes = [float(cell["latitude_deg"]) for cell in cells]
        longitudes = [float(cell["longitude_deg"]) for cell in cells]
        self.middle = (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2
        self.shrink = max(math.cos(math.radians(self.middle[0])), 0.1)
        tall, wide = max(latitudes) - min(latitudes), (max(longitudes) - min(longitudes)) * self.shrink
        self.scale = min((HEIGHT - 2 * MARGIN) / max(tall, _LEAST_DEG), (WIDTH - 2 * MARGIN) / max(wide, _LEAST_DEG))

    def x(self, longitude_deg: float) -> float:
        return WIDTH / 2 + (longitude_deg - self.middle[1]) * self.shrink * self.scale

    def y(self, latitude_deg: float) -> float:
        return HEIGHT / 2 - (latitude_deg - self.middle[0]) * self.scale

    def grid(self) -> str:
        """Lines of whole steps with their degrees."""
        lines = []
        tall, wide = HEIGHT / 2 / self.scale, WIDTH / 2 / self.scale / self.shrink
        for degrees in _steps(self.middle[0], tall):
            y = self.y(degrees)
            lines.append(f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
            lines.append(f'<text x="4" y="{y - 3:.1f}">{_degrees(degrees, "N", "S")}</text>')
        for degrees in _steps(self.middle[1], wide):
            x = self.x(degrees)
            lines.append(f'<line y1="0" y2="{HEIGHT}" x1="{x:.1f}" x2="{x:.1f}"/>')
            lines.append(f'<text x="{x + 3:.1f}" y="{HEIGHT - 5}">{_degrees(degrees, "E", "W")}</text>')
        return f'<g class="grid">{"".join(lines)}</g>'


def _mark(frame: _Frame, cell: Row, largest_w: int) -> str:
    radius = max(_LARGEST * math.sqrt(cell["capacity_w"] / largest_w), _SMALLEST)
    worst = next(state for state in ("quarantined", "silent", "reporting") if cell[state] or state == "reporting")
    said = f"{cell['cell']}: {cell['devices']} devices, {cell['capacity_w'] / 1_000:,.0f} kW, " + ", ".join(
        f"{cell[state]} {state}" for state in COLOURS if cell[state]
    )
    x, y = frame.x(cell["longitude_deg"]), frame.y(cell["latitude_deg"])
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{COLOURS[worst]}">'
        f"<title>{escape(said)}</title></circle>"
        f'<text class="count" x="{x:.1f}" y="{y + 4:.1f}">{cell["devices"]}</text>'
    )


def _steps(middle: float, reach: float) -> list[float]:
    """Whole steps within ``reach`` of the middle [degrees], few enough to read."""
    step = next((one for one in _STEPS_DEG if 2 * reach / one <= _LINES_MOST), _STEPS_DEG[-1])
    first, last = math.ceil((middle - reach) / step), math.floor((middle + reach) / step)
    return [round(step * at, 6) for at in range(first, last + 1)]


def _degrees(value: float, ahead: str, behind: str) -> str:
    return f"{abs(value):g}°{(ahead if value > 0 else behind) if value else ''}"
