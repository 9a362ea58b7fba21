"""``Certificate``, ``Badge`` and ``Kwh`` in Python: the same state, the same refusals in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lifting import BatchTuple, Row
from on_boa import Refusal

from penstock.chain.typed_data import ZERO_ADDRESS
from penstock.energy.certificate_id import Properties
from penstock.errors import PenstockError
from penstock.journal.fact import encode
from penstock.journal.formats import LIFTS
from penstock.journal.kinds.lift import TitlesLifted
from penstock.journal.segment import SegmentRef
from penstock.journal.tree import leaf_hash, verify_inclusion

AHEAD = 32
WORD_ROWS = 128
STOP_S = 7 * 86_400
LEAST_WH = 1000
LOTS_MAX = 32
Place = tuple[int, str]  # id, holder


def need(condition: bool, why: str) -> None:
    if not condition:
        raise Refusal(why)


def is_proven(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162 by the package's own verifier."""
    try:
        verify_inclusion(leaf, index, size, tuple(proof), root)
    except PenstockError:
        return False
    return True


def body_of(batch: BatchTuple) -> bytes:
    """The journal's fact, by the journal's own encoder."""
    at_us, certificate, deadline_s, quantity, root, rows = batch
    ref = SegmentRef(LIFTS.name, rows, 0, root)
    return encode(TitlesLifted(certificate.to_bytes(32), deadline_s, quantity, ref), at_us)


def packed(row: Row) -> bytes:
    register, start, stop, holder = row
    numbers = register.to_bytes(4, "little") + start.to_bytes(8, "little") + stop.to_bytes(8, "little")
    return numbers + bytes.fromhex(holder[2:])


@dataclass
class Word:
    """128 rows of a batch."""

    rows: set[int] = field(default_factory=set)
    minted: int = 0
    drawn: int = 0


@dataclass
class BatchTwin:
    """An open batch."""

    words: dict[int, Word] = field(default_factory=dict)

    @property
    def drawn(self) -> int:
        return sum(word.drawn for word in self.words.values())

    @property
    def minted(self) -> int:
        return sum(word.minted for word in self.words.values())


@dataclass
class CertificateTwin:
    """State of one Certificate with its Badge; every method is one call and takes the time it happens at."""

    guardian: str
    roots: dict[int, bytes] = field(default_factory=dict)  # the anchor's, by size
    batches: dict[BatchTuple, BatchTwin] = field(default_factory=dict)
    balances: Counter[Place] = field(default_factory=Counter)
    claimed: Counter[Place] = field(default_factory=Counter)
    approved: set[tuple[str, str]] = field(default_factory=set)
    burns: list[tuple[str, int, int]] = field(default_factory=list)  # holder, id, amount
    badges: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    stopped_until_s: int = 0

    def open(self, now: int, batch: BatchTuple, index: int, size: int, proof: list[bytes]) -> None:
        need(now >= self.stopped_until_s, "certificate.stopped")
        need(now < batch[2], "certificate.late")
        need(batch[3] > 0, "certificate.quantity")
        need(batch not in self.batches, "certificate.open")
        leaf, root = leaf_hash(body_of(batch)), self.roots.get(size)
        need(root is not None and is_proven(leaf, index, size, proof, root), "certificate.anchored")
        self.batches[batch] = BatchTwin()

    def lift(self, now: int, batch: BatchTuple, index: int, row: Row, proof: list[bytes]) -> None:
        _, certificate, deadline_s, quantity, root, rows = batch
        _, start, stop, holder = row
        need(now < deadline_s, "certificate.late")
        need(index < rows and start < stop, "certificate.row")
        need(holder != ZERO_ADDRESS, "certificate.zero")
        need(is_proven(leaf_hash(packed(row)), index, rows, proof, root), "certificate.proof")
        opened = self.batches.get(batch)
        word = Word() if opened is None else opened.words.get(index // WORD_ROWS, Word())
        need(index not in word.rows, "certificate.lifted")
        amount, drawn = stop - start, word.drawn
        if word.minted + amount > drawn:
            need(opened is not None, "certificate.batch")
            need(now >= self.stopped_until_s, "certificate.stopped")
            assert opened is not None
            left = quantity - opened.drawn
            need(word.minted + amount - drawn <= left, "certificate.quantity")
            drawn += min(left, amount * AHEAD)
        assert opened is not None
        opened.words[index // WORD_ROWS] = Word(word.rows | {index}, word.minted + amount, drawn)
        self.balances[certificate, holder] += amount

    def give_back(self, batch: BatchTuple, words: Sequence[int]) -> None:
        opened = self.batches.get(batch, BatchTwin())
        for at in words:
            if at in opened.words:
                opened.words[at].drawn = opened.words[at].minted

    def stop(self, now: int, sender: str) -> None:
        need(sender == self.guardian, "roles.not_holder")
        need(self.stopped_until_s == 0 or now >= self.stopped_until_s + STOP_S, "certificate.stopped")
        self.stopped_until_s = now + STOP_S

    def resume(self, now: int, sender: str) -> None:
        need(sender == self.guardian, "roles.not_holder")
        need(now < self.stopped_until_s, "certificate.not_stopped")
        self.stopped_until_s = now

    def lower(self, holder: str, certificate: int, amount: int, account: str) -> None:
        need(account != "", "certificate.account")
        self.burn(holder, [(certificate, amount)])

    def retire(self, now: int, holder: str, retired: Sequence[tuple[int, int]], beneficiary: str, purpose: str) -> None:
        need(len(retired) > 0, "certificate.lengths")
        self.burn(holder, retired)
        self.badges.append((holder, now, sum(amount for _, amount in retired), beneficiary, purpose))

    def claim(self, mover: str, holder: str, subject: str, certificate: int, amount: int) -> None:
        self.may_move(mover, holder, subject)
        self.burn(holder, [(certificate, amount)])
        self.claimed[certificate, subject] += amount

    def transfer(self, mover: str, sender: str, receiver: str, amounts: Sequence[tuple[int, int]]) -> None:
        self.may_move(mover, sender, receiver)
        after = self.balances.copy()
        for certificate, amount in amounts:
            need(after[certificate, sender] >= amount, "certificate.balance")
            after[certificate, sender] -= amount
            after[certificate, receiver] += amount
        self.balances = after

    def burn(self, holder: str, burned: Sequence[tuple[int, int]]) -> None:
        after = self.balances.copy()
        for certificate, amount in burned:
            need(amount > 0, "certificate.amount")
            need(after[certificate, holder] >= amount, "certificate.balance")
            after[certificate, holder] -= amount
        self.balances = after
        self.burns += [(holder, certificate, amount) for certificate, amount in burned]

    def may_move(self, mover: str, sender: str, receiver: str) -> None:
        need(receiver != ZERO_ADDRESS, "certificate.zero")
        need(mover == sender or (sender, mover) in self.approved, "certificate.not_approved")


@dataclass
class KwhTwin:
    """State of one Kwh over its certificates."""

    address: str
    certificates: CertificateTwin
    zone: bytes
    assurance_max: int
    oldest_s: int
    balances: Counter[str] = field(default_factory=Counter)
    lots: list[list[int]] = field(default_factory=list)  # id, amount: from the head on

    def deposit(self, holder: str, said: Properties, amount: int) -> None:
        need(self.zone in (bytes(32), said.zone), "kwh.zone")
        need(said.assurance <= self.assurance_max, "kwh.assurance")
        need(said.interval_start_s >= self.oldest_s, "kwh.oldest")
        need(amount >= LEAST_WH, "kwh.amount")
        certificate = int.from_bytes(said.certificate())
        self.certificates.transfer(self.address, holder, self.address, [(certificate, amount)])
        if self.lots and self.lots[-1][0] == certificate:
            self.lots[-1][1] += amount
        else:
            self.lots.append([certificate, amount])
        self.balances[holder] += amount

    def redeem(self, holder: str, amount: int, lots_max: int) -> None:
        need(amount > 0, "kwh.amount")
        need(0 < lots_max <= LOTS_MAX, "kwh.lots")
        need(self.balances[holder] >= amount, "kwh.balance")
        given: list[tuple[int, int]] = []
        while amount and len(given) < lots_max:
            certificate, held = self.lots[0]
            taken = min(amount, held)
            given.append((certificate, taken))
            self.lots[0][1] -= taken
            self.lots = [lot for lot in self.lots if lot[1]]
            amount -= taken
        self.balances[holder] -= sum(taken for _, taken in given)
        self.certificates.transfer(self.address, self.address, holder, given)

    def transfer(self, sender: str, receiver: str, amount: int) -> None:
        need(receiver not in (ZERO_ADDRESS, self.address), "kwh.zero")
        need(self.balances[sender] >= amount, "kwh.balance")
        self.balances[sender] -= amount
        self.balances[receiver] += amount
