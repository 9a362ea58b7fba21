"""`penstock certificate`: issue, transfer, split, reserve, release, claim, retire, withdraw, bulk, in one life."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_plant import DAYS, Plant
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.journal.laws import breaches
from penstock.usecases.enrol import open_accounts
from penstock.usecases.workspace import Workspace

ROOF = "roof-a/export"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plant = Plant(tmp_path / "plant").enrolled()
    with plant.workspace:
        plant.ingested(0)
        plant.do("more accounts", lambda _: open_accounts(["trader"], []), DAYS[0].stop_us)
    return tmp_path / "plant"


def said(folder: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, ["certificate", *words, "--workspace", str(folder), "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_life_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    issued = said(folder, "issue", "--zone", "US-PSCO", "--minutes", "60", "--valid-days", "36500", "--key", "once")
    assert [act["right"] for act in issued["acts"]] == ["attribute", "energy"]
    assert said(folder, "issue", "--zone", "US-PSCO", "--minutes", "60", "--valid-days", "36500", "--key", "once")[
        "repeated"
    ]
    shown = said(folder, "show", f"{ROOF}@0-100")
    assert (shown["certificates"][0]["holder"], shown["certificates"][0]["state"]) == ("roof-a", "held")
    ours = ("--account", "roof-a")
    moved = said(folder, "transfer", *ours, "--target", "trader", "--wh", "1000", "--technology", "solar_pv")
    assert moved["acts"][0]["quantity_wh"] == 1_000
    first = moved["acts"][0]["certificates"][0]
    whole = f"{ROOF}@{first['start']}-{first['stop']}"
    said(folder, "split", "--account", "trader", whole, "--size", "10", "--size", "20")
    said(folder, "reserve", "--account", "trader", "--beneficiary", "buyer", "--certificate", f"{ROOF}@0-10")
    said(folder, "release", "--account", "trader", "--beneficiary", "buyer", "--certificate", f"{ROOF}@0-10")
    retired = ("--beneficiary", "the public", "--certificate", f"{ROOF}@0-10")
    said(folder, "retire", "--account", "trader", *retired, "--tariff", "sun for all", "--statement", "we did")
    gone = said(folder, "withdraw", "--reason", "an error", "--certificate", f"{ROOF}@5-15")
    assert gone["acts"][0]["owed_wh"] == 5
    file = tmp_path / "sheet.csv"
    file.write_text(f"register,start,stop,target\n{ROOF},20,25,buyer\n{ROOF},0,5,buyer\n")
    told = said(folder, "bulk", "transfer", str(file), "--account", "trader")
    assert (told["done"], told["refused"]) == (1, {"not_active": 1})
    with Workspace(folder, read_only=True) as opened:
        assert opened.read(lambda world: breaches(world.books)) == ()


def test_issue_transfer_and_retire_as_one_command(folder: Path) -> None:
    told = said(
        folder, "issue", "--zone", "US-PSCO", "--account", "roof-b", "--target", "buyer", "--then", "retire",
        "--reason", "an event",
    )  # fmt: skip
    assert [act["state"] for act in told["acts"]] == ["held", "held", "held", "retired"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("transfer", "--account", "roof-a", "--target", "buyer"), "selection.unclear"),
        (("transfer", "--account", "roof-a", "--target", "buyer", "--certificate", "x"), "certificate.id"),
        (("transfer", "--account", "a", "--target", "b", "--wh", "1", "--technology", "sun"), "selection.word"),
        (("issue", "--zone", "X", "--minutes", "7"), "certificate.interval"),
        (("expire",), "expire.nothing"),
        (("release",), "reserve.none_lapsed"),
        (("claim", "--account", "roof-a", "--wh", "1"), "selection.short"),
        (("bulk", "burn", "x.csv"), "selection.word"),
        (("show", f"{ROOF}@0-100"), "titles.none"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, words: tuple[str, ...], code: str) -> None:
    with pytest.raises(PenstockError) as caught:
        said(folder, *words)
    assert caught.value.code == code
