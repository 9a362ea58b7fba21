"""The fleet's page: what it shows, and that nothing sent to it becomes part of the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from penstock.api.app import make_app
from penstock.api.fleet_map import fleet_map
from penstock.api.running import serve_in_thread

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
KIT: Any = import_module("attest_kit")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = KIT.make_record(tmp_path_factory.mktemp("fleet") / "workspace", days=1)
    yield made
    made.workspace.store.close()


@pytest.fixture(scope="module")
def door(record: Any) -> Iterator[httpx.Client]:
    with serve_in_thread(make_app(record.workspace)) as running, httpx.Client(base_url=running.url) as client:
        yield client


def test_the_page_and_its_json_count_alike(record: Any, door: httpx.Client) -> None:
    state = door.get("/fleet/state").json()
    page = door.get("/fleet").text
    assert state["devices"] == len(KIT.ROOFS) + 1
    assert sum(state["states"].values()) == state["devices"]
    assert f"<b>{state['devices']}</b>devices" in page
    for reason in state["not_counted"]["reasons"]:
        assert reason["why"] in page


def test_a_reading_is_explained_on_the_page(record: Any, door: httpx.Client) -> None:
    at = record.workspace.read(lambda world: int(world.energy.last_at_us.max()))
    device = next(iter(KIT.ROOFS))
    asked = {"device": device, "at": import_module("penstock.period").iso(at)}
    said = door.get("/readings/explain", params=asked).json()
    assert said["device"] == device
    assert said["summary"] in door.get("/fleet", params=asked).text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("device", "at"), [("nobody", "2016-08-22T19:15:00Z"), ("roof-a", "yesterday"), ("<script>x</script>", "<b>")]
)
def test_what_cannot_be_explained_is_said_and_escaped(door: httpx.Client, device: str, at: str) -> None:
    answer = door.get(f"/fleet?device={quote(device)}&at={quote(at)}")
    assert answer.status_code == 200
    assert 'data-testid="explained"' in answer.text
    assert "<script" not in answer.text
    assert door.get(f"/readings/explain?device={quote(device)}&at={quote(at)}").status_code in (400, 404)


def test_the_map_keeps_marks_in_its_frame_and_text_out_of_its_markup() -> None:
    states = {"reporting": 1, "silent": 0, "quarantined": 0}
    places = [(89.9, -179.9), (-89.9, 179.9), (0.0, 0.0)]
    cells = [
        {"cell": "<x>", "devices": 1, "capacity_w": 5, "latitude_deg": north, "longitude_deg": east, **states}
        for north, east in places
    ]
    drawn = str(fleet_map(cells))
    assert "<x>" not in drawn
    assert drawn.count("<circle") == len(places)
    marks = [part.split('"') for part in drawn.split("<circle")[1:]]
    assert all(0 <= float(mark[1]) <= 960 and 0 <= float(mark[3]) <= 420 for mark in marks)
    assert fleet_map([{**cells[0], "latitude_deg": None}]) == ""
