"""A schedule as the chain holds it: rows of 64-bit lanes, one a period, in a data contract of their own.

A row has 1 to 4 words of four lanes: lane 0 the period's end [s since 1970] (0: by the program's formula), lane 1 its
days as 30/360 (0: by formula), from lane 2 on the columns, at most 11. Beyond the last row its columns stand and dates
follow the formula. The contract answers calldata (offset, size) with that slice of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.decode import LIMIT, ROWS_BYTES_MAX, Layout, decode
from penstock.errors import Invalid, Refused

PREFIX: Final = bytes.fromhex("60203580600d5f35015f395ff3")
COLUMNS_MAX: Final = 11
_ECHO: Final = bytes.fromhex("600b380380600b5f395ff3")
_LANE: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One period: its end [s] and days as 30/360, each 0 where the formula says it; a value for each column."""

    end_s: int
    days: int
    columns: tuple[int, ...]


def row_words(columns: int) -> int:
    """Words of a row with so many columns."""
    return -(-(2 + columns) // 4)


def pack_rows(ends_s: Sequence[int], days: Sequence[int], columns: Sequence[Sequence[int]]) -> bytes:
    """The bytes of a schedule: a row for each period, as many as the longest sequence has.

    Args:
        ends_s: end of each period [s since 1970]; beyond the last the formula's.
        days: days of each period as 30/360; beyond the last the formula's.
        columns: a sequence a column; beyond its last value that value stands.

    Raises:
        Refused: ``program.too_large`` for more than 11 columns, or rows than a contract holds;
            ``program.number_too_large`` from 2**62 on.
    """
    count = max([len(ends_s), len(days), *(len(column) for column in columns)], default=0)
    width = row_words(len(columns))
    if len(columns) > COLUMNS_MAX or 32 * width * count > ROWS_BYTES_MAX:
        hint = "Use fewer columns or fewer periods; a column that no longer changes may end."
        raise Refused("program.too_large", "The chain cannot hold a schedule of this size.", hint=hint)
    lanes = [_filled(ends_s, count, 0), _filled(days, count, 0)]
    lanes += [_filled(column, count, column[-1] if column else 0) for column in columns]
    lanes += [[0] * count] * (4 * width - len(lanes))
    for value in (value for lane in lanes for value in lane):
        if not 0 <= value <= LIMIT:
            hint = "Use fewer decimals or smaller amounts."
            raise Refused("program.number_too_large", "A number exceeds 62 bits.", hint=hint, value=value)
    return b"".join(_word(row[at : at + 4]) for row in zip(*lanes, strict=True) for at in range(0, 4 * width, 4))


def runtime(rows: bytes) -> bytes:
    """The code of the data contract."""
    return PREFIX + rows


def creation(rows: bytes) -> bytes:
    """The transaction data that deploys it."""
    return _ECHO + runtime(rows)


def code_hash(rows: bytes) -> bytes:
    """keccak256 of the data contract's code: the last word of the program."""
    return keccak(runtime(rows))


@lru_cache(maxsize=64)
def read_rows(program_code: bytes, rows: bytes) -> tuple[Row, ...]:
    """The rows of a program's schedule, checked as the contract's constructor checks them.

    Raises:
        Invalid: ``schedule.malformed`` where rows are not those the program names, a lane exceeds 62 bits, or ends do
            not rise; ``program.malformed`` as `decode`.
    """
    decoded = decode(program_code)
    layout = decoded.layout
    named = code_hash(rows) == decoded.schedule_hash and len(rows) == 32 * layout.rows * layout.row_words
    _require(named if layout.rows else not rows, "These are not the rows that the program names.")
    width = 32 * layout.row_words
    found = tuple(_row(rows[at : at + width]) for at in range(0, len(rows), width or 1))
    _check_ends(layout, found)
    return found


def starts_s(layout: Layout, rows: Sequence[Row], period: int) -> int:
    """When a period starts [s since 1970]: the end of the row before it, or by formula."""
    written = rows[period - 1].end_s if 0 < period <= len(rows) else 0
    return written or layout.starts_s(period)


def _check_ends(layout: Layout, rows: Sequence[Row]) -> None:
    """Ends rise, and the period after the last row does not end before it starts."""
    if rows:
        starts = [starts_s(layout, rows, period) for period in range(len(rows) + 2)]
        _require(all(one < two for one, two in pairwise(starts)), "Ends of periods do not rise.")


def _row(raw: bytes) -> Row:
    words = [int.from_bytes(raw[at : at + 32], "big") for at in range(0, len(raw), 32)]
    lanes = [word >> (64 * i) & _LANE for word in words for i in range(4)]
    _require(all(lane <= LIMIT for lane in lanes), "A lane of the schedule exceeds 2**62 - 1.")
    _require(not any(lanes[2 + COLUMNS_MAX :]), "A schedule has at most 11 columns.")
    return Row(lanes[0], lanes[1], tuple(lanes[2 : 2 + COLUMNS_MAX]))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Invalid("schedule.malformed", message, hint="Compile the deal again; never edit a schedule.")


def _filled(values: Sequence[int], count: int, rest: int) -> list[int]:
    return [*values, *[rest] * (count - len(values))]


def _word(lanes: Sequence[int]) -> bytes:
    return sum(value << (64 * i) for i, value in enumerate(lanes)).to_bytes(32, "big")
