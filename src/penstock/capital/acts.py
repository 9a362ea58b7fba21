"""The lines of a waterfall: words to an `Act`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from penstock.capital import quantity
from penstock.capital.deal import Act
from penstock.capital.source import Place, Source, suggest

_NAMES: Final = r"([\w.]+(?:, ?[\w.]+)*)"
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], int], Act]], ...]] = (
    (re.compile(r"pay (\w+) rest"), lambda m, line: Act("rest", (m[1],), line=line)),
    (re.compile(rf"pay {_NAMES} pro rata"), lambda m, line: Act("prorata", _names(m[1]), line=line)),
    (re.compile(rf"pay {_NAMES} support (\w+)"), lambda m, line: Act("pay", _names(m[1]), support=m[2], line=line)),
    (re.compile(rf"pay {_NAMES}"), lambda m, line: Act("pay", _names(m[1]), line=line)),
    (re.compile(r"sweep (\w+)"), lambda m, line: Act("sweep", (m[1],), line=line)),
    (re.compile(r"fill (\w+)"), lambda m, line: Act("fill", (m[1],), line=line)),
    (re.compile(r"release (\w+)"), lambda m, line: Act("release", (m[1],), line=line)),
    (re.compile(r"hold rest in (\w+)"), lambda m, line: Act("hold", (m[1],), line=line)),
)
_SWEEP: Final = re.compile(r"sweep (\w+) share (.+)")
_VERBS: Final = ("pay", "sweep", "fill", "release", "hold")


def read_act(source: Source, place: Place) -> Act | None:
    """One line of a waterfall; None, and a mistake noted, where it says nothing."""
    text = " ".join(place.text.split())
    for form, build in _FORMS:
        if found := form.fullmatch(text):
            return build(found, place.line)
    if found := _SWEEP.fullmatch(text):
        return _sweep(source, place, found)
    verb = text.split(" ")[0] if text else ""
    if verb in _VERBS:
        source.wrong(place, f"`{text}` cannot be read.", "Write, for instance, `pay A.interest support dsra`.")
    else:
        source.wrong(place, f"`{verb}` is no verb.", suggest(verb, _VERBS))
    return None


def _sweep(source: Source, place: Place, found: re.Match[str]) -> Act:
    share = quantity.percent(found[2])
    if share is None:
        source.wrong(place, "A share lies between 0 and 100 %.", "Write `sweep A share 50 %`.")
    return Act("sweep", (found[1],), share=share or Fraction(0), line=place.line)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
