"""Bundles: evidence of an answer or a certificate with every proof, as one JSON file, checked offline (docs/bundle.md).

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
from penstock.span import Span
from penstock.trace.answer_evidence import gather_answer
from penstock.trace.certificate_evidence import gather_certificate
from penstock.trace.evidence import (
    AnswerEvidence,
    CertificateEvidence,
    Ground,
    Interval,
    Issue,
    Moved,
    Part,
    Place,
    Seen,
    Stored,
    Supply,
)
from penstock.trace.record import Record

FORMAT: Final = "penstock.bundle/4"


def build_bundle(record: Record, books: Books, rack: str, number: int) -> bytes:
    """The proof of answer ``number`` of ``rack``, under the record's latest checkpoint.

    Raises:
        As `gather_answer`; Invalid ``checkpoint.malformed`` for a record whose checkpoint is none.
    """
    note = record.checkpoint()
    size = checkpoint.parse(note)[0].size
    return dump(_Writer(record, note, size).answer(gather_answer(record, books, rack, number, size)))


def build_certificate_bundle(record: Record, books: Books, register: str, span: Span) -> bytes:
    """The proof of units of one certificate and of all that became of them, under the record's latest checkpoint.

    Raises:
        As `gather_certificate`; Invalid ``checkpoint.malformed`` for a record whose checkpoint is none.
    """
    note = record.checkpoint()
    size = checkpoint.parse(note)[0].size
    return dump(_Writer(record, note, size).certificate(gather_certificate(record, books, register, span, size)))


@dataclass(slots=True)
class _Writer:
    """Facts and rows in the order they are first needed; a row is named by its number in that list."""

    record: Record
    note: str
    size: int
    rows: dict[Place, int] = field(default_factory=dict)
    readings: dict[Place, tuple[str, str, str]] = field(default_factory=dict)
    columns: dict[int, Columns] = field(default_factory=dict)
    sealed: set[int] = field(default_factory=set)

    def answer(self, found: AnswerEvidence) -> Plain:
        """The bundle of an answer."""
        claims: dict[str, Plain] = {
            "request": self._row(found.request),
            "serve": self._row(found.serve),
            "work": self._row(found.work),
            "bill": self._optional(found.bill),
            "convert": [self._part(part) for part in found.convert],
            "allocate": [self._supply(one) for one in found.allocate],
            "meter": {"before": self._seen(found.meter_before), "after": self._seen(found.meter_after)},
            "pay": [self._part(part) for part in found.pay],
            "interval": self._interval(found.interval),
            "sale": self._optional(found.sale),
        }
        return {"answer": self._summary(found), "claims": claims, **self._whole(found.ground)}

    def certificate(self, found: CertificateEvidence) -> Plain:
        """The bundle of a certificate."""
        claims: dict[str, Plain] = {**self._issue(found.issue), "moves": [self._moved(one) for one in found.moves]}
        named: Plain = {"register": found.register, "start": str(found.start), "stop": str(found.stop)}
        return {"certificate": named, "claims": claims, **self._whole(found.ground)}

    def _interval(self, found: Interval | None) -> dict[str, Plain]:
        if found is None:
            return {"stated": "", "sealed": "", "first": "", "losses": []}
        self.sealed.add(found.sealed)
        return {
            "stated": self._row(found.stated),
            "sealed": str(found.sealed),
            "first": self._row(found.first),
            "losses": [self._row(loss) for loss in found.losses],
        }

    def _whole(self, ground: Ground) -> dict[str, Plain]:
        """What every bundle has, once its claims have named the rows they need."""
        fleet: list[Plain] = [
            {"row": self._row(place), "device": str(device), "register": str(register)}
            for place, device, register in ground.fleet
        ]
        numbered = (*ground.registers, *ground.accounts, *ground.devices)
        facts = self.sealed | {seq for seq, _ in self.rows} | {*ground.facts, *ground.context, *ground.lives}
        facts |= {seq for _, seq in numbered}
        return {
            "format": FORMAT,
            "checkpoint": self.note,
            "facts": [self._fact(seq) for seq in sorted(facts)],
            "rows": self._proved_rows(),
            "readings": [{"packet": packet, "reading": reading} for _, reading, packet in self.readings.values()],
            "registers": _numbered(ground.registers),
            "accounts": _numbered(ground.accounts),
            "devices": _numbered(ground.devices),
            "fleet": fleet,
            "lives": [str(seq) for seq in ground.lives],
            "context": [str(seq) for seq in ground.context],
        }

    def _issue(self, issue: Issue) -> dict[str, Plain]:
        return {
            "title": self._row(issue.title),
            "before": self._seen(issue.before),
            "after": self._seen(issue.after),
            "foreign": self._optional(issue.foreign),
            "stored": [self._stored(one) for one in issue.stored],
        }

    def _supply(self, one: Supply) -> dict[str, Plain]:
        return {**self._part(one.part), **self._issue(one.issue), "claim": self._row(one.claim)}

    def _stored(self, one: Stored) -> dict[str, Plain]:
        return {
            **self._part(one.part),
            "loss": self._optional(one.loss),
            "discharge": self._row(one.discharge),
            "charge": self._row(one.charge),
            "before": self._seen(one.before),
            "after": self._seen(one.after),
            "claims": [self._supply(claim) for claim in one.claims],
        }

    def _moved(self, one: Moved) -> dict[str, Plain]:
        return {
            **self._part(one.part),
            "links": [self._part(link) for link in one.links],
            "lift": self._optional(one.lift),
            "back": str(one.back) if one.back >= 0 else "",
        }

    def _part(self, part: Part) -> dict[str, Plain]:
        return {"row": self._row(part.place), "start": str(part.start), "stop": str(part.stop)}

    def _row(self, place: Place) -> str:
        return str(self.rows.setdefault(place, len(self.rows)))

    def _optional(self, place: Place | None) -> str:
        return self._row(place) if place else ""

    def _seen(self, seen: Seen | None) -> str:
        """The number of a reading in the bundle's list; empty where the meter stood at 0 since its commissioning."""
        if seen is None:
            return ""
        if seen.reading not in self.readings:
            self.readings[seen.reading] = (str(len(self.readings)), self._row(seen.reading), self._row(seen.packet))
        return self.readings[seen.reading][0]

    def _summary(self, found: AnswerEvidence) -> dict[str, Plain]:
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
