"""A provider's own process from the command line: keys, served, stopped, disclosed, its reports collected."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from provider_kit import MODEL
from small_plant import START_US, ZONE, Plant
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.connect.inference.workbook import Workbook
from penstock.errors import Invalid, NotFound, PenstockError
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.usecases import enrol
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.provider.load_engine import load_engine

KIT = Path(__file__).with_name("provider_kit.py")
YAML = "provider: provider-1\nrack: rack-2\nprice_usdc_micro_per_1k_tokens: 1000\n"


def told(*words: str) -> Any:
    done = CliRunner().invoke(app, ["compute", *words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def served(folder: Path) -> list[httpx.Response]:
    """Two answers from the process, which is then asked to stop."""
    command = [sys.executable, "-m", "penstock", "compute", "provider", "serve", str(folder)]
    how = ["--engine", f"{KIT}:WordEngine", "--unpaid", "--port", "0", "--json"]
    with subprocess.Popen([*command, *how], stdout=subprocess.PIPE, text=True, cwd=KIT.parent) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        body = {"model": MODEL, "input": "one two"}
        answers = [httpx.post(f"{url}/v1/embeddings", json=body) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    return answers


def test_a_provider_serves_stops_and_is_collected(tmp_path: Path) -> None:
    folder, reports = tmp_path / "provider", tmp_path / "reports"
    folder.mkdir()
    reports.mkdir()
    (folder / "provider.yaml").write_text(YAML)
    keys = told("provider", "keys", str(folder))
    assert told("provider", "keys", str(folder)) == keys
    assert (folder / "work.key").stat().st_mode & 0o777 == 0o600
    answers = served(folder)
    with Workbook(folder) as workbook:
        for row in workbook.reports(-1, 99):
            (reports / f"{row.number}.json").write_bytes(row.written)
    with Plant(tmp_path / "plant").workspace as workspace:
        meter, work = (bytes.fromhex(keys[name]) for name in ("meter_key", "work_key"))
        rack = enrol.enrol_rack("rack-2", "provider-1", ZONE, meter, 1, 2_000, START_US)
        workspace.submit("rack", b"", START_US, lambda _: rack)
        fact = ProviderRegistered("provider-1", "http://127.0.0.1", work, b"\x22" * 20, "collateral", "revenue")
        workspace.submit("provider", b"", START_US, lambda world: register_provider(world, fact))
    words = ("collect", "provider-1", "--folder", str(reports), "--unmatched", "--workspace", str(tmp_path / "plant"))
    assert sum(row["answers"] for row in told(*words)["reports"]) == 2
    assert all(row["known"] for row in told(*words)["reports"])
    payment = answers[1].headers["Penstock-Payment"]
    shown = told("provider", "disclose", str(folder), str(tmp_path / "shown"), "--payment", payment)
    assert shown == {"written": [f"{payment}.request", f"{payment}.answer"]}
    assert (tmp_path / "shown" / f"{payment}.answer").read_bytes() == answers[1].content


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("provider", "serve", "{}", "--unpaid"), "engine.one"),
        (("provider", "serve", "{}", "--engine", f"{KIT}:WordEngine"), "provider.no_gate"),
        (("provider", "serve", "{}/none", "--unpaid"), "provider.no_offer"),
        (("collect", "provider-1"), "work.source"),
        (("collect", "provider-1", "--folder", "{}/none"), "work.no_folder"),
        (("collect", "provider-1", "--folder", "{}", "--holder", "agent=0x33"), "work.name"),
        (("provider", "disclose", "{}", "{}/shown", "--payment", "00"), "workbook.no_answer"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    (tmp_path / "provider.yaml").write_text(YAML)
    with pytest.raises(PenstockError) as raised:
        CliRunner().invoke(app, ["compute", *(word.format(tmp_path) for word in words)], catch_exceptions=False)
    assert raised.value.code == code


def test_engines_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"engine\.no_file"):
        load_engine("nowhere.py:Engine")
    (tmp_path / "empty_engine.py").write_text("class Nothing:\n    pass\n")
    for name in ("Missing", "Nothing"):
        with pytest.raises(Invalid, match=r"engine\.no_name"):
            load_engine(f"{tmp_path / 'empty_engine.py'}:{name}")
