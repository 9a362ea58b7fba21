"""What an operator publishes can be checked piece by piece, over HTTP and from a folder alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from attest_kit import DAYS, DEAL, LOG_KEY, ORIGIN, START_US, Record, deal_address, make_record, publication

from penstock.api.app import make_app
from penstock.api.running import serve_in_thread
from penstock.errors import Invalid, NotFound, PenstockError, Unavailable
from penstock.journal.checkpoint import Verifier, open_note
from penstock.journal.tree import leaf_hash
from penstock.journal.tree_proof import verify_consistency, verify_inclusion
from penstock.period import DAY_US
from penstock.usecases.publish import Publication, RecordSource
from penstock.usecases.record_source import FolderSource, HttpSource, open_source
from penstock.usecases.workspace import Workspace


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    made = make_record(tmp_path_factory.mktemp("published") / "workspace")
    yield made
    made.workspace.store.close()


@pytest.fixture
def published(record: Record) -> Publication:
    return publication(record)


@pytest.fixture(params=["http", "folder"])
def source(request: pytest.FixtureRequest, record: Record) -> Iterator[RecordSource]:
    if request.param == "folder":
        yield open_source(str(record.path))
        return
    with serve_in_thread(make_app(record.workspace)) as running:
        yield open_source(running.url)


def test_the_newest_note_is_the_log_key_s_over_a_root_of_the_tree(record: Record, published: Publication) -> None:
    noted = open_note(published.checkpoint(), [Verifier(ORIGIN, LOG_KEY.public)])
    assert (noted.size, noted.root) == record.anchored[-1][:2]
    assert published.anchored() == noted.size < published.size()


def test_a_source_gives_the_record_s_own_bytes(record: Record, published: Publication, source: RecordSource) -> None:
    size = record.workspace.store.size()
    facts = source.facts(0, size)
    assert list(facts) == published.facts(0, size)
    assert [fact.body for fact in facts] == [row.body for row in record.workspace.store.facts()]
    digests = [fact.segment for fact in facts if fact.segment]
    assert digests
    assert all(hashlib.sha256(source.segment(digest)).hexdigest() == digest for digest in digests)


def test_each_period_is_asked_for_at_its_first_anchored_checkpoint(record: Record, source: RecordSource) -> None:
    asked = source.requests(DEAL)
    assert [(one.period, one.as_of_us) for one in asked] == [(n, START_US + (n + 1) * DAY_US) for n in range(DAYS)]
    assert [(one.size, one.root) for one in asked] == [one[:2] for one in record.anchored]
    assert {one.subject for one in asked} == {deal_address()}
    assert source.requests("another deal") == []


def test_nothing_is_asked_for_before_it_is_released_and_anchored(tmp_path: Path) -> None:
    record = Record(tmp_path / "workspace")
    with record.workspace:
        published = publication(record)
        record.begin(deal_address())
        record.anchor(START_US)
        assert published.requests() == []
        record.day(0)
        assert published.requests() == []
        record.anchor(START_US + DAY_US)
        assert [one.period for one in published.requests()] == [0]
        record.anchor(START_US + DAY_US)
        assert len(published.requests()) == 1


def test_proofs_hold_against_the_anchored_roots(record: Record, published: Publication) -> None:
    size = record.anchored[-1][0]
    for index in (0, 1, size // 2, size - 1):
        leaf, proof, root = published.inclusion(index, size)
        (fact,) = published.facts(index, index + 1)
        assert (leaf, root) == (leaf_hash(fact.body), record.anchored[-1][1])
        verify_inclusion(leaf, index, size, proof, root)
    (old, before, _), (new, after, _) = record.anchored
    old_root, new_root, proof = published.consistency(old, new)
    assert (old_root, new_root) == (before, after)
    verify_consistency(old, old_root, new, new_root, proof)


@pytest.mark.parametrize("digest", ["", "../journal", "A" * 64, "0" * 63, "0" * 65, "%2e%2e"])
def test_a_segment_is_named_by_its_digest_and_nothing_else(published: Publication, digest: str) -> None:
    with pytest.raises(Invalid, match="digest"):
        published.segment(digest)


def test_what_is_not_there_is_said_so(published: Publication, source: RecordSource, tmp_path: Path) -> None:
    for ask in (published.segment, source.segment):
        with pytest.raises(NotFound):
            ask("0" * 64)
    with pytest.raises(Invalid, match="size"):
        published.inclusion(5, 5)
    with pytest.raises(Invalid, match="range"):
        published.facts(3, 2)
    with Workspace(tmp_path / "empty") as empty:
        fresh = Publication(empty.store)
        with pytest.raises(NotFound, match="no_checkpoint"):
            fresh.checkpoint()
        assert (fresh.facts(0, 5), fresh.requests(), fresh.anchored()) == ([], [], 0)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "http://", "file:///tmp"])
def test_a_source_s_address_is_http(address: str) -> None:
    with pytest.raises(Invalid, match="address"):
        HttpSource(address)


def test_a_folder_without_a_workspace_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FolderSource(tmp_path)


@pytest.fixture
def babbler() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server that answers whatever a test puts into its table."""
    answers: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get("body", b"")
            self.send_response(int(answers.get("status", b"200")))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()
    thread.join()


FACT = b'{"facts": [{"seq": 0, "body": "{}", "segment": null}]}'


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (b"200", b"not json", Invalid),
        (b"200", b"[]", Invalid),
        (b"200", b'{"facts": 3}', Invalid),
        (b"200", FACT.replace(b"0,", b'"0",'), Invalid),
        (b"200", FACT.replace(b"null", b"7"), Invalid),
        (b"200", b"[" * 100_000, Invalid),
        (b"404", b"", NotFound),
        (b"302", b"", NotFound),
        (b"503", b"", Unavailable),
    ],
)
def test_a_source_that_answers_otherwise_is_refused(
    babbler: tuple[str, dict[str, bytes]], status: bytes, body: bytes, error: type[PenstockError]
) -> None:
    url, answers = babbler
    answers |= {"status": status, "body": body}
    with pytest.raises(error):
        HttpSource(url, timeout_s=5).facts(0, 10)


def test_a_source_may_not_send_without_end(
    babbler: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answers = babbler
    monkeypatch.setattr("penstock.usecases.record_source.SEGMENT_BYTES_MAX", 10)
    answers["body"] = b"x" * 11
    with pytest.raises(Invalid, match="more than"):
        HttpSource(url, timeout_s=5).segment("0" * 64)


def test_nobody_there_is_said_so(babbler: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.usecases.record_source._PAUSE_S", 0)
    with pytest.raises(Unavailable, match="unreachable"):
        HttpSource("http://127.0.0.1:1", timeout_s=1).facts(0, 1)
