"""A file's lines in batches, and their vectors beside it: what is done is on disk, and never bought again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, NotFound

LINE_BYTES_MAX: Final = 1_000_000
BATCH_BYTES_MAX: Final = 2_000_000
FILE_BYTES_MAX: Final = 2**30
TOKENS_EXTRA: Final = 2
"""Marks at both ends of a text that a model adds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive lines from ``first`` on, to be sent in one call."""

    first: int
    texts: tuple[str, ...]

    @property
    def tokens_max(self) -> int:
        """More tokens than that are in no reading of these texts: one a byte, and the marks."""
        return sum(len(text.encode()) + TOKENS_EXTRA for text in self.texts)


def read_lines(path: Path) -> list[str]:
    """The lines of a text, without empty ones at the end.

    Raises:
        NotFound: ``goal.no_file``. Invalid: ``goal.file`` for no text, an empty line, one of more than a megabyte.
    """
    if not path.is_file():
        raise NotFound("goal.no_file", f"There is no file {path.name}.")
    if path.stat().st_size > FILE_BYTES_MAX:
        raise Invalid("goal.file", f"{path.name} is longer than {FILE_BYTES_MAX:,} bytes.", hint="Cut it.")
    try:
        lines = path.read_text("utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError:
        raise Invalid("goal.file", f"{path.name} is no text in UTF-8.") from None
    for place, line in enumerate(lines):
        if not line.strip() or len(line.encode()) > LINE_BYTES_MAX:
            why = f"line {place + 1} is empty or longer than {LINE_BYTES_MAX:,} bytes"
            raise Invalid("goal.file", f"{path.name}: {why}.", line=place + 1)
    return lines


def batches(lines: Sequence[str], first: int, size: int) -> Iterator[Batch]:
    """Batches of at most ``size`` lines and two megabytes, from line ``first`` on."""
    start = first
    while start < len(lines):
        stop, held = start, 0
        while stop < len(lines) and stop - start < size:
            held += len(lines[stop].encode())
            if stop > start and held > BATCH_BYTES_MAX:
                break
            stop += 1
        yield Batch(start, tuple(lines[start:stop]))
        start = stop


def done_lines(path: Path) -> int:
    """How many lines have their vectors in the file at ``path``; a torn last one is cut off.

    Raises:
        Invalid: ``goal.output`` where something else is in it.
    """
    if not path.exists():
        return 0
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole < len(raw):
        with path.open("r+b") as opened:
            opened.truncate(whole)
    rows = raw[:whole].splitlines()
    try:
        places = [json.loads(row)["line"] for row in rows]
    except (ValueError, KeyError, TypeError):
        places = [-1]
    if places != list(range(len(rows))):
        raise Invalid("goal.output", f"{path.name} holds something else.", hint="Name another file.")
    return len(rows)


def write_vectors(path: Path, batch: Batch, vectors: NDArray[np.float32], payment: int | None) -> None:
    """Append a batch's vectors, on disk when this returns."""
    rows = [
        json.dumps({"line": batch.first + place, "payment": payment, "embedding": [round(float(x), 7) for x in vector]})
        for place, vector in enumerate(vectors)
    ]
    with path.open("a", encoding="utf-8") as opened:
        opened.write("\n".join(rows) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
