"""The compute page and its JSON: the figures of the record, without a script, with nothing taken for markup."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
PLANT: Any = import_module("small_plant")

from penstock.api.app import make_app  # noqa: E402
from penstock.api.compute_charts import curve_chart, dollars, joules, load_chart, share_bar  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.cli.main import app as cli  # noqa: E402
from penstock.usecases.compute_report.published import curves  # noqa: E402
from penstock.usecases.workers import Workers  # noqa: E402

HOUR = {"hour": "2016-08-22T13:00:00Z", "load_bp": 5_000, "answers": 1, "tokens": 9, "energy_mj": 1}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = PLANT.Plant(tmp_path_factory.mktemp("lived") / "plant").lived()
    with made.workspace:
        yield made


@pytest.fixture(scope="module")
def url(lived: Any) -> Iterator[str]:
    with Workers() as workers, serve_in_thread(make_app(lived.workspace, workers=workers)) as running:
        yield running.url


def got(url: str) -> Any:
    answer = httpx.get(url)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_tells_price_load_energy_sales_and_whom_it_paid(lived: Any, url: str) -> None:
    page = httpx.get(f"{url}/compute")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    text = page.text
    paid = sum(one.inflow_usdc_micro for one in lived.world.capital.deal("first").closed)
    assert f"${paid // 1_000_000:,}.{paid % 1_000_000 // 10_000:02d}" in text
    assert "first/collect" in text and 'href="/deals/first"' in text
    assert "ML.ENERGY" in text and "about 3 %" in text and "Its power is modelled" in text
    assert text.count("<svg") == 3
    assert "<script" not in text and "http://www" not in text


def test_json_and_page_are_of_one_record(lived: Any, url: str) -> None:
    (rack,) = got(f"{url}/compute/racks")
    assert rack["tokens"] == lived.world.compute.tokens_served["rack-1"]
    assert sum(one["tokens"] for one in got(f"{url}/compute/hours")) == rack["tokens"]
    assert got(f"{url}/compute/energy-mix?rack=rack-1")["matched_bp"] == 10_000
    sold = got(f"{url}/compute/sales")
    assert sold["paid_to"][0]["paid_usdc_micro"] == sold["paid_usdc_micro"]
    offered = got(f"{url}/compute/offers")
    assert [one["open"] for one in offered["credits"]] == [False]  # its time is 2016
    assert offered["windows"] == []
    assert {one["accelerator"] for one in got(f"{url}/compute/published")["curves"]} == {"H100", "B200"}


@pytest.mark.parametrize("path", ["hours", "energy-mix"])
def test_a_rack_that_is_not_there_is_not_found(url: str, path: str) -> None:
    answer = httpx.get(f"{url}/compute/{path}", params={"rack": "<b>"})
    assert (answer.status_code, answer.json()["code"]) == (404, "compute.which_rack")


def test_an_empty_workspace_has_a_page_too(tmp_path: Path) -> None:
    made = PLANT.Plant(tmp_path / "plant")
    with made.workspace, Workers() as workers, serve_in_thread(make_app(made.workspace, workers=workers)) as running:
        text = httpx.get(f"{running.url}/compute").text
    assert "No rack is registered." in text and "Nothing was sold yet." in text and "No credits are offered." in text


def test_hours_without_work_stay_blank_and_only_a_week_is_drawn() -> None:
    def hour(text: str) -> dict[str, Any]:
        return {**HOUR, "hour": text, "energy_mj_per_1k_tokens": 1_000}

    near = load_chart([hour("2016-08-22T00:00:00Z"), hour("2016-08-22T01:00:00Z")])
    apart = load_chart([hour("2016-08-22T00:00:00Z"), hour("2016-08-22T11:00:00Z")])
    old = load_chart([hour("2016-07-01T00:00:00Z"), hour("2016-08-22T00:00:00Z")])
    assert near.count('class="load"') == apart.count('class="load"') == 2
    assert near != apart and old.count('class="load"') == 1
    assert load_chart([]) == ""


def test_names_in_pictures_are_text() -> None:
    drawn = curve_chart(curves(), [("<script>", 3_600)])
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn
    assert "<script>" not in load_chart([{**HOUR, "energy_mj_per_1k_tokens": None}])


def test_the_energy_bar_is_to_scale() -> None:
    assert 'class="energy" width="240.0"' in share_bar(2_500)  # a quarter of 960


@pytest.mark.parametrize(
    ("mj", "said"),
    [(0, "0 mJ"), (999, "999 mJ"), (3_600, "3.6 J"), (4_304_761_200_000, "4.3 GJ"), (10**16, "10,000 GJ")],
)
def test_millijoules_are_said_in_a_unit_that_shows_them(mj: int, said: str) -> None:
    assert joules(mj) == said


def test_the_command_line_tells_the_same(lived: Any, url: str, tmp_path: Path) -> None:
    copied = shutil.copytree(lived.workspace.path, tmp_path / "copied")  # the first has its owner

    def said(*words: str) -> str:
        shown = CliRunner().invoke(cli, ["compute", *words, "--workspace", str(copied)])
        assert shown.exit_code == 0, shown.output
        return shown.stdout

    (rack,) = json.loads(said("status", "--hours", "2", "--json"))["racks"]
    assert rack["tokens"] == got(f"{url}/compute/racks")[0]["tokens"] and len(rack["hours"]) == 2
    assert json.loads(said("sales", "--json"))["by_model"] == got(f"{url}/compute/sales")["by_model"]
    assert "first/collect" in said("sales") and "rack-1" in said("status", "--hours", "1")


@pytest.mark.parametrize(
    ("micro", "said"),
    [(0, "$0.00"), (33, "$0.000033"), (999_999, "$0.999999"), (1_009_999, "$1.00"), (-33, "-$0.000033")],
)
def test_small_sums_are_told_to_the_micro_dollar(micro: int, said: str) -> None:
    assert dollars(micro) == said
