"""``tests:`` and ``calls:`` what moves a deal from state to state."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from penstock.capital import quantity
from penstock.capital.deal import Call, Level, Test
from penstock.capital.reader import NEVER, NOTHING, Reader
from penstock.capital.source import Place

TEST: Final = ("value", "against", "cure", "stale", "sticky", "only_if")
CALL: Final = ("when", "price", "state")
_CURE: Final = re.compile(r"after (\d{1,2}) clean periods?")
_LEVEL: Final = re.compile(r"(below|above) ([\d._]+)")


def read_test(reader: Reader, name: str, place: Place) -> Test:
    """One covenant; every name that is no word of a test is a state it may ask for."""
    at = reader.source.mapping(place, None, ("value", "against", "cure"))
    sides = reader.terms([at["value"], at["against"]]) if {"value", "against"} <= at.keys() else [NOTHING, NOTHING]
    return Test(
        name,
        value=sides[0],
        against=sides[1],
        levels=tuple(_level(reader, state, at[state]) for state in at if state not in TEST),
        cure=_cure(reader, at["cure"]) if "cure" in at else 0,
        stale=at["stale"].text if "stale" in at else "",
        sticky=at["sticky"].text if "sticky" in at else "",
        only_if=reader.condition(at["only_if"], at["only_if"].text) if "only_if" in at else None,
    )


def _cure(reader: Reader, place: Place) -> int:
    found = _CURE.fullmatch(place.text)
    if not found or int(found[1]) > 15:
        reader.source.wrong(place, "This is no cure rule.", "Write `after 1 clean period` (0 to 15).")
        return 0
    return int(found[1])


def _level(reader: Reader, state: str, place: Place) -> Level:
    found = _LEVEL.fullmatch(place.text)
    bound = quantity.ratio(found[2]) if found else None
    if found and bound is not None:
        return Level(state, found[1] == "below", bound)
    reader.source.wrong(place, "This is no level.", f"Write `{state}: below 1.20` or `{state}: above 0.75`.")
    return Level(state, True, Fraction(0))


def read_call(reader: Reader, name: str, place: Place) -> Call:
    """One right to retire the notes."""
    at = reader.source.mapping(place, (), CALL)
    return Call(
        name,
        when=reader.condition(at["when"], at["when"].text) if "when" in at else NEVER,
        price=reader.term(at["price"]) if "price" in at else NOTHING,
        state=at["state"].text if "state" in at else "",
    )
