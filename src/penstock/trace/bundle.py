"""Bundles: an answer's evidence with every proof, as one JSON file that is checked offline (docs/bundle.md).

All values are strings: whole numbers in decimal, bytes in lower-case hex, bodies of facts as they were hashed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from penstock.journal import checkpoint
from penstock.journal.canonical import Plain, dump
from penstock.journal.fact import Recorded
from penstock.journal.sealed_rows import ProvedRow
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.trace.evidence import Allocated, Evidence, Part, Place, Seen, gather
from penstock.trace.record import Record

FORMAT: Final = "penstock.bundle/2"


def build_bundle(record: Record, books: Books, rack: str, number: int) -> bytes:
    """The proof of answer ``number`` of ``rack``, under the record's latest checkpoint.

    Raises:
        As `gather`; Invalid ``checkpoint.malformed`` for a record whose checkpoint is none.
    """
    note = record.checkpoint()
    size = checkpoint.parse(note)[0].size
    evidence = gather(record, books, rack, number, size)
    return dump(_Writer(record, note, size).write(evidence))


@dataclass(slots=True)
class _Writer:
    """Facts and rows in the order they are first needed; a row is named by its number in that list."""

    record: Record
    note: str
    size: int
    rows: dict[Place, int] = field(default_factory=dict)
    readings: dict[Place, tuple[str, str, str]] = field(default_factory=dict)
    columns: dict[int, Columns] = field(default_factory=dict)

    def write(self, found: Evidence) -> Plain:
        claims = self._claims(found)
        fleet: list[Plain] = [
            {"row": self._row(place), "device": str(device), "register": str(register)}
            for place, device, register in found.fleet
        ]
        facts = {seq for seq, _ in self.rows} | {*found.facts, *found.context}
        facts |= {seq for _, seq in (*found.registers, *found.devices)} | set(found.lives)
        return {
            "format": FORMAT,
            "checkpoint": self.note,
            "answer": self._answer(found),
            "facts": [self._fact(seq) for seq in sorted(facts)],
            "rows": self._proved_rows(),
            "readings": [{"packet": packet, "reading": reading} for _, reading, packet in self.readings.values()],
            "registers": _numbered(found.registers),
            "devices": _numbered(found.devices),
            "fleet": fleet,
            "lives": [str(seq) for seq in found.lives],
            "claims": claims,
            "context": [str(seq) for seq in found.context],
        }

    def _claims(self, found: Evidence) -> dict[str, Plain]:
        return {
            "request": self._row(found.request),
            "serve": self._row(found.serve),
            "work": self._row(found.work),
            "bill": self._row(found.bill) if found.bill else "",
            "convert": [self._part(part) for part in found.convert],
            "allocate": [self._allocated(one) for one in found.allocate],
            "meter": {"before": self._seen(found.meter_before), "after": self._seen(found.meter_after)},
            "pay": [self._part(part) for part in found.pay],
        }

    def _allocated(self, one: Allocated) -> dict[str, Plain]:
        return {
            **self._part(one.part),
            "title": self._row(one.title),
            "claim": self._row(one.claim),
            "before": self._seen(one.before),
            "after": self._seen(one.after),
        }

    def _part(self, part: Part) -> dict[str, Plain]:
        return {"row": self._row(part.place), "start": str(part.start), "stop": str(part.stop)}

    def _row(self, place: Place) -> str:
        return str(self.rows.setdefault(place, len(self.rows)))

    def _seen(self, seen: Seen | None) -> str:
        """The number of a reading in the bundle's list; empty where the meter stood at 0 since its commissioning."""
        if seen is None:
            return ""
        if seen.reading not in self.readings:
            self.readings[seen.reading] = (str(len(self.readings)), self._row(seen.reading), self._row(seen.packet))
        return self.readings[seen.reading][0]

    def _answer(self, found: Evidence) -> dict[str, Plain]:
        """What the answer is said to be; the verifier adds it up again."""
        request = {name: self._value(found.request, name) for name in ("arrived_us", "tokens", "time_ms")}
        billed = self._length(found.bill, "target") if found.bill else 0
        target = self._value(found.bill, "target") if found.bill else -1
        collected = sum(one.stop - one.start for one in found.pay if self._value(one.place, "source") == target)
        sums = {
            "number": found.number,
            **request,
            "energy_mj": self._length(found.work, "source"),
            "billed_usdc_micro": billed,
            "collected_usdc_micro": collected,
        }
        return {"rack": found.rack, **{name: str(value) for name, value in sums.items()}}

    def _length(self, place: Place, side: str) -> int:
        return self._value(place, f"{side}_stop") - self._value(place, f"{side}_start")

    def _value(self, place: Place, name: str) -> int:
        return int(self._columns(place[0])[name][place[1]])

    def _columns(self, seq: int) -> Columns:
        if seq not in self.columns:
            self.columns[seq] = self.record.columns(seq)
        return self.columns[seq]

    def _fact(self, seq: int) -> dict[str, Plain]:
        proof = self.record.inclusion_proof(seq, self.size)
        return {"seq": str(seq), "body": self._recorded(seq).body.decode(), "proof": _hexes(proof)}

    def _recorded(self, seq: int) -> Recorded:
        (recorded,) = self.record.facts(seq, seq + 1)
        return recorded

    def _proved_rows(self) -> list[Plain]:
        sealed = {seq: self.record.sealed(seq) for seq in {seq for seq, _ in self.rows}}
        trees = {seq: rows.tree() for seq, rows in sealed.items()}
        return [_proved_row(seq, index, sealed[seq].prove(index, trees[seq])) for seq, index in self.rows]


def _proved_row(seq: int, index: int, proved: ProvedRow) -> dict[str, Plain]:
    """A salt stands before its row, as in the leaf."""
    row = (proved.salt + proved.row).hex()
    return {"fact": str(seq), "index": str(index), "row": row, "proof": _hexes(proved.proof)}


def _numbered(pairs: Iterable[tuple[int, int]]) -> list[Plain]:
    return [{"number": str(number), "fact": str(seq)} for number, seq in pairs]


def _hexes(hashes: Iterable[bytes]) -> list[Plain]:
    return [item.hex() for item in hashes]
