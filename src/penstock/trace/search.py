"""Search: facts by kind, found once, and the rows of their segments that cover a span; columns are read once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Unavailable
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, SpansLinked
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.journal.words import LinkKind
from penstock.span import Span
from penstock.trace.evidence import Ground, Part, Place, Seen, missing
from penstock.trace.numbering import number_all
from penstock.trace.record import Record

F = TypeVar("F", bound=FactBody)


@dataclass(slots=True)
class Search:
    """The first ``size`` facts of a record, those that its checkpoint covers."""

    record: Record
    books: Books
    size: int
    by_kind: dict[type, list[Recorded]] = field(default_factory=dict)
    columns_read: dict[int, Columns] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for recorded in self.record.facts():
            self.by_kind.setdefault(type(recorded.fact), []).append(recorded)

    def of(self, kind: type[F]) -> list[tuple[int, F, int]]:
        """Seq, fact and instant of all facts of a kind."""
        return [(one.seq, one.fact, one.at_us) for one in self.by_kind.get(kind, [])]  # type: ignore[misc]

    def at(self, kind: type[F], seq: int) -> F:
        """The fact of a kind at a place."""
        return next(fact for one, fact, _ in self.of(kind) if one == seq)

    def columns(self, seq: int) -> Columns:
        """The columns that a fact sealed."""
        if seq not in self.columns_read:
            self.columns_read[seq] = self.record.columns(seq)
        return self.columns_read[seq]

    def value(self, place: Place, name: str) -> int:
        """A field of a row."""
        return int(self.columns(place[0])[name][place[1]])

    def span(self, place: Place, side: str = "") -> Span:
        """The span of a row, or of one side of a link."""
        return Span(*(self.value(place, f"{side}{end}") for end in ("start", "stop")))

    def covered(self, seq: int) -> int:
        """The same seq; raises Unavailable ``bundle.checkpoint_behind`` where no checkpoint covers it yet."""
        if seq >= self.size:
            hint = "Sign a checkpoint first."
            raise Unavailable("bundle.checkpoint_behind", f"No checkpoint covers fact {seq} yet.", hint=hint, seq=seq)
        return seq

    def covering(self, kind: type[F], chosen: Callable[[F], bool], register: int, span: Span, what: str) -> Place:
        """The first row of the chosen facts whose span contains ``span``; NotFound ``bundle.evidence_missing``."""
        for seq, fact, _ in self.of(kind):
            if chosen(fact):
                rows = self.columns(seq)
                inside = (rows["register"] == register) & (rows["start"] <= span.start) & (rows["stop"] >= span.stop)
                if inside.any():
                    return self.covered(seq), int(np.argmax(inside))
        raise missing(f"a {what} over [{span.start}, {span.stop}) of register {register}")

    def linked(self, kind: LinkKind, register: int, span: Span, side: str) -> Iterator[Part]:
        """The links that have units of a span on ``side``, in order, with the units they have."""
        book = self.books.links[kind]
        found = (book.backward if side == "target" else book.forward)(register, span.start, span.stop)
        starts, stops = getattr(found, f"{side}_start"), getattr(found, f"{side}_stop")
        for row in np.argsort(starts, kind="stable").tolist():
            yield Part(self.link_place(kind, int(found.row[row])), int(starts[row]), int(stops[row]))

    def link_place(self, kind: LinkKind, number: int) -> Place:
        """Where the link with a number in its book was sealed."""
        batches = self.books.links[kind].batches
        batch = int(np.searchsorted(batches, number, side="right")) - 1
        facts = [seq for seq, fact, _ in self.of(SpansLinked) if fact.link is kind]
        return self.covered(facts[batch]), number - int(batches[batch])

    def around(self, register: int, start_us: int, stop_us: int) -> tuple[Seen | None, Seen]:
        """The last accepted reading at or before ``start_us`` and the first at or after ``stop_us``.

        A register's accepted readings come in order of time, so the first fact with one late enough has the first.
        """
        facts = self.of(ReadingsVerified)
        for place, (_, _, received_us) in enumerate(facts):  # not in order of time: a rack's come after all roofs'
            if received_us < stop_us:
                continue
            late = self._accepted(facts[place][0], register, lambda at: at >= stop_us)
            if len(late):
                after = self._seen(facts[place][0], int(late[0]))
                return self._before(register, start_us, [seq for seq, _, _ in facts[: place + 1]]), after
        raise missing(f"a reading of register {register} at the end of its interval")

    def _before(self, register: int, start_us: int, facts: list[int]) -> Seen | None:
        for seq in reversed(facts):
            early = self._accepted(seq, register, lambda at: at <= start_us)
            if len(early):
                return self._seen(seq, int(early[-1]))
        return None

    def _accepted(
        self, seq: int, register: int, when: Callable[[NDArray[Any]], NDArray[np.bool_]]
    ) -> NDArray[np.int64]:
        rows = self.columns(seq)
        return np.flatnonzero((rows["register"] == register) & (rows["verdict"] == 0) & when(rows["at_us"]))

    def _seen(self, seq: int, row: int) -> Seen:
        root = self.at(ReadingsVerified, seq).packets_root
        found = [one for one, fact, _ in self.of(PacketsReceived) if one < seq and fact.segment.root == root]
        if not found:
            raise missing(f"the packets of fact {seq}")
        return Seen((self.covered(seq), row), (found[-1], int(self.columns(seq)["packet"][row])))

    def ground(self, numbers: set[int], accounts: set[int], facts: tuple[int, ...], context: tuple[int, ...]) -> Ground:
        """What names these registers and accounts, and who counts them."""
        numbered, urn = number_all(self.record.facts()), self.books.registers.urn
        every = numbers | {self.books.registers.id_of(name) for name in numbered.before(map(urn, numbers))}
        counted = numbered.counted_by({number: urn(number) for number in every})
        opened = [seq for seq, _, _ in self.of(WorkspaceOpened)][:1]
        if not opened:
            raise missing("the fact that opened the workspace")
        return Ground(
            registers=tuple((number, self.covered(seq)) for number, seq in numbered.opened(every)),
            accounts=tuple((number, self.covered(seq)) for number, seq in numbered.holders(accounts)),
            devices=tuple((number, self.covered(seq)) for number, seq in counted.devices),
            fleet=tuple(((self.covered(seq), row), number, first) for seq, row, number, first in counted.fleet),
            lives=tuple(self.covered(seq) for seq in counted.lives),
            facts=(*opened, *facts),
            context=tuple(sorted(seq for seq in context if seq < self.size)),
        )
