"""Which engine a folder is on, and what settings may say about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import OnPostgres
from record_kit import account

from penstock.errors import PenstockError
from penstock.store.address import Address, address_of
from penstock.store.opening import is_workspace, open_store
from penstock.store.postgres_server import PostgresServer
from penstock.store.postgres_store import PostgresStore
from penstock.store.sqlite_store import SqliteStore

HERE = {"PENSTOCK_DATABASE": "host=a"}
FILE = 'address = "host=b"\nschema = "mine"\n'


def settings(path: Path, text: str, mode: int = 0o600) -> None:
    (path / "store.toml").write_text(text)
    (path / "store.toml").chmod(mode)


def code_of(path: Path, environment: dict[str, str]) -> str:
    with pytest.raises(PenstockError) as caught:
        address_of(path, environment)
    assert caught.value.hint or caught.value.code == "store.address"
    return caught.value.code


def test_without_settings_facts_are_in_sqlite(tmp_path: Path) -> None:
    assert address_of(tmp_path, {}) is None
    assert address_of(tmp_path / "not there", {}) is None


def test_the_environment_names_a_database(tmp_path: Path) -> None:
    assert address_of(tmp_path, HERE) == Address("host=a", "penstock")
    assert address_of(tmp_path, HERE | {"PENSTOCK_SCHEMA": "two"}) == Address("host=a", "two")


def test_the_file_comes_before_the_environment(tmp_path: Path) -> None:
    settings(tmp_path, FILE)
    assert address_of(tmp_path, HERE) == Address("host=b", "mine")
    settings(tmp_path, 'schema = "mine"')
    assert address_of(tmp_path, HERE) == Address("host=a", "mine")
    assert code_of(tmp_path, {}) == "store.no_address"


def test_a_folder_stays_on_its_engine(tmp_path: Path) -> None:
    SqliteStore.open(tmp_path).close()
    assert address_of(tmp_path, HERE) is None
    settings(tmp_path, FILE)
    assert code_of(tmp_path, {}) == "store.two_engines"


def test_a_folder_of_a_database_is_not_begun_anew_in_sqlite(server: PostgresServer, tmp_path: Path) -> None:
    assert not is_workspace(tmp_path)
    OnPostgres(server.address).open(tmp_path).close()
    assert is_workspace(tmp_path)
    assert code_of(tmp_path, {}) == "store.no_address"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("address", "store.settings"),
        ("address = 5", "store.settings"),
        ('address = "host=b"\nschema = 1', "store.settings"),
        ('address = "host=b"\nscheme = "mine"', "store.settings"),
        ('address = "host=b"\nschema = "Mine; DROP"', "store.address"),
        ('address = "host=b"\nschema = ""', "store.address"),
    ],
)
def test_settings_are_read_strictly(tmp_path: Path, text: str, code: str) -> None:
    settings(tmp_path, text)
    assert code_of(tmp_path, {}) == code


def test_bytes_that_are_no_text_are_no_settings(tmp_path: Path) -> None:
    (tmp_path / "store.toml").write_bytes(b"\xff\xfe")
    assert code_of(tmp_path, {}) == "store.settings"


@pytest.mark.parametrize("conninfo", ["host=b password=secret", "postgresql://me:secret@b/d"])
def test_a_password_others_can_read_is_refused(tmp_path: Path, conninfo: str) -> None:
    settings(tmp_path, f'address = "{conninfo}"', 0o644)
    assert code_of(tmp_path, {}) == "store.settings_open"
    settings(tmp_path, f'address = "{conninfo}"', 0o600)
    assert address_of(tmp_path, {}) == Address(conninfo)


def test_an_address_without_a_password_may_be_read(tmp_path: Path) -> None:
    settings(tmp_path, 'address = "postgresql://me@b/d"', 0o644)
    assert address_of(tmp_path, {}) == Address("postgresql://me@b/d")


def test_a_workspace_opens_by_its_settings(server: PostgresServer, tmp_path: Path) -> None:
    settings(tmp_path, f'address = "{server.address}"\nschema = "by_settings"')
    with open_store(tmp_path) as store:
        assert isinstance(store, PostgresStore)
        store.commit([account("k")])
    with open_store(tmp_path, read_only=True) as reader:
        assert reader.size() == 1
    assert not (tmp_path / "journal.sqlite").exists()
