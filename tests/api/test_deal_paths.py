"""The door's deals: closed periods, investor reports and look-throughs, for programs and for people."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from penstock.api.app import make_app
from penstock.api.deals import KEPT, Reports
from penstock.api.running import serve_in_thread
from penstock.usecases.investor_report.build import check_report
from penstock.usecases.look_through.build import check_look_through

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
KIT: Any = import_module("report_plant")
PAGE = {"Accept": "text/html"}
HELD = "tranche=A&shares=50000000000"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = KIT.ReportPlant(tmp_path_factory.mktemp("deals") / "plant").lived()
    yield made
    made.workspace.store.close()


@pytest.fixture(scope="module")
def door(plant: Any) -> Iterator[httpx.Client]:
    with serve_in_thread(make_app(plant.workspace)) as served, httpx.Client(base_url=served.url, timeout=30) as client:
        yield client


def test_a_deal_with_closed_periods_is_shown(door: httpx.Client) -> None:
    found = door.get("/deals/first").json()
    assert [one["period"] for one in found["closed"]] == [0, 1] and found["closed"][0]["quorum"] == 2
    assert door.get("/deals/first/periods?after=1").json() == {
        "deal": "first", "total": 2, "next_after": None, "closed": found["closed"][1:],
    }  # fmt: skip
    assert door.get("/deals/first/periods/2").json() == found["closed"][1]


def test_the_report_is_the_one_that_checks(door: httpx.Client, plant: Any) -> None:
    said = door.get("/deals/first/periods/2/report").json()
    assert check_report(said, plant.workspace)["made_again"]
    answer = door.get("/deals/first/periods/2/report?table=steps")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(list(csv.DictReader(io.StringIO(answer.text)))) == len(said["steps"])


def test_a_look_through_checks_too(door: httpx.Client, plant: Any) -> None:
    said = door.get(f"/deals/first/look-through?{HELD}").json()
    assert check_look_through(said, plant.workspace)["made_again"]
    assert said["by"]["obligor"][0]["name"] == "operator" and said["readings"]


@pytest.mark.parametrize(
    "path",
    ["/deals/first", "/deals/first/periods/1", "/deals/first/periods/2/report", f"/deals/first/look-through?{HELD}"],
)
def test_pages_stand_without_scripts_or_strangers(door: httpx.Client, path: str) -> None:
    answer = door.get(path, headers=PAGE)
    html = answer.text.replace("http://www.w3.org/2000/svg", "")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in html and "http://" not in html and "https://" not in html
    assert not re.search(r"\son\w+=", html)
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', html)}
    assert {link: door.get(link, headers=PAGE).status_code for link in links} == dict.fromkeys(links, 200)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/deals/none/periods/1/report", 404, "deal.unknown"),
        ("/deals/none/periods", 404, "deal.unknown"),
        ("/deals/first/periods/3", 404, "deal.period_unknown"),
        ("/deals/first/periods/3/report", 404, "deal.period_unknown"),
        ("/deals/first/periods/0/report", 400, "api.parameter"),
        ("/deals/first/periods/1/report?table=secrets", 400, "api.parameter"),
        ("/deals/first/look-through", 400, "api.parameter"),
        ("/deals/first/look-through?tranche=A&shares=0", 400, "api.parameter"),
        ("/deals/first/look-through?tranche=X&shares=1", 404, "look_through.no_tranche"),
        (f"/deals/first/look-through?tranche=A&shares={2**62}", 400, "look_through.shares"),
    ],
)
@pytest.mark.parametrize("headers", [{}, PAGE])
def test_what_is_not_there_is_refused_the_same_way(
    door: httpx.Client, path: str, status: int, code: str, headers: dict[str, str]
) -> None:
    answer = door.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_reports_are_kept_only_so_many(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(_workspace: Any, _deal: str, period: int, _size: int) -> Any:
        made.append(period)
        return SimpleNamespace(told={})

    monkeypatch.setattr("penstock.api.deals.deal_report", make)
    reports = Reports(plant.workspace)
    for period in [*range(KEPT), 0, KEPT, 0, 1]:
        reports.of("first", period)
    assert made == [*range(KEPT), KEPT, 1]
