"""Rows of sealed segments move from file to file, and some are erased; what the facts sealed goes on being proved."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pytest
from engines import Engine, OnSqlite
from record_kit import AT_US, account, failing, small

from penstock.errors import Conflict, Corrupt, NotFound, Refused, Unavailable
from penstock.journal.fact import encode
from penstock.journal.formats import FORMATS, VERDICTS
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Column, Segment, SegmentRef
from penstock.journal.words import Assurance
from penstock.period import DAY_US
from penstock.store.exported import from_exported, is_erasable
from penstock.store.ports import Forgotten, NewFact, Upkeep, Write
from penstock.store.sql_store import SqlStore

SALTED = FORMATS["reading/2+salt"]


def readings(count: int, first: int = 0) -> dict[str, Column]:
    rows = np.arange(first, first + count)
    return {
        "register": (rows % 4).astype(np.int32),
        "at_us": AT_US + rows * (DAY_US // 8),
        "position_wh": 1_000_000 + 1_234_567 * rows,
        "packet": np.zeros(count, np.int32),
        "assurance": np.zeros(count, np.uint8),
        "verdict": np.zeros(count, np.uint8),
        "findings": np.zeros(count, np.uint32),
        "above_wh": np.zeros(count, np.int64),
    }


def seeds_for(columns: dict[str, Column], without: int = -1) -> int:
    """How many subjects and days there are."""
    pairs = zip(columns["register"].tolist(), (columns["at_us"] // DAY_US).tolist(), strict=True)
    return len({pair for pair in pairs if pair[0] != without})


def fact_of(segment: Segment) -> NewFact:
    fact = ReadingsVerified(segment.ref(), bytes(32), "r", Assurance.METER_SIGNED, 0, ())
    return NewFact(fact.KIND, AT_US, encode(fact, AT_US), segment)


def seal(store: SqlStore, count: int, first: int = 0, *, salt: bool = True) -> tuple[str, SegmentRef]:
    columns = readings(count, first)
    segment = store.rows.salt(VERDICTS, columns) if salt else Segment(VERDICTS, columns)
    seq = store.commit([Write(f"k{first}", b"i" * 32, [fact_of(segment)])])
    (fact,) = store.facts(seq, seq + 1)
    assert fact.segment is not None
    return fact.segment, segment.ref()


def erase(store: SqlStore, digest: str, mask: Column, subjects: list[int], key: str = "erase") -> None:
    left = store.sealed(digest, SALTED).without(mask)
    places = store.rows.move([(digest, left)])
    forgotten = [Forgotten("register", subjects, None)]
    store.commit([Write(key, b"i" * 32, [small(key)], (), Upkeep(places, forgotten))])


def files(path: Path) -> set[str]:
    return {file.name for file in (path / "segments").iterdir()}


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


def test_salted_rows_come_back_with_their_salts(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, ref = seal(store, 40)
        assert ref.format == "reading/2+salt"
        store.sealed(digest, SALTED).check(ref)
    with engine.open(tmp_path, read_only=True) as store:
        found = store.sealed(digest, SALTED)
        found.check(ref)
        assert np.array_equal(found.columns["position_wh"], readings(40)["position_wh"])
        from_exported(store.export(digest), SALTED, digest).check(ref)
        assert is_erasable(store.export(digest))


def test_a_seed_is_drawn_once_for_a_subject_and_day(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        first = store.rows.seeds.draw(SALTED, readings(40)).seeds
        again = store.rows.seeds.draw(SALTED, readings(40)).seeds
        assert np.array_equal(first, again)
        assert len({row.tobytes() for row in first}) == store.rows.seeds.count() == seeds_for(readings(40))
    with engine.open(tmp_path) as store:
        assert np.array_equal(store.rows.seeds.draw(SALTED, readings(40)).seeds, first)


def test_many_segments_move_into_one_file(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        sealed = [seal(store, 10, 10 * each) for each in range(5)]
        before = store.tree().root()
        parts = [(digest, store.sealed(digest, SALTED)) for digest, _ in sealed]
        assert len(files(tmp_path)) == 5
        store.commit([Write("move", b"i" * 32, [], (), Upkeep(store.rows.move(parts)))])
        assert len(files(tmp_path)) == 1
        assert store.tree().root() == before
    for read_only in (True, False):
        with engine.open(tmp_path, read_only=read_only) as store:
            for each, (digest, ref) in enumerate(sealed):
                store.sealed(digest, SALTED).check(ref)
                assert np.array_equal(
                    store.columns(digest, SALTED)["position_wh"], readings(10, 10 * each)["position_wh"]
                )
                from_exported(store.export(digest), SALTED, digest).check(ref)


def test_erased_rows_are_gone_and_the_others_proved(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, ref = seal(store, 40)
        before = store.sealed(digest, SALTED)
        proofs = [before.prove(index) for index in range(40)]
        mine = before.columns["register"] == 2
        erase(store, digest, mine, [2])
        assert store.litter() == 0
    with engine.open(tmp_path) as store:
        found = store.sealed(digest, SALTED)
        found.check(ref)
        for index in range(40):
            if mine[index]:
                with pytest.raises(NotFound):
                    found.prove(index)
            else:
                assert found.prove(index) == proofs[index]
        assert (found.columns["verdict"] == 255).tolist() == mine.tolist()
        from_exported(store.export(digest), SALTED, digest).check(ref)
        assert store.rows.seeds.count() == seeds_for(readings(40), without=2)


def test_erased_in_a_shared_file_the_neighbours_stay(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        sealed = [seal(store, 10, 10 * each) for each in range(3)]
        parts = [(digest, store.sealed(digest, SALTED)) for digest, _ in sealed]
        store.commit([Write("move", b"i" * 32, [], (), Upkeep(store.rows.move(parts)))])
        with pytest.raises(Refused) as caught:  # the file would go on holding what is to be erased
            erase(store, sealed[1][0], np.ones(10, dtype=np.bool_), [0, 1, 2, 3])
        assert caught.value.code == "store.file_shared"
        left = store.sealed(sealed[1][0], SALTED).without(np.ones(10, dtype=np.bool_))
        parts[1] = (sealed[1][0], left)
        places = store.rows.move(parts)
        store.commit([Write("erase", b"i" * 32, [], (), Upkeep(places))])
        for digest, ref in sealed:
            store.sealed(digest, SALTED).check(ref)
        found = store.rows.places.of(sealed[1][0])
        assert found is not None and found.file is None


def test_seeds_and_rows_are_in_no_file_after_an_erasure(tmp_path: Path) -> None:
    engine = OnSqlite()
    with engine.open(tmp_path) as store:
        digest, _ = seal(store, 40)
        found = store.sealed(digest, SALTED)
        mine = found.columns["register"] == 2
        seeds = {row.tobytes() for row in store.rows.seeds.seeds_of(SALTED, found.columns)[mine]}
        others = {row.tobytes() for row in store.rows.seeds.seeds_of(SALTED, found.columns)[~mine]}
        assert all(seed in everything(tmp_path) for seed in seeds)
        erase(store, digest, mine, [2])
        left = everything(tmp_path)
        assert not any(seed in left for seed in seeds)
        assert all(seed in left for seed in others)
        assert f"{digest}.parquet" not in files(tmp_path)


@pytest.mark.parametrize("point", ["segment_renamed", "rows_inserted", "committed", "swept"])
def test_stopped_at_any_point_an_erasure_is_whole_or_not_at_all(engine: Engine, tmp_path: Path, point: str) -> None:
    class Killed(BaseException):
        pass

    with engine.open(tmp_path) as store:
        digest, ref = seal(store, 40)
        mine = store.columns(digest, SALTED)["register"] == 2
    store = engine.open(tmp_path, at_point=failing(point, Killed()))
    with pytest.raises(Killed):
        erase(store, digest, mine, [2])
    store.close()
    with engine.open(tmp_path) as store:
        assert store.litter() == 0
        found = store.sealed(digest, SALTED)
        found.check(ref)
        done = point in ("committed", "swept")
        assert (found.erased is not None) == done
        assert store.rows.seeds.count() == seeds_for(readings(40), without=2 if done else -1)
        assert store.size() == (2 if done else 1)


def test_rows_salted_before_an_erasure_are_not_sealed_after_it(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, _ = seal(store, 40)
        late = store.rows.salt(VERDICTS, readings(8, 50))
        erase(store, digest, np.ones(40, dtype=np.bool_), [0, 1, 2, 3])
        with pytest.raises(Conflict) as caught:
            store.commit([Write("late", b"i" * 32, [fact_of(late)])])
        assert caught.value.code == "store.seed_erased"
        fresh = store.rows.salt(VERDICTS, readings(8, 50))
        store.commit([Write("late", b"i" * 32, [fact_of(fresh)])])
        assert store.litter() == 0


def test_the_same_rows_may_be_sealed_again_after_an_erasure_if_salted(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, ref = seal(store, 40)
        erase(store, digest, np.ones(40, dtype=np.bool_), [0, 1, 2, 3])
        again = store.rows.salt(VERDICTS, readings(40))
        store.commit([Write("again", b"i" * 32, [fact_of(again)])])
        (fact,) = store.facts(2, 3)
        assert fact.segment != digest and again.ref().root != ref.root
        store.sealed(fact.segment or "", SALTED).check(again.ref())
        store.sealed(digest, SALTED).check(ref)


def test_the_same_rows_without_salt_do_not_come_back(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, ref = seal(store, 8, salt=False)
        left = store.sealed(digest, VERDICTS).without(np.arange(8) < 3)
        store.commit([Write("erase", b"i" * 32, [], (), Upkeep(store.rows.move([(digest, left)])))])
        store.sealed(digest, VERDICTS).check(ref)
        with pytest.raises(Refused) as caught:
            store.commit([Write("again", b"i" * 32, [fact_of(Segment(VERDICTS, readings(8)))])])
        assert caught.value.code == "store.segment_erased"
        store.sealed(digest, VERDICTS).check(ref)
        assert store.litter() == 0


def test_a_file_swept_before_its_commit_is_missed_in_time(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        sealed = [seal(store, 10, 10 * each) for each in range(2)]
        places = store.rows.move([(digest, store.sealed(digest, SALTED)) for digest, _ in sealed])
        store.sweep()
        with pytest.raises(Unavailable) as caught:
            store.commit([Write("move", b"i" * 32, [], (), Upkeep(places))])
        assert caught.value.code == "store.file_swept"
        store.sealed(*(sealed[0][0], SALTED)).check(sealed[0][1])


def test_a_lost_seed_is_corrupt(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        digest, _ = seal(store, 8)
    engine.execute(tmp_path, "DELETE FROM seed WHERE subject = 1")
    with engine.open(tmp_path) as store:
        assert len(store.columns(digest, SALTED)["register"]) == 8
        with pytest.raises(Corrupt) as caught:
            store.sealed(digest, SALTED)
        assert caught.value.code == "store.seed_missing"


def test_a_workspace_of_the_first_schema_opens(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k1")])
        digest, ref = seal(store, 8, salt=False)
    for table in ("seed", "place", "person"):
        engine.execute(tmp_path, f"DROP TABLE {table}")
    engine.execute(tmp_path, "UPDATE meta SET value = '1' WHERE name = 'schema'")
    with engine.open(tmp_path, read_only=True) as store:
        store.sealed(digest, VERDICTS).check(ref)
    with engine.open(tmp_path) as store:
        assert store.size() == 2
        store.sealed(digest, VERDICTS).check(ref)
        seal(store, 8, 100)
    with engine.open(tmp_path, read_only=True) as store:
        assert store.size() == 3


def test_a_reader_follows_rows_that_move(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store, engine.open(tmp_path, read_only=True) as reader:
        sealed = [seal(store, 10, 10 * each) for each in range(2)]
        for digest, ref in sealed:
            reader.sealed(digest, SALTED).check(ref)
        places = store.rows.move([(digest, store.sealed(digest, SALTED)) for digest, _ in sealed])
        store.commit([Write("move", b"i" * 32, [], (), Upkeep(places))])
        for digest, ref in sealed:
            reader.sealed(digest, SALTED).check(ref)


def test_people_are_kept_and_forgotten(tmp_path: Path) -> None:
    said = secrets.token_hex(20)
    with OnSqlite().open(tmp_path) as store:
        store.rows.people.keep("household-7", said)
        store.rows.people.keep("household-8", "another")
        assert store.rows.people.of("household-7") == said
        store.commit([Write("forget", b"i" * 32, [small("a")], (), Upkeep(people=["household-7"]))])
        assert store.rows.people.of("household-7") is None
        assert store.rows.people.of("household-8") == "another"
        assert said.encode() not in everything(tmp_path)
