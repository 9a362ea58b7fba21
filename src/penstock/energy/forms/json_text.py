"""A bounded reader of JSON (RFC 8259): decimals kept exact, every name once, no NaN, nesting counted before parsing.

The general parser runs as deep as the text says, and how deep the interpreter lets it is not ours to set.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

from penstock.journal.nesting import deeper_than


def read_json(raw: bytes, depth: int) -> Any:
    """The value of a UTF-8 text with at most ``depth`` levels; ValueError or ArithmeticError for anything else."""
    text = raw.decode()
    if deeper_than(text, depth):
        raise ValueError("too deep")
    return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
