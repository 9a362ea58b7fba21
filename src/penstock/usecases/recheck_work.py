"""Recheck work: what an attester does with a provider's work, sealed energy and sales in somebody else's record.

The statement commits to its rows, the Merkle-sum root to their energy; the sales are those of stated answers, each
once, and add up to the bill that the provider signed. So the operator of a record cannot invent sales of a provider
whose key it does not have, nor move energy between answers once it is sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.compute.merkle_sum import seal_interval
from penstock.compute.work import DIGESTS
from penstock.errors import PenstockError, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.compute import AnswersServed
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated
from penstock.journal.segment import Column, Columns
from penstock.journal.words import LinkKind
from penstock.keys.dsse import BILL, Envelope, open_sealed, read_statement
from penstock.usecases.serve import billed_register
from penstock.usecases.world import World

SCHEMES: Final = 3
"""How many schemes ``sale/1`` knows."""
SALE_BEHIND: Final = (4, 5)
"""Places from a statement to its sales: energy, answers, *work* where anybody bought the energy, *serve*."""
PAYMENT: Final = slice(0, 32)


@dataclass(slots=True)
class Stated:
    """A statement with its rows, and what came after it so far."""

    seq: int
    fact: WorkStated
    rows: Columns
    digests: Column
    sale: tuple[int, SalesCollected, Columns] | None = None


@dataclass(slots=True)
class WorkRecheck:
    """Holds work and sales against each other, a report at a time. ``world`` is the attester's own replica."""

    world: World
    _last: Stated | None = None

    def before(self, recorded: Recorded, columns: Columns) -> None:
        """Check one fact; those of other rooms are passed over.

        Raises:
            Unverified: ``attest.work_differs`` for a statement, sealed energy or answers that do not fit each other;
            ``attest.sales_differ`` for sales that no provider signed, or billed otherwise than they were paid.
        """
        match recorded.fact:
            case WorkStated() as stated:
                self._last = _stated(recorded.seq, stated, columns)
            case EnergySealed() as sealed:
                _check_sealed(self._of(recorded.seq, (1,), sealed), sealed)
            case AnswersServed() as served:
                if self._last is not None and recorded.seq == self._last.seq + 2:
                    _check_answers(self._of(recorded.seq, (2,), served), columns)
            case SalesCollected() as sales:
                last = self._of(recorded.seq, SALE_BEHIND, sales)
                self._check_sales(recorded.seq, last, sales, columns)
                last.sale = recorded.seq, sales, columns
            case SpansLinked() as linked if linked.link is LinkKind.BILL:
                self._check_bill(recorded.seq, columns)

    def _of(self, seq: int, behind: tuple[int, ...], fact: EnergySealed | AnswersServed | SalesCollected) -> Stated:
        """The statement that a fact belongs to: so many places before it, of the same rack and time."""
        last = self._last
        if last is None or seq - last.seq not in behind or _slot(fact) != _slot(last.fact):
            raise _work_differs(seq, "A fact of work does not stand behind its provider's statement.")
        return last

    def _check_sales(self, seq: int, stated: Stated, fact: SalesCollected, rows: Columns) -> None:
        """Each sale is of a stated answer and its payment; together they are what the provider billed."""
        place = rows["number"] - stated.fact.first_number
        if (np.diff(place) <= 0).any() or (place < 0).any() or (place >= stated.fact.segment.rows).any():
            raise _sales_differ(seq, "Sales are not of stated answers, each once.")
        payments = _digests(rows["payment"])[:, PAYMENT]
        if not np.array_equal(payments, stated.digests[place, PAYMENT]):
            raise _sales_differ(seq, "A sale names another payment than the statement.")
        if (rows["paid_usdc_micro"] < 0).any() or (rows["scheme"] >= SCHEMES).any():
            raise _sales_differ(seq, "A sale was paid in no known way.")
        if (fact.provider, fact.model) != (stated.fact.provider, stated.fact.model):
            raise _sales_differ(seq, "The sales are another provider's, or of another model.")
        self._check_signed(seq, stated, fact)

    def _check_signed(self, seq: int, stated: Stated, fact: SalesCollected) -> None:
        try:
            envelope = Envelope.from_json(fact.signed)
            key = self.world.capacity.providers.named(fact.provider).work_key
            said = read_statement(open_sealed(envelope, key), BILL)
        except PenstockError as error:
            raise _sales_differ(seq, f"The sales are not billed by their provider: {error.message}") from error
        told = {
            "provider": fact.provider,
            "rack": fact.rack,
            "model": fact.model,
            "start_us": fact.start_us,
            "stop_us": fact.stop_us,
            "paid_usdc_micro": fact.paid_usdc_micro,
            "tokens": int(_tokens(stated.rows).sum()),
        }
        same = envelope.digest == fact.bill and said.subject_sha256 == stated.fact.envelope.hex()
        if not same or {name: said.predicate.get(name) for name in told} != told:
            raise _sales_differ(seq, "The provider signed another bill.")

    def _check_bill(self, seq: int, links: Columns) -> None:
        """What a rack billed for single answers is what was paid for them, answer by answer."""
        racks = self.world.compute.racks
        names = [billed_register(one) for one in racks]
        own = [self.world.books.registers.id_of(one) for one in names if one in self.world.books.registers]
        if not np.isin(links["target"], own).any():
            return
        last = self._last
        if last is None or last.sale is None or seq != last.sale[0] + 1:
            raise _sales_differ(seq, "A rack billed what nobody bought.")
        paid = np.zeros(last.fact.segment.rows, dtype=np.int64)
        paid[last.sale[2]["number"] - last.fact.first_number] = last.sale[2]["paid_usdc_micro"]
        rack = racks[last.fact.rack]
        sides = (rack.token_register, _tokens(last.rows)), (billed_register(rack.rack), paid)
        for side, (register, units) in zip(("source", "target"), sides, strict=True):
            of_one = (links[side] == self.world.books.registers.id_of(register)).all()
            if not of_one or not np.array_equal(links[f"{side}_stop"] - links[f"{side}_start"], units):
                raise _sales_differ(seq, "What was billed is not what was paid for each answer.")


def _stated(seq: int, fact: WorkStated, rows: Columns) -> Stated:
    """A statement that binds its provider to these very rows, in order, each payment once."""
    digests = _digests(rows["digests"])
    if fact.root != fact.segment.root:
        raise _work_differs(seq, "A statement binds its provider to other rows.")
    if not np.array_equal(rows["number"], fact.first_number + np.arange(len(digests))):
        raise _work_differs(seq, "Stated answers do not follow each other by number.")
    inside = (rows["arrived_us"] <= rows["first_us"]) & (rows["first_us"] <= rows["done_us"])
    inside &= (fact.start_us <= rows["done_us"]) & (rows["done_us"] < fact.stop_us)
    if not inside.all() or len(np.unique(digests[:, PAYMENT], axis=0)) != len(digests):
        raise _work_differs(seq, "A stated answer is outside of its interval, or a payment stands twice.")
    return Stated(seq, fact, rows, digests)


def _check_sealed(stated: Stated, fact: EnergySealed) -> None:
    """The root commits to the stated energy of each answer, and to idle, overhead and unattributed."""
    seq, energy_mj = stated.seq + 1, stated.rows["energy_mj"]
    parts = (fact.idle_mj, fact.overhead_mj, fact.unattributed_mj)
    if (fact.answers, fact.answers_mj) != (len(energy_mj), int(energy_mj.sum())):
        raise _work_differs(seq, "The sealed energy of the answers is not the stated one.")
    try:
        sealed = seal_interval(stated.digests[:, 96:], stated.digests[:, PAYMENT], energy_mj, parts)
    except PenstockError as error:
        raise _work_differs(seq, error.message) from error
    if sealed.root != fact.root:
        raise _work_differs(seq, "The sealed root does not commit to the stated energy.")


def _check_answers(stated: Stated, rows: Columns) -> None:
    said = {"arrived_us": stated.rows["arrived_us"], "time_ms": stated.rows["time_ms"], "tokens": _tokens(stated.rows)}
    if any(not np.array_equal(rows[name], column) for name, column in said.items()):
        raise _work_differs(stated.seq + 2, "The answers are not those that were stated.")


def _digests(blobs: Column) -> Column:
    """Digests of rows as bytes, uint8[n, width]."""
    if not len(blobs):
        return np.empty((0, sum(DIGESTS.values())), dtype=np.uint8)
    return np.frombuffer(b"".join(blobs.tolist()), dtype=np.uint8).reshape(len(blobs), -1)


def _tokens(rows: Columns) -> Column:
    return rows["prompt_tokens"] + rows["output_tokens"]


def _slot(fact: WorkStated | EnergySealed | AnswersServed | SalesCollected) -> tuple[str, int, int]:
    return fact.rack, fact.start_us, fact.stop_us


def _work_differs(seq: int, sentence: str) -> Unverified:
    return Unverified("attest.work_differs", sentence, seq=seq)


def _sales_differ(seq: int, sentence: str) -> Unverified:
    return Unverified("attest.sales_differ", sentence, seq=seq)
