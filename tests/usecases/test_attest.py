"""An attester against honest and dishonest records: it signs only what it recomputed, and never two words."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attest_kit import (
    ATTESTERS,
    DEAL,
    RACK,
    START_US,
    House,
    Record,
    Tampering,
    account,
    attester,
    chain_for,
    changing,
    first_of,
    key_of,
    make_record,
    publication,
    resealed,
    terms_text,
)

from penstock.capital.measure import DEFINITION
from penstock.capital.report import Report
from penstock.chain.node import CHAIN_ID
from penstock.chain.typed_data import Attestation, anchor_domain, attestation_message, message_digest, sign_typed
from penstock.errors import Corrupt, PenstockError, Refused, Unavailable, Unverified
from penstock.journal.fact import Entry
from penstock.journal.segment import Segment
from penstock.period import DAY_US
from penstock.usecases.anchor_rpc import AnchorChain, Vote, sign_vote
from penstock.usecases.attest import Outcome
from penstock.usecases.publish import PublishedFact, RecordSource
from penstock.usecases.votes import Measured, VoteJournal

Chain = tuple[House, str]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    made = make_record(tmp_path_factory.mktemp("attested") / "workspace")
    yield made
    made.workspace.store.close()


@pytest.fixture
def chain(record: Record) -> Iterator[Chain]:
    with chain_for(record) as found:
        yield found


def outcomes(role: str, source: RecordSource, chain: Chain, folder: Path, periods: int = 9) -> list[Outcome]:
    with attester(role, source, chain[1], folder) as one:
        return list(one.attest_ready(periods))


def refusal(source: RecordSource, chain: Chain, folder: Path) -> str:
    """The code an attester refuses a source with, having voted for nothing and noted nothing to sign."""
    with pytest.raises(Unverified) as refused:
        outcomes("attester-1", source, chain, folder)
    assert chain[0].votes("attester-1") == []
    assert (folder / "attester-1.votes").read_bytes() == b""
    return refused.value.code


def lie(house: House, role: str, record: Record, period: int, word: int) -> Any:
    """Another word, signed with a role's own key and sent from its account."""
    size, root, _ = record.anchored[period]
    said = Attestation(house.deal.address, word, DEFINITION, size, root, 0)
    message = attestation_message(anchor_domain(CHAIN_ID, house.anchor.address), said)
    call = house.anchor.functions.attest(said.as_tuple(), sign_typed(key_of(role).secret, message))
    return house.send(call, role)


def word_for(period: int, *measures: int) -> int:
    as_of_s = (START_US + (period + 1) * DAY_US) // 1_000_000
    return Report((measures[0], measures[1], measures[2]), as_of_s, as_of_s + 20 * 365 * 86_400).word


def test_two_of_three_make_the_report_and_the_third_agrees(record: Record, chain: Chain, tmp_path: Path) -> None:
    source = publication(record)
    found = [outcomes(role, source, chain, tmp_path) for role in ATTESTERS]
    assert [[one.status for one in each] for each in found] == [["voted"] * 2, ["voted"] * 2, ["accepted_without"] * 2]
    assert len({one.report.word for each in found for one in each[1:]}) == 1
    assert chain[0].report == found[0][1].report.word


def test_the_figures_are_those_of_the_meter_and_the_dollars(record: Record, chain: Chain, tmp_path: Path) -> None:
    said = outcomes("attester-1", publication(record), chain, tmp_path)
    world = record.workspace.read(lambda world: world)
    register = world.books.registers.id_of(f"{RACK}/import")
    tokens = int(world.books.registers.read[world.books.registers.id_of(f"{RACK}/tokens")])
    energy_wh = [one.measures["energy_wh"] for one in said]
    assert sum(energy_wh) == int(world.books.registers.read[register]) > 0
    assert sum(one.measures["answers_tokens"] for one in said) == tokens > 0
    released = world.books.ledger.balance(world.books.accounts.id_of(f"{DEAL}/collect"))
    fees = [wh * 80_000 // 1_000 + 40_000_000 for wh in energy_wh]
    assert sum(one.measures["cfads_usdc_micro"] for one in said) == released - sum(fees)


def test_what_is_signed_is_the_eip712_digest(record: Record) -> None:
    size, root, _ = record.anchored[0]
    subject, anchor = bytes(range(20)), bytes(range(20, 40))
    vote = Vote(subject, word_for(0, 1, -2, 3), DEFINITION, size, root, 7)
    said = Attestation("0x" + subject.hex(), vote.word, DEFINITION, size, root, 7)
    message = attestation_message(anchor_domain(CHAIN_ID, "0x" + anchor.hex()), said)
    assert vote.digest(CHAIN_ID, anchor) == message_digest(message)
    key = key_of("attester-1")
    assert sign_vote(key, vote, CHAIN_ID, anchor) == sign_typed(key.secret, message)


# ---- a report of two pages


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """The first deal with a fourth measure."""
    text = terms_text().replace("  answers: tokens", "  revenue: USDC\n  answers: tokens")
    made = make_record(tmp_path_factory.mktemp("wide") / "record", 1, text)
    with made.workspace:
        yield made


def test_both_pages_are_attested(wide: Record, tmp_path: Path) -> None:
    with chain_for(wide) as chain:
        found = [outcomes(role, publication(wide), chain, tmp_path) for role in ATTESTERS]
        assert [[one.status for one in each] for each in found] == [["voted"], ["voted"], ["accepted_without"]]
        report = found[0][0].report
        assert (chain[0].page(0), chain[0].page(1)) == report.words
        assert report.measures[3] == found[0][0].measures["answers_tokens"] > 0
        assert [one.status for one in outcomes("attester-1", publication(wide), chain, tmp_path)] == ["stands"]


def test_the_second_page_is_sent_after_a_restart(wide: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, calls = AnchorChain.vote, []

    def dying(chain: AnchorChain, *args: Any) -> tuple[str, bool]:
        calls.append(args)
        if len(calls) == 2:
            raise Unavailable("rpc.unreachable", "The chain is gone.")
        return honest(chain, *args)

    with chain_for(wide) as chain:
        monkeypatch.setattr(AnchorChain, "vote", dying)
        with pytest.raises(Unavailable):
            outcomes("attester-1", publication(wide), chain, tmp_path)
        assert len(chain[0].votes("attester-1")) == 1
        (again,) = outcomes("attester-1", publication(wide), chain, tmp_path)
        assert (again.status, len(chain[0].votes("attester-1"))) == ("voted", 2)
        assert again.tx_hash


# ---- a source that tampers


def flipped(raw: bytes) -> bytes:
    return raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :]


@pytest.mark.parametrize("kind", ["packets.received", "readings.verified", "answers.served", "spans.linked"])
def test_a_flipped_byte_in_a_segment(record: Record, chain: Chain, tmp_path: Path, kind: str) -> None:
    source, digest = publication(record), first_of(record, kind).segment
    assert digest
    bad = Tampering(source, bytes_by_digest={digest: flipped(source.segment(digest))})
    assert refusal(bad, chain, tmp_path) == "attest.segment_altered"


def more_tokens(columns: dict[str, Any]) -> None:
    columns["tokens"][0] += 1


def test_other_rows_in_a_sound_file(record: Record, chain: Chain, tmp_path: Path) -> None:
    source, served = publication(record), first_of(record, "answers.served")
    assert served.segment
    raw, _ = resealed(source.segment(served.segment), "request/1", more_tokens)
    named = hashlib.sha256(raw).hexdigest()
    facts = {served.seq: PublishedFact(served.seq, served.body, named)}
    assert refusal(Tampering(source, facts, {named: raw}), chain, tmp_path) == "attest.segment_altered"


def test_other_rows_and_a_fact_that_seals_them(record: Record, chain: Chain, tmp_path: Path) -> None:
    source, served = publication(record), first_of(record, "answers.served")
    assert served.segment
    raw, segment = resealed(source.segment(served.segment), "request/1", more_tokens)
    body, ref = json.loads(served.body), segment.ref()
    body["data"]["segment"] |= {"root": ref.root.hex(), "sum": str(ref.sum)}
    told = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    named = hashlib.sha256(raw).hexdigest()
    facts = {served.seq: PublishedFact(served.seq, told, named)}
    assert refusal(Tampering(source, facts, {named: raw}), chain, tmp_path) == "attest.root_differs"


def test_a_segment_of_garbage_that_bears_its_digest(record: Record, chain: Chain, tmp_path: Path) -> None:
    source, served = publication(record), first_of(record, "answers.served")
    named = hashlib.sha256(b"PAR1garbagePAR1").hexdigest()
    facts = {served.seq: PublishedFact(served.seq, served.body, named)}
    bad = Tampering(source, facts, {named: b"PAR1garbagePAR1"})
    assert refusal(bad, chain, tmp_path) == "attest.segment_altered"


def test_a_withheld_segment_and_withheld_facts(record: Record, chain: Chain, tmp_path: Path) -> None:
    source, served = publication(record), first_of(record, "answers.served")
    facts = {served.seq: PublishedFact(served.seq, served.body, None)}
    assert refusal(Tampering(source, facts), chain, tmp_path) == "attest.segment_altered"
    assert refusal(Tampering(source, stop=served.seq), chain, tmp_path) == "attest.root_differs"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"root": bytes(32)}, "attest.root_differs"),
        ({"size": 12}, "attest.root_differs"),
        ({"as_of_us": START_US}, "attest.request_differs"),
        ({"period": 1}, "attest.request_differs"),
        ({"subject": bytes(20)}, "attest.no_contract"),
    ],
)
def test_a_request_for_something_else(
    record: Record, chain: Chain, tmp_path: Path, change: dict[str, Any], code: str
) -> None:
    bad = Tampering(publication(record), asked=lambda one: replace(one, **change))
    assert refusal(bad, chain, tmp_path) == code


# ---- a dishonest operator, whose lie is sealed, signed and anchored


def accept_all(entries: list[Entry]) -> list[Entry]:
    """Packets that were refused are recorded as accepted."""
    segment = entries[0].segment
    assert segment is not None
    columns = {**segment.columns, "verdict": segment.columns["verdict"] * 0}
    made = Segment(segment.format, columns)
    return [Entry(replace(entries[0].fact, segment=made.ref()), made), *entries[1:]]


def higher_reading(entries: list[Entry]) -> list[Entry]:
    """The last reading of a roof stands higher than its meter signed."""
    segment = entries[1].segment
    assert segment is not None
    columns = {name: column.copy() for name, column in segment.columns.items()}
    columns["position_wh"][95] += 500
    made = Segment(segment.format, columns)
    fact: Any = entries[1].fact
    return [entries[0], Entry(replace(fact, segment=made.ref(), counted_wh=fact.counted_wh + 500), made)]


def more_energy(entries: list[Entry]) -> list[Entry]:
    fact: Any = entries[0].fact
    return changing(0, energy_mj=fact.energy_mj + 3_600_000)(entries)


def later_answers(entries: list[Entry]) -> list[Entry]:
    fact: Any = entries[0].fact
    return changing(0, start_us=fact.start_us + 1)(entries)


def fewer_tokens(entries: list[Entry]) -> list[Entry]:
    fact: Any = entries[0].fact
    return changing(0, tokens=fact.tokens - 1, answers=fact.answers - 1)(entries)


def dearer(entries: list[Entry]) -> list[Entry]:
    """More dollars are released than the credits cost."""
    fact: Any = entries[0].fact
    (paid,) = fact.transfers
    return changing(0, transfers=(replace(paid, usdc_micro=paid.usdc_micro + 1),))(entries)


def other_terms(entries: list[Entry]) -> list[Entry]:
    """A deal text that pays the servicer another fee than the program does."""
    fact: Any = entries[-1].fact
    return changing(-1, text=fact.text.replace("40 USDC", "41 USDC"))(entries)


@pytest.mark.parametrize(
    ("command", "change", "code"),
    [
        ("ingest_0", accept_all, "attest.verdicts_differ"),
        ("ingest_0", higher_reading, "attest.verdicts_differ"),
        ("ingest_0", lambda entries: entries[:1], "attest.verdicts_differ"),
        ("meter_0", lambda entries: entries[1:], "attest.verdicts_differ"),
        ("serve_0", more_energy, "attest.figures_differ"),
        ("serve_0", later_answers, "attest.figures_differ"),
        ("serve_0", fewer_tokens, "attest.figures_differ"),
        ("redeem_0", dearer, "attest.release_differs"),
        ("deal", other_terms, "attest.program_differs"),
    ],
)
def test_a_lie_told_from_the_start(
    tmp_path: Path, command: str, change: Callable[[list[Entry]], list[Entry]], code: str
) -> None:
    dishonest = Record(tmp_path / "workspace", {command.replace("_", "-"): change})
    with dishonest.workspace:
        _play(dishonest)
        with chain_for(dishonest) as chain:
            assert refusal(_requested(dishonest), chain, tmp_path) == code


def _play(record: Record) -> None:
    """As far as the lie lets the operator's own books go, and an anchor."""
    from attest_kit import deal_address

    record.begin(deal_address())
    with contextlib.suppress(PenstockError, AttributeError, ValueError):
        record.day(0)
    record.anchor(START_US + DAY_US)


def _requested(record: Record) -> RecordSource:
    """A source that asks for the first period, whatever the record is worth."""
    from attest_kit import deal_address

    from penstock.usecases.publish import Request

    size, root, _ = record.anchored[0]
    asked = Request(DEAL, deal_address(), 0, START_US + DAY_US, size, root)

    class Asking(Tampering):
        def requests(self, deal: str) -> list[Request]:
            return [asked]

    return Asking(publication(record))


# ---- votes


def test_a_vote_that_stands_is_not_cast_again(record: Record, chain: Chain, tmp_path: Path) -> None:
    first = outcomes("attester-1", publication(record), chain, tmp_path, periods=1)
    again = outcomes("attester-1", publication(record), chain, tmp_path, periods=1)
    (tmp_path / "attester-1.votes").unlink()
    forgotten = outcomes("attester-1", publication(record), chain, tmp_path, periods=1)
    assert [one[0].status for one in (first, again, forgotten)] == ["voted", "stands", "stands"]
    assert chain[0].votes("attester-1") == [first[0].report.word]


def test_a_vote_signed_but_not_sent_is_sent_after_a_restart(record: Record, chain: Chain, tmp_path: Path) -> None:
    word = outcomes("attester-2", publication(record), chain, tmp_path, periods=1)[0].report.word
    about = _about(chain[0])
    with VoteJournal(tmp_path / "attester-1.votes") as votes:
        votes.commit(about, word)
    assert outcomes("attester-1", publication(record), chain, tmp_path, periods=1)[0].status == "voted"
    assert chain[0].report == word


def _about(house: House) -> Measured:
    anchor, subject = (bytes.fromhex(one.address[2:]) for one in (house.anchor, house.deal))
    return Measured(CHAIN_ID, anchor, subject, (START_US + DAY_US) // 1_000_000, DEFINITION)


def test_another_word_in_its_memory_is_never_followed_by_a_second(record: Record, chain: Chain, tmp_path: Path) -> None:
    with VoteJournal(tmp_path / "attester-1.votes") as votes:
        votes.commit(_about(chain[0]), 1)
    with pytest.raises(Refused, match="two_words"):
        outcomes("attester-1", publication(record), chain, tmp_path)
    assert chain[0].votes("attester-1") == []


def test_another_word_on_chain_is_never_followed_by_a_second(record: Record, chain: Chain, tmp_path: Path) -> None:
    lie(chain[0], "attester-1", record, 0, word_for(0, 1, 2, 3))
    with pytest.raises(Refused, match="two_words"):
        outcomes("attester-1", publication(record), chain, tmp_path)
    assert not chain[0].anchor.functions.expelled(account("attester-1").address).call()


def test_one_liar_is_outvoted(record: Record, chain: Chain, tmp_path: Path) -> None:
    lie(chain[0], "attester-1", record, 0, word_for(0, 99_000, 10**9, 5))
    assert chain[0].report == 0
    honest = [outcomes(role, publication(record), chain, tmp_path, periods=1)[0] for role in ATTESTERS[1:]]
    assert [one.status for one in honest] == ["voted", "voted"]
    assert chain[0].report == honest[0].report.word


def test_two_liars_are_named_by_the_third(record: Record, chain: Chain, tmp_path: Path) -> None:
    for role in ATTESTERS[:2]:
        lie(chain[0], role, record, 0, word_for(0, 99_000, 10**9, 5))
    with pytest.raises(Unverified, match="accepted_differs"):
        outcomes("attester-3", publication(record), chain, tmp_path)
    assert chain[0].votes("attester-3") == []


def test_a_period_left_behind_is_late(record: Record, chain: Chain, tmp_path: Path) -> None:
    for role in ATTESTERS[:2]:
        lie(chain[0], role, record, 1, word_for(1, 1, 2, 3))
    (late,) = outcomes("attester-3", publication(record), chain, tmp_path, periods=1)
    assert (late.status, chain[0].votes("attester-3")) == ("late", [])


def test_a_stranger_is_told_that_it_is_no_attester(record: Record, chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="refused_by_anchor"):
        outcomes("stranger", publication(record), chain, tmp_path)


def test_an_account_without_money_is_named(record: Record, chain: Chain, tmp_path: Path) -> None:
    house = chain[0]
    balance = house.w3.eth.get_balance(account("attester-1").address)
    sender = account("attester-1")
    fields = {"nonce": 0, "chainId": CHAIN_ID, "gas": 21_000, "to": account("operator").address, "value": balance}
    fields |= {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "value": balance - 21_000 * 10**10}
    house.w3.eth.send_raw_transaction(sender.sign_transaction(fields).raw_transaction)
    with pytest.raises(Refused, match="not_sent"):
        outcomes("attester-1", publication(record), chain, tmp_path)


def test_a_source_that_fails_halfway_is_asked_again(record: Record, chain: Chain, tmp_path: Path) -> None:
    class Failing(Tampering):
        left = 10

        def segment(self, digest: str) -> bytes:
            self.left -= 1
            if self.left == 0:
                raise Unavailable("source.unreachable", "The source does not answer.")
            return super().segment(digest)

    with attester("attester-1", Failing(publication(record)), chain[1], tmp_path) as one:
        with pytest.raises(Unavailable):
            list(one.attest_ready(9))
        assert [found.status for found in one.attest_ready(9)] == ["voted", "voted"]


# ---- the memory of votes


def test_two_processes_cannot_share_one_memory(tmp_path: Path) -> None:
    with VoteJournal(tmp_path / "a.votes"), pytest.raises(Unavailable, match="in_use"):
        VoteJournal(tmp_path / "a.votes")


def test_a_torn_last_line_is_dropped_and_a_damaged_one_named(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "a.votes"
    about = Measured(1, bytes(20), bytes(20), 5, bytes(32))
    with VoteJournal(path) as votes:
        votes.commit(about, 9)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    with VoteJournal(path) as votes:
        assert votes.word(about) == 9
        votes.commit(replace(about, as_of_s=6), 10)
    assert path.read_bytes().count(b"\n") == 2
    path.write_bytes(whole.replace(b'"9"', b'"09"'))
    with pytest.raises(Corrupt, match="journal_damaged"):
        VoteJournal(path)
