"""Where the bytes of a drawn request and its answer come from: a folder, or the evidence of an earlier challenge.

Wherever they come from, they count only where their sha256 is what the provider stated. A provider that shows nothing
fails the row, so it shows what was drawn, and nothing else: it can draw the rows itself from the secrets.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penstock.compute.reexecution import BODY_MAX, Disclosure

Disclose = Callable[[bytes], Disclosure]
"""What is shown of an answer, by its payment id."""


def from_folder(folder: Path) -> Disclose:
    """Files ``<payment id in hex>.request`` and ``.answer``; one that is missing or too long is not shown."""

    def disclose(payment_id: bytes) -> Disclosure:
        return Disclosure(*(_read(folder / f"{payment_id.hex()}.{part}") for part in ("request", "answer")))

    return disclose


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= BODY_MAX else None
    except OSError:
        return None
