"""The rows of pledged assets (``asset/1``): what each is called, whom it names, and which registers count it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import cbor2
import numpy as np

from penstock.errors import Invalid
from penstock.journal.segment import Column


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
        found = [cbor2.loads(row) for row in column]
        rows = [
            Named(asset, contract, offtaker, obligor, region, tuple(registers))
            for asset, contract, offtaker, obligor, region, registers in found
        ]
    except (cbor2.CBORError, ValueError, TypeError):
        raise _malformed() from None
    words = {type(word) for row in rows for word in (*astuple(row)[:-1], *row.registers)}
    if words - {str} or not all(row.asset and row.asset.isprintable() for row in rows):
        raise _malformed()
    return rows


def _malformed() -> Invalid:
    return Invalid("asset.named", "An asset's row names it, its contract, offtaker, obligor, region and registers.")


def pledged_names(named: Sequence[Named]) -> list[str]:
    """All by which assets are pledged: their own names and their registers'."""
    return [name for one in named for name in (one.asset, *one.registers)]
