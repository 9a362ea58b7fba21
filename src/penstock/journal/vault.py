"""The vault: spans whose titles are on chain, first in, first out for each certificate id.

On chain all units of an id are alike, so nobody can say which of them a holder burns: the head of the id's queue
comes back. What was never minted lapses from its tail. A fact of the vault says what leaves or returns; the next move
of attribute titles has to be that, unit for unit, and no other may touch a lifted title.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.kinds.lift import ReturnCause, TitlesLifted, TitlesReturned
from penstock.journal.links import overlapping
from penstock.journal.segment import Columns
from penstock.journal.span_index import SpanIndex
from penstock.journal.words import TitleState

Ints = NDArray[Any]
Spans = dict[str, Ints]
SPAN: Final = ("register", "start", "stop")
ADDRESS_BYTES: Final = 20


@dataclass(slots=True, eq=False)
class Lift:
    """One batch: what it said, its rows, and the account that held each row before."""

    fact: TitlesLifted
    seq: int
    spans: Spans
    accounts: Ints
    lapsed: bool = False


@dataclass(slots=True, eq=False)
class _Queue:
    """Spans in order; those before ``head`` are gone."""

    spans: Spans = field(default_factory=lambda: {name: np.zeros(0, dtype=np.int64) for name in SPAN})
    wh: int = 0

    def push(self, spans: Spans) -> None:
        self.spans = {name: np.concatenate([self.spans[name], spans[name].astype(np.int64)]) for name in SPAN}
        self.wh += int(np.sum(spans["stop"] - spans["start"]))

    def look(self, quantity: int, *, tail: bool = False) -> tuple[Spans, Spans]:
        """``quantity`` units from the head, or from the tail, and what stays."""
        first = self.wh - quantity if tail else quantity
        ends = np.cumsum(self.spans["stop"] - self.spans["start"])
        cut = int(np.searchsorted(ends, first, side="left"))  # the row in which the first part ends
        front = {name: column[: cut + 1].copy() for name, column in self.spans.items()}
        back = {name: column[cut:].copy() for name, column in self.spans.items()}
        if cut < len(ends):
            front["stop"][-1] = back["start"][0] = self.spans["stop"][cut] - (ends[cut] - first)
        front, back = _full(front), _full(back)
        return (back, front) if tail else (front, back)


def _full(spans: Spans) -> Spans:
    rows = spans["stop"] > spans["start"]
    return {name: column[rows] for name, column in spans.items()}


class Vault:
    """What is on chain, by certificate id, and the batches it left in.

    ``expected`` are the spans that the next move has to bring into a state in ``into``. ``claimed`` are those that
    were claimed on chain: what for, the chain says, and no link of claim here.
    """

    def __init__(self) -> None:
        self._queues: dict[bytes, _Queue] = {}
        self.lifts: dict[int, Lift] = {}
        self._told: set[tuple[TitlesLifted, int]] = set()
        self.next_number = 0
        self.expected: Spans | None = None
        self.into: tuple[TitleState, ...] = ()
        self.claimed = SpanIndex({})

    def wh(self, certificate: bytes) -> int:
        """How much of an id is on chain, or may still be minted there [Wh]."""
        queue = self._queues.get(certificate)
        return queue.wh if queue else 0

    def certificates(self) -> list[bytes]:
        """Every id that was ever lifted, in order of its first lift."""
        return list(self._queues)

    def spans(self) -> Spans:
        """Every span in the vault, id by id, head first."""
        parts = [queue.spans for queue in self._queues.values()] or [_Queue().spans]
        return {name: np.concatenate([part[name] for part in parts]) for name in SPAN}

    def lift_of(self, batch: int) -> Lift:
        """A batch by the number of its fact; NotFound ``vault.no_batch``."""
        if batch not in self.lifts:
            raise NotFound("vault.no_batch", "No such batch was lifted here.", batch=batch)
        return self.lifts[batch]

    def check_lift(self, fact: TitlesLifted, columns: Columns, at_us: int) -> None:
        """That a batch is well formed, and another than any before it.

        The chain knows a batch by what its fact says: of two that say the same at one instant it would mint one.

        Raises:
            Refused: ``vault.sum``, ``vault.address``. Conflict: ``vault.twice``, ``vault.same_batch``.
        """
        spans = {name: np.asarray(columns[name], dtype=np.int64) for name in SPAN}
        units = spans["stop"] - spans["start"]
        if len(units) == 0 or (units <= 0).any() or int(units.sum()) != fact.quantity:
            raise Refused("vault.sum", "The rows of a lift do not come to its quantity.")
        if any(len(holder) != ADDRESS_BYTES for holder in columns["holder"]):
            raise Refused("vault.address", "A holder on chain is an address of 20 bytes.")
        if overlapping(*spans.values()).any():
            raise Conflict("vault.twice", "A unit stands in two rows of a lift.")
        if (fact, at_us) in self._told:
            hint = "Lift it again a moment later, or with another deadline."
            raise Conflict("vault.same_batch", "The very same batch was lifted at this instant before.", hint=hint)

    def lift(self, fact: TitlesLifted, seq: int, columns: Columns, accounts: Ints, at_us: int) -> None:
        """A batch leaves at an instant; ``accounts`` held its rows. Raises as `check_lift`, `check_settled`."""
        self.check_settled()
        self.check_lift(fact, columns, at_us)
        self._told.add((fact, at_us))
        spans = {name: np.asarray(columns[name], dtype=np.int64) for name in SPAN}
        self.lifts[seq] = Lift(fact, seq, spans, accounts.copy())
        self._queues.setdefault(fact.certificate, _Queue()).push(spans)
        self.expected, self.into = spans, (TitleState.LIFTED,)

    def returning(self, fact: TitlesReturned) -> Spans:
        """The spans that come back by a fact that may stand, in order.

        Raises:
            Refused: ``vault.order`` for a burn out of turn, ``vault.short`` beyond what is on chain,
                ``vault.lapse`` for a batch that lapsed before, or rows that do not come to the quantity.
        """
        if fact.cause is ReturnCause.LAPSED:
            self._check_lapse(fact)
        elif fact.number != self.next_number:
            raise Refused("vault.order", f"Burn {fact.number} comes where {self.next_number} is due.")
        if not 0 < fact.quantity <= self.wh(fact.certificate):
            raise Refused("vault.short", f"{self.wh(fact.certificate)} Wh of this certificate are on chain.")
        taken, _ = self._queues[fact.certificate].look(fact.quantity, tail=fact.cause is ReturnCause.LAPSED)
        return taken

    def _check_lapse(self, fact: TitlesReturned) -> None:
        lift = self.lift_of(fact.batch)
        left = unminted_rows(fact, len(lift.accounts))
        quantity = int((lift.spans["stop"] - lift.spans["start"])[left].sum())
        if lift.lapsed or lift.fact.certificate != fact.certificate or quantity != fact.quantity:
            raise Refused("vault.lapse", "A batch lapses once, by what of it was never minted.")

    def give_back(self, fact: TitlesReturned) -> None:
        """Take out what comes back. Raises as `returning`, `check_settled`."""
        self.check_settled()
        taken = self.returning(fact)
        queue = self._queues[fact.certificate]
        _, queue.spans = queue.look(fact.quantity, tail=fact.cause is ReturnCause.LAPSED)
        queue.wh -= fact.quantity
        if fact.cause is ReturnCause.LAPSED:
            self.lifts[fact.batch].lapsed = True
        else:
            self.next_number += 1
        if fact.cause is ReturnCause.CLAIMED:
            self.claimed.insert(taken)
        self.expected, self.into = taken, INTO[fact.cause]

    def check_settled(self) -> None:
        """That nothing left or came back without its move; raises Refused ``vault.unmoved``."""
        if self.expected is not None:
            raise Refused("vault.unmoved", "Titles were lifted or returned, and their move is missing.")

    def settle(self, moves: Columns, state: TitleState) -> None:
        """The move that was expected; raises Refused ``vault.other_move`` where it is another."""
        expected = self.expected
        if expected is None or state not in self.into or not _same_units(expected, moves):
            raise Refused("vault.other_move", "Lifted titles move by what the vault says alone.")
        self.expected, self.into = None, ()

    def digest(self) -> bytes:
        """sha256 over what is on chain and what is due."""
        digest = hashlib.sha256(f"{self.next_number},{self.expected is not None}".encode())
        for certificate, queue in self._queues.items():
            digest.update(certificate + b"".join(queue.spans[name].tobytes() for name in SPAN))
        for seq, lift in self.lifts.items():
            digest.update(seq.to_bytes(8, "little") + lift.accounts.astype(np.int32).tobytes() + bytes([lift.lapsed]))
        return digest.digest()


INTO: Final = {
    ReturnCause.LOWERED: (TitleState.HELD,),
    ReturnCause.LAPSED: (TitleState.HELD,),
    ReturnCause.RETIRED: (TitleState.RETIRED,),
    ReturnCause.CLAIMED: (TitleState.CLAIMED,),
}
"""The state that titles come back in."""


def unminted_rows(fact: TitlesReturned, rows: int) -> NDArray[np.bool_]:
    """Which rows of a batch were never minted; raises Refused ``vault.lapse`` unless there is a bit for each."""
    bits = np.unpackbits(np.frombuffer(fact.unminted, dtype=np.uint8))
    if len(fact.unminted) != -(-rows // 8) or bits[rows:].any():
        raise Refused("vault.lapse", "A batch lapses once, by what of it was never minted.")
    return bits[:rows].astype(bool)


def joined(spans: Columns) -> Spans:
    """The same units in as few spans as can be, by register and position."""
    order = np.lexsort((spans["start"], spans["register"]))
    register, start, stop = (np.asarray(spans[name], dtype=np.int64)[order] for name in SPAN)
    opens = np.r_[True, (register[1:] != register[:-1]) | (start[1:] != stop[:-1])][: len(register)]
    closes = np.r_[opens[1:], True][: len(register)]
    return {"register": register[opens], "start": start[opens], "stop": stop[closes]}


def _same_units(one: Columns, other: Columns) -> bool:
    one, other = joined(one), joined(other)
    return all(np.array_equal(one[name], other[name]) for name in SPAN)
