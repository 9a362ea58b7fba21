"""`penstock deal vote` over a workspace's own chain, each under its own key file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_vote import KEYS, NAME, NOTE, TEXT, Scene
from typer.testing import CliRunner

from penstock.chain.keystore import save_key
from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.usecases.own_chain import found_chain

WORDS = "open sesame"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a launched deal on its own chain, and key files beside it."""
    made = tmp_path_factory.mktemp("vote")
    place = made / "plant"
    with found_chain(place, {key.address: 10**20 for key in KEYS.values()}) as node, Scene(place, node).workspace:
        pass
    for role in ("operator", "senior", "junior", "servicer"):
        save_key(made / f"{role}.json", KEYS[role], WORDS, cost_log2=4)
    (made / "amended.yaml").write_text(TEXT.replace("40 USDC}", "45 USDC}"), encoding="utf-8")
    return made


def run(folder: Path, *words: str, by: str = "", command: str = "vote") -> dict[str, Any]:
    """What a command says as JSON."""
    key = ["--key", str(folder / f"{by}.json")] if by else []
    given = ["deal", command, *words, *key, "-w", str(folder / "plant"), "--json"]
    done = CliRunner(env={"PENSTOCK_PASSPHRASE": WORDS}).invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def refused(folder: Path, *words: str, by: str, command: str = "vote") -> str:
    with pytest.raises(PenstockError) as raised:
        run(folder, *words, by=by, command=command)
    return raised.value.code


def test_proposed_cast_listed_and_not_before_its_time(folder: Path) -> None:
    amend = ("--amend", str(folder / "amended.yaml"), "--note", NOTE)
    asked = run(folder, "propose", NAME, *amend, by="operator")
    assert (asked["proposal"], asked["kind"], asked["state"]) == (1, "amendment", "open")
    run(folder, "cast", NAME, "1", "--class", "B", "--yes", by="junior")
    run(folder, "cast", NAME, "1", "--class", "A", "--no", by="junior")
    cast = run(folder, "cast", NAME, "1", "--class", "A", "--yes", by="senior")
    assert cast["state"] == "passed"
    assert [(one["yes"], one["no"]) for one in cast["classes"]] == [(15 * 10**11, 5 * 10**11), (5 * 10**11, 0)]
    assert run(folder, "list", NAME)["votes"] == [cast]
    assert refused(folder, "execute", NAME, "1", *amend, by="senior") == "chain.act_refused"
    assert refused(folder, "execute", NAME, "1", "--waive", "dscr", "--note", NOTE, by="senior") == "vote.other_change"


def test_a_vote_is_about_one_change_and_a_real_account(folder: Path) -> None:
    note = ("--note", NOTE)
    assert refused(folder, "propose", NAME, *note, by="operator") == "vote.one_change"
    both = ("--waive", "dscr", "--replace", "servicer")
    assert refused(folder, "propose", NAME, *both, *note, by="operator") == "vote.one_change"
    for account in ("0x12", "0x" + "00" * 20, "nobody"):
        replace = ("--replace", "servicer", "--account", account)
        assert refused(folder, "propose", NAME, *replace, *note, by="operator") == "vote.address"


def test_only_who_serves_takes_fees(folder: Path) -> None:
    assert run(folder, NAME, by="servicer", command="take-fees") == {"deal": NAME, "taken_usdc_micro": {}}
    assert refused(folder, NAME, by="senior", command="take-fees") == "deal.not_a_payee"
