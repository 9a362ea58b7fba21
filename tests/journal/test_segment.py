"""Segments: their roots are RFC 9162 roots over packed rows, whatever made the columns."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Corrupt, Invalid
from penstock.journal.formats import FORMATS, PACKETS, PLAIN, REQUESTS, SALTED, TITLES
from penstock.journal.segment import (
    Column,
    Segment,
    SegmentFormat,
    check_sealed,
    leaf_hashes_of,
    packed_row,
)

STRUCT = {"int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint32": "I"}
ROWS = (0, 1, 2, 3, 7, 8, 1_000)
every_format = pytest.mark.parametrize("fmt", list(PLAIN), ids=lambda fmt: fmt.name)


def root_by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_by_the_book(leaves[:half]) + root_by_the_book(leaves[half:])).digest()


def rows_by_the_book(fmt: SegmentFormat, columns: dict[str, Column]) -> list[bytes]:
    """Every row packed by ``struct``, its blob behind."""
    layout = "<" + "".join(STRUCT[dtype] for _, dtype in fmt.fixed)
    names = [name for name, _ in fmt.fixed]
    fixed = [struct.pack(layout, *row) for row in zip(*(columns[name].tolist() for name in names), strict=True)]
    return [row + blob for row, blob in zip(fixed, columns[fmt.blob], strict=True)] if fmt.blob else fixed


def columns_of(fmt: SegmentFormat, rows: int, seed: int = 1) -> dict[str, Column]:
    """Columns at random, over the whole range of their types."""
    dice = np.random.Generator(np.random.PCG64(seed))
    columns: dict[str, Column] = {}
    for name, dtype in fmt.fixed:
        info = np.iinfo(dtype)
        columns[name] = dice.integers(info.min, info.max, rows, dtype=dtype, endpoint=True)
    if fmt.blob:
        columns[fmt.blob] = np.empty(rows, dtype=object)
        columns[fmt.blob][:] = [dice.bytes(int(size)) for size in dice.integers(0, 90, rows)]
    return columns


@pytest.mark.parametrize("rows", ROWS)
@every_format
def test_the_root_is_that_of_rows_packed_by_struct(fmt: SegmentFormat, rows: int) -> None:
    columns = columns_of(fmt, rows)
    ref = Segment(fmt, columns).ref()
    packed = rows_by_the_book(fmt, columns)
    assert ref.root == root_by_the_book(packed)
    assert (ref.format, ref.rows) == (fmt.name, rows)
    assert ref.sum == (sum(columns[fmt.summed].tolist()) if fmt.summed else 0)
    assert [packed_row(fmt, columns, i) for i in range(rows)] == packed
    assert leaf_hashes_of(fmt, columns) == [hashlib.sha256(b"\x00" + row).digest() for row in packed]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(0, 2**32), st.sampled_from(list(PLAIN)))
def test_the_root_is_that_of_the_book_at_random(rows: int, seed: int, fmt: SegmentFormat) -> None:
    columns = columns_of(fmt, rows, seed)
    assert Segment(fmt, columns).ref().root == root_by_the_book(rows_by_the_book(fmt, columns))


@every_format
def test_a_changed_value_in_any_column_is_found(fmt: SegmentFormat) -> None:
    columns = columns_of(fmt, 9)
    ref = Segment(fmt, columns).ref()
    check_sealed(fmt, columns, ref)
    for name, column in columns.items():
        changed = column.copy()
        changed[4] = changed[4] + b"x" if name == fmt.blob else changed[4] ^ 1
        with pytest.raises(Corrupt) as caught:
            check_sealed(fmt, {**columns, name: changed}, ref)
        assert caught.value.code == "segment.altered"


@every_format
def test_rows_gone_doubled_or_in_another_order_are_found(fmt: SegmentFormat) -> None:
    columns = columns_of(fmt, 9)
    ref = Segment(fmt, columns).ref()
    for rows in (np.arange(8), np.r_[np.arange(9), 8], np.r_[1, 0, np.arange(2, 9)]):
        with pytest.raises(Corrupt):
            check_sealed(fmt, {name: column[rows] for name, column in columns.items()}, ref)


@every_format
def test_columns_missing_extra_or_ragged_are_refused(fmt: SegmentFormat) -> None:
    columns = columns_of(fmt, 5)
    cases = [{**columns, "more": columns[fmt.fixed[0][0]]}]
    for name, column in columns.items():
        cases.append({other: columns[other] for other in columns if other != name})
        cases.append({**columns, name: column[:4]})
        cases.append({**columns, name: np.r_[column, column[:1]]})
    for case in cases:
        with pytest.raises(Invalid) as caught:
            Segment(fmt, case).ref()
        assert caught.value.code == "segment.columns"


def titles(**changed: Any) -> dict[str, Any]:
    rows = np.arange(3)
    return {"register": rows, "start": rows, "stop": rows + 1, "holder": rows, "interval_us": rows} | changed


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("register", [0, 2**31, 1]),
        ("register", [0, -(2**31) - 1, 1]),
        ("start", [0, 2**63, 1]),
        ("start", [0.0, 0.5, 1.0]),
        ("start", [0.0, float("nan"), 1.0]),
        ("start", ["0", "one", "2"]),
        ("start", [None, None, None]),
        ("start", np.array([0, 2**63, 1], dtype=np.uint64)),
        ("start", np.array([0, 2**70, 1], dtype=object)),
        ("start", np.zeros((3, 1), dtype=np.int64)),
        ("start", np.zeros((3, 2), dtype=np.int64)),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_what_does_not_fit_its_column_is_refused(name: str, values: Any) -> None:
    with pytest.raises(Invalid) as caught:
        Segment(TITLES, titles(**{name: values})).ref()
    assert caught.value.code == "segment.columns"


@pytest.mark.parametrize("dtype", [">i8", "<i8", np.int32, np.uint64, np.float64])
def test_the_root_does_not_depend_on_how_numbers_lie_in_memory(dtype: Any) -> None:
    plain = Segment(TITLES, titles()).ref()
    strided = np.arange(6)[::2] // 2
    other = titles(start=np.arange(3).astype(dtype), register=strided)
    assert Segment(TITLES, other).ref() == plain


def test_a_blob_is_a_part_of_its_row() -> None:
    columns = columns_of(PACKETS, 2)
    empty = {**columns, "packet": np.array([b"", b""], dtype=object)}
    roots = {Segment(PACKETS, each).ref().root for each in (columns, empty)}
    assert len(roots) == 2


def test_a_sum_may_need_more_than_64_bits() -> None:
    columns = columns_of(REQUESTS, 4) | {"tokens": np.full(4, 2**63 - 1)}
    assert Segment(REQUESTS, columns).ref().sum == 4 * (2**63 - 1)


def test_formats_are_named_by_their_version_and_sum_what_they_have() -> None:
    for name, fmt in FORMATS.items():
        assert name == fmt.name
        assert re.fullmatch(r"[a-z]+/[12](\+salt)?", fmt.name)
        assert fmt.salted == (fmt in SALTED) == fmt.name.endswith("+salt")
        assert fmt.summed is None or fmt.summed in dict(fmt.fixed)
        assert fmt.row_bytes == struct.calcsize("<" + "".join(STRUCT[dtype] for _, dtype in fmt.fixed))


@every_format
def test_a_layout_does_not_change(fmt: SegmentFormat) -> None:
    """A changed layout is a new name; a new one is added to the golden file."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "segments.json").read_text("utf-8"))
    written = {"fixed": [list(column) for column in fmt.fixed], "blob": fmt.blob, "summed": fmt.summed}
    assert golden.get(fmt.name) == written
