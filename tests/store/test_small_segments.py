"""Small segments lie in SQL until they are compacted; large ones may be written ahead of their commit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from engines import Engine
from record_kit import AT_US, account, bulk, failing, titles

from penstock.errors import Corrupt, Refused, Unavailable
from penstock.journal.fact import encode
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Column, Segment, root_of_columns
from penstock.journal.words import Right, TitleState
from penstock.store.ports import NewFact, Upkeep, Write
from penstock.store.small_table import SMALL_ROWS
from penstock.store.sql_store import SqlStore


def moves(count: int, start: int = 0) -> Segment:
    starts = start + 10 * np.arange(count, dtype=np.int64)
    columns: dict[str, Column] = {"register": np.zeros(count, np.int32), "start": starts, "stop": starts + 10}
    columns |= {name: np.ones(count, np.int32) for name in ("source", "target")}
    return Segment(MOVES, columns | {"state": np.zeros(count, np.uint8)})


def write(key: str, *segments: Segment) -> Write:
    facts = []
    for segment in segments:
        fact = TitlesMoved(segment.ref(), Right.ENERGY, TitleState.HELD, "sold", "", 10 * len(segment))
        facts.append(NewFact(fact.KIND, AT_US, encode(fact, AT_US), segment))
    return Write(key, b"i" * 32, facts)


def digests(store: SqlStore) -> list[str]:
    return [fact.segment for fact in store.facts() if fact.segment is not None]


def files(path: Path) -> list[str]:
    return sorted(file.stem for file in (path / "segments").iterdir())


def test_a_small_segment_lies_in_sql_under_the_digest_of_its_file(engine: Engine, tmp_path: Path) -> None:
    points: list[str] = []
    with engine.open(tmp_path, at_point=points.append) as store:
        store.commit([write("k", moves(1), moves(SMALL_ROWS), moves(SMALL_ROWS + 1)), write("again", moves(1))])
        one, most, file, again = digests(store)
        assert (one, files(tmp_path), store.rows.small.digests()) == (again, [file], {one, most})
        assert store.litter() == 0
    with engine.open(tmp_path, read_only=True) as store:
        assert hashlib.sha256(store.export(most)).hexdigest() == most
        for digest, segment in ((one, moves(1)), (most, moves(SMALL_ROWS)), (file, moves(SMALL_ROWS + 1))):
            found = store.columns(digest, MOVES)
            assert all(np.array_equal(found[name], column) for name, column in segment.columns.items())
            assert root_of_columns(MOVES, found) == segment.ref().root


def test_its_commit_waits_for_no_file(engine: Engine, tmp_path: Path) -> None:
    points: list[str] = []
    with engine.open(tmp_path, at_point=points.append) as store:
        store.commit([write("k", moves(1))])
    assert points == ["rows_inserted", "committed"]


def test_a_failing_disk_leaves_nothing_of_it(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path, at_point=failing("rows_inserted")) as store:
        with pytest.raises(Unavailable, match=r"store\.disk_full"):
            store.commit([write("k", moves(1))])
        assert (store.size(), store.rows.small.digests()) == (0, set())


def test_changed_bytes_in_sql_are_found(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([write("k", moves(1)), write("l", moves(2))])
        one, two = digests(store)
    engine.execute(tmp_path, f"DELETE FROM small_segment WHERE segment = '{one}'")  # noqa: S608 - a digest of ours
    engine.execute(tmp_path, "UPDATE small_segment SET data = substr(data, 1, 50)")
    with engine.open(tmp_path) as store:
        with pytest.raises(Corrupt, match=r"store\.segment_missing"):
            store.columns(one, MOVES)
        with pytest.raises(Corrupt, match=r"store\.segment_torn"):
            store.columns(two, MOVES)


def test_put_together_they_leave_sql(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([write("k", moves(1)), write("l", moves(2))])
        named = digests(store)
        places = store.rows.move([(each, store.rows.unsalted(each, MOVES)) for each in named])
        store.commit([Write("compact", b"i" * 32, account("compact").facts, (), Upkeep(places))])
        assert store.rows.small.digests() == set()
        assert files(tmp_path) == [places[0].file]
        assert [root_of_columns(MOVES, store.columns(each, MOVES)) for each in named] == [
            moves(n).ref().root for n in (1, 2)
        ]


def test_many_are_read_at_once_wherever_they_lie(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        large = titles(3)
        store.commit([write("k", moves(1)), write("l", moves(2)), Write("m", b"i" * 32, [bulk(large)])])
        one, two, three = digests(store)
        places = store.rows.move([(one, store.rows.unsalted(one, MOVES))])
        store.commit([Write("compact", b"i" * 32, account("compact").facts, (), Upkeep(places))])
        named = [(two, MOVES), (three, TITLES), (one, MOVES), (two, MOVES)]
        found = store.columns_of(named)
        assert [root_of_columns(fmt, columns) for (_, fmt), columns in zip(named, found, strict=True)] == [
            segment.ref().root for segment in (moves(2), large, moves(1), moves(2))
        ]
        assert store.columns_of([]) == []
    engine.execute(tmp_path, "UPDATE small_segment SET data = substr(data, 1, 50)")
    with engine.open(tmp_path) as store, pytest.raises(Corrupt, match=r"store\.segment_torn"):
        store.columns_of(named)


def test_a_workspace_of_the_schema_before_has_none_and_gets_the_table(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([write("k", moves(SMALL_ROWS + 1))])
    engine.execute(tmp_path, "DROP TABLE small_segment")
    engine.execute(tmp_path, "UPDATE meta SET value = '2' WHERE name = 'schema'")
    with engine.open(tmp_path, read_only=True) as store:
        assert len(store.columns(digests(store)[0], MOVES)["start"]) == SMALL_ROWS + 1
        assert store.rows.small.digests() == set()
    with engine.open(tmp_path) as store:
        store.commit([write("l", moves(1))])
        assert len(store.rows.small.digests()) == 1


def test_a_staged_segment_is_durable_before_its_commit_and_outlives_a_sweep(engine: Engine, tmp_path: Path) -> None:
    points: list[str] = []
    segment = titles(3)
    with engine.open(tmp_path, at_point=points.append) as store, store.staged([segment]):
        (staged,) = files(tmp_path)
        store.sweep()
        assert (files(tmp_path), points.pop()) == ([staged], "segment_renamed")
        points.clear()
        store.commit([Write("k", b"i" * 32, [bulk(segment)])])
        assert (digests(store), points) == ([staged], ["segment_begin", "folder_synced", "rows_inserted", "committed"])
    assert files(tmp_path) == [staged]


def test_what_was_staged_and_not_committed_is_swept(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        with store.staged([titles(3)]):
            pass
        store.commit([Write("k", b"i" * 32, [bulk(titles(4))])])
        assert store.litter() == 1
        store.sweep()
        assert files(tmp_path) == digests(store)


def test_a_reader_stages_nothing(engine: Engine, tmp_path: Path) -> None:
    engine.open(tmp_path).close()
    with engine.open(tmp_path, read_only=True) as store:
        with pytest.raises(Refused, match=r"store\.read_only"), store.staged([titles(3)]):
            pass
        assert files(tmp_path) == []


def test_a_disk_that_fails_while_staging_leaves_no_file(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path, at_point=failing("segment_written")) as store:
        with pytest.raises(Unavailable, match=r"store\.disk_full"), store.staged([titles(3)]):
            pass
        assert files(tmp_path) == []
