"""Which facts and rows a certificate's state rests on: its issue and every move of its units, up to the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from penstock.errors import Invalid, NotFound
from penstock.journal.kinds.chain import ChainAdopted, CheckpointAnchored
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.kinds.lift import TitlesLifted, TitlesReturned
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.span import Span
from penstock.trace.evidence import CertificateEvidence, Moved, Part, Place, missing
from penstock.trace.record import Record
from penstock.trace.search import Search
from penstock.trace.supply import issue_of, links_of, operators_of, storage_facts

FIRST_VERSION: Final = b'"v":"1"}'
"""How the body of a fact of the first version ends."""


def gather_certificate(record: Record, books: Books, register: str, span: Span, size: int) -> CertificateEvidence:
    """Find what the state of units of one certificate rests on, among the first ``size`` facts.

    Raises:
        Invalid: ``bundle.span`` for no units. NotFound: ``register.unknown``, ``bundle.no_certificate`` unless they
        were issued as one certificate, or part of one; ``bundle.evidence_missing``.
        Unavailable: ``bundle.checkpoint_behind``.
    """
    if not 0 <= span.start < span.stop:
        raise Invalid("bundle.span", "A certificate has units: it stops behind its start.")
    search, number = Search(record, books, size), books.registers.id_of(register)
    _check_issued(search, number, span)
    issue = issue_of(search, number, span)
    moves = tuple(_moves(search, number, span))
    claims = [link.place for one in moves for link in one.links]
    every = [*claims, *links_of([issue])]
    numbers = {number} | {search.value(link, side) for link in every for side in ("source", "target")}
    holders = {search.value(issue.title, "holder"), *operators_of(search, [issue])}
    holders |= {search.value(one.part.place, side) for one in moves for side in ("source", "target")}
    backs = (one.back for one in moves if one.back >= 0)
    return CertificateEvidence(
        register=register,
        start=span.start,
        stop=span.stop,
        issue=issue,
        moves=moves,
        ground=search.ground(
            numbers, holders, (*backs, *storage_facts(search, [issue])), _context(search, number, span)
        ),
    )


def _check_issued(search: Search, register: int, span: Span) -> None:
    for seq, fact, _ in search.of(TitlesIssued):
        if fact.right is Right.ATTRIBUTE:
            rows = search.columns(seq)
            inside = (rows["register"] == register) & (rows["start"] <= span.start) & (rows["stop"] >= span.stop)
            if inside.any():
                return
    hint = "See: penstock certificate list. A proof is of one certificate, as it was issued, or part of it."
    raise NotFound("bundle.no_certificate", "These units are not one certificate.", hint=hint)


def _moves(search: Search, register: int, span: Span) -> Iterator[Moved]:
    """Every move of the units in the order of the journal, as far as the checkpoint goes."""
    for seq, fact, _ in search.of(TitlesMoved):
        if fact.right is Right.ATTRIBUTE and seq < search.size:
            rows = search.columns(seq)
            mine = (rows["register"] == register) & (rows["start"] < span.stop) & (rows["stop"] > span.start)
            for row in np.flatnonzero(mine).tolist():
                yield _moved(search, (seq, row), fact, register, span)


def _moved(search: Search, place: Place, fact: TitlesMoved, register: int, span: Span) -> Moved:
    of = search.span(place)
    part = Part(place, max(of.start, span.start), min(of.stop, span.stop))
    back = place[0] - 1 if _follows(search, place[0], TitlesReturned) else -1
    lift = _lift(search, place[0] - 1, register, part) if fact.state is TitleState.LIFTED else None
    links: tuple[Part, ...] = ()
    if fact.state is TitleState.CLAIMED and back < 0:
        links = _links(search, place[0], register, part)
    return Moved(part, links, lift, back)


def _links(search: Search, seq: int, register: int, part: Part) -> tuple[Part, ...]:
    """What units were claimed for; a claim of the first version need not say."""
    links = tuple(search.linked(LinkKind.CLAIM, register, Span(part.start, part.stop), "source"))
    said = sum(link.stop - link.start for link in links)
    body = next(one.body for one in search.by_kind[TitlesMoved] if one.seq == seq)
    if said != part.stop - part.start and (links or not body.endswith(FIRST_VERSION)):
        raise missing(f"links of what [{part.start}, {part.stop}) of register {register} was claimed for")
    return links


def _follows(search: Search, seq: int, kind: type) -> bool:
    return any(one.seq == seq - 1 for one in search.by_kind.get(kind, []))


def _lift(search: Search, seq: int, register: int, part: Part) -> Place:
    """The row of the batch just before a move that says where units went; they may stand in older batches too."""
    if _follows(search, seq + 1, TitlesLifted):
        rows = search.columns(seq)
        inside = (rows["register"] == register) & (rows["start"] <= part.start) & (rows["stop"] >= part.stop)
        if inside.any():
            return seq, int(np.argmax(inside))
    raise missing(f"a lift of [{part.start}, {part.stop}) of register {register}")


def _context(search: Search, register: int, span: Span) -> tuple[int, ...]:
    """Facts told beside the proof: the chain, the last anchored checkpoint, an issuer who took these units back."""
    told = [seq for seq, _, _ in search.of(ChainAdopted)[:1]]
    told += [seq for seq, _, _ in search.of(CheckpointAnchored) if seq < search.size][-1:]
    for seq, _, _ in search.of(CertificatesWithdrawn):
        rows = search.columns(seq)
        if ((rows["register"] == register) & (rows["start"] < span.stop) & (rows["stop"] > span.start)).any():
            told.append(seq)
    return tuple(told)
