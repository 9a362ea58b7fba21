"""Which facts and rows an answer rests on, from the roofs' meters - through a storage where it came - to the payees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from penstock.errors import NotFound
from penstock.journal.kinds.capital import CollectionReceived, DealLaunched, PeriodClosed
from penstock.journal.kinds.chain import ChainAdopted, CheckpointAnchored
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, RackRegistered
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated
from penstock.journal.state import Books
from penstock.journal.words import LinkKind
from penstock.trace.evidence import AnswerEvidence, Interval, Part, Place, Supply, missing
from penstock.trace.record import Record
from penstock.trace.search import Search
from penstock.trace.supply import interval_of, links_of, operators_of, storage_facts, supply_of
from penstock.trace.walk import LINK_KINDS, Walk, walk

BILLED: Final = "/billed"
LOSSES: Final = 3
"""Links of idle, overhead and unattributed energy, behind those of the answers of an interval."""


def gather_answer(record: Record, books: Books, rack: str, number: int, size: int) -> AnswerEvidence:
    """Find what answer ``number`` of ``rack`` rests on, among the first ``size`` facts.

    Raises:
        NotFound: ``bundle.no_rack``, ``trace.no_answer``, ``bundle.evidence_missing``.
        Unavailable: ``bundle.checkpoint_behind`` where a fact it needs is not under a checkpoint yet.
    """
    search = Search(record, books, size)
    rack_seq, rack_fact = _rack(search, rack)
    request = _request(search, rack, number)
    serve = (request[0] + 2, request[1])  # row i of the same command's links is request i
    tokens, span = books.registers.id_of(rack_fact.token_register), search.span(serve, "target_")
    back, ahead = (walk(books, tokens, span, is_back=is_back) for is_back in (True, False))
    pay = tuple(_parts(search, ahead, LinkKind.PAY))
    bills = [part.place for part in _parts(search, ahead, LinkKind.BILL)]
    interval = _reported(search, request)
    sale = _sale(search, request, interval)
    bills = bills if sale or not interval else []
    convert = tuple(_parts(search, back, LinkKind.CONVERT))
    meter = books.registers.id_of(rack_fact.import_register)
    drawn = [part for part in _parts(search, back, LinkKind.ALLOCATE) if search.value(part.place, "target") == meter]
    allocate = tuple(supply_of(search, part) for part in drawn)
    before, after = search.around(meter, *_interval(search, allocate, interval))
    work = _first(search, back, LinkKind.WORK)
    issues = [one.issue for one in allocate]
    links = [serve, work, *bills, *(p.place for p in (*convert, *pay)), *(a.part.place for a in allocate)]
    links += [interval.first, *interval.losses] if interval else []
    numbers = {search.value(link, side) for link in (*links, *links_of(issues)) for side in ("source", "target")}
    terms = (_terms(search, bill) for bill in bills[:1] if not sale)
    singles = (rack_seq, *terms, *storage_facts(search, issues))
    return AnswerEvidence(
        rack=rack,
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
        interval=interval,
        sale=sale,
        ground=search.ground(numbers, set(operators_of(search, issues)), singles, _context(search, pay)),
    )


def _rack(search: Search, name: str) -> tuple[int, RackRegistered]:
    for seq, fact, _ in search.of(RackRegistered):
        if fact.rack == name:
            return seq, fact
    raise NotFound("bundle.no_rack", f"There is no rack {name}.", rack=name)


def _request(search: Search, rack: str, number: int) -> Place:
    first = 0
    for seq, served, _ in search.of(AnswersServed):
        if served.rack == rack and first <= number < first + served.answers:
            return search.covered(seq), number - first
        first += served.answers if served.rack == rack else 0
    raise NotFound("trace.no_answer", f"{rack} gave {first} answers; none has number {number}.", rack=rack)


def _parts(search: Search, found: Walk, kind: LinkKind) -> Iterator[Part]:
    """The links of a kind that a walk went over, each with the units it used; level by level."""
    code = LINK_KINDS.index(kind)
    for level in found.levels[1:]:
        for row in np.flatnonzero(level["kind"] == code).tolist():
            place = search.link_place(kind, int(level["row"][row]))
            yield Part(place, int(level["part_start"][row]), int(level["part_stop"][row]))


def _first(search: Search, found: Walk, kind: LinkKind) -> Place:
    for part in _parts(search, found, kind):
        return part.place
    raise missing(f"a link of kind {kind}")


def _reported(search: Search, request: Place) -> Interval | None:
    """What a provider signed of the answer's interval: its facts stand right before the answers, its links behind."""
    seq, row = request
    if not any(sealed == seq - 1 for sealed, _, _ in search.of(EnergySealed)):
        return None
    search.at(WorkStated, seq - 2)
    answers = search.at(AnswersServed, seq).answers
    losses = tuple((seq + 1, answers + place) for place in range(LOSSES))
    return Interval((seq - 2, row), search.covered(seq - 1), (search.covered(seq + 1), 0), losses)


def _sale(search: Search, request: Place, interval: Interval | None) -> Place | None:
    """The row that says what was paid for the answer."""
    seq = request[0] + 3
    if interval is None or not any(sold == seq for sold, _, _ in search.of(SalesCollected)):
        return None
    mine = np.flatnonzero(search.columns(seq)["number"] == search.value(interval.stated, "number"))
    return (search.covered(seq), int(mine[0])) if len(mine) else None


def _interval(search: Search, allocate: tuple[Supply, ...], interval: Interval | None) -> tuple[int, int]:
    """The time around which the rack's meter is read: the signed interval, else that of the certificates."""
    if not allocate:
        raise missing("an allocation of energy")
    if interval:
        sealed = search.at(EnergySealed, interval.sealed)
        return sealed.start_us, sealed.stop_us
    return interval_of(search, allocate[0].issue.title)


def _terms(search: Search, bill: Place) -> int:
    urn = search.books.registers.urn(search.value(bill, "target"))
    for seq, terms, _ in search.of(CreditsOffered):
        if terms.credit_class + BILLED == urn:
            return seq
    raise missing(f"the terms of {urn}")


def _context(search: Search, pay: tuple[Part, ...]) -> tuple[int, ...]:
    """Facts told beside the proof: the chain, the last anchored checkpoint, the deals' periods that paid."""
    paid = {part.place[0] for part in pay}
    instants = {at_us for seq, _, at_us in search.of(SpansLinked) if seq in paid}
    told = [seq for seq, _, _ in search.of(ChainAdopted)[:1]]
    told += [seq for seq, _, _ in search.of(CheckpointAnchored) if seq < search.size][-1:]
    closed = [(seq, fact.deal, at_us) for seq, fact, at_us in search.of(PeriodClosed)]
    closed += [(seq, fact.deal, at_us) for seq, fact, at_us in search.of(CollectionReceived)]
    told += [seq for seq, _, at_us in closed if at_us in instants]
    deals = {deal for _, deal, at_us in closed if at_us in instants}
    return (*told, *(seq for seq, launched, _ in search.of(DealLaunched) if launched.deal in deals))
