"""Files of other registries: CSV with the fields of the EnergyTag specification, or those of an I-REC(E) certificate.

Neither scheme publishes a layout of files: a header names the fields, in any order; others are kept as they are and not
read. Each distinct text is parsed once. What cannot be read costs no other row its place.

Source: EnergyTag Granular Certificate Scheme Standard (certificate bundle); I-REC(E) Product Code (certificate).
"""

from __future__ import annotations

from collections.abc import Mapping
from csv import Error as CsvError
from csv import reader
from dataclasses import dataclass
from decimal import InvalidOperation
from enum import IntEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from penstock.energy.foreign_fields import (
    LAYOUTS,
    NONE,
    Layout,
    Parse,
    carbon,
    instant,
    plain,
    source,
    status,
    whole,
    yes,
)
from penstock.errors import Invalid, PenstockError
from penstock.journal.exact_text import quote
from penstock.units import INT64_MAX

Ints = NDArray[Any]
TEXT_MAX: Final = 128


class RowVerdict(IntEnum):
    """What became of a row of a file."""

    ACCEPTED = 0
    RETURNED = 1  # it had left for another registry, and came back
    FIELD = 2
    RANGE = 3
    QUANTITY = 4
    INTERVAL = 5
    SOURCE = 6
    STATUS = 7
    TWICE = 8
    TIME_OVERLAP = 9
    NOT_EXPORTED = 10


TAKEN: Final = (RowVerdict.ACCEPTED, RowVerdict.RETURNED)
EXPLAINED: Final = {
    RowVerdict.ACCEPTED: "lives here now",
    RowVerdict.RETURNED: "had left for another registry, and came back",
    RowVerdict.FIELD: "a field is missing or cannot be read",
    RowVerdict.RANGE: "its numbers do not run upwards from 0 or more",
    RowVerdict.QUANTITY: "its quantity is not that of its numbers",
    RowVerdict.INTERVAL: "its interval does not end after it starts, or has not ended yet",
    RowVerdict.SOURCE: "nothing here is generated from this source",
    RowVerdict.STATUS: "it is used, or reserved for somebody, where it comes from, or has expired",
    RowVerdict.TWICE: "it lives here already, all of it or in part, or stands in the file before",
    RowVerdict.TIME_OVERLAP: "its interval overlaps another of its device, or is numbered in another size",
    RowVerdict.NOT_EXPORTED: "it is ours, and did not leave for another registry",
}


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """Certificates that a file offers, as columns: ``verdict`` where a row is refused for what it says itself.

    ``registry``, ``device``, ``zone`` and ``support`` number the texts of ``texts``; numbers run from ``first`` to
    ``last``, both included, each of ``face_wh``.
    """

    columns: dict[str, Ints]
    texts: dict[str, list[str]]
    said: NDArray[Any]

    def __len__(self) -> int:
        return len(self.said)


def read_foreign(raw: bytes, form: str, registry: str) -> Offered:
    """A file's rows; ``form`` is energytag or irec, ``registry`` who issued what does not say it itself.

    Raises:
        Invalid: ``import.form``, ``import.file`` for no CSV in UTF-8, ``import.header`` without a field it needs.
    """
    layout = LAYOUTS.get(form)
    if layout is None:
        raise Invalid("import.form", "This is no form that is read here.", hint=f"Known are: {', '.join(LAYOUTS)}.")
    table = _table(raw)
    named = {plain(name): name for name in table.column_names}
    found = {
        field: table[next(named[one] for one in names if one in named)]
        for field, names in layout.fields.items()
        if any(one in named for one in names)
    }
    missing = [layout.fields[field][0] for field in layout.required if field not in found]
    if missing:
        raise Invalid("import.header", f"The file has no field {missing[0]}.", hint="The first line names the fields.")
    return _offered(table, found, layout, registry)


def _table(raw: bytes) -> pa.Table:
    """Every column as text."""
    try:
        text = raw.decode("utf-8-sig")
        names = next(iter(reader([text.partition("\n")[0].rstrip("\r")])), [])
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        table = csv.read_csv(pa.BufferReader(text.encode()), convert_options=convert)
    except (pa.ArrowInvalid, UnicodeDecodeError, CsvError):
        raise Invalid("import.file", "This is not a CSV file in UTF-8.") from None
    if not table.num_rows or len(set(names)) != len(names):
        raise Invalid("import.file", "The file has no rows, or names a field twice.")
    return table


def _offered(table: pa.Table, found: Mapping[str, pa.ChunkedArray], layout: Layout, registry: str) -> Offered:
    rows, texts, columns = table.num_rows, dict[str, list[str]](), dict[str, Ints]()
    for name in ("registry", "device", "zone", "support"):
        texts[name], columns[name] = _numbered(found.get(name), rows, registry if name == "registry" else "")
    parsers: dict[str, Parse] = {
        "first": layout.number, "last": layout.number, "quantity": layout.quantity, "face_wh": whole, "start": instant,
        "stop": layout.stop, "expiry": instant, "source": source, "carbon": carbon, "stored": yes, "status": status,
    }  # fmt: skip
    for name, parse in parsers.items():
        columns[name] = _parsed(found.get(name), rows, parse)
    if "face_wh" not in found:
        columns["face_wh"][:] = layout.whole_wh
    columns["face_wh"] = _face_wh(columns, found, layout)
    columns["energy"] = _energy_wh(columns, layout)
    columns["verdict"] = _verdicts(columns, texts, found)
    return Offered(columns, texts, _said(table))


def _face_wh(columns: Mapping[str, Ints], found: Mapping[str, pa.ChunkedArray], layout: Layout) -> Ints:
    """I-REC numbers with decimals count Wh, those without count whole certificates."""
    if layout.whole_wh == 1 or "first" not in found:
        return columns["face_wh"]
    fine = np.array(pc.match_substring(found["first"].combine_chunks(), "."), dtype=bool)
    return np.where(fine, 1, columns["face_wh"])


def _numbered(column: pa.ChunkedArray | None, rows: int, otherwise: str) -> tuple[list[str], Ints]:
    """Distinct texts, stripped, and each row's; a field that is empty or not there says ``otherwise``."""
    if column is None:
        return [otherwise], np.zeros(rows, dtype=np.int32)
    coded = column.combine_chunks().dictionary_encode()
    return [text.strip() or otherwise for text in coded.dictionary.to_pylist()], coded.indices.to_numpy().astype(
        np.int32
    )


def _parsed(column: pa.ChunkedArray | None, rows: int, parse: Parse) -> Ints:
    """Each distinct text parsed once; `NONE` where it is empty or cannot be."""
    if column is None:
        return np.full(rows, NONE, dtype=np.int64)
    texts, row = _numbered(column, rows, "")
    return np.array([_tried(parse, text) for text in texts], dtype=np.int64)[row]


def _tried(parse: Parse, text: str) -> int:
    try:
        value = parse(text) if text else NONE
    except (ValueError, InvalidOperation, OverflowError, PenstockError):
        return NONE
    return value if NONE <= value <= INT64_MAX else NONE


def _energy_wh(columns: Mapping[str, Ints], layout: Layout) -> Ints:
    """What the stated quantity comes to [Wh]; `NONE` where that is too much."""
    unit_wh = np.maximum(columns["face_wh"], 1) if layout.counts else np.ones_like(columns["face_wh"])
    return np.where(columns["quantity"] > INT64_MAX // unit_wh, NONE, columns["quantity"] * unit_wh)


def _verdicts(
    columns: Mapping[str, Ints], texts: Mapping[str, list[str]], found: Mapping[str, pa.ChunkedArray]
) -> Ints:
    """What a row is refused for whatever else is known: of the rules that it breaks, the last here."""
    first, last, face_wh = columns["first"], columns["last"], columns["face_wh"]
    count = last - first + 1
    beyond = count > INT64_MAX // np.maximum(face_wh, 1)
    broken = {
        RowVerdict.QUANTITY: beyond | (np.where(beyond, 0, count) * face_wh != columns["energy"]) | (face_wh < 1),
        RowVerdict.RANGE: (first < 0) | (count < 1) | (last == INT64_MAX),
        RowVerdict.INTERVAL: columns["stop"] <= columns["start"],
        RowVerdict.SOURCE: columns["source"] == NONE,
        RowVerdict.STATUS: columns["status"] == 0,
        RowVerdict.FIELD: _unread(columns, texts, found),
    }
    verdict = np.zeros(len(first), dtype=np.uint8)
    for code, rows in broken.items():
        verdict[rows] = code
    return verdict


def _unread(
    columns: Mapping[str, Ints], texts: Mapping[str, list[str]], found: Mapping[str, pa.ChunkedArray]
) -> NDArray[np.bool_]:
    """Rows where a field that is needed, or stated, cannot be read."""
    unread = np.zeros(len(columns["first"]), dtype=bool)
    for name in ("first", "last", "quantity", "start", "stop"):
        unread |= columns[name] == NONE
    for name in {"face_wh", "expiry", "carbon"} & found.keys():
        stated = np.array(pc.not_equal(found[name].combine_chunks(), ""), dtype=bool)
        unread |= (columns[name] == NONE) & stated
    for name in ("registry", "device"):
        bad = [not (0 < len(text) <= TEXT_MAX and text.isprintable()) for text in texts[name]]
        unread |= np.array(bad)[columns[name]]
    return unread


def _said(table: pa.Table) -> NDArray[Any]:
    """Each row as canonical JSON, all its fields as they stand in the file; each distinct text is written once."""
    cells = []
    for name in sorted(table.column_names):
        coded = table[name].combine_chunks().dictionary_encode()
        texts = [f"{quote(name)}:{quote(text)}" for text in coded.dictionary.to_pylist()]
        cells.append(pa.DictionaryArray.from_arrays(coded.indices, pa.array(texts, pa.string())).cast(pa.string()))
    rows = pc.binary_join_element_wise("{", pc.binary_join_element_wise(*cells, ","), "}", "")
    said = np.empty(table.num_rows, dtype=object)
    said[:] = [row.encode() for row in rows.to_pylist()]
    return said
