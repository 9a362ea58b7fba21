"""A changed record is found: a replay stops at it, an audit names all of it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sequencer_kit import AT_US, Accounts, issues, opened, opens

from penstock.errors import Corrupt
from penstock.journal.fact import Entry, encode
from penstock.journal.finding import Finding
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.ledger import AccountOpened, CheckpointSigned
from penstock.store.segments import to_parquet
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases.audit_record import audit_record
from penstock.usecases.replay import replay
from penstock.usecases.sequencer import Sequencer


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Eight facts: three commands, two segments, and a checkpoint over the first five."""
    store, sequencer = opened(tmp_path)
    with store:
        sequencer.submit("k1", b"x", AT_US, opens("a", "b", "c"))
        sequencer.submit("k2", b"x", AT_US, issues(50))
        sequencer.submit("k3", b"x", AT_US, issues(60, start=500))
        signed = CheckpointSigned(5, store.tree().root(5), "note")
        sequencer.submit("k4", b"x", AT_US, lambda _: [Entry(signed)])
        sequencer.submit("k5", b"x", AT_US, opens("d", "e"))
    return tmp_path


def findings(path: Path) -> list[Finding]:
    with SqliteStore.open(path, read_only=True) as store:
        return list(audit_record(store, KINDS))


def codes(path: Path) -> list[str]:
    return [each.code for each in findings(path)]


def change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path / "journal.sqlite")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def rechain(path: Path, bodies: dict[int, bytes]) -> None:
    """What a careful forger does: other bodies, and every later link made to fit."""
    with SqliteStore.open(path, read_only=True) as store:
        facts = list(store.facts())
    prev = bytes(32)
    for fact in facts:
        body = bodies.get(fact.seq, fact.body)
        link = hashlib.sha256(prev + body).digest()
        change(path, "UPDATE fact SET body = ?, prev = ?, hash = ? WHERE seq = ?", body, prev, link, fact.seq)
        prev = link


def stops(path: Path, code: str) -> None:
    with SqliteStore.open(path, read_only=True) as store:
        with pytest.raises(Corrupt) as caught:
            replay(store, KINDS, Accounts())
        assert caught.value.code == code


def test_a_whole_record_has_no_findings(workspace: Path) -> None:
    assert findings(workspace) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE fact SET body = ? WHERE seq = 1", ["journal.broken_link"]),
        ("UPDATE fact SET hash = zeroblob(32) WHERE seq = 1 OR body = ?", ["journal.broken_link"] * 2),
        ("UPDATE fact SET prev = zeroblob(32) WHERE seq = 1 OR body = ?", ["journal.broken_link"]),
        ("DELETE FROM fact WHERE seq = 1 OR body = ?", ["journal.broken_link", "journal.split_command"]),
        ("DELETE FROM fact WHERE seq = 0 OR body = ?", ["journal.broken_link", "journal.split_command"]),
    ],
)
def test_a_changed_row_breaks_the_chain(workspace: Path, statement: str, found: list[str]) -> None:
    change(workspace, statement, encode(AccountOpened("forged"), AT_US))
    assert codes(workspace)[: len(found)] == found
    stops(workspace, "journal.broken_link")


@pytest.mark.parametrize("name", ["kind", "at_us"])
def test_a_row_that_disagrees_with_its_fact_is_unreadable(workspace: Path, name: str) -> None:
    change(workspace, f"UPDATE fact SET {name} = 7 WHERE seq = 2")  # noqa: S608
    assert codes(workspace) == ["journal.unreadable"]
    stops(workspace, "journal.unreadable")


def test_a_rechained_forgery_meets_the_signed_checkpoint(workspace: Path) -> None:
    rechain(workspace, {1: encode(AccountOpened("forged"), AT_US)})
    assert codes(workspace) == ["journal.checkpoint"]


def test_a_fact_of_an_unknown_kind_is_named_and_the_audit_goes_on(workspace: Path) -> None:
    rechain(workspace, {6: b'{"at_us":"1","data":{},"kind":"no.such","v":"1"}', 7: b"not canonical"})
    assert [(each.code, dict(each.ids)["seq"]) for each in findings(workspace)] == [
        ("journal.unreadable", "6"),
        ("journal.unreadable", "7"),
    ]
    stops(workspace, "journal.unreadable")


def segment_of(path: Path, seq: int) -> Path:
    with SqliteStore.open(path, read_only=True) as store:
        (fact,) = store.facts(seq, seq + 1)
    return path / "segments" / f"{fact.segment}.parquet"


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "code"), [(flip_a_byte, "store.segment_torn"), (Path.unlink, "store.segment_missing")]
)
def test_every_damaged_segment_is_found(workspace: Path, damage: Callable[[Path], None], code: str) -> None:
    for seq in (3, 4):
        damage(segment_of(workspace, seq))
    assert [(each.code, dict(each.ids)["seq"]) for each in findings(workspace)] == [(code, "3"), (code, "4")]
    stops(workspace, code)


def test_a_segment_replaced_with_its_digest_is_not_what_the_fact_sealed(workspace: Path) -> None:
    (other,) = issues(50, start=7)(Accounts())
    assert other.segment is not None
    data = bytes(to_parquet(other.segment))
    digest = hashlib.sha256(data).hexdigest()
    (workspace / "segments" / f"{digest}.parquet").write_bytes(data)
    change(workspace, "UPDATE fact SET segment = ? WHERE seq = 3", digest)
    assert codes(workspace) == ["segment.altered"]


def test_a_row_without_its_segments_name_is_corrupt(workspace: Path) -> None:
    change(workspace, "UPDATE fact SET segment = NULL WHERE seq = 3")
    assert codes(workspace) == ["store.segment_missing"]
    stops(workspace, "store.segment_missing")


def test_a_sequencer_does_not_start_on_a_damaged_record(workspace: Path) -> None:
    flip_a_byte(segment_of(workspace, 4))
    with SqliteStore.open(workspace) as store, pytest.raises(Corrupt):
        Sequencer(store, Accounts, KINDS)


def test_replay_from_a_place_goes_on_from_there(workspace: Path) -> None:
    with SqliteStore.open(workspace, read_only=True) as store:
        whole, parts = Accounts(), Accounts()
        last = replay(store, KINDS, whole)
        replay(store, KINDS, parts, stop=4)
        assert replay(store, KINDS, parts, start=4) == last == store.head()
        assert parts.digest.digest() == whole.digest.digest()
