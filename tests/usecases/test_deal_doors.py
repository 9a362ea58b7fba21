"""The arranger's guide by commands in one process, without attesters; `test_deal_walk.py` runs it whole, nightly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import PenstockError

GUIDE: Final = (Path(__file__).resolve().parents[2] / "docs" / "deals.md").read_text()
FILES: Final = dict(re.findall(r"cat > (\S+) <<'?END'?\n(.*?\n)END\n", GUIDE, re.DOTALL))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder one is in, with the guide's files; two investors' keys are made, and hold what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_PASSPHRASE", "walk")
    ran("store", "init", "--origin", "deals.example/roofs")
    ran("certificate", "chain", "found")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    holders = FILES["holders.csv"]
    for role in ("senior", "junior"):
        account = ran("chain", "key", role, "--keys", "investors")["address"]
        holders = holders.replace(f"${role.upper()}", account)
    (tmp_path / "holders.csv").write_text(holders)
    return tmp_path


def ran(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exception is None, (words, done.exception, done.output)
    return dict(json.loads(done.stdout))


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, PenstockError), (words, done.output)
    return done.exception.code


def test_from_the_file_to_the_servicers_fee(place: Path) -> None:
    launch = ("deal", "launch", "roofs.yaml", "--name", "roofs", "--holders", "holders.csv")
    assert refused(*launch, "--servicer", "0x12") == "launch.address"
    launched = ran(*launch)
    assert ran(*launch) == launched  # repeated, it changes nothing
    ran("deal", "pool", "roofs", "assets.csv")
    ran("deal", "collect", "roofs", "payments.csv", "--reference", "bank-2026-01")
    assert refused("deal", "close", "roofs") == "deal.data_awaited"
    ran("deal", "tape", "roofs", "tape.csv", "--period", "1")
    assert refused("deal", "close", "roofs") == "deal.report_awaited"
    closed = ran("deal", "close", "roofs", "--without-report")
    assert (closed["period"], closed["state"], closed["reported"]) == (1, "turbo", False)
    assert closed["inflow_usdc_micro"] == 180 * 10**6
    taken = ran("deal", "take-fees", "roofs", "--key", "workspace/keys/servicer.json")
    assert taken["taken_usdc_micro"] == {"servicer": 40 * 10**6}
    assert [one["state"] for one in ran("deal", "list")["deals"]] == ["turbo"]
    again = ran("deal", "close", "roofs", "--without-report")  # the second period has long ended too
    assert again["period"] == 2
    assert ran("audit")["clean"] is True
