"""The rows of pledged assets (``asset/1``): what each is called, whom it names, and which registers count it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

import cbor2
import numpy as np

from penstock.errors import Invalid
from penstock.journal.segment import Column

_BETWEEN: Final = re.compile(r"[\s._\-\u2010-\u2015\u2212]+")


@dataclass(frozen=True, slots=True)
class Named:
    """What an asset is called, its contract, who buys, who owes, where it stands, and the registers that count it."""

    asset: str
    contract: str = ""
    offtaker: str = ""
    obligor: str = ""
    region: str = ""
    registers: tuple[str, ...] = ()


def write_names(rows: Sequence[Named]) -> Column:
    """The column ``named`` of ``asset/1``."""
    column = np.empty(len(rows), dtype=object)
    column[:] = [cbor2.dumps([*astuple(row)[:-1], list(row.registers)]) for row in rows]
    return column


def read_names(column: Column) -> list[Named]:
    """The column read back; raises Invalid ``asset.named``."""
    try:
        rows = [_named(cbor2.loads(row)) for row in column]
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError):
        raise _malformed() from None
    if not all(row.asset and row.asset.isprintable() for row in rows):
        raise _malformed()
    return rows


def _named(said: Any) -> Named:
    *words, registers = said
    if type(registers) is not list or {type(word) for word in (*words, *registers)} - {str}:
        raise TypeError
    asset, contract, offtaker, obligor, region = words
    return Named(asset, contract, offtaker, obligor, region, tuple(registers))


def _malformed() -> Invalid:
    return Invalid("asset.named", "An asset's row names it, its contract, offtaker, obligor, region and registers.")


def key_of(name: str) -> str:
    """What stays of a name however it is spelled: small letters, one dash for spaces, dots, dashes and underscores."""
    return _BETWEEN.sub("-", unicodedata.normalize("NFKC", name).casefold()).strip("-") or name


def pledged_names(named: Sequence[Named]) -> list[str]:
    """All by which assets are pledged: their own names and their registers'."""
    return [name for one in named for name in (one.asset, *one.registers)]
