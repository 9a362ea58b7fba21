"""A goal in a sentence of fixed form, read without any language model.

``embed FILE under $5 [with MODEL] [within 2 h] [below 300 g/kWh]``, the parts after the file in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from penstock.errors import Invalid
from penstock.period import DAY_US, HOUR_US, SECOND_US

MODEL: Final = "all-MiniLM-L6-v2"
"""The model where none is named."""
_SPANS: Final = {"s": SECOND_US, "min": 60 * SECOND_US, "h": HOUR_US, "d": DAY_US}
_PARTS: Final = {
    "under": re.compile(r"under\s+\$(?P<under>[0-9.]{1,16})(?=\s|$)"),
    "with": re.compile(r"with\s+(?P<with>\S{1,200})"),
    "within": re.compile(r"within\s+(?P<within>[0-9.]{1,9}\s*(?:s|min|h|d))(?=\s|$)"),
    "below": re.compile(r"below\s+(?P<below>[0-9.]{1,9})\s*g/kWh"),
}
_FILE: Final = re.compile(r"embed\s+(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>\S+))\s*")
HINT: Final = "Write: embed FILE under $5 [with MODEL] [within 2 h] [below 300 g/kWh]"


@dataclass(frozen=True, slots=True)
class Goal:
    """What to embed, by which model, for at most how much, in what time; carbon [mg/kWh] where it is limited."""

    file: str
    under_usdc_micro: int
    model: str = MODEL
    within_us: int | None = None
    below_mg_per_kwh: int | None = None


def read_goal(sentence: str) -> Goal:
    """The goal that a sentence says. Raises Invalid ``goal.unclear``, naming the words that mean nothing here."""
    start = _FILE.match(sentence.strip())
    if start is None:
        raise Invalid("goal.unclear", "A goal begins with `embed FILE`.", hint=HINT)
    said, rest = _parts(sentence.strip()[start.end() :])
    if rest:
        raise Invalid("goal.unclear", f"{rest!r} means nothing here.", hint=HINT)
    if "under" not in said:
        raise Invalid("goal.unclear", "A goal says what it may cost.", hint=HINT)
    return Goal(
        file=start["quoted"] or start["plain"],
        under_usdc_micro=_scaled(said["under"], 10**6),
        model=said.get("with", MODEL),
        within_us=_span(said["within"]) if "within" in said else None,
        below_mg_per_kwh=_scaled(said["below"], 1_000) if "below" in said else None,
    )


def _parts(rest: str) -> tuple[dict[str, str], str]:
    """Each part once, in any order; and what is left."""
    said: dict[str, str] = {}
    left = rest.strip()
    while left:
        found = next(((name, hit) for name, rule in _PARTS.items() if (hit := rule.match(left))), None)
        if found is None or found[0] in said:
            break
        said[found[0]] = found[1][found[0]]
        left = left[found[1].end() :].strip()
    return said, left


def _scaled(text: str, scale: int) -> int:
    try:
        value = Decimal(text) * scale
    except InvalidOperation:
        raise Invalid("goal.unclear", f"{text!r} is no figure.", hint=HINT) from None
    if value != int(value) or value <= 0:
        raise Invalid("goal.unclear", f"{text!r} is nothing, or finer than a {scale:,}th.", hint=HINT)
    return int(value)


def _span(text: str) -> int:
    unit = text.lstrip("0123456789.").strip()
    return _scaled(text.removesuffix(unit).strip(), _SPANS[unit])
