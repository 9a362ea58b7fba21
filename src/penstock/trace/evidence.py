"""Evidence: which facts and which rows of their segments an answer rests on, from the roofs' meters to the payees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock.errors import NotFound, Unavailable
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import CollectionReceived, DealLaunched, PeriodClosed
from penstock.journal.kinds.chain import ChainAdopted, CheckpointAnchored
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, RackRegistered
from penstock.journal.kinds.energy import (
    PacketsReceived,
    ReadingsVerified,
    SpansLinked,
    TitlesIssued,
    TitlesMoved,
)
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.span import Span
from penstock.trace.numbering import number_all
from penstock.trace.record import Record
from penstock.trace.walk import LINK_KINDS, Walk, walk

F = TypeVar("F", bound=FactBody)
Mask = NDArray[np.bool_]
Place = tuple[int, int]
"""A row: the seq of the fact that sealed it, and its index there."""

BILLED: Final = "/billed"


@dataclass(frozen=True, slots=True)
class Part:
    """A link of which the answer uses units ``[start, stop)``, counted on the side nearer to the answer."""

    place: Place
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Seen:
    """An accepted reading and the signed packet that carried it."""

    reading: Place
    packet: Place


@dataclass(frozen=True, slots=True)
class Allocated:
    """A roof's part: its link, the title issued over it, the move that claimed it, the readings around its hour.

    ``before`` is None where the meter stood at 0 since its commissioning.
    """

    part: Part
    title: Place
    claim: Place
    before: Seen | None
    after: Seen


@dataclass(frozen=True, slots=True)
class Evidence:
    """All an answer rests on. ``facts`` are those that have no row here; numbers are the journal's dense ones."""

    rack: str
    number: int
    request: Place
    serve: Place
    work: Place
    bill: Place | None
    convert: tuple[Part, ...]
    allocate: tuple[Allocated, ...]
    meter_before: Seen | None
    meter_after: Seen
    pay: tuple[Part, ...]
    registers: tuple[tuple[int, int], ...]
    devices: tuple[tuple[int, int], ...]
    fleet: tuple[tuple[Place, int, int], ...]
    lives: tuple[int, ...]
    facts: tuple[int, ...]
    context: tuple[int, ...]


def gather(record: Record, books: Books, rack: str, number: int, size: int) -> Evidence:
    """Find what answer ``number`` of ``rack`` rests on, among the first ``size`` facts.

    Raises:
        NotFound: ``bundle.no_rack``, ``trace.no_answer``, ``bundle.evidence_missing``.
        Unavailable: ``bundle.checkpoint_behind`` where a fact it needs is not under a checkpoint yet.
    """
    return _Gatherer(record, books, size).gather(rack, number)


@dataclass(slots=True)
class _Gatherer:
    """Facts by kind, found once; columns, read once each."""

    record: Record
    books: Books
    size: int
    by_kind: dict[type, list[Recorded]] = field(default_factory=dict)
    columns_read: dict[int, Columns] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for recorded in self.record.facts():
            self.by_kind.setdefault(type(recorded.fact), []).append(recorded)

    def gather(self, rack_name: str, number: int) -> Evidence:
        rack = self._rack(rack_name)
        request = self._request(rack_name, number)
        serve = (request[0] + 2, request[1])  # row i of the same command's links is request i
        token_span = self._spans(serve, "target")
        tokens = self.books.registers.id_of(self._fact(rack).token_register)
        back = walk(self.books, tokens, token_span, is_back=True)
        ahead = walk(self.books, tokens, token_span, is_back=False)
        pay = tuple(self._parts(ahead, LinkKind.PAY))
        bills = [part.place for part in self._parts(ahead, LinkKind.BILL)]
        convert = tuple(self._parts(back, LinkKind.CONVERT))
        allocate = tuple(self._allocated(part) for part in self._parts(back, LinkKind.ALLOCATE))
        hour = self._interval(allocate)
        before, after = self._around(self.books.registers.id_of(self._fact(rack).import_register), *hour)
        work = self._first(back, LinkKind.WORK)
        links = [serve, work, *bills, *(part.place for part in (*convert, *pay)), *(a.part.place for a in allocate)]
        numbers = {int(self._columns(seq)[side][row]) for seq, row in links for side in ("source", "target")}
        numbered = number_all(self.record.facts())
        numbers |= {self.books.registers.id_of(urn) for urn in numbered.before(map(self.books.registers.urn, numbers))}
        counted = numbered.counted_by({number: self.books.registers.urn(number) for number in numbers})
        return Evidence(
            rack=rack_name,
            number=number,
            request=request,
            serve=serve,
            work=work,
            bill=bills[0] if bills else None,
            convert=convert,
            allocate=allocate,
            meter_before=before,
            meter_after=after,
            pay=pay,
            registers=tuple((number, self._covered(seq)) for number, seq in numbered.opened(numbers)),
            devices=tuple((number, self._covered(seq)) for number, seq in counted.devices),
            fleet=tuple(((self._covered(seq), row), number, first) for seq, row, number, first in counted.fleet),
            lives=tuple(self._covered(seq) for seq in counted.lives),
            facts=self._singles(rack.seq, bills),
            context=self._context(pay),
        )

    def _of(self, kind: type[F]) -> list[tuple[int, F, int]]:
        """Seq, fact and instant of all facts of a kind."""
        return [(one.seq, one.fact, one.at_us) for one in self.by_kind.get(kind, [])]  # type: ignore[misc]

    def _fact(self, recorded: Recorded) -> RackRegistered:
        assert isinstance(recorded.fact, RackRegistered)  # noqa: S101 - found by kind
        return recorded.fact

    def _rack(self, name: str) -> Recorded:
        for recorded in self.by_kind.get(RackRegistered, []):
            if self._fact(recorded).rack == name:
                return recorded
        raise NotFound("bundle.no_rack", f"There is no rack {name}.", rack=name)

    def _columns(self, seq: int) -> Columns:
        if seq not in self.columns_read:
            self.columns_read[seq] = self.record.columns(seq)
        return self.columns_read[seq]

    def _covered(self, seq: int) -> int:
        if seq >= self.size:
            hint = "Sign a checkpoint first."
            raise Unavailable("bundle.checkpoint_behind", f"No checkpoint covers fact {seq} yet.", hint=hint, seq=seq)
        return seq

    def _request(self, rack: str, number: int) -> Place:
        first = 0
        for seq, served, _ in self._of(AnswersServed):
            if served.rack == rack and first <= number < first + served.answers:
                return self._covered(seq), number - first
            first += served.answers if served.rack == rack else 0
        raise NotFound("trace.no_answer", f"{rack} gave {first} answers; none has number {number}.", rack=rack)

    def _spans(self, place: Place, side: str) -> Span:
        columns = self._columns(place[0])
        return Span(*(int(columns[f"{side}_{end}"][place[1]]) for end in ("start", "stop")))

    def _parts(self, found: Walk, kind: LinkKind) -> Iterator[Part]:
        """The links of a kind that a walk went over, each with the units it used; level by level."""
        code, batches = LINK_KINDS.index(kind), self.books.links[kind].batches
        facts = [seq for seq, fact, _ in self._of(SpansLinked) if fact.link is kind]
        for level in found.levels[1:]:
            for row in np.flatnonzero(level["kind"] == code).tolist():
                number = int(level["row"][row])
                batch = int(np.searchsorted(batches, number, side="right")) - 1
                place = (self._covered(facts[batch]), number - int(batches[batch]))
                yield Part(place, int(level["part_start"][row]), int(level["part_stop"][row]))

    def _first(self, found: Walk, kind: LinkKind) -> Place:
        for part in self._parts(found, kind):
            return part.place
        raise _missing(f"a link of kind {kind}")

    def _allocated(self, part: Part) -> Allocated:
        columns, index = self._columns(part.place[0]), part.place[1]
        register = int(columns["source"][index])
        start = int(columns["source_start"][index]) + part.start - int(columns["target_start"][index])
        span = Span(start, start + part.stop - part.start)
        title = self._covering(TitlesIssued, lambda fact: fact.right is Right.ATTRIBUTE, register, span, "title")
        claim = self._covering(
            TitlesMoved,
            lambda fact: fact.right is Right.ATTRIBUTE and fact.state is TitleState.CLAIMED,
            register,
            span,
            "claim",
        )
        start_us = int(self._columns(title[0])["interval_us"][title[1]])
        return Allocated(part, title, claim, *self._around(register, start_us, start_us + self._length(title)))

    def _length(self, title: Place) -> int:
        return next(fact.interval_us for seq, fact, _ in self._of(TitlesIssued) if seq == title[0])

    def _covering(self, kind: type[F], chosen: Callable[[F], bool], register: int, span: Span, what: str) -> Place:
        """The first row of the chosen facts whose span contains ``span`` of ``register``."""
        for seq, fact, _ in self._of(kind):
            if chosen(fact):
                rows = self._columns(seq)
                inside = (rows["register"] == register) & (rows["start"] <= span.start) & (rows["stop"] >= span.stop)
                if inside.any():
                    return self._covered(seq), int(np.argmax(inside))
        raise _missing(f"a {what} over [{span.start}, {span.stop}) of register {register}")

    def _interval(self, allocate: tuple[Allocated, ...]) -> tuple[int, int]:
        if not allocate:
            raise _missing("an allocation of energy")
        title = allocate[0].title
        start_us = int(self._columns(title[0])["interval_us"][title[1]])
        return start_us, start_us + self._length(title)

    def _around(self, register: int, start_us: int, stop_us: int) -> tuple[Seen | None, Seen]:
        """The last accepted reading at or before ``start_us`` and the first at or after ``stop_us``.

        A register's accepted readings come in order of time, so the first fact with one late enough has the first.
        """
        facts = self._of(ReadingsVerified)
        for place, (_, _, received_us) in enumerate(facts):  # not in order of time: a rack's come after all roofs'
            if received_us < stop_us:
                continue
            late = self._accepted(facts[place][0], register, lambda at: at >= stop_us)
            if len(late):
                after = self._seen(facts[place][0], int(late[0]))
                return self._before(register, start_us, [seq for seq, _, _ in facts[: place + 1]]), after
        raise _missing(f"a reading of register {register} at the end of its hour")

    def _before(self, register: int, start_us: int, facts: list[int]) -> Seen | None:
        for seq in reversed(facts):
            early = self._accepted(seq, register, lambda at: at <= start_us)
            if len(early):
                return self._seen(seq, int(early[-1]))
        return None

    def _accepted(self, seq: int, register: int, when: Callable[[NDArray[Any]], Mask]) -> NDArray[np.int64]:
        rows = self._columns(seq)
        return np.flatnonzero((rows["register"] == register) & (rows["verdict"] == 0) & when(rows["at_us"]))

    def _seen(self, seq: int, row: int) -> Seen:
        root = next(fact.packets_root for one, fact, _ in self._of(ReadingsVerified) if one == seq)
        found = [one for one, fact, _ in self._of(PacketsReceived) if one < seq and fact.segment.root == root]
        if not found:
            raise _missing(f"the packets of fact {seq}")
        return Seen((self._covered(seq), row), (found[-1], int(self._columns(seq)["packet"][row])))

    def _singles(self, rack: int, bills: list[Place]) -> tuple[int, ...]:
        """Facts that stand for themselves: the workspace, the rack, and the terms the answer was billed by."""
        opened = [seq for seq, _, _ in self._of(WorkspaceOpened)][:1]
        if not opened:
            raise _missing("the fact that opened the workspace")
        return (*opened, rack, *(self._terms(bill) for bill in bills[:1]))

    def _terms(self, bill: Place) -> int:
        urn = self.books.registers.urn(int(self._columns(bill[0])["target"][bill[1]]))
        for seq, terms, _ in self._of(CreditsOffered):
            if terms.credit_class + BILLED == urn:
                return seq
        raise _missing(f"the terms of {urn}")

    def _context(self, pay: tuple[Part, ...]) -> tuple[int, ...]:
        """Facts told beside the proof: the chain, the last anchored checkpoint, the deals' periods that paid."""
        instants = {one.at_us for one in self.by_kind.get(SpansLinked, []) if one.seq in {p.place[0] for p in pay}}
        told = [seq for seq, _, _ in self._of(ChainAdopted)[:1]]
        told += [seq for seq, _, _ in self._of(CheckpointAnchored) if seq < self.size][-1:]
        closed = [(seq, fact.deal, at_us) for seq, fact, at_us in self._of(PeriodClosed)]
        closed += [(seq, fact.deal, at_us) for seq, fact, at_us in self._of(CollectionReceived)]
        told += [seq for seq, _, at_us in closed if at_us in instants]
        deals = {deal for _, deal, at_us in closed if at_us in instants}
        told += [seq for seq, launched, _ in self._of(DealLaunched) if launched.deal in deals]
        return tuple(sorted(seq for seq in told if seq < self.size))


def _missing(what: str) -> NotFound:
    return NotFound("bundle.evidence_missing", f"The journal does not hold {what}.", hint="Run an audit.")
