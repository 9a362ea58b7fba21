"""Rows of a CSV or Parquet file, each cell read exactly; every row that cannot be read is told at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from penstock.errors import Invalid, NotFound
from penstock.units import INT64_MAX

SHOWN: Final = 10
Parse = Callable[[str], Any]


def read_strings(file: Path) -> pa.Table:
    """A file's columns as text, empty cells as "". Raises NotFound ``file.missing``, Invalid ``servicing.file``."""
    if not file.is_file():
        raise NotFound("file.missing", f"There is no file {file.name}.", file=file.name)
    try:
        table = pa.parquet.read_table(file) if file.suffix == ".parquet" else _csv(file)
        columns = [pc.fill_null(one.cast(pa.string()), "") for one in table.columns]
    except (pa.ArrowException, OSError, UnicodeError, csv.Error) as error:
        said = str(error).partition("\n")[0][:200]
        raise Invalid("servicing.file", f"{file.name} cannot be read: {said}", file=file.name) from None
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def read_rows(
    file: Path, needed: Mapping[str, Parse], more: Mapping[str, Parse] | None = None
) -> list[tuple[Any, ...]]:
    """Rows of a file, the columns ``needed`` first, then those of ``more`` ("" where the file has none).

    A parser gives None, and ``str`` an empty text, for a cell that cannot be.

    Raises:
        NotFound: ``file.missing``. Invalid: ``servicing.file`` with the first cells that cannot be read.
    """
    table = read_strings(file)
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        hint = f"It needs the columns {', '.join(needed)}."
        raise Invalid("servicing.file", f"{file.name} has no column {missing[0]}.", hint=hint, file=file.name)
    columns = {name: [parse(one.strip()) for one in table[name].to_pylist()] for name, parse in needed.items()}
    wrong = [
        f"row {row + 1}, {name}"
        for name, cells in columns.items()
        for row, one in enumerate(cells)
        if one in (None, "")
    ]
    if wrong or not table.num_rows:
        told = ", ".join(wrong[:SHOWN]) + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
        sentence = f"{file.name} has cells that cannot be read: {told}." if wrong else f"{file.name} has no rows."
        raise Invalid("servicing.file", sentence, hint="See docs/servicing.md for each column.", file=file.name)
    for name, parse in (more or {}).items():
        there = name in table.column_names
        columns[name] = [parse(one.strip()) for one in table[name].to_pylist()] if there else [""] * table.num_rows
    return list(zip(*columns.values(), strict=True))


def amounts(values: Sequence[int]) -> NDArray[np.int64]:
    """Amounts as a column; raises Invalid ``servicing.amount`` for one that no column holds."""
    if any(not 0 <= one <= INT64_MAX for one in values):
        raise Invalid("servicing.amount", "An amount is a whole number of micro-dollars from 0 up.")
    return np.array(values, dtype=np.int64)


def _csv(file: Path) -> pa.Table:
    with file.open(encoding="utf-8") as opened:
        names = next(csv.reader(opened), [])
    types = {name: pa.string() for name in names}
    return pa.csv.read_csv(file, convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False))
