"""`penstock certificate storage`: a battery with one meter of two channels, from its enrolment to the chain of a Wh."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from device_kit import START_US, hours, key_of, new_device
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.energy.forms.cose import FIRST, Packet, sign
from penstock.errors import PenstockError
from penstock.journal.kinds.energy import ReadingsVerified, SiteRegistered
from penstock.journal.laws import breaches
from penstock.journal.words import Technology
from penstock.period import iso
from penstock.usecases.certify import certify
from penstock.usecases.enrol import enrol_device, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.workspace import Workspace

BATTERY = {"technology": Technology.BATTERY, "channels": ("discharge", "charge")}
READINGS = {
    "roof": [((1, 600), (2, 1_000), (3, 1_000))],
    "battery": [((1, 0), (2, 0), (3, 700)), ((1, 500), (2, 1_000), (3, 1_000))],
}


def packet(device: str) -> bytes:
    """Three hourly readings of each channel."""
    rows = [(hours(hour), wh, channel) for channel, said in enumerate(READINGS[device]) for hour, wh in said]
    at_us, position_wh, channel = zip(*sorted(rows), strict=True)
    return sign(Packet(device, 0, FIRST, at_us, position_wh, channel), key_of(device))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Roof and battery are metered for three hours and the roof is certified; no storage is known yet."""
    with Workspace(tmp_path / "w") as opened:
        site = SiteRegistered("site", "XX", "", "owner")
        opened.submit("site", b"", START_US, lambda world: register_site(world, site))
        opened.submit("roof", b"", START_US, lambda world: enrol_device(world, new_device()))
        opened.submit("battery", b"", START_US, lambda world: enrol_device(world, new_device("battery", **BATTERY)))
        raws = [packet("roof"), packet("battery")]
        opened.submit("ingest", b"", hours(3.1), lambda world: ingest(world, raws, hours(3.1)))
        found = [opened.columns(row) for row in opened.facts() if isinstance(row.recorded.fact, ReadingsVerified)]
        readings = [one for one in found if one is not None]
        opened.submit("certify", b"", hours(3.1), lambda world: certify(world, readings, "XX"))
    return tmp_path / "w"


def run(folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["certificate", "storage", *words, "--workspace", str(folder), "--json"])
    if code:
        assert isinstance(result.exception, PenstockError)
        return result.exception.to_json()
    assert result.exit_code == 0, result.exception
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def register(folder: Path, *more: str) -> dict[str, Any]:
    registers = ("--charge-register", "battery/charge", "--discharge-register", "battery/discharge")
    return run(folder, "register", "cell", "--operator", "owner", *registers, *more)


def efficiency(folder: Path, *more: str) -> dict[str, Any]:
    times: Sequence[str] = ("--from", iso(hours(0)), "--to", iso(hours(2_000)))
    basis: Sequence[str] = ("--basis-from", iso(hours(0)), "--basis-to", iso(hours(3)), "--method", "own meters")
    return run(folder, "efficiency", "cell", *times, *basis, *more)


def test_a_batterys_day_from_register_to_chain(folder: Path) -> None:
    assert register(folder)["storage"]["loss_register"] == "cell/loss"
    stated = efficiency(folder)["storage"]["efficiencies"]
    assert [(one["num"], one["den"]) for one in stated] == [(7, 10)]
    charged = run(folder, "charge", "cell", "--key", "first")
    assert [row["certified"] for row in charged["records"]] == [True, True, False]
    assert run(folder, "charge", "cell", "--key", "first")["repeated"]
    discharged = run(folder, "discharge", "cell")
    assert [(row["start"], row["stop"], row["charge_record"]) for row in discharged["records"]] == [
        (0, 350, 0), (350, 630, 1), (630, 700, 2),
    ]  # fmt: skip
    told = run(folder, "issue", "cell")["storage"]
    assert (told["issued_wh"], told["lost_wh"], told["stored_wh"]) == (700, 300, 0)
    found = run(folder, "chain", "battery/discharge@340-360")
    assert [one["certificate"] for one in found["claimed_certificates"]] == [
        "roof/export@340-350",
        "roof/export@600-610",
    ]
    assert [row["record"] for row in run(folder, "records", "cell", "charge")["records"]] == [0, 1, 2]
    assert run(folder, "list")["storages"][0] == told
    assert run(folder, "withdraw", "cell", "discharge", "2", "--reason", "late", code=3)["code"] == "storage.built_on"
    assert run(folder, "close", "cell", "--reason", "dismantled")["storage"]["closed"]
    assert run(folder, "charge", "cell", code=3)["code"] == "storage.closed"
    with Workspace(folder, read_only=True) as opened:
        assert opened.read(lambda world: breaches(world.books)) == ()


def test_what_is_named_alone_is_claimed_and_shown_as_tables(folder: Path) -> None:
    register(folder)
    efficiency(folder, "--num", "1", "--den", "2")
    run(folder, "charge", "cell", "--certificate", "roof/export@0-100")
    run(folder, "discharge", "cell", "--surplus")
    runner = CliRunner()
    for words in (
        ["list"],
        ["records", "cell", "charge"],
        ["records", "cell", "discharge"],
        ["chain", "battery/discharge@0-9"],
    ):
        shown = runner.invoke(app, ["certificate", "storage", *words, "--workspace", str(folder)])
        assert shown.exit_code == 0, shown.exception
    assert "roof/export@0-18" in shown.stdout or "roof/export@0-9" in shown.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("charge", "nowhere"), "storage.unknown"),
        (("charge", "cell", "--minutes", "7"), "certificate.interval"),
        (("charge", "cell", "--certificate", "roof/export"), "certificate.id"),
        (("records", "cell", "sideways"), "storage.direction"),
        (("discharge", "cell", "--from", "2016-08-22T00:00:00"), "period.naive"),
        (("chain", "roof/export@0-10"), "storage.no_chain"),
        (("issue", "cell"), "storage.nothing"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, words: tuple[str, ...], code: str) -> None:
    register(folder)
    assert run(folder, *words, code=1)["code"] == code
