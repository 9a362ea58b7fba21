"""A buyer's way with its papers: receipt and report from the door into files, checked by the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
from typer.testing import CliRunner

from penstock.api.inference.papers import provider_app
from penstock.api.running import serve_in_thread
from penstock.cli.main import app
from penstock.errors import Invalid, PenstockError, Unverified
from penstock.usecases.provider.provider import Provider

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import MODEL, ClockPower, HandClock, WordEngine, offer


def checked(paper: Path, key: bytes, *beside: str) -> object:
    """The kind of a paper that holds, or the error's class and code."""
    done = CliRunner().invoke(app, ["compute", "receipt", "verify", str(paper), "--key", key.hex(), *beside, "--json"])
    if isinstance(done.exception, PenstockError):
        return type(done.exception), done.exception.code
    return json.loads(done.stdout)["kind"]


def test_a_receipt_and_its_report_are_had_from_the_door_and_hold_together(tmp_path: Path) -> None:
    clock = HandClock(step_us=5_000)
    made = Provider(tmp_path / "provider", WordEngine(), offer(), clock, power=ClockPower(clock), reports=False)
    made.meter.period_s = 3_600.0  # it looks when told to
    with made as provider, serve_in_thread(provider_app(provider)) as running:
        asked = {"model": MODEL, "input": "one two three"}
        payments = []
        for _ in range(2):
            provider.close_interval()
            payments.append(httpx.post(f"{running.url}/v1/embeddings", json=asked).headers["Penstock-Payment"])
        papers = f"{running.url}/v1/receipts/{payments[0]}"
        assert (
            httpx.get(f"{running.url}/v1/receipts/{payments[1]}/work").json()["error"]["code"] == "receipt.not_sealed"
        )
        provider.close_interval()
        receipt, work, other = tmp_path / "receipt.json", tmp_path / "work.json", tmp_path / "other.json"
        receipt.write_bytes(httpx.get(papers).content)
        work.write_bytes(httpx.get(f"{papers}/work").content)
        other.write_bytes(httpx.get(f"{running.url}/v1/receipts/{payments[1]}/work").content)
        key = provider.keys.work.public
    assert checked(receipt, key, "--work", str(work)) == "energy-receipt"
    assert checked(work, key) == "work"
    assert checked(receipt, key, "--work", str(other)) == (Unverified, "receipt.work")
    other.write_text("{}")
    assert checked(receipt, key, "--work", str(other)) == (Invalid, "receipt.malformed")
