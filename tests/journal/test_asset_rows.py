"""Rows of pledged assets: what is written is read back, and nothing malformed is."""

from __future__ import annotations

from typing import Any

import cbor2
import numpy as np
import pytest

from penstock.errors import Invalid
from penstock.journal.asset_rows import Named, pledged_names, read_names, write_names

ROOF = Named("roof-1", "c-1", "utility", "home", "CO", ("roof-1/export", "roof-1/import"))


def column(*rows: Any) -> Any:
    found = np.empty(len(rows), dtype=object)
    found[:] = list(rows)
    return found


def test_rows_come_back_as_they_were_written() -> None:
    assert read_names(write_names([ROOF, Named("x")])) == [ROOF, Named("x")]
    assert pledged_names([ROOF, Named("x")]) == ["roof-1", "roof-1/export", "roof-1/import", "x"]


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"\xff",
        cbor2.dumps(5),
        cbor2.dumps([]),
        cbor2.dumps(["a", "b", "c", "d", "e"]),
        cbor2.dumps(["a", "b", "c", "d", "e", "f", []]),
        cbor2.dumps(["", "b", "c", "d", "e", []]),
        cbor2.dumps(["a\n", "b", "c", "d", "e", []]),
        cbor2.dumps([1, "b", "c", "d", "e", []]),
        cbor2.dumps(["a", "b", "c", "d", None, []]),
        cbor2.dumps(["a", "b", "c", "d", "e", 7]),
        cbor2.dumps(["a", "b", "c", "d", "e", [7]]),
        cbor2.dumps(["a", "b", "c", "d", "e", [["f"]]]),
    ],
)
def test_a_malformed_row_is_refused(row: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_names(column(row))
    assert caught.value.code == "asset.named"
