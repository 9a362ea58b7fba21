"""`penstock compute` from a provider's registration to a redeemed credit; the same key again records nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from capacity_kit import PROVIDER, START_US, at
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import PenstockError
from penstock.keys import SigningKey
from penstock.period import iso
from penstock.usecases.audit import audit_workspace
from penstock.usecases.enrol import open_accounts
from penstock.usecases.registry.forward_desk import fund_on
from penstock.usecases.registry.fund import Fund
from penstock.usecases.workspace import Workspace

METER = SigningKey(b"7" * 32).public.hex()


class Command:
    """The command line on a workspace, at an hour."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.hour = folder, 0.0
        monkeypatch.setattr("penstock.connect.spool.now_us", lambda: at(self.hour))
        with Workspace(folder) as opened:
            opened.submit("accounts", b"", START_US, lambda _: open_accounts(["provider", "agent"], ["outside"]))
            for one in ("provider", "agent"):
                fund_on(opened, f"fund:{one}", Fund(one, 10**9, "a payment"), START_US)

    def __call__(self, *words: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["compute", *words, "-w", str(self.folder), "--json"])
        if result.exception:
            raise result.exception
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def shown(self, *words: str) -> str:
        return CliRunner().invoke(app, ["compute", *words, "-w", str(self.folder)]).stdout


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A provider with a rack of eight, two days opened, collateral posted."""
    made = Command(tmp_path / "w", monkeypatch)
    keys = ("--work-key", PROVIDER.work_key.hex(), "--address", "0x" + PROVIDER.address.hex())
    made("provider", "register", "provider", "--url", PROVIDER.url, *keys)
    rack = ("--accelerators", "8", "--watts", "10000", "--commissioned", iso(START_US), "--zone", "US-PSCO")
    made("provider", "rack", "provider", "rack", "--meter-key", METER, *rack)
    sku = ("--memory", "81920", "--interconnect", "NVLink-8", "--kernel-us", "900", "--source", "a run")
    made("capacity", "sku", "H100", *sku)
    table = ("--sku", "H100", "--model", "m", "--units", "1000000", "--source", "a run")
    made("capacity", "conversion", "m-bf16", *table)
    made(
        "capacity", "open", "rack", "--provider", "provider", "--sku", "H100", "--from", iso(at(0)), "--to", iso(at(48))
    )
    made("provider", "post", "provider", "100000000", "--key", "post")
    return made


def test_a_window_from_offer_to_settlement(command: Command) -> None:
    where = ("--rack", "rack", "--region", "US-PSCO", "--from", iso(at(24)), "--hours", "4")
    terms = ("--accelerators", "8", "--price", "64000000", "--collateral", "20000000")
    offered = command("window", "offer", "w", *where, *terms)["window"]
    assert (offered["state"], offered["sku"], len(offered["window"])) == ("offered", "H100", 64)
    assert command("window", "buy", "w", "--buyer", "agent", "--key", "b")["window"]["holder"] == "agent"
    assert command("window", "buy", "w", "--buyer", "agent", "--key", "b")["repeated"]
    (hour,) = command("capacity", "list", "rack", "--from", iso(at(24)), "--to", iso(at(25)))["hours"]
    assert (hour["free"], hour["sold"]) == (0, 8)
    command("capacity", "lose", "rack", "--from", iso(at(24)), "--hours", "1", "--accelerators", "8", "--reason", "x")
    command.hour = 28
    settled = command("window", "settle", "w", "--delivered-ms", str(3 * 8 * 3_600_000), "--proof", "ab" * 32)
    assert settled["window"]["state"] == "settled"
    (provider,) = command("provider", "list")["providers"]
    assert provider["revenue_usdc_micro"] == 48_000_000
    assert (provider["collateral_usdc_micro"], provider["needed_usdc_micro"]) == (95_000_000, 0)
    command("provider", "release", "provider", "95000000")
    assert "settled" in command.shown("window", "list")
    assert audit_workspace(command.folder).findings == ()


def test_a_forward_is_resold_paid_and_lapses(command: Command) -> None:
    where = ("--rack", "rack", "--region", "US-PSCO", "--hours", "1", "--accelerators", "1", "--price", "1000")
    terms = ("--collateral", "0", "--deposit", "1000", "--expires", iso(at(1)), "--balance-due", iso(at(2)))
    for name, start in (("paid", 24), ("lapsed", 30)):
        command("window", "offer", name, *where, "--from", iso(at(start)), *terms, "--notice-hours", "2")
        command("window", "buy", name, "--buyer", "agent")
    with pytest.raises(PenstockError) as caught:
        command("window", "resell", "paid", "--seller", "agent", "--buyer", "provider", "--price", "1")
    assert caught.value.code == "window.own"
    assert command("window", "pay", "paid")["window"]["unpaid_usdc_micro"] == 0
    command.hour = 3
    assert command("window", "lapse", "lapsed")["window"]["state"] == "lapsed"
    assert command("window", "show", "paid")["window"]["firmness"] == "interruptible"
    assert [one["state"] for one in command("window", "list")["windows"]] == ["sold", "lapsed"]


def test_credits_from_offer_to_their_end(command: Command) -> None:
    terms = ("--units", "1000000", "--price", "2000000", "--count", "20", "--collateral", "500000")
    more = ("--expires", iso(at(24)), "--grace-minutes", "30")
    offered = command("credit", "offer", "c", "--rack", "rack", "--conversion", "m-bf16", *terms, *more)["class"]
    assert (offered["reserved_hours"], offered["left"], offered["backed"]) == (20, 20, True)
    assert command("credit", "buy", "c", "12", "--buyer", "agent")["class"]["outstanding"] == 12
    assert command("credit", "send", "c", "2", "--holder", "agent", "--to", "provider")["holdings"][0]["held"] == 2
    asked = command("credit", "ask", "c", "3", "--holder", "agent")["holdings"][1]
    assert (asked["holder"], asked["held"], asked["asked"]) == ("agent", 7, 3)
    redeem = ("credit", "redeem", "c", "1", "--holder", "agent", "--work-root", "00" * 32)
    with pytest.raises(PenstockError) as caught:
        command(*redeem, "--from", iso(at(0)), "--to", iso(at(1)))
    assert caught.value.code == "credit.undelivered"
    command.hour = 1
    assert command("credit", "refund", "c", "--holder", "agent")["class"]["ended"] == 3
    command.hour = 24.5
    assert command("credit", "expire", "c", "--holder", "agent")["class"]["ended"] == 10
    assert [one["holder"] for one in command("credit", "holders", "c")["holdings"]] == ["provider"]
    assert "c" in command.shown("credit", "list")
    assert command("credit", "show", "c")["class"]["outstanding"] == 2
    assert audit_workspace(command.folder).findings == ()


def test_what_is_not_there_is_said(command: Command) -> None:
    register = ("provider", "register", "provider", "--url", "ftp://x", "--work-key", "zz", "--address", "00")
    wrong = {
        "compute.hex": register,
        "credit.unknown_class": ("credit", "show", "none"),
        "window.unknown": ("window", "show", "none"),
        "rack.unknown": ("capacity", "list", "none", "--from", iso(at(0)), "--to", iso(at(1))),
        "provider.unknown": ("provider", "post", "nobody", "1"),
    }
    for code, words in wrong.items():
        with pytest.raises(PenstockError) as caught:
            command(*words)
        assert caught.value.code == code


def test_a_rack_and_a_provider_are_registered_once(command: Command) -> None:
    rack = ("--accelerators", "8", "--watts", "10000", "--commissioned", iso(START_US), "--zone", "US-PSCO")
    with pytest.raises(PenstockError) as caught:
        command("provider", "rack", "provider", "rack", "--meter-key", METER, *rack)
    assert caught.value.code == "rack.known"
    with pytest.raises(PenstockError) as caught:
        command("provider", "rack", "provider", "other", "--meter-key", "00" * 32, *rack)
    assert caught.value.code == "rack.terms"
    keys = ("--url", "http://x", "--work-key", PROVIDER.work_key.hex(), "--address", "00" * 20)
    with pytest.raises(PenstockError) as caught:
        command("provider", "register", "provider", *keys)
    assert caught.value.code == "provider.known"
    with pytest.raises(PenstockError) as caught:
        command("provider", "register", "another", "--url", "http://x", "--work-key", "00" * 32, "--address", "00" * 20)
    assert caught.value.code == "provider.terms"
