"""The JSON forms of this door. Quantities are integers with their unit in the key; instants are ISO 8601 or `_us`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

PAGE_MAX = 500
FACTS_MAX = 1_000
SEQ_END = 2**62


class Form(BaseModel):
    """Fields as named, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(Form):
    """How the workspace stands: its sizes, how far it is signed and anchored, and breaches of the five laws."""

    facts: int
    signed_facts: int
    anchored_facts: int
    unanchored_facts: int
    oldest_unanchored_at_us: int | None = Field(description="Instant of the oldest fact no anchored checkpoint covers.")
    law_breaches: int
    devices: int
    deals: int


class Fact(Form):
    """A fact as recorded: its place, its canonical body as text, and its segment's digest where it has one."""

    seq: int
    body: str
    segment: str | None


class Facts(Form):
    """Facts in order from ``start``; ``size`` is how many there are in all."""

    start: int
    size: int
    facts: list[Fact]


class Inclusion(Form):
    """That a fact stands in the tree (RFC 9162, 2.1.3); hashes in hex, leaf's sibling first."""

    index: int
    size: int
    leaf: str
    root: str
    proof: list[str]


class Consistency(Form):
    """That the tree of ``new`` facts begins with the tree of ``old`` (RFC 9162, 2.1.4); hashes in hex."""

    old: int
    new: int
    old_root: str
    new_root: str
    proof: list[str]


class Asked(Form):
    """A period to attest from the anchored checkpoint (``size``, ``root``)."""

    deal: str
    subject: str
    period: int
    as_of_us: int
    size: int
    root: str


class Requests(Form):
    """Periods ready to be attested, oldest first."""

    requests: list[Asked]


class Device(Form):
    """An enrolled device, where its register stands, and how many packets it sent."""

    device: str
    site: str
    technology: str
    capacity_w: int
    public_key: str
    register_: str = Field(alias="register")
    read_wh: int
    packets: int
    last_packet: str


class Page(Form):
    """Which rows these are: from row ``after`` on, and where the next ones begin if there are any."""

    total: int
    next_after: int | None


class Devices(Page):
    """Devices in order of enrolment."""

    devices: list[Device]


class Refused(Form):
    """A packet or reading that was kept and not counted, and why."""

    at: str
    device: str
    sequence: int
    verdict: str
    outcome: str
    why: str
    position_wh: int | None = None


class RefusedReadings(Page):
    """What was refused, in the order it came, with how many there are of each verdict."""

    verdicts: dict[str, int]
    refused: list[Refused]


class DealRow(Form):
    """A deal: the state after its last closed period, what it collected, where it stands on chain."""

    deal: str
    state: str
    periods: int
    collected_usdc_micro: int
    assets: list[str]
    deal_hash: str
    program_hash: str
    contracts: dict[str, str]


class Deals(Form):
    """Every deal."""

    deals: list[DealRow]


class Step(Form):
    """A cash step of a waterfall: what it had to pay, what it paid, and what bound it."""

    step: int
    label: str
    source: str
    target: str
    due_usdc_micro: int
    paid_usdc_micro: int
    limit: str


class PeriodRow(Form):
    """A closed period: cash in, attested measures (in the deal's order), state after, every cash step."""

    period: int
    stop: str
    state: str
    inflow_usdc_micro: int
    measures: list[int]
    quorum: int
    attesters: int
    steps: list[Step]


class DealPage(DealRow):
    """A deal with its text, the names of its measures, its accounts and its closed periods from ``after`` on."""

    text: str
    measures: list[str]
    balances_usdc_micro: dict[str, int]
    closed: list[PeriodRow]
    next_after: int | None


class TraceNode(Form):
    """A span ``[start, stop)`` of a register, and what it came from or became.

    ``part`` is what it accounts for of its parent [the parent's unit], ``gap`` what no child accounts for,
    ``folded_part`` what the ``folded`` children not shown do [its own unit].
    """

    register_: str = Field(alias="register")
    unit: str
    start: int
    stop: int
    part: int
    link: str | None
    links: int
    state: str
    notes: list[str]
    gap: int
    folded: int
    folded_part: int
    children: list[TraceNode]


class AnswerRow(Form):
    """An answer, by its rack and its number there."""

    rack: str
    number: int


class Trace(Form):
    """An answer's tokens, back to the roofs and forward to the coupons."""

    rack: str
    number: int
    back: TraceNode
    forward: TraceNode


After = Annotated[int, Query(ge=0, le=SEQ_END, description="Rows to pass over.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Rows to return.")]
Seq = Annotated[int, Query(ge=0, le=SEQ_END)]
Name = Annotated[str, Query(max_length=200)]
NameInPath = Annotated[str, Path(max_length=200)]
