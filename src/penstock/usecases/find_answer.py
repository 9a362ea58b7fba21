"""Find an answer by how people name it: its number, its rack and number, or the payment it was bought with."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from penstock.errors import Invalid, NotFound
from penstock.journal.kinds.work import WorkStated
from penstock.usecases.fleet import segment_of
from penstock.usecases.workspace import Workspace

PAYMENT: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
NAMED: Final = re.compile(r"(?:(.+):)?([0-9]{1,18})")
PAYMENT_BYTES: Final = 32


def find_answer(workspace: Workspace, named: str, rack: str) -> tuple[str, int]:
    """Rack and number of an answer named ``17`` (of ``rack``), ``rack-1:17``, or by a payment id (64 hex digits).

    Raises:
        Invalid: ``trace.answer_name``. NotFound: ``trace.no_payment``.
    """
    if found := PAYMENT.fullmatch(named):
        return find_payment(workspace, bytes.fromhex(found[1]))
    if found := NAMED.fullmatch(named):
        return found[1] or rack, int(found[2])
    hint = "A number, RACK:NUMBER, or the 64 hexadecimal digits of a payment id."
    raise Invalid("trace.answer_name", "This names no answer.", hint=hint)


def find_payment(workspace: Workspace, payment: bytes) -> tuple[str, int]:
    """Rack and number of the answer that a provider stated under a payment id, also where nothing was paid.

    Raises:
        NotFound: ``trace.no_payment``.
    """
    for row in workspace.facts():
        stated = row.recorded.fact
        if isinstance(stated, WorkStated):
            mine = _row_of(segment_of(workspace, row)["digests"].tolist(), payment)
            if mine is not None:
                (served,) = workspace.facts(row.recorded.seq + 2, row.recorded.seq + 3)
                return stated.rack, int(segment_of(workspace, served)["number"][mine])
    hint = "Its provider's report may not be collected yet: penstock compute collect"
    raise NotFound("trace.no_payment", "No answer stated here was bought with this payment.", hint=hint)


def _row_of(digests: list[bytes], payment: bytes) -> int | None:
    """The row whose digests begin with a payment id."""
    if not digests:
        return None
    rows = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)[:, :PAYMENT_BYTES]
    found = np.flatnonzero((rows == np.frombuffer(payment, dtype=np.uint8)).all(axis=1))
    return int(found[0]) if len(found) else None
