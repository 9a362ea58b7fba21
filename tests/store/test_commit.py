"""Facts and segments go in together, in one order, or not at all."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
from engines import Engine, OnSqlite
from record_kit import AT_US, account, bulk, failing, packets, planned, raw_packets, small, titles

from penstock.errors import Conflict, Invalid, PenstockError, Unavailable
from penstock.journal.formats import PACKETS, TITLES
from penstock.journal.tree import leaf_hash, root_of
from penstock.store.ports import ZERO_HASH, NewFact, RecordedCommand, Write

PROTOCOL = [
    "segment_begin",
    "segment_half",
    "segment_written",
    "segment_synced",
    "segment_renamed",
    "folder_synced",
    "rows_inserted",
    "committed",
]


def segment_files(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "segments").iterdir())


def test_what_goes_in_comes_out_chained(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        assert (store.size(), store.head()) == (0, ZERO_HASH)
        assert store.commit([account("k1"), Write("k2", b"j" * 32, [small("a"), small("b")])]) == 0
        assert store.commit([account("k3")]) == 3
        facts = list(store.facts())
    with engine.open(tmp_path) as store:
        assert list(store.facts()) == facts
        assert (store.size(), store.head()) == (4, facts[-1].hash)
        assert list(store.facts(1, 3)) == facts[1:3]
    assert [(fact.seq, fact.key, fact.part) for fact in facts] == [
        (0, "k1", 0),
        (1, "k2", 0),
        (2, "k2", 1),
        (3, "k3", 0),
    ]
    prev = ZERO_HASH
    for fact in facts:
        assert fact.prev == prev
        prev = hashlib.sha256(prev + fact.body).digest()
        assert fact.hash == prev


def test_a_receipt_says_which_facts_a_key_made(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k1"), Write("k2", b"j" * 32, [small("a"), small("b")])])
        assert store.receipt("k2") == RecordedCommand("k2", b"j" * 32, 1, 2)
        assert store.receipt("k3") is None
        assert store.receipts(["k1", "k3"]).keys() == {"k1"}


def test_the_tree_keeps_in_step(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        for turn in range(5):
            store.commit([account(f"k{turn}-{each}") for each in range(turn + 1)])
            leaves = [leaf_hash(fact.body) for fact in store.facts()]
            assert store.tree().root() == root_of(leaves)
            assert len(store.tree()) == store.size()


@pytest.mark.parametrize("rows", [0, 1, 1000, 140_000])
def test_columns_come_back_as_they_were(engine: Engine, tmp_path: Path, rows: int) -> None:
    segment = titles(rows)
    with engine.open(tmp_path) as store:
        store.commit([Write("k", b"i" * 32, [bulk(segment)])])
        (fact,) = store.facts()
        assert fact.segment is not None
        found = store.columns(fact.segment, TITLES)
    assert list(found) == [name for name, _ in TITLES.fixed]
    for name, dtype in TITLES.fixed:
        assert found[name].dtype == np.dtype(dtype)
        assert np.array_equal(found[name], segment.columns[name])
    data = (tmp_path / "segments" / f"{fact.segment}.parquet").read_bytes()
    assert hashlib.sha256(data).hexdigest() == fact.segment


def test_packets_come_back_byte_for_byte(engine: Engine, tmp_path: Path) -> None:
    raws = [b"", b"\x00", bytes(range(256)), b"\xff" * 5000]
    with engine.open(tmp_path) as store:
        store.commit([Write("k", b"i" * 32, [raw_packets(packets(raws))])])
        found = store.columns(next(store.facts()).segment or "", PACKETS)
    assert list(found["packet"]) == raws
    assert all(type(raw) is bytes for raw in found["packet"])


def test_the_protocol_keeps_its_order(engine: Engine, tmp_path: Path) -> None:
    points: list[str] = []
    with engine.open(tmp_path, at_point=points.append) as store:
        store.commit([Write("k", b"i" * 32, [bulk(titles(3))])])
    assert points == PROTOCOL


def test_two_segments_share_one_folder_sync(engine: Engine, tmp_path: Path) -> None:
    points: list[str] = []
    with engine.open(tmp_path, at_point=points.append) as store:
        store.commit([Write("k", b"i" * 32, [bulk(titles(3)), bulk(titles(4))])])
        first, second = store.facts()
    assert points.count("folder_synced") == 1
    assert segment_files(tmp_path) == sorted([f"{first.segment}.parquet", f"{second.segment}.parquet"])


@pytest.mark.parametrize("point", PROTOCOL[:-1])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_nothing_half_done(engine: Engine, tmp_path: Path, point: str, number: int) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("before")])
    write = Write("k", b"i" * 32, [bulk(titles(3)), small("a")], [planned("out")])
    with engine.open(tmp_path, at_point=failing(point, OSError(number, "injected"))) as store:
        with pytest.raises(Unavailable) as caught:
            store.commit([write])
        assert caught.value.code == ("store.disk_full" if number == errno.ENOSPC else "store.disk_failed")
        assert store.size() == 1
        assert store.receipt("k") is None
        assert store.outbox.rows() == []
        if point != "rows_inserted":
            assert segment_files(tmp_path) == []
        assert store.commit([write]) == 1  # the same call again, once there is room
        assert store.size() == 3
        assert len(segment_files(tmp_path)) == 1


def test_an_error_after_commit_does_not_unrecord(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path, at_point=failing("committed", KeyboardInterrupt())) as store:
        with pytest.raises(KeyboardInterrupt):
            store.commit([account("k")])
        assert store.size() == 1
        assert store.commit([account("k2")]) == 1


def test_a_full_sql_file_is_a_full_disk(tmp_path: Path) -> None:
    with OnSqlite().open(tmp_path) as store:
        store._sql.look(lambda connection: connection.execute("PRAGMA max_page_count = 40"))
        with pytest.raises(Unavailable, match="full") as caught:
            store.commit([Write("k", b"i" * 32, [small("a" * 300_000)])])
        assert caught.value.code == "store.disk_full"
        assert store.size() == 0
        assert store.commit([account("k")]) == 0


def test_another_writer_is_fenced_by_the_place(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k")])
        engine.execute(
            tmp_path, "INSERT INTO fact SELECT 1, kind, at_us, 'k2', 0, input_hash, body, NULL, hash, hash FROM fact"
        )
        with pytest.raises(Conflict) as caught:
            store.commit([account("k3")])
        assert caught.value.code == "store.fenced"
        assert store.commit([account("k3")]) == 2  # it has seen the other by now


def test_a_key_is_recorded_once(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k")])
        with pytest.raises(Conflict):
            store.commit([account("k2"), account("k")])
        assert store.size() == 1
        assert store.receipt("k2") is None


def test_only_python_integers_are_bound() -> None:
    with pytest.raises(Invalid) as caught:
        NewFact("account.opened", np.int64(AT_US), b"{}")  # type: ignore[arg-type]
    assert caught.value.code == "store.not_whole"


def test_a_segment_with_wrong_columns_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    good = titles(3)
    bad = type(good)(TITLES, {**good.columns, "stop": good.columns["stop"][:2]})
    with engine.open(tmp_path) as store:
        with pytest.raises(PenstockError) as caught:
            store.commit([Write("k", b"i" * 32, [NewFact("titles.issued", AT_US, b"{}", bad)])])
        assert caught.value.code == "segment.columns"
        assert (store.size(), segment_files(tmp_path)) == (0, [])
