"""Batches of titles as the journal lifts them: its own facts, segments and trees, shown to ``Certificate``."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from penstock.energy.certificate_id import Properties, word
from penstock.journal.fact import encode
from penstock.journal.formats import LIFTS
from penstock.journal.kinds.lift import TitlesLifted
from penstock.journal.segment import Segment, SegmentRef, leaves_of, packed_row
from penstock.journal.tree import Tree, leaf_hash

HOUR_START_S = 1_789_999_200
Row = tuple[int, int, int, str]  # register, start, stop, holder
BatchTuple = tuple[int, int, int, int, bytes, int]


def properties(**changed: Any) -> Properties:
    """An hour of solar power; with what a test changes."""
    terms: dict[str, Any] = {"zone": word("NL"), "interval_start_s": HOUR_START_S, "interval_s": 3600}
    terms |= {"technology": word("solar_pv"), "assurance": 1, "commissioned_month": 202_403, "carbon_mg_per_kwh": 0}
    return Properties(**(terms | {"support": word(""), "stored": False} | changed))


def id_of(said: Properties) -> int:
    """The id on chain."""
    return int.from_bytes(said.certificate())


def values(said: Properties) -> tuple[Any, ...]:
    """The contract's struct."""
    return astuple(said)


@dataclass(frozen=True)
class Lift:
    """One fact ``titles.lifted`` with the rows it seals."""

    id: int
    rows: tuple[Row, ...]
    at_us: int
    deadline_s: int
    quantity: int

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The segment's columns."""
        register, start, stop, holder = zip(*self.rows, strict=True)
        holders = np.empty(len(holder), dtype=object)
        holders[:] = [bytes.fromhex(one[2:]) for one in holder]
        return {
            "register": np.array(register, np.int32),
            "start": np.array(start, np.int64),
            "stop": np.array(stop, np.int64),
            "holder": holders,
        }

    @cached_property
    def ref(self) -> SegmentRef:
        """What the fact says of its rows."""
        return Segment(LIFTS, self.columns).ref()

    @cached_property
    def tree(self) -> Tree:
        """The tree over the rows."""
        return Tree(leaves_of(LIFTS, self.columns))

    @property
    def fact(self) -> TitlesLifted:
        """The journal's fact."""
        return TitlesLifted(self.id.to_bytes(32, "big"), self.deadline_s, self.quantity, self.ref)

    @property
    def body(self) -> bytes:
        """The fact's canonical bytes: a leaf of the journal."""
        return encode(self.fact, self.at_us)

    @property
    def batch(self) -> BatchTuple:
        """The contract's struct."""
        return (self.at_us, self.id, self.deadline_s, self.quantity, self.ref.root, len(self.rows))

    def packed(self, index: int) -> bytes:
        """The bytes of one row that its leaf hashes."""
        return packed_row(LIFTS, self.columns, index)

    def proof(self, index: int) -> list[bytes]:
        """The path of one row."""
        return list(self.tree.inclusion_proof(index, len(self.rows)))

    def lifting(self, index: int) -> tuple[BatchTuple, int, Row, list[bytes]]:
        """Arguments of ``lift`` for one row."""
        return self.batch, index, self.rows[index], self.proof(index)


def lift_of(id: int, rows: list[Row], deadline_s: int, at_us: int = 0, quantity: int | None = None) -> Lift:
    """A batch whose quantity is what its rows add up to, unless another is stated."""
    total = sum(stop - start for _, start, stop, _ in rows)
    return Lift(id, tuple(rows), at_us, deadline_s, total if quantity is None else quantity)


class Log:
    """A journal of any facts, with its tree: where a batch's fact stands, and the proof of it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.tree = Tree()

    def add(self, *bodies: bytes) -> None:
        """Record bodies."""
        self.bodies += bodies
        self.tree.append([leaf_hash(body) for body in bodies])

    def checkpoint(self, old_size: int) -> tuple[int, bytes, int, list[bytes]]:
        """Arguments of ``Anchor.publish``."""
        size = len(self.bodies)
        return size, self.tree.root(size), old_size, list(self.tree.consistency_proof(old_size, size))

    def opening(self, lift: Lift, size: int) -> tuple[BatchTuple, int, int, list[bytes]]:
        """Arguments of ``open`` under the checkpoint of ``size``."""
        index = self.bodies.index(lift.body)
        return lift.batch, index, size, list(self.tree.inclusion_proof(index, size))
