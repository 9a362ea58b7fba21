"""`penstock certificate forward`, from an estimate to a settlement; the same key again records nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from device_kit import START_US, key_of, new_device
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.energy.forms.cose import FIRST, Packet, sign
from penstock.errors import PenstockError
from penstock.journal.kinds.energy import ReadingsVerified, SiteRegistered
from penstock.journal.laws import breaches
from penstock.period import DAY_US, HOUR_US, iso
from penstock.usecases.certify import certify
from penstock.usecases.enrol import enrol_device, open_accounts, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.workspace import Workspace

FIRST_DAY = (START_US // DAY_US + 1) * DAY_US
WINDOW = FIRST_DAY + 3 * DAY_US
OFFER = ("--seller", "owner", "--register", "roof/export", "--from", iso(WINDOW), "--to", iso(WINDOW + 2 * HOUR_US))
MONEY = ("--price", "80000000", "--price", "60000000", "--cash", "90000000")
GIVEN = ("--median-wh", "1000", "--ninety-wh", "800", "--method", "site study", "--basis", "three years")


def read(opened: Workspace, sequence: int, previous: bytes, *rows: tuple[int, int]) -> bytes:
    """Readings (instant, Wh) of the roof, verified and certified."""
    raw = sign(Packet("roof", sequence, previous, *map(tuple, zip(*rows, strict=True))), key_of("roof"))
    at_us = rows[-1][0] + HOUR_US // 10
    opened.submit(f"in:{sequence}", b"", at_us, lambda world: ingest(world, [raw], at_us))
    found = [opened.columns(row) for row in opened.facts() if isinstance(row.recorded.fact, ReadingsVerified)]
    readings = [one for one in found if one is not None]
    opened.submit(f"certify:{sequence}", b"", at_us, lambda world: certify(world, readings, "XX"))
    head: bytes = opened.read(lambda world: world.energy.head_hash[0].tobytes())
    return head


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days of a roof are certified; it is one hour before the window."""
    monkeypatch.setattr("penstock.connect.spool.now_us", lambda: WINDOW - HOUR_US)
    with Workspace(tmp_path / "w") as opened:
        site = SiteRegistered("site", "XX", "", "owner")
        opened.submit("site", b"", START_US, lambda world: register_site(world, site))
        opened.submit("roof", b"", START_US, lambda world: enrol_device(world, new_device()))
        opened.submit("accounts", b"", START_US, lambda _: open_accounts(["buyer", "trader"]))
        days = [(FIRST_DAY + day * DAY_US, wh) for day, wh in enumerate((500, 3_500, 7_000, 9_500))]
        read(opened, 0, FIRST, *days)
    return tmp_path / "w"


def run(folder: Path, *words: str, code: str = "") -> dict[str, Any]:
    result = CliRunner().invoke(app, ["certificate", "forward", *words, "--workspace", str(folder), "--json"])
    if code:
        assert isinstance(result.exception, PenstockError)
        assert result.exception.code == code
        return result.exception.to_json()
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_from_an_estimate_to_a_settlement(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    basis = ("--basis-from", iso(FIRST_DAY), "--basis-to", iso(WINDOW))
    told = run(folder, "estimate", "--register", "roof/export", *OFFER[4:], *basis)
    assert told["p50_wh"] == 9_000 * 2 // 72 and told["method"] == "daily-normal/1"
    made = run(folder, "offer", "spring", *OFFER, *MONEY, *GIVEN, "--wh", "900")["forward"]
    assert (made["offered_wh"], made["state"]) == (900, "open")
    run(folder, "sell", "spring", "--buyer", "buyer", "--wh", "500", code="ledger.overdrawn")
    for account in ("buyer", "owner"):
        run(folder, "fund", account, "1000000", "--reference", "a payment")
    once = run(folder, "sell", "spring", "--buyer", "buyer", "--wh", "500", "--key", "one")
    assert run(folder, "sell", "spring", "--buyer", "buyer", "--wh", "500", "--key", "one")["repeated"]
    assert once["forward"]["escrow_usdc_micro"] == 40_000 and once["forward"]["collateral_usdc_micro"] == 4_000
    part = ("--account", "buyer", "--target", "trader", "--start", "400", "--stop", "500")
    assert run(folder, "pass", "spring", *part)["forward"]["sales"][0]["holders"] == ["buyer", "trader"]
    with Workspace(folder) as opened:
        previous = opened.read(lambda world: world.energy.head_hash[0].tobytes())
        read(opened, 1, previous, (WINDOW + HOUR_US, 9_700), (WINDOW + 2 * HOUR_US, 9_800))
    monkeypatch.setattr("penstock.connect.spool.now_us", lambda: WINDOW + 3 * HOUR_US)
    run(folder, "settle", "spring", code="forward.undelivered")
    assert run(folder, "deliver", "spring")["forward"]["delivered_wh"] == 300
    settled = run(folder, "settle", "spring")["forward"]
    assert (settled["state"], settled["missing_wh"], settled["escrow_usdc_micro"]) == ("settled", 200, 0)
    assert run(folder, "list")["forwards"][0]["forward"] == "spring"
    assert run(folder, "show", "spring")["sales"][0]["earned_usdc_micro"] == 24_000
    run(folder, "show", "autumn", code="forward.unknown")
    with Workspace(folder, read_only=True) as opened:
        assert opened.read(lambda world: breaches(world.books)) == ()


def test_people_read_tables(folder: Path) -> None:
    run(folder, "offer", "spring", *OFFER, *MONEY, "--share", "5000", *GIVEN)
    for words in (
        ("list",),
        ("show", "spring"),
        ("index", "hub", *OFFER[4:], "--price", "5", "--source", "the exchange"),
    ):
        shown = CliRunner().invoke(app, ["certificate", "forward", *words, "--workspace", str(folder)])
        assert shown.exit_code == 0 and ("spring" in shown.output or "recorded" in shown.output)


def test_a_shape_comes_from_a_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "shape.csv"
    rows = [f"{iso(WINDOW + at * HOUR_US)},{iso(WINDOW + (at + 1) * HOUR_US)},{wh}" for at, wh in ((0, 300), (1, 400))]
    file.write_text("\n".join(["from,to,energy_wh", *rows]))
    made = run(folder, "offer", "spring", *OFFER, *MONEY, *GIVEN, "--shape", str(file))["forward"]
    assert (made["form"], made["offered_wh"]) == ("shape", 700)
    file.write_text("from,to,energy_wh\n2020-01-01T00:00:00Z,,5")
    run(folder, "offer", "autumn", *OFFER, *MONEY, *GIVEN, "--shape", str(file), code="forward.shape_file")


def test_dollars_come_in_from_outside_alone(folder: Path) -> None:
    run(folder, "fund", "nobody", "5", "--reference", "x", code="account.unknown")
    run(folder, "fund", "buyer", "0", "--reference", "x", code="ledger.amount")
    run(folder, "fund", "buyer", "5", "--reference", "x", "--source", "owner", code="fund.not_external")
