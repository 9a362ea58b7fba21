"""Two dialects of vendors' clouds, pulled from recorded bodies: backfill, news, gaps, revisions, crashes."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from field_kit import MINUTE_US, START_US, Clock, web_server
from vendor_kit import DAY_US, PLANT, ROOF, Cloud, Visitor, intervals_cloud, lifetime_cloud, recorded

from penstock.connect.vendor_cloud import System
from penstock.errors import Invalid, Unavailable

FIRST_DAY_WH, SECOND_DAY_WH = 10_478, 5_226


def edit(body: bytes, change: dict[int, int | str | float | None], drop: tuple[int, ...] = ()) -> bytes:
    """A recorded page of intervals with some energies changed and some rows gone."""
    page = json.loads(body)
    for place, energy in change.items():
        page["intervals"][place]["wh_del"] = energy
    page["intervals"] = [row for place, row in enumerate(page["intervals"]) if place not in drop]
    return json.dumps(page).encode()


def test_history_is_read_from_its_beginning_page_by_page(tmp_path: Path) -> None:
    cloud, visitor = intervals_cloud(), Visitor(tmp_path, Clock(START_US + 2 * DAY_US + 3_600_000_000))
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == []
    told = visitor.told()
    assert len(told) == 192
    assert told[START_US + DAY_US] == FIRST_DAY_WH
    assert told[START_US + 2 * DAY_US] == FIRST_DAY_WH + SECOND_DAY_WH
    assert all(before <= after for before, after in pairwise(told.values()))
    first = visitor.sink.samples()[0]
    assert (first.source, first.device, first.channel) == ("vendor/intervals", "roof-1", 0)
    pages = recorded("intervals", "2026-06-01.page-1") + recorded("intervals", "2026-06-01.page-2")
    assert first.origin == hashlib.sha256(pages).digest()
    assert first.power_mw[30] == 4_000 * (first.position_wh[30] - first.position_wh[29]) > 0
    assert {request.headers["key"] for request in cloud.asked} == {"key-31"}


def test_a_second_visit_tells_only_what_is_new(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path, Clock(START_US + DAY_US // 2 + 16 * MINUTE_US))
    with web_server(intervals_cloud()) as url:
        assert visitor.visit(url, "intervals", ROOF) == []
        assert max(visitor.told()) == START_US + DAY_US // 2  # what is younger than the settling time is left
        visitor.clock.us = START_US + 3 * DAY_US
        before = len(visitor.sink.taken)
        assert visitor.visit(url, "intervals", ROOF) == []
        assert visitor.visit(url, "intervals", ROOF) == []
    later = [at for sample in visitor.sink.samples()[before:] for at in sample.at_us]
    assert min(later) == START_US + DAY_US // 2 + 15 * MINUTE_US
    assert len(later) == len(set(later)) == 192 - 48
    assert visitor.told()[START_US + 2 * DAY_US] == FIRST_DAY_WH + SECOND_DAY_WH


def test_a_revision_is_told_again_on_its_first_base_and_the_register_goes_on(tmp_path: Path) -> None:
    cloud, visitor = intervals_cloud(), Visitor(tmp_path, Clock(START_US + 2 * DAY_US))
    revised = recorded("intervals", "2026-06-01.revised-page-2")  # 37 Wh more in one interval
    with web_server(cloud) as url:
        visitor.visit(url, "intervals", ROOF)
        cloud.pages["1780272000", "c2Vjb25k"] = revised
        before = len(visitor.sink.taken)
        visitor.clock.us += DAY_US
        visitor.visit(url, "intervals", ROOF)
        again, *rest = visitor.sink.samples()[before:]
        visitor.visit(url, "intervals", ROOF)  # a revision told is told once
    assert len(visitor.sink.samples()) == before + 1 + len(rest)
    assert (again.at_us[0], again.at_us[-1]) == (START_US + 15 * MINUTE_US, START_US + DAY_US)
    first = visitor.sink.samples()[0]
    differ_wh = [new - old for new, old in zip(again.position_wh, first.position_wh, strict=True)]
    assert differ_wh == [0] * 60 + [37] * 36
    assert again.position_wh[-1] == FIRST_DAY_WH + 37
    assert visitor.told()[START_US + 2 * DAY_US] == FIRST_DAY_WH + SECOND_DAY_WH


def test_a_missing_interval_is_waited_for_and_then_gone_without(tmp_path: Path) -> None:
    cloud, visitor = intervals_cloud(), Visitor(tmp_path, Clock(START_US + DAY_US + DAY_US // 2))
    whole = cloud.pages["1780272000", ""]
    cloud.pages["1780272000", ""] = edit(whole, {30: None}, drop=(31,))
    with web_server(cloud) as url:
        visitor.visit(url, "intervals", ROOF)
        assert max(visitor.told()) == START_US + 30 * 15 * MINUTE_US
        cloud.pages["1780272000", ""] = whole
        visitor.visit(url, "intervals", ROOF)
    assert visitor.told()[START_US + DAY_US] == FIRST_DAY_WH
    patient = Visitor(tmp_path / "other", Clock(START_US + 5 * DAY_US))
    patient.folder.mkdir()
    cloud.pages["1780272000", ""] = edit(whole, {}, drop=(30,))
    with web_server(cloud) as url:
        assert patient.visit(url, "intervals", ROOF) == []
    lost_wh = json.loads(whole)["intervals"][30]["wh_del"]
    assert patient.told()[START_US + DAY_US] == FIRST_DAY_WH - lost_wh


def test_a_lifetime_register_at_local_times_is_read_through_the_hour_that_comes_twice(tmp_path: Path) -> None:
    midnight_us = PLANT.since_us
    visitor = Visitor(tmp_path, Clock(midnight_us + DAY_US))
    cloud = lifetime_cloud()
    with web_server(cloud) as url:
        assert visitor.visit(url, "lifetime", PLANT) == []
        assert visitor.visit(url, "lifetime", PLANT) == []
    hours = {(at - midnight_us) / 3_600_000_000: position for at, position in visitor.told().items()}
    assert hours == {float(h): 48_213_250 + 125 * h for h in range(1, 25) if h != 20}  # that hour was not measured
    assert len(visitor.sink.samples()) == 1
    asked = [parse_qs(urlsplit(request.path).query) for request in cloud.asked[:2]]
    assert [(one["from"], one["to"], one["page"]) for one in asked] == [
        (["2026-10-25T02:00:00"], ["2026-10-26T02:00:00"], ["1"]),
        (["2026-10-25T02:00:00"], ["2026-10-26T02:00:00"], ["2"]),
    ]


def test_bad_rows_are_left_out_and_the_good_ones_of_the_page_kept(tmp_path: Path) -> None:
    cloud, visitor = lifetime_cloud(), Visitor(tmp_path, Clock(PLANT.since_us + DAY_US))
    page = json.loads(cloud.pages["2026-10-25T02:00:00", "1"])
    rows = page["data"]["readings"]
    rows[2]["total"], rows[3]["total"], rows[4]["time"] = -1, "many", "2026-10-25T06:00:00Z"
    cloud.pages["2026-10-25T02:00:00", "1"] = json.dumps(page).encode()
    with web_server(cloud) as url:
        assert visitor.visit(url, "lifetime", PLANT) == ["connect.value", "connect.value", "connect.time"]
    assert len(visitor.told()) == 23 - 3


def test_a_crash_after_telling_tells_the_same_again(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path, Clock(START_US + DAY_US))
    with web_server(intervals_cloud()) as url:
        visitor.visit(url, "intervals", ROOF)
        (tmp_path / "notes.json").unlink()
        visitor.visit(url, "intervals", ROOF)
    once, again = visitor.sink.samples()
    assert once == again


def test_a_sink_that_is_full_stops_the_visit_and_loses_nothing(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path, Clock(START_US + 2 * DAY_US))
    with web_server(intervals_cloud()) as url:
        visitor.sink.full = True
        with pytest.raises(Unavailable) as caught:
            visitor.visit(url, "intervals", ROOF)
        visitor.sink.full = False
        visitor.visit(url, "intervals", ROOF)
    assert caught.value.code == "connect.full"
    assert visitor.told()[START_US + DAY_US] == FIRST_DAY_WH


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "connect.malformed"),
        (b"\xff", "connect.malformed"),
        (b"[" * 100_000, "connect.malformed"),
        (b'{"intervals": [{"end_at": 1780272900, "wh_del": NaN}], "meta": {}}', "connect.malformed"),
        (b"[]", "connect.rows"),
        (b'{"intervals": {}}', "connect.rows"),
        (b'{"intervals": [5]}', "connect.rows"),
        (b'{"intervals": [{"end_at": 1780272900, "wh_del": 1}, {"end_at": 1780272900, "wh_del": 2}]}', "connect.rows"),
        (b'{"intervals": [{"end_at": 1e9, "wh_del": 1}]}', "connect.time"),
        (b'{"intervals": [{"end_at": true, "wh_del": 1}]}', "connect.time"),
        (b'{"intervals": [{"end_at": 99999999999999, "wh_del": 1}]}', "connect.time"),
        (b'{"intervals": [{"end_at": 1780272900, "wh_del": 1e40}]}', "connect.value"),
        (b'{"intervals": [], "meta": {"next_cursor": 7}}', "connect.paging"),
    ],
    ids=range(13),
)
def test_a_hostile_answer_is_refused_by_code(body: bytes, code: str, tmp_path: Path) -> None:
    cloud, visitor = intervals_cloud(), Visitor(tmp_path, Clock(START_US + DAY_US // 2))
    cloud.pages = {("1780272000", ""): body or b" "}
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == [code]
    assert visitor.sink.taken == []


def test_pages_that_lead_in_a_circle_are_left(tmp_path: Path) -> None:
    cloud, visitor = intervals_cloud(), Visitor(tmp_path, Clock(START_US + DAY_US // 2))
    turn = b'{"intervals": [], "meta": {"next_cursor": "c2Vjb25k"}}'
    cloud.pages = {("1780272000", ""): turn, ("1780272000", "c2Vjb25k"): turn}
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == ["connect.paging"]


def test_years_without_data_are_read_once(tmp_path: Path) -> None:
    cloud = Cloud("lifetime", token=recorded("lifetime", "token"), access="eyJ-sample-1")
    early = System("PL-1", "plant-1", START_US - 60 * DAY_US)
    visitor = Visitor(tmp_path, Clock(START_US))
    with web_server(cloud) as url:
        visitor.visit(url, "lifetime", early)
        asked = len(cloud.asked)
        visitor.visit(url, "lifetime", early)
    assert asked == 60
    assert len(cloud.asked) - asked <= 30


@pytest.mark.parametrize("name", ["", "../x", "a b", "ü", "{system}"])
def test_a_systems_id_is_no_path(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        System(name, "roof-1", 0)
    assert caught.value.code == "connect.system"
