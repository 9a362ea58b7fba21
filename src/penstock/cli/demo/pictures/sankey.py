"""The week's energy as one stream: roofs, battery, rack, answers; what was lost, idle or unused. Widths are kWh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import bar, joined, picture, scaled, tag, words
from penstock.cli.show import kwh

_HIGH: Final = 250.0
_TOP: Final = 44.0
_GAP: Final = 40.0
_POST: Final = 16.0
_ROOFS, _BATTERY, _RACK, _ANSWERS = 12.0, 230.0, 444.0, 690.0


@dataclass(frozen=True, slots=True)
class Stream:
    """The figures of the picture: energy [Wh], the rest in the units they name.

    The roofs' ``certified_wh`` go to the rack (``direct_wh``), to the battery (``charged_wh``), or to neither, of which
    ``retired_wh`` are retired and ``forward_wh`` were sold ahead. The battery gives ``returned_wh`` back, of which the
    rack claims ``evening_wh``; the rest of its charge is its loss.
    """

    certified_wh: int
    direct_wh: int
    charged_wh: int
    returned_wh: int
    evening_wh: int
    retired_wh: int
    forward_wh: int
    answers_wh: int
    idle_wh: int
    roofs: int
    answers: int
    tokens: int
    billed: str

    @property
    def drawn_wh(self) -> int:
        """Claimed by the rack: straight from the roofs, and in the evening."""
        return self.direct_wh + self.evening_wh

    @property
    def unused_wh(self) -> int:
        """Of the roofs', claimed by nobody."""
        return self.certified_wh - self.direct_wh - self.charged_wh

    @property
    def loss_wh(self) -> int:
        """What the battery kept for itself."""
        return self.charged_wh - self.returned_wh

    @property
    def left_wh(self) -> int:
        """Given back by the battery and not claimed."""
        return self.returned_wh - self.evening_wh


def sankey(of: Stream) -> Markup:
    """Roofs, then the rack, the battery or nobody; the battery's own way round; then answers or idle."""
    return picture(
        _unused_y(of) + _high(of, of.unused_wh) + 46,
        "From the roofs' energy, some of it by way of a battery, to answers",
        *_ribbons(of),
        *_posts(of),
        _labels(of),
    )


def _ribbons(of: Stream) -> list[Markup]:
    direct, charged, evening, answered = (
        _high(of, wh) for wh in (of.direct_wh, of.charged_wh, of.evening_wh, of.answers_wh)
    )
    battery, unused, below = _battery_y(of), _unused_y(of), _TOP + answered + _GAP
    found = [
        (_ROOFS, _TOP, _RACK, _TOP, of.direct_wh, "flow-sun", "matched, hour by hour"),
        (_ROOFS, _TOP + direct, _BATTERY, battery, of.charged_wh, "flow-store", "claimed for the battery's charge"),
        (_ROOFS, _TOP + direct + charged, _BATTERY, unused, of.unused_wh, "flow-unsold", "that nobody claimed"),
        (_BATTERY, battery, _RACK, _TOP + direct, of.evening_wh, "flow-store", "given back, matched in the evening"),
        (_BATTERY, battery + evening, _RACK, _left_y(of), of.left_wh, "flow-unsold", "given back, used by nobody"),
        (_RACK, _TOP, _ANSWERS, _TOP, of.answers_wh, "flow-work", "for answers"),
        (_RACK, _TOP + answered, _ANSWERS, below, of.idle_wh, "flow-idle", "idle"),
    ]
    return [
        _ribbon(x1, y1, x2, y2, _high(of, energy_wh), style, f"{energy_wh:,} Wh {said}")
        for x1, y1, x2, y2, energy_wh, style, said in found
        if energy_wh > 0
    ]


def _posts(of: Stream) -> list[Markup]:
    battery, unused, answered = _battery_y(of), _unused_y(of), _high(of, of.answers_wh)
    lost = battery + _high(of, of.returned_wh)
    found = [
        (_ROOFS, _TOP, of.certified_wh, "sun", "certified"),
        (_RACK, _TOP, of.drawn_wh, "work", "drawn"),
        (_BATTERY, battery, of.returned_wh, "store", "given back"),
        (_BATTERY, lost, of.loss_wh, "loss", "lost in the battery"),
        (_BATTERY, unused, of.unused_wh, "unsold", "that nobody claimed"),
        (_RACK, _left_y(of), of.left_wh, "unsold", "given back, used by nobody"),
        (_ANSWERS, _TOP, of.answers_wh, "work", "for answers"),
        (_ANSWERS, _TOP + answered + _GAP, of.idle_wh, "idle", "idle"),
    ]
    return [
        bar(x, y, _POST, _high(of, energy_wh), style, f"{energy_wh:,} Wh {said}")
        for x, y, energy_wh, style, said in found
        if energy_wh > 0
    ]


def _high(of: Stream, energy_wh: int) -> float:
    return scaled(energy_wh, of.certified_wh, 0, _HIGH)


def _battery_y(of: Stream) -> float:
    """Below what flows past it to the rack, with room for its own label."""
    return _TOP + _high(of, of.drawn_wh) + _GAP / 2


def _unused_y(of: Stream) -> float:
    """Below the battery and its two lines."""
    return _battery_y(of) + (_high(of, of.charged_wh) + _GAP + 20 if of.charged_wh else 0)


def _left_y(of: Stream) -> float:
    return _TOP + _high(of, of.drawn_wh) + _GAP * 3 / 2


def _ribbon(x1: float, y1: float, x2: float, y2: float, high: float, class_: str, title: str) -> Markup:
    start, stop = x1 + _POST, x2
    bend = (start + stop) / 2
    drawn = (
        f"M{start:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {stop:.1f} {y2:.1f}V{y2 + high:.1f}"
        f"C{bend:.1f} {y2 + high:.1f} {bend:.1f} {y1 + high:.1f} {start:.1f} {y1 + high:.1f}Z"
    )
    return tag("path", tag("title", title), d=drawn, class_=class_)


def _labels(of: Stream) -> Markup:
    answered = _high(of, of.answers_wh)
    roofs, rack, answers = (x + _POST + 10 for x in (_ROOFS, _RACK, _ANSWERS))
    unused, battery = _unused_y(of) + _high(of, of.unused_wh) / 2, _BATTERY + _POST + 10
    below = _TOP + answered + _GAP + _high(of, of.idle_wh) / 2
    found = [
        _label(roofs, _TOP + _HIGH / 2 - 20, kwh(of.certified_wh), f"certified, from {of.roofs} roofs"),
        _label(rack, _TOP + _high(of, of.drawn_wh) / 2, kwh(of.drawn_wh), "matched and drawn by the rack"),
        _label(battery, unused, kwh(of.unused_wh), _unclaimed(of)),
        _label(answers, below, kwh(of.idle_wh), "idle, on the rack's account"),
        _label(answers, _TOP + answered / 2 - 30, kwh(of.answers_wh), f"for {of.answers:,} answers"),
        _label(answers, _TOP + answered / 2 + 16, f"{of.tokens / 1e9:,.2f} billion tokens", "modelled requests"),
        _label(answers, _TOP + answered / 2 + 62, of.billed, "billed to the buyer"),
    ]
    if of.left_wh:
        found.append(_label(rack, _left_y(of) + _high(of, of.left_wh) / 2, kwh(of.left_wh), "given back, unused"))
    return joined([*found, *_battery_label(of)])


def _unclaimed(of: Stream) -> str:
    said = ((of.forward_wh, "sold ahead"), (of.retired_wh, "retired for a badge"))
    parts = ", ".join(f"{kwh(energy_wh)} {what}" for energy_wh, what in said if energy_wh)
    return f"claimed by nobody; of it {parts}" if parts else "claimed by nobody"


def _battery_label(of: Stream) -> list[Markup]:
    if not of.charged_wh:
        return []
    y, lost = _battery_y(of) + _high(of, of.charged_wh), f"{kwh(of.returned_wh)} at night, {kwh(of.loss_wh)} lost"
    return [
        words(_BATTERY, y + 19, f"{kwh(of.charged_wh)} at noon", "strong num"),
        words(_BATTERY, y + 36, lost, "soft"),
    ]


def _label(x: float, y: float, head: str, foot: str) -> Markup:
    return joined([words(x, y - 2, head, "big num"), words(x, y + 16, foot, "soft")])
