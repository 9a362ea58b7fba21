"""An energy receipt: of one answer, its energy and the path that shows it inside the sealed total of its interval.

A DSSE envelope around an in-toto statement of type ``energy-receipt/1`` about the payment, signed with the provider's
work key. It proves what was stated and that nothing was stated twice; that the meter told the truth it does not prove.
"""

from __future__ import annotations

from typing import Any

from penstock.compute.merkle_sum import PARTS
from penstock.compute.work import WorkReport
from penstock.keys import SigningKey
from penstock.keys.dsse import ENERGY_RECEIPT, STATEMENT, Envelope, seal, statement


def receipt_of(report: WorkReport, row: int, key: SigningKey, carbon: dict[str, Any] | None = None) -> Envelope:
    """The signed receipt of the answer in ``row`` of a report."""
    payment = report.rows["payment"][row].tobytes()
    subject = report.rows["answer"][row].tobytes().hex()
    return seal(statement(payment.hex(), subject, ENERGY_RECEIPT, predicate_of(report, row, carbon)), STATEMENT, key)


def predicate_of(report: WorkReport, row: int, carbon: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a receipt says: see docs/metering.md. The path's siblings are pairs of hash (hex) and energy [mJ]."""
    rows, metered = report.rows, report.metered
    said: dict[str, Any] = {
        "payment_id": rows["payment"][row].tobytes().hex(),
        "provider": report.provider,
        "rack": report.rack,
        "model": report.model,
        "number": int(rows["number"][row]),
        "interval": {"start_us": report.period.start_us, "stop_us": report.period.stop_us},
        "tokens": {"prompt": int(rows["prompt_tokens"][row]), "output": int(rows["output_tokens"][row])},
        "energy_mj": int(rows["energy_mj"][row]),
        "salt": rows["salt"][row].tobytes().hex(),
        "position": row,
        "count": report.sealed.count,
        "path": [[sibling.hex(), energy_mj] for sibling, energy_mj in report.sealed.path(row)],
        "root": report.sealed.root.hex(),
        "meter_mj": metered.meter_mj,
        "parts_mj": dict(zip(PARTS, metered.parts_mj, strict=True)),
        "work_root": report.root.hex(),
        "source": metered.source,
        "method": metered.method,
        "parameters": metered.parameters,
        "assumptions": list(metered.assumptions),
    }
    return said | ({"carbon": carbon} if carbon else {})
