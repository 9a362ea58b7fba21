"""The lines of a waterfall: words to an `Act`.

A line is a verb with its names, then clauses in any order: ``from``, ``to``, ``in``, ``support``, ``share``, ``up to``,
``when``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, Literal

from penstock.capital import quantity
from penstock.capital.deal import Act
from penstock.capital.reader import Reader
from penstock.capital.source import Place, suggest

CLAUSES: Final = ("from", "to", "in", "support", "share", "up to", "when")
VERBS: Final = ("pay", "sweep", "fill", "release", "hold", "draw", "write off", "write up", "capitalise")
_CLAUSE: Final = re.compile(r" (from|to|in|support|share|up to|when) ")
_NAMES: Final = r"([\w.]+(?:, ?[\w.]+)*)"
_Verb = Literal[
    "pay", "prorata", "sweep", "fill", "release", "rest", "hold", "draw", "write_off", "write_up", "capitalise"
]
_LIMITS: Final = ("up to", "when")
# the head of a line, its verb, the clauses it must and may have
_FORMS: Final[tuple[tuple[re.Pattern[str], _Verb, tuple[str, ...], tuple[str, ...]], ...]] = (
    (re.compile(r"pay (\w+) rest"), "rest", (), ("from", "when")),
    (re.compile(rf"pay {_NAMES} pro rata"), "prorata", (), ("from", "support", *_LIMITS)),
    (re.compile(rf"pay {_NAMES}"), "pay", (), ("from", "support", *_LIMITS)),
    (re.compile(rf"sweep {_NAMES}( pro rata)?"), "sweep", (), ("from", "share", *_LIMITS)),
    (re.compile(r"fill (\w+)"), "fill", (), ("from", *_LIMITS)),
    (re.compile(r"release (\w+)"), "release", (), _LIMITS),
    (re.compile(r"hold rest"), "hold", ("in",), ("from", "when")),
    (re.compile(r"draw (\w+)"), "draw", ("from", "to"), _LIMITS),
    (re.compile(r"write off (.+)"), "write_off", ("from",), ("when",)),
    (re.compile(r"write up (.+)"), "write_up", ("to",), ("when",)),
    (re.compile(rf"capitalise {_NAMES}"), "capitalise", (), _LIMITS),
)
EXAMPLES: Final = (
    "pay A.interest support dsra",
    "pay E rest",
    "sweep A, B up to due_down",
    "fill dsra",
    "release trap",
    "hold rest in trap",
    "draw D from funding to builder up to milestone",
    "write off losses from B, A",
    "write up recoveries to A, B",
    "capitalise B.interest",
)


def read_act(reader: Reader, place: Place) -> Act | None:
    """One line of a waterfall; None, and a mistake noted, where it says nothing."""
    text = " ".join(place.text.split())
    head, *rest = _CLAUSE.split(text)
    clauses = dict(zip(rest[::2], rest[1::2], strict=True))
    for form, verb, needed, allowed in _FORMS if len(clauses) * 2 == len(rest) else ():
        if (found := form.fullmatch(head)) and set(needed) <= clauses.keys() <= {*needed, *allowed}:
            return _built(reader, place, verb, found, clauses)
    _unreadable(reader, place, text)
    return None


def _built(reader: Reader, place: Place, verb: _Verb, found: re.Match[str], clauses: Mapping[str, str]) -> Act:
    listed = {"write_off": clauses.get("from", ""), "write_up": clauses.get("to", ""), "hold": clauses.get("in", "")}
    names = _names(listed[verb] if verb in listed else found[1])
    cap = found[1] if verb in ("write_off", "write_up") else clauses.get("up to")
    return Act(
        verb,
        names,
        support=clauses.get("support", ""),
        share=_share(reader, place, clauses["share"]) if "share" in clauses else Fraction(1),
        line=place.line,
        source=clauses.get("from", "") if verb != "write_off" else "",
        cap=reader.written(place, cap) if cap is not None else None,
        to=clauses["to"] if verb == "draw" else "",
        side_by_side=verb == "sweep" and found[2] is not None,
        when=reader.condition(place, clauses["when"]) if "when" in clauses else None,
        text=" ".join(place.text.split()),
    )


def _share(reader: Reader, place: Place, text: str) -> Fraction:
    share = quantity.percent(text)
    if share is None:
        reader.source.wrong(place, "A share lies between 0 and 100 %.", "Write `sweep A share 50 %`.")
    return share or Fraction(0)


def _unreadable(reader: Reader, place: Place, text: str) -> None:
    verb = text.split(" ")[0] if text else ""
    known = [one.split(" ")[0] for one in VERBS]
    if verb in known:
        example = next(line for line in EXAMPLES if line.startswith(verb))
        reader.source.wrong(place, f"`{text}` cannot be read.", f"Write, for instance, `{example}`.")
    else:
        reader.source.wrong(place, f"`{verb}` is no verb.", suggest(verb, list(dict.fromkeys(known))))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
