"""A journal begins with its name, once; certificates' own chain is founded on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from penstock.chain.keystore import load_key
from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import AccountOpened, WorkspaceOpened
from penstock.keys import SigningKey
from penstock.usecases.open_log import open_log, opening
from penstock.usecases.registry.found import ATTESTERS, Founding, found
from penstock.usecases.workspace import Workspace

AT_US = 1_767_268_800_000_000
ORIGIN = "registry.example/certificates"
PASSPHRASE = "a test guards nothing"
COST_LOG2 = 4


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "w") as opened:
        yield opened


def named(workspace: Workspace, origin: str = ORIGIN, file: str = "log.json", at_us: int = AT_US) -> dict[str, Any]:
    return open_log(workspace, origin, workspace.path / "keys" / file, PASSPHRASE, at_us, cost_log2=COST_LOG2)


def code_of(act: Any, *args: Any) -> str:
    with pytest.raises(PenstockError) as caught:
        act(*args)
    return caught.value.code


def test_the_first_fact_names_the_log_and_its_sealed_key(workspace: Workspace) -> None:
    said = named(workspace)
    (row,) = workspace.facts()
    key = load_key(workspace.path / "keys" / "log.json", PASSPHRASE)
    assert isinstance(key, SigningKey)
    assert row.recorded.fact == WorkspaceOpened(ORIGIN, key.public)
    assert (said["log_key"], said["repeated"]) == (key.public.hex(), False)
    assert workspace.read(lambda world: world.participants.origin) == ORIGIN


def test_the_same_again_is_the_same(workspace: Workspace) -> None:
    first = named(workspace)
    assert named(workspace, at_us=AT_US + 1) == first | {"repeated": True}
    assert workspace.store.size() == 1


def test_a_kill_after_the_key_was_sealed_loses_nothing(workspace: Workspace) -> None:
    """The key is durable before the fact that names it, and is taken again."""
    other = Workspace(workspace.path.with_name("other"))
    with other:
        key = named(other)["log_key"]
    keys = workspace.path / "keys"
    keys.mkdir()
    (other.path / "keys" / "log.json").rename(keys / "log.json")
    assert named(workspace)["log_key"] == key


def test_a_log_keeps_its_name_and_its_key(workspace: Workspace) -> None:
    named(workspace)
    assert code_of(named, workspace, "other.example") == "log.named"
    (workspace.path / "keys" / "log.json").rename(workspace.path / "keys" / "lost.json")
    assert named(workspace)["key_file"] == ""  # none is made in its place
    with Workspace(workspace.path.with_name("other")) as other:
        named(other)
        (other.path / "keys" / "log.json").rename(workspace.path / "keys" / "log.json")
    assert code_of(named, workspace) == "log.other_key"
    assert workspace.store.size() == 1


def test_a_journal_that_has_begun_is_not_named(workspace: Workspace) -> None:
    workspace.submit("account", b"", AT_US, lambda _: [Entry(AccountOpened("roof-a"))])
    assert code_of(named, workspace) == "log.begun"
    assert opening(workspace) is None
    assert not (workspace.path / "keys").exists()


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "x" * 129, "bell\x07"])
def test_what_no_log_is_called(workspace: Workspace, origin: str) -> None:
    assert code_of(named, workspace, origin) == "log.name"
    assert workspace.store.size() == 0


def asked(workspace: Workspace, *attesters: bytes) -> Founding:
    return Founding(workspace.path / "keys", PASSPHRASE, attesters, cost_log2=COST_LOG2)


def test_a_chain_is_founded_once(workspace: Workspace) -> None:
    named(workspace)
    first = found(workspace, asked(workspace), AT_US)
    size = workspace.store.size()
    assert found(workspace, asked(workspace), AT_US + 1) == first
    assert workspace.store.size() == size
    assert {"Anchor", "Certificate", "Badge", "Kwh"} <= first["contracts"].keys()
    assert all((workspace.path / "keys" / f"{name}.json").is_file() for name in ("operator", *ATTESTERS))


def test_what_a_chain_needs(workspace: Workspace) -> None:
    assert code_of(found, workspace, asked(workspace), AT_US) == "log.unnamed"
    named(workspace)
    for attesters in ((bytes(20),), (bytes(20), bytes(20))):
        assert code_of(found, workspace, asked(workspace, *attesters), AT_US) == "chain.attesters"
    assert workspace.store.size() == 1


def test_a_chain_that_was_acted_on_is_not_founded_anew(workspace: Workspace) -> None:
    named(workspace)
    found(workspace, asked(workspace), AT_US)
    (workspace.path / "chain").rename(workspace.path / "gone")
    assert code_of(found, workspace, asked(workspace), AT_US) == "chain.lost"


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to a registry that is ready to lift."""
    monkeypatch.setenv("PENSTOCK_PASSPHRASE", PASSPHRASE)
    at = ("--workspace", str(tmp_path / "w"), "--json")

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, *at])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert run("store", "init", "--origin", ORIGIN)["origin"] == ORIGIN
    assert run("store", "init", "--origin", ORIGIN)["repeated"]
    contracts = run("certificate", "chain", "found")["contracts"]
    assert run("chain", "status")["contracts"]["Anchor"] == contracts["Anchor"]
    assert run("certificate", "chain", "send") == {"batches": []}
    assert run("certificate", "chain", "collect") == {"burned": [], "lapsed": []}
