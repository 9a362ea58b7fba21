"""`penstock attest change` over a workspace's own chain and over JSON-RPC, each under its own key file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_reseat import AT, DELAY_S, KEYS, SITTING, Scene
from typer.testing import CliRunner

from penstock.chain.keystore import save_key
from penstock.chain.node import Node, wall_clock
from penstock.chain.rpc import serve
from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.keys import SigningKey, derive_seed
from penstock.usecases.own_chain import found_chain, open_chain
from penstock.usecases.seats import text_of

WORDS = "open sesame"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with a launched deal on its own chain, and key files beside it."""
    place = tmp_path / "plant"
    with found_chain(place, dict.fromkeys(AT.values(), 10**20)) as node, Scene(place, node).workspace:
        pass
    for role in (*SITTING, "stranger"):
        save_key(tmp_path / f"{role}.json", KEYS[role], WORDS, cost_log2=4)
    return tmp_path


def invoked(*words: str) -> Any:
    return CliRunner(env={"PENSTOCK_PASSPHRASE": WORDS}).invoke(app, [*words], catch_exceptions=False)


def run(folder: Path, *words: str, by: str = "", here: bool = True) -> dict[str, Any]:
    """What a command says as JSON."""
    key = ["--key", str(folder / f"{by}.json")] if by else []
    done = invoked("attest", "change", *words, *key, *(["-w", str(folder / "plant")] if here else []), "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def refused(folder: Path, *words: str, by: str = "") -> str:
    with pytest.raises(PenstockError) as raised:
        run(folder, *words, by=by)
    return raised.value.code


def sign(folder: Path, role: str, *more: str) -> str:
    """The file that a role signed: newcomer for the third."""
    out = folder / f"{role}.signed"
    change = ("--add", text_of(AT["newcomer"]), "--remove", text_of(AT["attester-3"]), *more)
    run(folder, "sign", *change, "--out", str(out), by=role)
    return str(out)


@contextmanager
def later(seconds: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The workspace's chain finds the clock so much further on."""

    def opened(workspace: Path) -> Node:
        return open_chain(workspace, lambda: wall_clock() + seconds)

    with monkeypatch.context() as patch:
        patch.setattr("penstock.usecases.reseat.open_chain", opened)
        yield


def test_signed_apart_collected_announced_executed_and_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [sign(folder, role) for role in SITTING[:2]]
    assert refused(folder, "propose", files[0], by="stranger") == "reseat.too_few"
    asked = run(folder, "propose", *files, by="stranger")
    assert (asked["pending"]["added"], asked["quorum"], asked["nonce"]) == (text_of(AT["newcomer"]), 2, 1)
    assert run(folder, "propose", *files, by="stranger") == run(folder, "show") == asked
    assert refused(folder, "execute", by="stranger") == "reseat.too_early"
    with later(DELAY_S + 60, monkeypatch):
        done = run(folder, "execute", by="stranger")
    assert (done["pending"], done["epoch"]) == (None, 1)
    assert set(done["attesters"]) == {text_of(AT[role]) for role in ("attester-1", "attester-2", "newcomer")}
    roles = json.loads(invoked("deal", "servicing", "first", "-w", str(folder / "plant"), "--json").stdout)["roles"]
    assert set(roles["attester"]) == set(done["attesters"])
    drawn = invoked("attest", "change", "show", "-w", str(folder / "plant")).stdout
    assert "2 of 3 attesters must agree" in drawn
    assert text_of(AT["newcomer"]) in drawn


def test_an_attester_far_away_signs_over_json_rpc_without_a_workspace(folder: Path) -> None:
    anchor = run(folder, "show")["anchor"]
    change = ("--remove", text_of(AT["attester-3"]), "--out", str(folder / "far"))
    with open_chain(folder / "plant") as node, serve(node) as rpc:
        far = ("--rpc", rpc, "--anchor", anchor)
        said = run(folder, "sign", *change, *far, by="attester-1", here=False)
        assert run(folder, "show", *far, here=False)["attesters"] == [text_of(AT[role]) for role in SITTING]
        wrong = ("--rpc", rpc, "--anchor", text_of(AT["stranger"]))
        assert refused(folder, "show", *wrong) == "contract.output"
    assert json.loads((folder / "far").read_text()) == {name: said[name] for name in said if name != "file"}
    run(folder, "sign", *change, by="attester-1")  # the same in the same file is the same
    other = (*change[:2], "--quorum", "1", *change[2:])
    assert refused(folder, "sign", *other, by="attester-1") == "reseat.file_exists"


def test_words_that_make_no_sense(folder: Path) -> None:
    out = ("--out", str(folder / "out"))
    assert refused(folder, "sign", "--add", "0x12", *out, by="attester-1") == "reseat.address"
    assert refused(folder, "sign", "--remove", text_of(AT["stranger"]), *out, by="attester-1") == "reseat.unknown"
    assert refused(folder, "sign", "--quorum", "4", *out, by="attester-1") == "reseat.quorum"
    assert refused(folder, "sign", *out, by="stranger") == "reseat.not_attester"
    assert refused(folder, "show", "--rpc", "http://127.0.0.1:1") == "reseat.which_chain"
    run(folder, "execute", by="stranger")  # who sits is recorded, that is all there is to do
    assert refused(folder, "execute", by="stranger") == "reseat.nothing"
    save_key(folder / "log.json", SigningKey(derive_seed(b"reseat", "log")), WORDS, cost_log2=4)
    assert refused(folder, "sign", *out, by="log") == "key.kind"
    assert not (folder / "out").exists()
    (folder / "torn").write_bytes((folder / "log.json").read_bytes()[:40])
    assert refused(folder, "propose", str(folder / "torn"), by="stranger") == "reseat.malformed"
    with pytest.raises(PenstockError, match="no workspace"):
        invoked("attest", "change", "show", "-w", str(folder / "nowhere"))


def test_the_command_before_it_is_there_as_before() -> None:
    lone = CliRunner().invoke(app, ["attest", "--deal", "first"])
    assert (lone.exit_code, "--source" in lone.output) == (2, True)
    assert CliRunner().invoke(app, ["attest", "changed"]).exit_code == 2
    assert "attest change" in CliRunner().invoke(app, ["--help"]).stdout
