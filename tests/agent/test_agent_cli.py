"""`penstock agent` from its commands: key, mandate, approval, stop, plan, log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent_kit import Provider, Time, mandate_text
from typer.testing import CliRunner

from penstock.agent.decision_log import DecisionLog
from penstock.cli.main import app
from penstock.errors import PenstockError


def said(*arguments: str) -> dict[str, Any]:
    """What a command says as JSON."""
    done = CliRunner().invoke(app, ["agent", *arguments, "--json"], catch_exceptions=True)
    if done.exception is not None:
        raise done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nobody = mandate_text([Provider("solar", Time())]).replace("http://solar.test", "http://127.0.0.1:9")
    (tmp_path / "mandate.yaml").write_text(nobody)
    return tmp_path


def test_a_key_is_made_once_and_its_owners_alone(folder: Path) -> None:
    made = said("key", "--folder", str(folder))
    assert made["address"].startswith("0x")
    assert (folder / "agent.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "agent.key").read_text().strip() not in json.dumps(made)
    with pytest.raises(PenstockError) as caught:
        said("key", "--folder", str(folder))
    assert caught.value.code == "agent.key_exists"


def test_a_mandate_is_checked(folder: Path) -> None:
    assert said("mandate", str(folder / "mandate.yaml"))["budget"]["total_usdc_micro"] == 5_000_000
    with pytest.raises(PenstockError) as caught:
        said("mandate", str(folder / "none.yaml"))
    assert caught.value.code == "agent.no_mandate"


def test_it_is_stopped_and_goes_on(folder: Path) -> None:
    assert said("stop", "--folder", str(folder)) == {"stopped": True}
    assert (folder / "STOP").exists()
    assert said("stop", "--off", "--folder", str(folder)) == {"stopped": False}
    assert not (folder / "STOP").exists()


@pytest.mark.parametrize("amount", ["x", "0", "NaN", "0.0000001", "1e99"])
def test_only_amounts_are_approved(folder: Path, amount: str) -> None:
    assert said("approve", "0.04", "--folder", str(folder))["approved_usdc_micro"] == 40_000
    with pytest.raises(PenstockError) as caught:
        said("approve", amount, "--folder", str(folder))
    assert caught.value.code == "agent.amount"


def test_a_log_is_shown_once_it_holds(folder: Path) -> None:
    log = DecisionLog(folder / "decisions.jsonl")
    log.write(1, "chosen", "because")
    head = log.write(2, "bought", "so").digest
    found = said("log", "--kind", "bought", "--folder", str(folder))
    assert ([one["why"] for one in found["decisions"]], found["head"]) == (["so"], head)
    assert said("payments", "--folder", str(folder)) == {"payments": [], "counted_usdc_micro": 0}
    log.path.write_bytes(log.path.read_bytes().replace(b"because", b"becawse"))
    with pytest.raises(PenstockError) as caught:
        said("log", "--folder", str(folder))
    assert caught.value.code == "log.broken"


def test_a_goal_without_providers_ends_so(folder: Path) -> None:
    said("key", "--folder", str(folder))
    (folder / "texts.txt").write_text("one\ntwo\n")
    done = said("run", "--goal", f"embed {folder / 'texts.txt'} under $1", "--folder", str(folder))
    assert (done["end"], done["done"], done["paid_usdc_micro"]) == ("nobody", 0, 0)
    with pytest.raises(PenstockError) as caught:
        said("run", "--goal", "do something", "--folder", str(folder))
    assert caught.value.code == "goal.unclear"


def test_a_key_that_others_may_read_is_not_used(folder: Path) -> None:
    said("key", "--folder", str(folder))
    (folder / "agent.key").chmod(0o644)
    (folder / "texts.txt").write_text("one\n")
    with pytest.raises(PenstockError) as caught:
        said("run", "--goal", f"embed {folder / 'texts.txt'} under $1", "--folder", str(folder))
    assert caught.value.code == "agent.key_open"


def test_a_plan_is_made(folder: Path) -> None:
    problem = {
        "demand_tokens": 1000, "deadline_hours": 1, "price_usdc_micro_per_1k": [[5]], "capacity_tokens": [[2000]],
        "energy_mj_per_1k": [3600000], "zone": [0], "lot_tokens": [0], "arrived_bp": [10000],
        "carbon_mg_per_kwh": [[100]], "certificate_usdc_micro_per_mwh": [[1]], "certificate_wh": [[0]],
    }  # fmt: skip
    (folder / "problem.json").write_text(json.dumps(problem))
    assert said("plan", str(folder / "problem.json"))["cost_usdc_micro"] == 5
