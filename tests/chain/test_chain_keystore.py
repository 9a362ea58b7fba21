"""Keys at rest: sealed, bound, private, never overwritten, never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.chain.keystore import load_key, public_part, save_key
from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Refused, Unverified
from penstock.keys import ChainKey, SigningKey

SECRET = bytes(range(1, 33))
KEYS: dict[str, SigningKey | ChainKey] = {"ed25519": SigningKey(SECRET), "secp256k1": ChainKey(SECRET)}
QUICK = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operator.key"


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_comes_back_as_it_was(path: Path, kind: str) -> None:
    key = KEYS[kind]
    save_key(path, key, "correct horse", cost_log2=QUICK)
    assert load_key(path, "correct horse") == key
    assert public_part(path) == (kind, key.public if isinstance(key, SigningKey) else key.address)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert SECRET.hex() not in path.read_text() and SECRET not in path.read_bytes()


def test_a_wrong_passphrase_is_unverified_and_shows_nothing(path: Path) -> None:
    save_key(path, KEYS["secp256k1"], "correct horse", cost_log2=QUICK)
    with pytest.raises(Unverified) as refused:
        load_key(path, "wrong horse")
    assert refused.value.code == "key.passphrase"
    shown = str(refused.value) + repr(refused.value) + json.dumps(refused.value.to_json())
    assert SECRET.hex() not in shown and "wrong horse" not in shown and refused.value.__cause__ is None


@pytest.mark.parametrize("field", ["kind", "public", "salt", "nonce", "sealed", "cost_log2"])
def test_every_field_is_bound(path: Path, field: str) -> None:
    save_key(path, KEYS["ed25519"], "p", cost_log2=QUICK)
    body: dict[str, Any] = json.loads(path.read_text())
    other = {"kind": "secp256k1", "cost_log2": 5}
    body[field] = other.get(field) or ("00" if body[field][:2] != "00" else "11") + body[field][2:]
    path.write_text(json.dumps(body))
    with pytest.raises(Unverified):
        load_key(path, "p")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"nonce": 3, "sealed": ""}', "null", "\xff"],
)
def test_other_files_are_invalid(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Invalid):
        load_key(path, "p")


@pytest.mark.parametrize(
    ("field", "value"), [("cost_log2", 30), ("cost_log2", 3), ("cost_log2", True), ("version", 2), ("salt", "00")]
)
def test_a_file_cannot_ask_for_too_much(path: Path, field: str, value: Any) -> None:
    save_key(path, KEYS["ed25519"], "p", cost_log2=QUICK)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(Invalid):
        load_key(path, "p")


def test_keys_are_never_overwritten(path: Path) -> None:
    save_key(path, KEYS["ed25519"], "p", cost_log2=QUICK)
    before = path.read_bytes()
    with pytest.raises(Conflict):
        save_key(path, KEYS["secp256k1"], "p", cost_log2=QUICK)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_missing_open_and_costly(path: Path) -> None:
    with pytest.raises(NotFound):
        load_key(path, "p")
    with pytest.raises(Invalid):
        save_key(path, KEYS["ed25519"], "p", cost_log2=21)
    save_key(path, KEYS["ed25519"], "p", cost_log2=QUICK)
    path.chmod(0o644)
    with pytest.raises(Refused) as refused:
        load_key(path, "p")
    assert refused.value.code == "key.file_open" and isinstance(refused.value, PenstockError)


def test_fresh_randomness_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_key(tmp_path / name, KEYS["ed25519"], "p", cost_log2=QUICK)
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("a", "b"))
    assert first["salt"] != second["salt"] and first["nonce"] != second["nonce"] and first["sealed"] != second["sealed"]
