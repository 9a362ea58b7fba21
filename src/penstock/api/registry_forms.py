"""The JSON forms of accounts and certificates. Energy in whole Wh; a span is half-open."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import Field

from penstock.api.forms import Form, Page
from penstock.journal.words import Assurance, Technology

Wh = Annotated[int, Field(ge=1, lt=2**63)]
Position = Annotated[int, Field(ge=0, lt=2**63)]
Instant = Annotated[str, Field(max_length=40, description="ISO 8601 with an offset, e.g. 2026-06-21T12:00:00Z.")]
Text = Annotated[str, Field(max_length=1_000)]
AccountName = Annotated[str, Field(min_length=1, max_length=200)]
AccountInPath = Annotated[str, Path(max_length=200, description="An account's name.")]
CertificateInPath = Annotated[str, Path(max_length=300, description="REGISTER@START-STOP, e.g. roof-a/export@0-1000.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern="^[!-~]+$",
        description="Names this act: sent again with the same body it is done once, and answered as the first time.",
    ),
]
STATES = Literal["held", "reserved", "lifted", "claimed", "retired", "withdrawn", "expired", "exported"]


class SpanForm(Form):
    """The units ``[start, stop)`` of a register."""

    register_: str = Field(alias="register", min_length=1, max_length=200)
    start: Position
    stop: Position


class SelectionForm(Form):
    """Which certificates: named spans, or so many Wh, or a share in basis points of what suits the other fields.

    By quantity and share the oldest interval goes first, and the last certificate is cut.
    """

    spans: list[SpanForm] = Field(default_factory=list, max_length=1_000)
    quantity_wh: Annotated[int, Field(ge=0, lt=2**63)] = 0
    share_basis_points: Annotated[int, Field(ge=0, le=10_000)] = 0
    register_: str = Field("", alias="register", max_length=200)
    zone: str = Field("", max_length=64)
    technology: Technology | None = None
    assurance: Assurance | None = Field(None, description="The least that will do.")
    start: Instant | None = Field(None, description="Produced from this instant on.")
    stop: Instant | None = Field(None, description="Produced in intervals that begin before this instant.")


class CertificateRow(Form):
    """A certificate: the very Wh ``[start, stop)`` of a register, inside one interval, with all that moves its price.

    ``hour`` is when its interval starts, ``ends`` when it ends; ``expires`` null where it does not.
    """

    certificate: str
    register_: str = Field(alias="register")
    start: int
    stop: int
    energy_wh: int
    hour: str
    ends: str
    holder: str
    state: str
    zone: str
    technology: str
    assurance: str
    carbon_mg_per_kwh: int
    support: str
    stored: bool
    expires: str | None
    device: str
    lot: int


class CertificateRows(Page):
    """Certificates, oldest interval first."""

    certificates: list[CertificateRow]


class Origin(Form):
    """The measuring point of a certificate and whoever signs for it; empty where no device counts it."""

    register_: str = Field(alias="register")
    read_wh: int
    device: str
    site: str
    zone: str
    capacity_w: int
    commissioned: str
    public_key: str


class Event(Form):
    """What a fact did to a certificate's units: who, when, from whom to whom, how much of them."""

    seq: int
    at: str
    kind: str
    what: str
    by: str
    right: str
    state: str
    quantity: int | None
    purpose: str
    beneficiary: str
    statement: str
    reason: str
    from_: str = Field(alias="from")
    to: str
    energy_wh: int


class LinkedSpan(Form):
    """A span that this one became or came from."""

    link: str
    certificate: str
    register_: str = Field(alias="register")
    start: int
    stop: int


class CertificateLife(Form):
    """One certificate: its parts as they stand, where it came from, its life, what it was used for, how to check it."""

    certificate: str
    energy_wh: int
    parts: list[CertificateRow]
    origin: Origin
    events: list[Event]
    came_from: list[LinkedSpan]
    used_for: list[LinkedSpan]
    check: str


class TrailRow(Form):
    """Who did what, when: one fact that concerns an account; the fact itself is at ``/record/facts?start=SEQ``."""

    seq: int
    at: str
    kind: str
    by: str
    right: str
    state: str
    quantity: int | None
    purpose: str
    beneficiary: str
    statement: str
    reason: str


class TrailRows(Page):
    """The audit trail of an account, newest first."""

    facts: list[TrailRow]


class Done(Form):
    """What an act recorded: its facts from ``first_seq`` on, each as a row; ``repeated`` where it was done before."""

    first_seq: int
    repeated: bool
    acts: list[dict[str, Any]]
