"""Disclose: what was asked and answered in drawn rows, as files for whoever does them again (`challenge.disclose`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penstock.connect.inference.workbook import Workbook


def disclose_to(workbook: Workbook, payments: Sequence[bytes], target: Path) -> list[str]:
    """Write ``<payment id>.request`` and ``.answer`` of each payment; their names. Nothing else is shown.

    Raises:
        NotFound: ``workbook.no_answer``, before anything is written.
    """
    bodies = {payment.hex(): workbook.bodies(workbook.number_of(payment)) for payment in payments}
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, parts in bodies.items():
        for part, raw in zip(("request", "answer"), parts, strict=True):
            (target / f"{name}.{part}").write_bytes(raw)
            written.append(f"{name}.{part}")
    return written
