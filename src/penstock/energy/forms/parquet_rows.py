"""Parquet files of meter readings, with the columns of `csv_rows`: integers or decimals, texts, instants with zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.energy.forms.amount import instant_us, whole_down
from penstock.energy.forms.csv_rows import POSITIONS, POWERS, check_columns
from penstock.energy.forms.rows import ROWS_MAX, Fault, FileRead, Row, check_size, gathered
from penstock.energy.message import NO_POWER
from penstock.errors import Invalid
from penstock.journal.words import Assurance

SOURCE: Final = "parquet"
UNPACKED_BYTES_MAX: Final = 536_870_912
COLUMNS: Final = ("device", "channel", "at", "at_us", *POSITIONS, *POWERS)
_BATCH: Final = 16_384


def read_parquet(raw: bytes, assurance: Assurance = Assurance.DECLARED, source: str = SOURCE) -> FileRead:
    """Carried messages of a Parquet file; a column of floats is refused, since a register's count is exact.

    Raises:
        Invalid: ``parquet.malformed``, ``csv.malformed`` for missing columns, ``file.too_long``,
            ``file.too_many_rows``.
    """
    check_size(raw)
    try:
        file = pq.ParquetFile(pa.BufferReader(raw))
        names = [name for name in file.schema_arrow.names if name in COLUMNS]
        _check_unpacked(file.metadata)
        check_columns(names)
        _check_types(file.schema_arrow, names)
        return gathered(source, raw, assurance, _rows(file, names))
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError):
        raise Invalid("parquet.malformed", "This is not a Parquet file of readings.") from None


def _check_unpacked(metadata: Any) -> None:
    """What the file says of its size, before anything is unpacked."""
    if metadata.num_rows > ROWS_MAX:
        raise Invalid("file.too_many_rows", "The file has more than 1,000,000 rows.", hint="Split it.")
    if sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)) > UNPACKED_BYTES_MAX:
        raise Invalid("file.too_long", "The file unpacks to more than 512 MiB.", hint="Split it.")


def _check_types(schema: Any, names: list[str]) -> None:
    for name in names:
        kind = schema.field(name).type
        if name == "device":
            fits = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        elif name == "at":
            fits = pa.types.is_timestamp(kind) and kind.tz is not None
        else:
            fits = pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        if not fits:
            raise Invalid("parquet.malformed", f"Column {name} has a type we do not take: {kind}.")


def _rows(file: Any, names: list[str]) -> Iterator[Row | Fault]:
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH, columns=names):
        for said in batch.to_pylist():
            number += 1
            yield _row(said, number)


def _row(said: dict[str, Any], number: int) -> Row | Fault:
    position = next(name for name in POSITIONS if name in said)
    power = next((name for name in POWERS if said.get(name) is not None), None)
    try:
        return Row(
            device=str(said["device"] or ""),
            channel=whole_down(_exact(said.get("channel") or 0), 0),
            at_us=_instant(said),
            position_wh=whole_down(_exact(said[position]), POSITIONS[position]),
            power_mw=whole_down(_exact(said[power]), POWERS[power]) if power else NO_POWER,
        )
    except (ValueError, TypeError, ArithmeticError):
        return Fault(number, "value")


def _instant(said: dict[str, Any]) -> int:
    if "at_us" in said:
        return whole_down(_exact(said["at_us"]), 0)
    at = said["at"]
    return instant_us(at if isinstance(at, datetime) else datetime.fromisoformat(str(at)))


def _exact(value: Any) -> int | Decimal:
    if type(value) is Decimal or type(value) is int:
        return value
    raise ValueError("not exact")
