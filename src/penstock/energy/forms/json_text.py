"""A bounded reader of JSON (RFC 8259): decimals kept exact, every name once, no NaN, nesting counted before parsing.

The general parser runs as deep as the text says, and how deep the interpreter lets it is not ours to set.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def read_json(raw: bytes, depth: int) -> Any:
    """The value of a UTF-8 text with at most ``depth`` levels; ValueError or ArithmeticError for anything else."""
    text = raw.decode()
    if nesting(text) > depth:
        raise ValueError("too deep")
    return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)


def nesting(text: str) -> int:
    """The most brackets that stand open at one place, outside of strings."""
    deepest = now = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        kind = text[match.start()]
        now += (kind in "[{") - (kind in "]}")
        deepest = max(deepest, now)
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
