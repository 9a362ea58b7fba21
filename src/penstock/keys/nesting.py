"""How deep brackets lie in each other, counted before a parser runs that deep.

JSON's general parser calls itself for every level. The engine of the embedded node raises the interpreter's recursion
limit to 100,000, so that deep nesting no longer ends in a RecursionError but overflows the C stack and ends the
process. Whoever reads JSON of others counts first.
"""

from __future__ import annotations

import re
from typing import Final

_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A string that never ends runs to the end of the text: its quotes are not tried one after another."""


def nesting(text: str) -> int:
    """The most brackets that stand open at one place, outside of strings; one pass, whatever the text."""
    deepest = now = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        kind = text[token.start()]
        now += (kind in "[{") - (kind in "]}")
        deepest = max(deepest, now)
    return deepest


def deeper_than(text: str, depth: int) -> bool:
    """Whether ``text`` nests deeper than ``depth`` levels; free where it has no more brackets than that."""
    return text.count("[") + text.count("{") > depth and nesting(text) > depth
