"""Evidence: the facts and rows that a proof rests on. `answer_evidence` and `certificate_evidence` find them.

Numbers are the journal's dense ones. A row is a `Place`.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import NotFound

Place = tuple[int, int]
"""A row: the seq of the fact that sealed it, and its index there."""


@dataclass(frozen=True, slots=True)
class Part:
    """A row of which units ``[start, stop)`` are used; of a link, counted on the side nearer to what is proved."""

    place: Place
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Seen:
    """An accepted reading and the signed packet that carried it."""

    reading: Place
    packet: Place


@dataclass(frozen=True, slots=True)
class Issue:
    """A title as it was issued, and why: the readings around its interval, or another registry's row (``foreign``).

    ``before`` is None where the meter stood at 0 since its commissioning. What left a storage has its origin in
    ``stored``.
    """

    title: Place
    before: Seen | None
    after: Seen | None
    foreign: Place | None
    stored: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Supply:
    """A link that brought units here, the issue of the title over them, and the move that claimed it for this."""

    part: Part
    claim: Place
    issue: Issue


@dataclass(frozen=True, slots=True)
class Stored:
    """What a storage gave: the link from charge to discharge, the loss behind it, both records, the readings of the
    charge's meter around its interval, and the certificates that were claimed for these units of charge."""

    part: Part
    loss: Place | None
    discharge: Place
    charge: Place
    before: Seen | None
    after: Seen
    claims: tuple[Supply, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A move, the units of the certificate that it touched, and what stands beside it: the links of what they were
    claimed for, the row that lifted them to a chain, the fact that brought them back (-1: none)."""

    part: Part
    links: tuple[Part, ...] = ()
    lift: Place | None = None
    back: int = -1


@dataclass(frozen=True, slots=True)
class Ground:
    """What names the numbers in the rows, and facts that have no row here. ``fleet``: row, device, first register."""

    registers: tuple[tuple[int, int], ...]
    accounts: tuple[tuple[int, int], ...]
    devices: tuple[tuple[int, int], ...]
    fleet: tuple[tuple[Place, int, int], ...]
    lives: tuple[int, ...]
    facts: tuple[int, ...]
    context: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """What a provider signed of the interval of an answer: the row of its statement, the fact that sealed the energy,
    and from the links of that energy the first and those of idle, overhead and unattributed."""

    stated: Place
    sealed: int
    first: Place
    losses: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class AnswerEvidence:
    """All that an answer rests on, from the roofs' meters to the payees. ``interval`` and ``sale`` are of answers that
    a provider reported, and that were paid for one by one."""

    rack: str
    number: int
    request: Place
    serve: Place
    work: Place
    bill: Place | None
    convert: tuple[Part, ...]
    allocate: tuple[Supply, ...]
    meter_before: Seen | None
    meter_after: Seen
    pay: tuple[Part, ...]
    interval: Interval | None
    sale: Place | None
    ground: Ground


@dataclass(frozen=True, slots=True)
class CertificateEvidence:
    """All that a certificate's state rests on: units ``[start, stop)`` of one title, its issue and every move since."""

    register: str
    start: int
    stop: int
    issue: Issue
    moves: tuple[Moved, ...]
    ground: Ground


def missing(what: str) -> NotFound:
    """The error where the journal has no such thing."""
    return NotFound("bundle.evidence_missing", f"The journal does not hold {what}.", hint="Run an audit.")
