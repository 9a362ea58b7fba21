"""A servicer's files through the command line: recorded once, refused whole, and made anew from the record."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servicing_kit import DEAL, ROWS, START_US, TEXT, USDC
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import Invalid, PenstockError
from penstock.journal.kinds import KINDS
from penstock.period import DAY_US
from penstock.usecases.originate import originate
from penstock.usecases.sequencer import Sequencer
from penstock.usecases.servicing.collect import read_payments
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PAYMENTS = (
    "asset,kind,usdc,received,payer,bill\n"
    "loan-1,interest,60.000001,2026-01-15,home,\n"
    "loan-1,revenue,7,2026-01-16,home,b-1\n"
)
BILLS = "asset,start,stop,due,usdc,reference\nloan-1,2026-01-01,2026-02-01,2026-02-15,500,b-1\n"
TAPE = "asset,balance_usdc,past_due_days\nloan-1,4000,0\nloan-2,3000,0\nloan-3,2000,40\nloan-4,1000,0\n"


CALLABLE = f"{TEXT}calls: {{cleanup: {{when: pool below 5_000 USDC, price: payoff(A), state: turbo}}}}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with the deal, and the servicer's files beside it."""
    with Workspace(tmp_path / "w") as workspace:
        at_us = START_US - DAY_US
        workspace.submit("deal", b"", at_us, lambda world: originate(world, DEAL, CALLABLE, ()))
    pq.write_table(pa.table(ROWS), tmp_path / "pool.parquet")
    for name, text in (("pay.csv", PAYMENTS), ("bills.csv", BILLS), ("tape.csv", TAPE)):
        (tmp_path / name).write_text(text)
    return tmp_path


def ran(place: Path, *words: str, fails: bool = False) -> dict[str, object]:
    """A command's JSON answer."""
    result = CliRunner().invoke(app, ["deal", *words, "--workspace", str(place / "w"), "--json"])
    if fails:
        assert isinstance(result.exception, PenstockError), result.output
        return result.exception.to_json()
    assert result.exception is None, result.output
    found: dict[str, object] = json.loads(result.output)
    return found


def test_a_month_by_files(place: Path) -> None:
    ran(place, "pool", DEAL, str(place / "pool.parquet"))
    ran(place, "bill", DEAL, str(place / "bills.csv"))
    first = ran(place, "collect", DEAL, str(place / "pay.csv"), "--reference", "bank-1", "--key", "january")
    again = ran(place, "collect", DEAL, str(place / "pay.csv"), "--reference", "bank-1", "--key", "january")
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert ran(place, "collect", DEAL, str(place / "pay.csv"), "--reference", "bank-1", fails=True)["code"] == (
        "collection.known"
    )
    ran(place, "write-off", DEAL, "loan-2", "--usdc-micro", "5", "--reason", "rounding")
    ran(place, "dispute", DEAL, "loan-3", "--name", "d-1", "--usdc-micro", "9", "--reason", "meter")
    ran(place, "tape", DEAL, str(place / "tape.csv"), "--period", "1")
    ran(place, "resolve", DEAL, "d-1", "--outcome", "settled", "--credited-usdc-micro", "4", "--reason", "agreed")
    ran(place, "release", DEAL, "loan-4", "--reason", "bought back")
    ran(place, "mark", "sofr", "--value", "5300000", "--source", "bank", "--as-of", "2026-01-31T00:00:00Z")
    ran(place, "appoint", DEAL, "sponsor", "sponsor-account", "--reason", "brings the deal")
    ran(place, "call", DEAL, "cleanup", "--usdc-micro", "7", "--source", "lockbox")
    again = ran(place, "call", DEAL, "cleanup", "--usdc-micro", "7", "--source", "lockbox", fails=True)
    assert again["code"] == "call.exercised"
    with Workspace(place / "w", read_only=True) as workspace:
        assert workspace.read(lambda world: world.capital.servicing.of(DEAL).called) == {"cleanup": 1}
    told = ran(place, "servicing", DEAL, "--period", "1")
    assert (told["assets"], told["period_open"], told["roles"]) == (3, 1, {"sponsor": ["sponsor-account"]})
    measures = {one["measure"]: one["value"] for one in told["measures"]}  # type: ignore[attr-defined]
    assert measures["pool"] == (4_000 + 2_000 + 1_000) * USDC - 9
    assert (measures["losses"], measures["sofr"]) == (5, 5_300_000)
    with Workspace(place / "w", read_only=True) as workspace:
        world = workspace.read(lambda one: one)
        again_world = Sequencer(workspace.store, World, KINDS).read(lambda one: one)
        assert again_world.capital == world.capital
        assert world.books.ledger.balance(world.books.accounts.id_of(f"{DEAL}/collect")) == 67 * USDC + 1 + 7


def test_bad_words_are_refused_with_what_to_write(place: Path) -> None:
    ran(place, "pool", DEAL, str(place / "pool.parquet"))
    assert ran(place, "appoint", DEAL, "boss", "x", "--reason", "y", fails=True)["code"] == "servicing.word"
    assert (
        ran(place, "collect", DEAL, str(place / "none.csv"), "--reference", "r", fails=True)["code"] == "file.missing"
    )
    assert ran(place, "pool", "other", str(place / "pool.parquet"), fails=True)["code"] == "deal.unknown"
    assert ran(place, "pool", DEAL, str(place / "pool.parquet"), fails=True)["code"] == "deal.pledged_twice"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("asset,kind\n", "has no column usdc"),
        (PAYMENTS.splitlines()[0] + "\n", "has no rows"),
        (PAYMENTS.replace("60.000001", "60.0000001"), "row 1, usdc"),
        (PAYMENTS.replace("60.000001", "-60"), "row 1, usdc"),
        (PAYMENTS.replace("interest", "intrest"), "row 1, kind"),
        (PAYMENTS.replace("2026-01-16", "16 January"), "row 2, received"),
        (PAYMENTS.replace("loan-1,revenue", ",revenue"), "row 2, asset"),
    ],
)
def test_a_file_with_a_bad_cell_is_refused_whole(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pay.csv").write_text(text)
    with pytest.raises(Invalid, match=said) as caught:
        read_payments(tmp_path / "pay.csv")
    assert caught.value.code == "servicing.file"
