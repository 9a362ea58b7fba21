"""Keys of the door: kept by digest, found, revoked; administered while the workspace has its owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import Conflict, Invalid, NotFound, Refused, Unverified
from penstock.store.api_key_file import FILE, ApiKeyFile, ApiKeyRow
from penstock.usecases.api_keys import KeyRing, create_key, list_keys, revoke_key
from penstock.usecases.workspace import Workspace

ROW = ApiKeyRow("k1", "gateway north", frozenset({"push", "command"}), bytes(32), 5, 9)
PUSH = frozenset({"push"})


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    with ApiKeyFile(tmp_path) as file, ApiKeyFile(tmp_path) as beside:
        file.add(ROW)
        assert beside.find("k1") == ROW and beside.find("k2") is None
        with pytest.raises(Conflict):
            beside.add(ROW)
        assert beside.revoke("k1", 7) and not file.revoke("k1", 8) and not file.revoke("k2", 8)
        assert [row.revoked_us for row in file.rows()] == [7]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_keys_are_made_and_revoked_beside_the_owner(tmp_path: Path) -> None:
    with Workspace(tmp_path):
        ring = KeyRing(tmp_path)
        with pytest.raises(Unverified):
            ring.check("penstock_x_y", "push", 1)
        assert not (tmp_path / FILE).exists()  # asking makes nothing
        name, key = create_key(tmp_path, "gateway", PUSH, 1, 100)
        assert ring.check(key, "push", 99) == name
        with pytest.raises(Refused):
            ring.check(key, "command", 99)
        with pytest.raises(Unverified):
            ring.check(key, "push", 100)
        revoke_key(tmp_path, name, 50)
        with pytest.raises(Unverified):
            ring.check(key, "push", 60)
        with pytest.raises(NotFound):
            revoke_key(tmp_path, name, 51)
        ring.close()


def test_no_secret_is_kept_or_shown(tmp_path: Path) -> None:
    Workspace(tmp_path).store.close()
    name, key = create_key(tmp_path, "gateway", PUSH, 1, 100)
    secret = key.removeprefix(f"penstock_{name}_")
    assert len(secret) == 43
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    (shown,) = list_keys(tmp_path, 60)
    assert secret not in str(shown)
    assert (shown["state"], shown["scopes"]) == ("valid", ["push"])
    assert list_keys(tmp_path, 100)[0]["state"] == "expired"


@pytest.mark.parametrize(
    ("label", "scopes", "expires_us", "code"),
    [
        ("a", frozenset(), 9, "key.scope"),
        ("a", frozenset({"root"}), 9, "key.scope"),
        ("", PUSH, 9, "key.label"),
        ("a\n", PUSH, 9, "key.label"),
        ("x" * 65, PUSH, 9, "key.label"),
        ("a", PUSH, 1, "key.expiry"),
    ],
)
def test_unfit_keys_are_not_made(
    tmp_path: Path, label: str, scopes: frozenset[str], expires_us: int, code: str
) -> None:
    Workspace(tmp_path).store.close()
    with pytest.raises(Invalid) as caught:
        create_key(tmp_path, label, scopes, 1, expires_us)
    assert caught.value.code == code
    assert list_keys(tmp_path, 1) == []


def test_without_a_workspace_there_are_no_keys(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        create_key(tmp_path, "a", PUSH, 1, 9)
    assert list(tmp_path.iterdir()) == []
