"""What only PostgreSQL does to a store: writers from afar, sessions that end, a server that dies, rows in bulk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from engines import OnPostgres
from record_kit import account, bulk, planned, titles

from penstock.errors import Conflict, Invalid, PenstockError, Refused, Unavailable
from penstock.journal.formats import TITLES
from penstock.store.address import Address
from penstock.store.opening import open_store
from penstock.store.ports import Observation, Write
from penstock.store.postgres_server import PostgresServer
from penstock.store.postgres_store import PostgresStore

ALL_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
ALL_OTHERS += "application_name LIKE 'penstock%'"


@pytest.fixture
def engine(server: PostgresServer) -> OnPostgres:
    return OnPostgres(server.address)


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """A server of one test's own, to be killed."""
    with PostgresServer() as server:
        yield server


def end_sessions(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(ALL_OTHERS.encode())


def test_the_server_is_one_that_is_supported(server: PostgresServer) -> None:
    with psycopg.connect(server.address) as connection:
        assert connection.info.server_version >= 150_000


def test_another_folder_cannot_write_the_same_schema(engine: OnPostgres, tmp_path: Path) -> None:
    address = engine.address(tmp_path)
    with PostgresStore.open(tmp_path / "one", address) as store:
        store.commit([account("k")])
        with pytest.raises(Unavailable) as caught:
            PostgresStore.open(tmp_path / "two", address)
        assert caught.value.code == "store.in_use"
        assert caught.value.ids["holder"].startswith("penstock ")
    with pytest.raises(Conflict) as other:
        PostgresStore.open(tmp_path / "two", address)
    assert other.value.code == "store.other_workspace"
    PostgresStore.open(tmp_path / "one", address).close()


def test_a_folder_and_a_database_of_two_workspaces_lose_nothing(engine: OnPostgres, tmp_path: Path) -> None:
    first, second = engine.address(tmp_path / "first"), engine.address(tmp_path / "second")
    with PostgresStore.open(tmp_path / "first", first) as store:
        store.commit([Write("k", b"i" * 32, [bulk(titles(3))])])
        digest = next(store.facts()).segment or ""
    PostgresStore.open(tmp_path / "second", second).close()
    empty = engine.address(tmp_path / "nothing there")
    for wrong in (second, empty):
        for read_only in (False, True):
            with pytest.raises(Conflict) as caught:
                PostgresStore.open(tmp_path / "first", wrong, read_only=read_only)
            assert caught.value.code == "store.other_workspace"
    with PostgresStore.open(tmp_path / "first", first) as store:
        assert len(store.columns(digest, TITLES)["start"]) == 3


def test_a_session_that_ended_is_taken_up_again(engine: OnPostgres, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k1")])
        end_sessions(engine.conninfo)
        assert store.receipt("k1") is not None
        assert store.commit([account("k2")]) == 1
        end_sessions(engine.conninfo)
        assert store.commit([account("k3")]) == 2  # the lease was taken again before anything was sealed
        with pytest.raises(Unavailable) as caught:
            PostgresStore.open(tmp_path / "other", engine.address(tmp_path))
        assert caught.value.code == "store.in_use"


def test_a_writer_whose_lease_went_to_another_is_fenced(engine: OnPostgres, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k1")])
        end_sessions(engine.conninfo)
        (tmp_path / "lease").unlink()  # as on another machine, where this file's lock says nothing
        with engine.open(tmp_path) as usurper:
            assert usurper.commit([account("k2")]) == 1
            with pytest.raises(Unavailable) as caught:
                store.commit([account("k3")])
            assert caught.value.code == "store.in_use"
        with pytest.raises(Conflict) as fenced:
            store.commit([account("k3")])
        assert fenced.value.code == "store.fenced"
        assert store.commit([account("k3")]) == 2  # it has seen the other's fact by now


def test_a_commit_cut_off_is_known_by_its_key(engine: OnPostgres, tmp_path: Path) -> None:
    def cut(name: str) -> None:
        if name == "rows_inserted":
            end_sessions(engine.conninfo)

    engine.open(tmp_path).close()
    with engine.open(tmp_path, at_point=cut) as store:
        with pytest.raises(Unavailable) as caught:
            store.commit([account("k")])
        assert caught.value.code == "store.unreachable"
        assert store.receipt("k") is None
        assert (store.size(), list(store.facts())) == (0, [])


def test_a_server_that_dies_keeps_what_was_committed(mortal: PostgresServer, tmp_path: Path) -> None:
    address = Address(mortal.address)
    with PostgresStore.open(tmp_path, address) as store:
        for turn in range(5):
            store.commit([Write(f"k{turn}", b"i" * 32, [bulk(titles(10 + turn))])])
            mortal.stop(signal.SIGQUIT)
            with pytest.raises(Unavailable) as caught:
                store.commit([account(f"lost{turn}")])
            assert caught.value.code == "store.unreachable"
            mortal.start()
            assert store.size() == turn + 1
            assert [fact.key for fact in store.facts()] == [f"k{each}" for each in range(turn + 1)]
    with PostgresStore.open(tmp_path, address) as store:
        assert store.size() == 5
        assert store.receipt("lost0") is None
        assert len(list((tmp_path / "segments").iterdir())) == 5


def test_a_server_with_no_place_left_is_tried_again(mortal: PostgresServer, tmp_path: Path) -> None:
    with PostgresStore.open(tmp_path, Address(mortal.address)) as store:
        store.commit([account("k")])
        with psycopg.connect(mortal.address, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_connections = 4")
            connection.execute("ALTER SYSTEM SET superuser_reserved_connections = 0")
            connection.execute("ALTER SYSTEM SET max_wal_senders = 0")
    mortal.stop()
    mortal.start()
    held = [psycopg.connect(mortal.address) for _ in range(4)]
    with pytest.raises(Unavailable) as caught:
        PostgresStore.open(tmp_path, Address(mortal.address))
    assert caught.value.code == "store.unreachable"
    for connection in held:
        connection.close()


def test_a_server_that_does_not_wait_for_its_disk_is_refused(tmp_path: Path) -> None:
    with PostgresServer(settings=("fsync=off",)) as fast:
        with pytest.raises(Refused) as caught:
            PostgresStore.open(tmp_path, Address(fast.address))
        assert caught.value.code == "store.not_durable"


def test_commits_wait_for_the_disk_though_the_server_would_not(mortal: PostgresServer, tmp_path: Path) -> None:
    with psycopg.connect(mortal.address, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
    with PostgresStore.open(tmp_path, Address(mortal.address)) as store:
        found = store._sql.look(lambda session: session.execute("SHOW synchronous_commit").fetchone())
        assert found == ("on",)


def test_another_encoding_is_refused(mortal: PostgresServer, tmp_path: Path) -> None:
    with psycopg.connect(mortal.address, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(Invalid) as caught:
        PostgresStore.open(tmp_path, Address(mortal.address.replace("dbname=postgres", "dbname=latin")))
    assert caught.value.code == "store.server"


@pytest.mark.parametrize("count", [2, 5_000])
def test_rows_that_stand_already_are_left_alone(engine: OnPostgres, tmp_path: Path, count: int) -> None:
    rows = [planned(f"o{each}") for each in range(count)]
    logs = [Observation(each, b"b" * 32, each, b"t" * 32, b"c" * 20, (b"a" * 32,), b"") for each in range(count)]
    with engine.open(tmp_path) as store:
        assert store.outbox.add(rows[1::2]) == count // 2
        assert store.outbox.add([*rows, *rows]) == count - count // 2
        assert [row.id for row in store.outbox.rows()] == [row.id for row in (*rows[1::2], *rows[::2])]
        assert store.observations.add(logs[1::2]) == count // 2
        assert store.observations.add([*logs, *logs]) == count - count // 2
        assert store.observations.rows() == logs


def test_ten_thousand_facts_in_one_group_are_chained_like_single_ones(engine: OnPostgres, tmp_path: Path) -> None:
    with engine.open(tmp_path / "group") as group, engine.open(tmp_path / "single") as single:
        names = [f"k{each}" for each in range(10_000)]
        group.commit([account(name) for name in names])
        for at in range(0, 10_000, 10):  # below what is copied in bulk
            single.commit([account(name) for name in names[at : at + 10]])
        assert list(group.facts()) == list(single.facts())


def test_readers_look_while_a_writer_writes(engine: OnPostgres, tmp_path: Path) -> None:
    with engine.open(tmp_path) as writer, engine.open(tmp_path, read_only=True) as reader:
        errors: list[Exception] = []

        def look() -> None:
            try:
                for _ in range(20):
                    size = reader.size()
                    assert [fact.seq for fact in reader.facts(0, size)] == list(range(size))
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(50):
            writer.commit([account(f"k{number}-{each}") for each in range(20)])
        for thread in threads:
            thread.join()
        assert errors == []


def test_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-of-the-operator"
    addresses = [
        f"postgresql://postgres:{secret}@127.0.0.1:1/penstock",
        f"host=127.0.0.1 port=1 user=postgres password={secret}",
        f"host=127.0.0.1 password={secret} nonsense",
        f"{secret}",
        f"postgresql://postgres:{secret}@127.0.0.1:none/penstock",
    ]
    for conninfo in addresses:
        monkeypatch.setenv("PENSTOCK_DATABASE", conninfo)
        with pytest.raises(PenstockError) as caught:
            open_store(tmp_path)
        error: BaseException | None = caught.value
        assert caught.value.code in ("store.unreachable", "store.address")
        assert secret not in repr(caught.value.to_json())
        while error is not None:
            assert secret not in f"{error!r} {error}"
            error = error.__cause__
    assert secret not in repr(Address(addresses[0]))
