"""Attest: recompute a deal's measures from somebody else's record, sign them, and vote on chain. Believe nothing.

The attester keeps a replica of its own. It takes facts only up to a size whose root stands on chain, holds their leaves
against that root, every segment against the root its fact seals, every packet against its device's signature, and every
figure against the meter. Only then it computes the report, and only its own figure is signed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.language import load_deal
from penstock.capital.measure import DEFINITION
from penstock.capital.report import Report, page_subject
from penstock.energy.device import Devices
from penstock.errors import Corrupt, Invalid, NotFound, Refused, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns
from penstock.journal.tree import Frontier, leaf_hash
from penstock.keys import ChainKey
from penstock.usecases.anchor_rpc import AnchorChain, DealOnChain, Vote, sign_vote
from penstock.usecases.erase import standings_of
from penstock.usecases.erasures import Erasures
from penstock.usecases.publish import PublishedFact, RecordSource, Request
from penstock.usecases.recheck import Recheck
from penstock.usecases.replay import segment_ref
from penstock.usecases.votes import Measured, VoteJournal
from penstock.usecases.world import World

VOTED: Final = "voted"
STANDS: Final = "stands"
ACCEPTED: Final = "accepted_without"
LATE: Final = "late"
_LOUDEST_FIRST: Final = (VOTED, LATE, ACCEPTED, STANDS)
_LATE: Final = "anchor.late"
_VOTED_ALREADY: Final = "anchor.voted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A period as this attester found it.

    ``status``: the vote was cast now, stood before, or came after others' quorum for the same word, or after a later
    period's; of two pages that with more to tell: cast now, then late, then after others, then stood. ``measures`` are
    the report's figures by name and unit, as in ``energy_wh``.
    """

    request: Request
    report: Report
    measures: dict[str, int]
    status: str
    tx_hash: str


class Replica:
    """An attester's own copy of a record, up to a size whose root was given by someone it trusts: the chain."""

    def __init__(self) -> None:
        self.world = World()
        self.size = 0
        self._frontier = Frontier()
        self._waiting: deque[PublishedFact] = deque()
        self._recheck = Recheck(self.world)
        self._erasures = Erasures()

    def advance(self, source: RecordSource, size: int, root: bytes) -> None:
        """Take in facts up to ``size``, after their leaves lead to ``root``.

        Where the source fails halfway, the same call goes on from there.

        Raises:
            Unverified: ``attest.root_differs``, ``attest.segment_altered``, ``attest.erased_untold``, and as `Recheck`.
            Corrupt: as `Books.apply` where a fact breaks a law of the books.
        """
        facts = list(_fetched(source, self._frontier.size, size))
        frontier = self._frontier.copy()
        frontier.extend(leaf_hash(fact.body) for fact in facts)
        if frontier.size != size or frontier.root() != root:
            sentence = "The facts do not lead to the root that is anchored on chain."
            raise Unverified("attest.root_differs", sentence, size=size, anchored=root.hex())
        self._frontier = frontier
        self._waiting.extend(facts)
        while self._waiting:
            self._take(source, self._waiting[0])
            self._waiting.popleft()
        self._recheck.settle()
        for sentence in self._erasures.wrong(saw_all=False):
            raise _untold(sentence, size)
        self.size = size

    def _take(self, source: RecordSource, fact: PublishedFact) -> None:
        recorded = KINDS.decode(fact.body, fact.seq)
        rows = _rows(source, fact, recorded)
        columns = None if rows is None else rows.columns
        if rows is not None:
            self._check_erased(recorded, fact.segment or "", rows)
        self._recheck.before(recorded, columns)
        self.world.apply(recorded, columns)
        self._recheck.after(recorded, columns, partial(_columns_again, source, fact, recorded))

    def _check_erased(self, recorded: Recorded, digest: str, rows: SealedRows) -> None:
        """Who saw the readings before they went knows where their registers stood."""
        if isinstance(recorded.fact, ReadingsErased):
            if not (_known(self.world.energy, rows.columns) and (self._erasures.gone or self._stood(rows.columns))):
                raise _untold("Registers did not stand where the erasure says they stood.", recorded.seq)
            self._erasures.tell(recorded.fact, rows.columns)
        self._erasures.look(digest, rows)

    def _stood(self, standings: Columns) -> bool:
        known = standings_of(self.world.energy, standings["register"]).columns
        return all(np.array_equal(known[name], column) for name, column in standings.items())


def _known(devices: Devices, standings: Columns) -> bool:
    """Whether these are registers that devices count, each with its own device."""
    register, count = standings["register"], len(devices.device_of)
    inside = bool(((register >= 0) & (register < count)).all())
    return inside and np.array_equal(devices.device_of[register], standings["device"])


def _untold(sentence: str, seq: int) -> Unverified:
    hint = "Has the erasure's fact been anchored yet?"
    return Unverified("attest.erased_untold", sentence, hint=hint, seq=seq)


def _fetched(source: RecordSource, start: int, stop: int) -> Iterator[PublishedFact]:
    while start < stop:
        page = source.facts(start, stop)
        if not page or [fact.seq for fact in page] != list(range(start, min(start + len(page), stop))):
            raise Unverified("attest.root_differs", "The source withholds facts that are anchored.", seq=start)
        yield from page
        start += len(page)


def _rows(source: RecordSource, fact: PublishedFact, recorded: Recorded) -> SealedRows | None:
    """The rows a fact seals, held against its Merkle root; what the file's bytes are called does not matter."""
    ref = segment_ref(recorded.fact)
    if ref is None:
        return None
    if fact.segment is None or ref.format not in FORMATS:
        raise _altered(recorded.seq, "A fact's segment is withheld.")
    try:
        rows = _parsed(source.segment(fact.segment), fact.segment, ref.format)
        rows.check(ref)
    except (Corrupt, Invalid, NotFound) as error:
        raise _altered(recorded.seq, error.message) from error
    return rows


def _columns_again(source: RecordSource, fact: PublishedFact, recorded: Recorded) -> Columns:
    rows = _rows(source, fact, recorded)
    return rows.columns if rows else {}


def _parsed(raw: bytes, digest: str, name: str) -> SealedRows:
    import pyarrow as pa

    from penstock.store.exported import from_exported

    try:
        return from_exported(raw, FORMATS[name], digest)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise Corrupt("attest.segment_bytes", "The file is no segment.", digest=digest) from error


def _altered(seq: int, sentence: str) -> Unverified:
    return Unverified("attest.segment_altered", f"The rows are not those the fact sealed: {sentence}", seq=seq)


class Attester:
    """One attester of one deal: its source, its chain, its key, and its memory of what it signed."""

    def __init__(self, source: RecordSource, chain: AnchorChain, key: ChainKey, votes: VoteJournal, deal: str) -> None:
        self._source, self._chain, self._key, self._votes = source, chain, key, votes
        self._name = deal
        self._replica = Replica()
        self._next = 0

    def attest_ready(self, periods_max: int) -> Iterator[Outcome]:
        """Attest every period that is ready and not done yet, oldest first, at most ``periods_max``.

        Raises:
            Unverified, Corrupt: whatever does not agree; then nothing is signed for that period or any later one.
            Unavailable: where source or chain do not answer; the same call may succeed later.
        """
        ready = [one for one in self._source.requests(self._name) if one.period >= self._next]
        for request in ready[:periods_max]:
            yield self._attest(request)
            self._next = request.period + 1

    def _attest(self, request: Request) -> Outcome:
        on_chain = self._chain.deal(request.subject)
        self._catch_up(request, on_chain)
        in_force = self._check_deal(request, on_chain)
        self._check_period(request)
        report = self._replica.world.capital.report(self._name, request.period)
        return self._vote(request, report, on_chain.anchor, in_force)

    def _catch_up(self, request: Request, on_chain: DealOnChain) -> None:
        root = self._chain.root_at(on_chain.anchor, request.size)
        if root == bytes(32) or root != request.root:
            sentence = "The checkpoint to attest is not the one anchored on chain."
            raise Unverified("attest.root_differs", sentence, size=request.size, anchored=root.hex())
        if request.size < self._replica.size:
            raise Unverified("attest.request_differs", "A later period names an older checkpoint.", size=request.size)
        self._replica.advance(self._source, request.size, root)

    def _check_deal(self, request: Request, on_chain: DealOnChain) -> bool:
        """That the record's deal is the one at the address, on this chain, with the program its text compiles to.

        The text is that by which the period is measured. Of a period closed on chain it may be an earlier one than what
        runs there now; then nothing is left to vote on, and the answer is False.
        """
        record = self._replica.world.capital.deal(self._name)
        if record.contracts.get(self._name) != request.subject or record.chain_id != self._chain.chain_id:
            sentence = "The record launched this deal at another address or on another chain."
            raise Unverified("attest.request_differs", sentence, deal=self._name, chain_id=self._chain.chain_id)
        program = compile_deal(self._replica.world.capital.measuring(self._name, request.period).deal)
        in_force = (on_chain.deal_hash, on_chain.program_hash) == (program.deal_hash, program.program_hash)
        if not in_force and request.period >= on_chain.period:
            sentence = "The deal on chain runs another program than the deal's text compiles to."
            raise Unverified("attest.program_differs", sentence, deal=self._name)
        return in_force

    def _check_period(self, request: Request) -> None:
        """That the period asked for ends when it says, and that this checkpoint covers it."""
        capital = self._replica.world.capital
        stop_us = capital.servicing.of(self._name).periods.of(request.period).stop_us
        if request.as_of_us != stop_us or not capital.ready.covers(self._name, request.period, request.size):
            sentence = "The period asked for is not complete in this checkpoint."
            raise Unverified("attest.request_differs", sentence, period=request.period, size=request.size)

    def _vote(self, request: Request, report: Report, anchor: bytes, in_force: bool) -> Outcome:
        """A vote for each page of the report; those of an earlier, interrupted run stand.

        Under terms that are no more ``in_force`` nothing is signed, only compared with what was accepted.
        """
        cast = []
        for page, word in enumerate(report.words):
            subject = page_subject(request.subject, page)
            about = Measured(self._chain.chain_id, anchor, subject, report.as_of_s, DEFINITION)
            of_page = replace(request, subject=subject)
            past = "" if in_force else self._compared(of_page, word, self._accepted(about), about)
            cast.append((past, "") if past else self._vote_page(of_page, word, about))
        status, tx_hash = min(cast, key=lambda one: _LOUDEST_FIRST.index(one[0]))
        return self._outcome(request, report, status, tx_hash)

    def _vote_page(self, request: Request, word: int, about: Measured) -> tuple[str, str]:
        """Status and transaction of the vote for one word; the request's subject is the page's."""
        self._refuse_second_word(about, word)
        accepted = self._accepted(about)
        if accepted:
            return self._compared(request, word, accepted, about), ""
        self._votes.commit(about, word)
        anchor = about.anchor
        vote = Vote(request.subject, word, DEFINITION, request.size, request.root, self._chain.epoch(anchor))
        signature = sign_vote(self._key, vote, self._chain.chain_id, anchor)
        reason = self._chain.refusal(anchor, self._key.address, vote, signature)
        tx_hash, counted = "", False
        if not reason:
            tx_hash, counted = self._chain.vote(self._key, anchor, vote, signature)
            reason = "" if counted else self._chain.refusal(anchor, self._key.address, vote, signature)
        return self._settled(request, word, about, reason), tx_hash if counted else ""

    def _settled(self, request: Request, word: int, about: Measured, reason: str) -> str:
        if not reason:
            return VOTED
        if reason == _VOTED_ALREADY:
            return STANDS
        if reason == _LATE:  # others made the quorum while this vote was on its way, or went on without this period
            return self._compared(request, word, self._accepted(about), about)
        hint = "Its codes are those of the Anchor contract."
        raise Refused("attest.refused_by_anchor", f"The anchor does not take the vote: {reason}.", hint=hint)

    def _outcome(self, request: Request, report: Report, status: str, tx_hash: str = "") -> Outcome:
        deal = load_deal(self._replica.world.capital.deal(self._name).originated.text)
        return Outcome(request, report, figures(deal, report), status, tx_hash)

    def _accepted(self, about: Measured) -> int:
        return self._chain.accepted_at(about.anchor, about.subject, about.as_of_s)

    def _compared(self, request: Request, word: int, accepted: int, about: Measured) -> str:
        """What the others accepted, held against what was computed here."""
        if accepted and accepted != word:
            sentence = "The quorum accepted another word than the record comes to."
            raise Unverified("attest.accepted_differs", sentence, period=request.period, accepted=hex(accepted))
        return STANDS if word in self._voted(about) else ACCEPTED if accepted else LATE

    def _refuse_second_word(self, about: Measured, word: int) -> None:
        """The chain remembers too, should the journal of votes have been lost."""
        for before in (self._votes.word(about), *self._voted(about)):
            if before is not None and before != word:
                hint = "Two words for one as-of expel an attester. Find out which record changed."
                raise Refused("attest.two_words", "This key stands for another word.", hint=hint, before=hex(before))

    def _voted(self, about: Measured) -> Sequence[int]:
        words = self._chain.words_voted(about.anchor, about.subject, self._key.address, about.definition)
        return [word for word in words if Report.from_word(word).as_of_s == about.as_of_s]


def figures(deal: Deal, report: Report) -> dict[str, int]:
    """A report's measures by name and unit, as in ``energy_wh``."""
    units = {"Wh": "wh", "USDC": "usdc_micro", "tokens": "tokens", "count": "count", "rate": "e8"}
    return {f"{one.name}_{units[one.unit]}": value for one, value in zip(deal.measures, report.measures, strict=False)}
