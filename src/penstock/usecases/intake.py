"""Intake: a file of signed packets, judged and recorded once."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import cbor2

from penstock.energy.packet import UNREADABLE
from penstock.errors import Invalid
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.usecases.ingest import ingest
from penstock.usecases.workspace import Workspace


def packets_in(raw: bytes) -> list[bytes]:
    """The packets of a CBOR sequence (RFC 8742), each as its own bytes.

    Raises:
        Invalid: ``meter.not_a_sequence`` where the bytes are not one.
    """
    stream, packets, start = io.BytesIO(raw), [], 0
    while start < len(raw):
        try:
            cbor2.CBORDecoder(stream).decode()
        except UNREADABLE:
            raise Invalid("meter.not_a_sequence", "This is not a sequence of CBOR messages.", at_byte=start) from None
        packets.append(raw[start : stream.tell()])
        start = stream.tell()
    return packets


def ingest_file(workspace: Path, file: Path) -> dict[str, int]:
    """Judge and record a file of packets; its sha256 is the command's key, so a repeat records nothing."""
    raw = file.read_bytes()
    packets = packets_in(raw)
    received_us = file.stat().st_mtime_ns // 1_000
    with Workspace(workspace) as opened:
        key = f"ingest:{hashlib.sha256(raw).hexdigest()[:48]}"
        receipt = opened.submit(key, raw, received_us, lambda world: ingest(world, packets, received_us))
        facts = [row.recorded.fact for row in opened.facts(receipt.first_seq, receipt.first_seq + receipt.facts)]
    counts: dict[str, int] = {"packets": len(packets)}
    for fact in facts:
        if isinstance(fact, (PacketsReceived, ReadingsVerified)):
            kind = "packets" if isinstance(fact, PacketsReceived) else "readings"
            counts |= {f"{kind} {tally.name}": tally.count for tally in fact.verdicts}
    return counts
