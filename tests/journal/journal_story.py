"""A small journal to test with: two accounts and the world outside, a roof and a rack, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.journal.fact import FactBody, Recorded, encode
from penstock.journal.formats import LINKS, MOVES, READINGS, TITLES
from penstock.journal.kinds.capital import CollectionReceived
from penstock.journal.kinds.energy import (
    DeviceEnrolled,
    ReadingsVerified,
    SiteRegistered,
    SpansLinked,
    TitlesIssued,
    TitlesMoved,
)
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened, Transfer
from penstock.journal.segment import Columns, Segment, SegmentFormat
from penstock.journal.state import Books
from penstock.journal.words import (
    TITLE_STATES,
    Assurance,
    LinkKind,
    RegisterKind,
    Right,
    Technology,
    TitleState,
    Unit,
)

ROOF, SECOND_ROOF, IMPORT, ENERGY, CALENDAR, TOKENS, LOSS, IDLE, COLLECTED = range(9)
WORLD, PRODUCER, OPERATOR = range(3)
ACCOUNTS = (("world", True), ("producer", False), ("operator", False))
REGISTERS = (
    ("roof", Unit.WH, RegisterKind.COUNTED),
    ("second roof", Unit.WH, RegisterKind.COUNTED),
    ("import", Unit.WH, RegisterKind.COUNTED),
    ("energy", Unit.MJ, RegisterKind.COUNTED),
    ("calendar", Unit.MS, RegisterKind.SCHEDULED),
    ("tokens", Unit.TOKENS, RegisterKind.COUNTED),
    ("loss", Unit.WH, RegisterKind.LOSS),
    ("idle", Unit.MJ, RegisterKind.LOSS),
    ("collected", Unit.USDC_MICRO, RegisterKind.COUNTED),
)


def table(fmt: SegmentFormat, rows: Sequence[tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Columns of a format from rows."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(fmt.fixed)
    return {name: np.array(part, dtype=dtype) for (name, dtype), part in zip(fmt.fixed, columns, strict=True)}


@dataclass
class Story:
    """Facts in order, applied to ``books`` as they come and kept so that they can be replayed."""

    books: Books = field(default_factory=Books)
    told: list[tuple[Recorded, Columns | None]] = field(default_factory=list)

    def tell(self, fact: FactBody, columns: Columns | None = None) -> None:
        recorded = Recorded(len(self.told), 0, fact, encode(fact, 0))
        self.books.apply(recorded, columns)
        self.told.append((recorded, columns))

    def read(self, rows: Sequence[tuple[int, int, int]], verdict: int = 0) -> None:
        """Readings (register, at_us, position)."""
        columns = table(READINGS, [(*row, 0, verdict) for row in rows])
        ref = Segment(READINGS, columns).ref()
        self.tell(ReadingsVerified(ref, b"", "rules/1", Assurance.METER_SIGNED, 0, ()), columns)

    def issue(self, rows: Sequence[tuple[int, ...]], right: Right = Right.ATTRIBUTE) -> None:
        columns = table(TITLES, rows)
        ref, quantity = Segment(TITLES, columns).ref(), int((columns["stop"] - columns["start"]).sum())
        zone, technology, assurance = "X", Technology.SOLAR_PV, Assurance.METER_SIGNED
        self.tell(TitlesIssued(ref, right, zone, technology, assurance, 0, quantity), columns)

    def move(self, rows: Sequence[tuple[int, ...]], right: Right = Right.ATTRIBUTE) -> None:
        columns = table(MOVES, rows)
        state = TITLE_STATES[rows[0][-1]]
        ref, quantity = Segment(MOVES, columns).ref(), int((columns["stop"] - columns["start"]).sum())
        self.tell(TitlesMoved(ref, right, state, "a test", "operator", quantity), columns)

    def link(self, kind: LinkKind, columns: Columns, lost: int = 0) -> None:
        into = int((columns["source_stop"] - columns["source_start"]).sum())
        losses = np.isin(columns["target"], [LOSS, IDLE])
        out = int((columns["target_stop"] - columns["target_start"])[~losses].sum())
        self.tell(SpansLinked(Segment(LINKS, columns).ref(), kind, 0, 1, into, out, lost), columns)

    def collect(self, start: int, stop: int) -> None:
        transfers = (Transfer("world", "operator", stop - start, "collection"),)
        self.tell(CollectionReceived("deal", "collected", start, stop, transfers))


def opened() -> Story:
    """Accounts, registers, a site and a device, nothing counted yet."""
    story = Story()
    for account, external in ACCOUNTS:
        story.tell(AccountOpened(account, external))
    for urn, unit, kind in REGISTERS:
        issues = (Right.ATTRIBUTE, Right.ENERGY) if "roof" in urn else ()
        story.tell(RegisterOpened(urn, unit, kind, issues))
    story.tell(SiteRegistered("site", "X", "", "producer"))
    story.tell(DeviceEnrolled("meter", "site", Technology.SOLAR_PV, b"\1" * 32, "roof", 5000, 0))
    return story


def full() -> Story:
    """A story in which every kind of fact with an effect happens."""
    story = opened()
    story.read([(ROOF, 1, 50), (SECOND_ROOF, 1, 40), (ROOF, 2, 100), (IMPORT, 2, 60)])
    roofs = [(ROOF, 0, 50, PRODUCER, 0), (ROOF, 50, 100, PRODUCER, 1), (SECOND_ROOF, 0, 40, PRODUCER, 0)]
    for right in (Right.ATTRIBUTE, Right.ENERGY):
        story.issue(roofs, right)
    claimed = TITLE_STATES.index(TitleState.CLAIMED)
    story.move([(ROOF, 10, 30, PRODUCER, OPERATOR, 0), (ROOF, 50, 100, PRODUCER, OPERATOR, 0)])
    story.move([(ROOF, 10, 20, OPERATOR, OPERATOR, claimed)])
    allocated = [(ROOF, 0, 40, IMPORT, 0, 40), (SECOND_ROOF, 0, 20, IMPORT, 40, 60), (SECOND_ROOF, 20, 23, LOSS, 0, 3)]
    story.link(LinkKind.ALLOCATE, table(LINKS, allocated), lost=3)
    story.link(LinkKind.CONVERT, table(LINKS, [(IMPORT, 0, 60, ENERGY, 0, 60 * 3_600_000)]))
    third = 72_000_000
    worked = [
        (ENERGY, 0, third, CALENDAR, 0, 700),
        (ENERGY, third, 2 * third, IDLE, 0, third),
        (ENERGY, 2 * third, 3 * third, CALENDAR, 700, 1300),
    ]
    story.link(LinkKind.WORK, table(LINKS, worked), lost=third)
    story.link(
        LinkKind.SERVE, table(LINKS, [(CALENDAR, 0, 700, TOKENS, 0, 99), (CALENDAR, 700, 1300, TOKENS, 99, 150)])
    )
    story.collect(0, 1_000_000)
    return story
