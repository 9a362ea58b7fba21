"""Publish: what an operator shows of its record to whoever asks - facts, segments, proofs, and what to attest.

Read-only and public by design: facts name nobody's secrets, and people's data never enter them. Nothing here has to
be believed: whoever fetches it compares it with the root that stands on chain.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from penstock.capital.deal_book import terms_of
from penstock.capital.ready import Ready
from penstock.errors import Corrupt, Invalid, NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.capital import DealLaunched, DealOriginated
from penstock.journal.kinds.chain import CheckpointAnchored
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.journal.kinds.servicing import DealAmended
from penstock.journal.tree import Tree, leaf_hash
from penstock.journal.tree_proof import Proof
from penstock.store.ports import Store
from penstock.usecases.replay import read_back

FACTS_MAX: Final = 1_000
SEGMENT_BYTES_MAX: Final = 256 * 1024 * 1024
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PublishedFact:
    """A fact as published: its place, its canonical body, and the digest of its segment's file where it has one."""

    seq: int
    body: bytes
    segment: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """A period to attest: the deal and its contract, the period's number and end [us], and an anchored checkpoint.

    The epoch of the attester set is not here: the chain says it, and only the chain is asked.
    """

    deal: str
    subject: bytes
    period: int
    as_of_us: int
    size: int
    root: bytes


class RecordSource(Protocol):
    """Where an attester gets a record from. What it gives is checked, never trusted."""

    def facts(self, start: int, stop: int) -> Sequence[PublishedFact]:
        """Facts ``[start, stop)`` in order, or the first of them."""

    def segment(self, digest: str) -> bytes:
        """The bytes of a segment's file."""

    def requests(self, deal: str) -> Sequence[Request]:
        """The periods of a deal that are ready to be attested, oldest first."""


@dataclass(slots=True)
class Asked:
    """Which periods are ready to attest: a fold of facts.

    A period is ready at the first anchored checkpoint that covers its data (`penstock.capital.ready`); an operator
    therefore settles a period, or records its tape, before it anchors. A period without data is passed over.
    """

    requests: list[Request] = field(default_factory=list)
    _ready: Ready = field(default_factory=Ready)
    _subjects: dict[str, bytes] = field(default_factory=dict)
    _next: dict[str, int] = field(default_factory=dict)

    def apply(self, recorded: Recorded) -> None:
        """Fold one fact."""
        self._ready.apply(recorded)
        match recorded.fact:
            case DealOriginated() | DealAmended() as said:
                self._ready.terms[said.deal] = terms_of(said.text, said.program)
            case DealLaunched() as launched:
                named = {one.name: one.address for one in launched.contracts}
                if launched.deal in named:
                    self._subjects[launched.deal] = named[launched.deal]
            case CheckpointAnchored() as anchored:
                for deal in self._subjects:
                    self._ask(deal, anchored)

    def _ask(self, deal: str, anchored: CheckpointAnchored) -> None:
        for number, period in self._ready.periods(deal, self._next.get(deal, 0), anchored.size):
            self.requests.append(
                Request(deal, self._subjects[deal], number, period.stop_us, anchored.size, anchored.root)
            )
            self._next[deal] = number + 1


class Publication:
    """The public face of one store. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen = 0
        self._note = ""
        self._anchored = 0
        self._asked = Asked()

    def size(self) -> int:
        """How many facts are committed."""
        return self._store.size()

    def checkpoint(self) -> str:
        """The newest signed note. Raises NotFound ``publish.no_checkpoint``."""
        self._catch_up()
        if not self._note:
            raise NotFound("publish.no_checkpoint", "No checkpoint is signed yet.", hint="Sign one, then ask again.")
        return self._note

    def anchored(self) -> int:
        """The size of the newest checkpoint recorded as anchored; 0 before the first."""
        self._catch_up()
        return self._anchored

    def facts(self, start: int, stop: int) -> list[PublishedFact]:
        """Facts ``[start, stop)``, at most `FACTS_MAX` of them. Raises Invalid ``publish.range``."""
        if not 0 <= start <= stop:
            raise Invalid("publish.range", "Facts are asked for from 0 upwards: start, then stop.", start=start)
        end = min(stop, start + FACTS_MAX, self._store.size())
        return [PublishedFact(row.seq, row.body, row.segment) for row in self._store.facts(start, max(start, end))]

    def segment(self, digest: str) -> bytes:
        """A segment as one Parquet file, with salts, and hashes in place of erased rows, where it has such.

        Raises:
            Invalid: ``publish.digest``. NotFound: ``publish.no_segment``.
        """
        if not _DIGEST.fullmatch(digest):
            raise Invalid("publish.digest", "A segment is named by 64 lower-case hexadecimal digits.")
        try:
            return self._store.export(digest)
        except Corrupt as error:
            if error.code != "store.segment_missing":
                raise
            raise NotFound("publish.no_segment", "There is no such segment.", digest=digest) from None

    def inclusion(self, index: int, size: int) -> tuple[bytes, Proof, bytes]:
        """Leaf hash, proof and root for fact ``index`` in the tree of ``size``. Raises Invalid ``tree.size``."""
        tree = self._tree(size)
        if not 0 <= index < size:
            raise Invalid("tree.size", "A leaf's index lies below the tree's size.", index=index, size=size)
        (fact,) = self._store.facts(index, index + 1)
        return leaf_hash(fact.body), tree.inclusion_proof(index, size), tree.root(size)

    def consistency(self, old: int, new: int) -> tuple[bytes, bytes, Proof]:
        """Both roots, and the proof that the newer tree begins with the older. Raises Invalid ``tree.size``."""
        tree = self._tree(new)
        return tree.root(old), tree.root(new), tree.consistency_proof(old, new)

    def requests(self, deal: str = "") -> list[Request]:
        """Periods ready to be attested, oldest first; of one deal, or of all."""
        self._catch_up()
        with self._lock:
            return [one for one in self._asked.requests if deal in ("", one.deal)]

    def _tree(self, size: int) -> Tree:
        tree = self._store.tree()
        if not 0 <= size <= len(tree):
            raise Invalid("tree.size", "The tree has no such leaves.", size=size, known=len(tree))
        return tree

    def _catch_up(self) -> None:
        """Fold the facts committed since the last call."""
        with self._lock:
            for stored in self._store.facts(self._seen, self._store.size()):
                recorded = read_back(KINDS, stored)
                self._asked.apply(recorded)
                match recorded.fact:
                    case CheckpointSigned(note=note):
                        self._note = note
                    case CheckpointAnchored(size=size):
                        self._anchored = size
                self._seen = stored.seq + 1
