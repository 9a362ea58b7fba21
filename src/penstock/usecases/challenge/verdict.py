"""Verdicts: attesters do failed rows again from the evidence, sign how many they found, and the class is slashed.

An attester believes no judgement. What its own engine finds in the evidence's bytes counts; silence and slowness leave
no bytes, so of those counts what the attester met when it asked itself. A quorum's word about a class's fault subject
lets anyone call `Credit.slash`: the class closes, and every credit outstanding is refunded with its collateral.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from penstock.capital.report import Report
from penstock.compute.challenge_book import Judged
from penstock.compute.reexecution import NOTHING, VECTOR_TOLERANCE, Finding
from penstock.errors import Refused, Unverified
from penstock.journal.segment import Columns
from penstock.keys import ChainKey
from penstock.period import DAY_US, SECOND_US
from penstock.usecases.anchor_rpc import AnchorChain, Vote, sign_vote
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.challenge.draw import rows_of
from penstock.usecases.challenge.evidence import Evidence, shown_of
from penstock.usecases.challenge.reexecute import Engine, finding_of
from penstock.usecases.votes import Measured, VoteJournal
from penstock.usecases.world import World

DEFINITION: Final = hashlib.sha256(b"penstock/challenge-failures/1").digest()
"""What the measures of a verdict mean: drawn rows or accelerators that failed, and how many were drawn."""
EXPIRY_S_MAX: Final = 90 * DAY_US // SECOND_US
_UNPROVED: Final = frozenset({Finding.AGREES, Finding.UNDISCLOSED, Finding.REQUEST_DIFFERS, Finding.ANSWER_DIFFERS})
"""Bytes that are not those the provider stated prove nothing against it: whoever wrote the file may have made them."""
_STANDS: Final = "anchor.voted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows of a provider failed, of how many drawn, as of the newest judgement [s since 1970]."""

    failures: int
    drawn: int
    as_of_s: int

    def word(self, expiry_s: int) -> int:
        """The packed word that the anchor holds: failures, drawn, 0; as-of; expiry."""
        return Report((self.failures, self.drawn, 0), self.as_of_s, expiry_s).word


@dataclass(frozen=True, slots=True)
class CreditClass:
    """A class on chain: its contract and number."""

    credit: bytes
    class_id: int


def found_again(judged: Judged, evidence: Evidence, model: str, columns: Columns, engine: Engine) -> tuple[int, ...]:
    """Rows judged false that this engine finds false too, from the evidence's bytes and the statement's own digests.

    Vectors are held to `VECTOR_TOLERANCE` where the evidence names a narrower one: whoever judged chose that one.

    Raises:
        Unverified: ``verdict.evidence`` where the evidence is not the one that was judged.
    """
    fact = judged.fact
    if evidence.digest != fact.evidence or (evidence.rows, evidence.failed) != (fact.rows, fact.failed):
        raise Unverified("verdict.evidence", "This is not the evidence that the judgement names.", seq=judged.seq)
    shown = shown_of(evidence.found)
    tolerance = max(VECTOR_TOLERANCE, evidence.tolerance)  # in this order: of ours and nan, ours
    again = {
        row.row: finding_of(row, shown.get(row.payment_id, NOTHING), engine, tolerance)
        for row in rows_of(columns, model, fact.failed)
    }
    return tuple(row for row, finding in again.items() if finding not in _UNPROVED)


def verdict_on(world: World, provider: str, own: Mapping[int, Collection[int]]) -> Verdict:
    """What an attester says of a provider: of each judgement (by its place in the journal) the rows it found itself.

    Raises:
        Refused: ``verdict.nothing`` where it found nothing false.
    """
    counted = [
        (len(set(one.fact.failed) & set(own[one.seq])), len(one.fact.rows), one.at_us)
        for one in world.challenges.judged
        if one.fact.provider == provider and one.seq in own
    ]
    failures = sum(failed for failed, _, _ in counted)
    if not failures:
        raise Refused("verdict.nothing", "Nothing that was judged false was found false again.", provider=provider)
    return Verdict(failures, sum(drawn for _, drawn, _ in counted), max(at_us for *_, at_us in counted) // SECOND_US)


def vote(
    chain: AnchorChain,
    of: CreditClass,
    provider: bytes,
    verdict: Verdict,
    expiry_s: int,
    checkpoint: tuple[int, bytes],
    key: ChainKey,
    votes: VoteJournal,
    now_s: int,
) -> str:
    """Sign a verdict on a class and send it to the anchor; the transaction's hash, empty where the vote stood already.

    ``provider`` is the chain address that the record registered; ``checkpoint`` the anchored size and root that the
    judgements are in. What is signed is written down first, and no second word about the same instant ever follows.

    Raises:
        Refused: ``verdict.other_provider``, ``verdict.expiry``, ``verdict.refused_by_anchor``; as `VoteJournal.commit`.
        Unavailable: as `AnchorChain.vote`.
    """
    anchor, of_class, subject = chain.credit(of.credit, of.class_id)
    if of_class != provider:
        raise Refused("verdict.other_provider", "This class is another provider's.", provider=of_class.hex())
    if not now_s < expiry_s <= now_s + EXPIRY_S_MAX:
        raise Refused("verdict.expiry", "A verdict expires within 90 days from now.", expiry_s=expiry_s)
    word, about = verdict.word(expiry_s), Measured(chain.chain_id, anchor, subject, verdict.as_of_s, DEFINITION)
    votes.commit(about, word)
    statement = Vote(subject, word, DEFINITION, *checkpoint, chain.epoch(anchor))
    signature = sign_vote(key, statement, chain.chain_id, anchor)
    reason = chain.refusal(anchor, key.address, statement, signature)
    if reason == _STANDS or chain.report(anchor, subject) == word:
        return ""
    if reason:
        hint = "Its codes are those of the Anchor contract."
        raise Refused("verdict.refused_by_anchor", f"The anchor does not take the verdict: {reason}.", hint=hint)
    tx_hash, _ = chain.vote(key, anchor, statement, signature)
    return tx_hash


def slash(desk: ChainDesk, of: CreditClass) -> None:
    """Close the class that a quorum found false; once. Raises as `ChainDesk.act`."""
    desk.act(f"slash:{of.class_id:064x}", "Credit", "slash", of.class_id)


def watch(desk: ChainDesk, of: CreditClass, provider: bytes) -> None:
    """Let the anchor take verdicts on a class: its operator registers the fault subject, its provider the sponsor."""
    subject = desk.view("Credit", "fault_subject", of.class_id)
    desk.act(f"watch:{of.class_id:064x}", "Anchor", "register", subject, provider)
