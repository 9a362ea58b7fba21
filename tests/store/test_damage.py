"""Damaged, missing or foreign files are found where they are read; litter is swept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from engines import Engine, OnSqlite
from record_kit import account, bulk, failing, titles

from penstock.errors import Corrupt, Invalid, Unavailable
from penstock.journal.formats import LINKS, TITLES
from penstock.store.ports import Write


@pytest.fixture
def sealed(engine: Engine, tmp_path: Path) -> tuple[Path, str]:
    """A workspace with one segment, and its digest."""
    with engine.open(tmp_path) as store:
        store.commit([Write("k", b"i" * 32, [bulk(titles(200))])])
        digest = next(store.facts()).segment
    assert digest is not None
    return tmp_path, digest


def flip(at: int) -> Callable[[bytes], bytes]:
    def flipped(data: bytes) -> bytes:
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if at >= 0 else flip(len(data) + at)(data)

    return flipped


@pytest.mark.parametrize(
    "damage",
    [
        flip(0),
        flip(100),
        flip(-1),
        flip(-20),
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda _: b"",
    ],
    ids=["first", "inside", "last", "footer", "shorter", "half", "empty"],
)
def test_one_changed_byte_is_refused(
    engine: Engine, sealed: tuple[Path, str], damage: Callable[[bytes], bytes]
) -> None:
    path, digest = sealed
    file = path / "segments" / f"{digest}.parquet"
    file.write_bytes(damage(file.read_bytes()))
    with engine.open(path) as store, pytest.raises(Corrupt) as caught:
        store.columns(digest, TITLES)
    assert caught.value.code == "store.segment_torn"
    assert caught.value.ids["segment"] == digest


def test_a_missing_file_is_corrupt(engine: Engine, sealed: tuple[Path, str]) -> None:
    path, digest = sealed
    (path / "segments" / f"{digest}.parquet").unlink()
    with engine.open(path) as store, pytest.raises(Corrupt) as caught:
        store.columns(digest, TITLES)
    assert caught.value.code == "store.segment_missing"


def test_another_format_is_refused(engine: Engine, sealed: tuple[Path, str]) -> None:
    path, digest = sealed
    with engine.open(path) as store, pytest.raises(Corrupt) as caught:
        store.columns(digest, LINKS)
    assert caught.value.code == "store.segment_format"


def test_litter_is_swept_and_named_files_stay(engine: Engine, sealed: tuple[Path, str]) -> None:
    path, digest = sealed
    folder = path / "segments"
    (folder / ".tmp-0123456789abcdef-77").write_bytes(b"torn")
    (folder / ("f" * 64 + ".parquet")).write_bytes(b"orphan")
    with engine.open(path, read_only=True):
        assert len(list(folder.iterdir())) == 3  # a reader sweeps nothing: the writer may be between rename and commit
    engine.open(path).close()
    assert [file.name for file in folder.iterdir()] == [f"{digest}.parquet"]


def test_equal_rows_share_a_file_that_stays_when_one_write_fails(engine: Engine, sealed: tuple[Path, str]) -> None:
    path, digest = sealed
    with engine.open(path, at_point=failing("folder_synced")) as store:
        with pytest.raises(Unavailable):
            store.commit([Write("k2", b"i" * 32, [bulk(titles(200))])])
        assert len(store.columns(digest, TITLES)["start"]) == 200
        store.commit([Write("k2", b"i" * 32, [bulk(titles(200))])])
        assert [fact.segment for fact in store.facts()] == [digest, digest]


def test_a_damaged_sql_file_is_corrupt(tmp_path: Path) -> None:
    engine = OnSqlite()
    with engine.open(tmp_path) as store:
        store.commit([account("k")])
    (tmp_path / "journal.sqlite").write_bytes(b"no SQL file at all" * 1000)
    with pytest.raises(Corrupt) as caught:
        engine.open(tmp_path)
    assert caught.value.code == "store.sql_damaged"


def test_another_schema_is_refused(engine: Engine, tmp_path: Path) -> None:
    engine.open(tmp_path).close()
    engine.execute(tmp_path, "UPDATE meta SET value = '99' WHERE name = 'schema'")
    for _ in range(2):  # and the lease is given back each time
        with pytest.raises(Invalid) as caught:
            engine.open(tmp_path)
        assert caught.value.code == "store.schema"
