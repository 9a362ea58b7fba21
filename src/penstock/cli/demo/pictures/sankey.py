"""The week's energy as one stream: from the roofs to answers, what was idle, what found no buyer. Widths are kWh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from penstock.cli.demo.pictures.svg import bar, joined, picture, scaled, tag, words
from penstock.cli.show import kwh

_HIGH: Final = 250.0
_TOP: Final = 44.0
_POST: Final = 16.0
_COLUMNS: Final = (12.0, 360.0, 690.0)


@dataclass(frozen=True, slots=True)
class Stream:
    """The figures of the picture: energy [Wh], the rest in the units they name."""

    certified_wh: int
    drawn_wh: int
    answers_wh: int
    idle_wh: int
    roofs: int
    answers: int
    tokens: int
    billed: str

    @property
    def unsold_wh(self) -> int:
        """Certified and not allocated."""
        return self.certified_wh - self.drawn_wh


def sankey(of: Stream) -> Markup:
    """Roofs, then the rack or nobody, then answers or idle."""
    drawn, answered = _high(of, of.drawn_wh), _high(of, of.answers_wh)
    first, second, third = _COLUMNS
    gap = 34.0
    ribbons = [
        _ribbon(first, _TOP, second, _TOP, drawn, "flow-sun", f"{of.drawn_wh:,} Wh matched, hour by hour"),
        _ribbon(first, _TOP + drawn, second, _TOP + drawn + gap, _high(of, of.unsold_wh), "flow-unsold", _said(of)),
        _ribbon(second, _TOP, third, _TOP, answered, "flow-work", f"{of.answers_wh:,} Wh for answers"),
        _ribbon(second, _TOP + answered, third, _TOP + answered + gap, _high(of, of.idle_wh), "flow-idle", "idle"),
    ]
    posts = [
        bar(first, _TOP, _POST, _HIGH, "sun", f"{of.certified_wh:,} Wh certified"),
        bar(second, _TOP, _POST, drawn, "work", f"{of.drawn_wh:,} Wh drawn"),
        bar(second, _TOP + drawn + gap, _POST, _high(of, of.unsold_wh), "unsold", _said(of)),
        bar(third, _TOP, _POST, answered, "work", f"{of.answers_wh:,} Wh"),
        bar(third, _TOP + answered + gap, _POST, _high(of, of.idle_wh), "idle", f"{of.idle_wh:,} Wh"),
    ]
    return picture(_TOP + _HIGH + gap + 30, "From the roofs' energy to answers", *ribbons, *posts, _labels(of, gap))


def _said(of: Stream) -> str:
    return f"{of.unsold_wh:,} Wh certified, not yet sold"


def _high(of: Stream, energy_wh: int) -> float:
    return scaled(energy_wh, of.certified_wh, 0, _HIGH)


def _ribbon(x1: float, y1: float, x2: float, y2: float, high: float, class_: str, title: str) -> Markup:
    start, stop = x1 + _POST, x2
    bend = (start + stop) / 2
    drawn = (
        f"M{start:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {stop:.1f} {y2:.1f}V{y2 + high:.1f}"
        f"C{bend:.1f} {y2 + high:.1f} {bend:.1f} {y1 + high:.1f} {start:.1f} {y1 + high:.1f}Z"
    )
    return tag("path", tag("title", title), d=drawn, class_=class_)


def _labels(of: Stream, gap: float) -> Markup:
    drawn, answered = _high(of, of.drawn_wh), _high(of, of.answers_wh)
    first, second, third = (x + _POST + 10 for x in _COLUMNS)
    below_drawn = _TOP + drawn + gap + _high(of, of.unsold_wh) / 2
    below_answers = _TOP + answered + gap + _high(of, of.idle_wh) / 2
    return joined(
        [
            _label(first, _TOP + _HIGH / 2, kwh(of.certified_wh), f"certified, from {of.roofs} roofs"),
            _label(second, _TOP + drawn / 2, kwh(of.drawn_wh), "matched and drawn by the rack"),
            _label(second, below_drawn, kwh(of.unsold_wh), "certified, not sold"),
            _label(third, below_answers, kwh(of.idle_wh), "idle, on the rack's own account"),
            _label(third, _TOP + answered / 2 - 30, kwh(of.answers_wh), f"for {of.answers:,} answers"),
            _label(third, _TOP + answered / 2 + 16, f"{of.tokens / 1e9:,.2f} billion tokens", "modelled requests"),
            _label(third, _TOP + answered / 2 + 62, of.billed, "billed to the buyer"),
        ]
    )


def _label(x: float, y: float, head: str, foot: str) -> Markup:
    return joined([words(x, y - 2, head, "big num"), words(x, y + 16, foot, "soft")])
