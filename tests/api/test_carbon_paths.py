"""Carbon through the door: factors and methods published, a 24/7 report, certificates made credits, AI work offset."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from member_kit import Door

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
CARBON: Any = import_module("carbon_kit")

from penstock.api.app import make_app  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.spool import now_us  # noqa: E402
from penstock.journal.kinds.account import (  # noqa: E402
    AccountAssigned,
    MemberPlaced,
    OrganisationRegistered,
    Role,
    WhitelistStated,
)
from penstock.journal.words import Technology  # noqa: E402
from penstock.period import iso  # noqa: E402
from penstock.usecases import enrol  # noqa: E402
from penstock.usecases.api_keys import OPERATE, READ, WRITE  # noqa: E402
from penstock.usecases.registry.account import say_on  # noqa: E402
from penstock.usecases.report_247.build import check_report  # noqa: E402
from penstock.usecases.trail import Trail  # noqa: E402
from penstock.usecases.webhook import Webhooks  # noqa: E402

ROOF, LOAD = "roof/export", "load/import"
LINES = CARBON.HEADS + CARBON.line("north", 0, "100", "150", "400", "50", hours=4)
PUBLISH = "/carbon/factors?source=grid%20operator&version=2025-v1&basis=direct%20emissions"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A roof's 500 and 1,500 Wh, of which the first 500 are claimed for a load's 1,000 and 1,000; nothing published."""
    path = tmp_path_factory.mktemp("carbon") / "ws"
    made = CARBON.Portfolio(path)
    load = made.device("load", "north", "import", Technology.LOAD)
    roof = made.device("roof", "north", "export", Technology.SOLAR_PV)
    made.hourly(load, [1_000, 1_000])
    made.hourly(roof, [500, 1_500])
    made.certify(roof, "north", [500, 1_500])
    made.claim(roof, 0, load, 0, 500)
    made.do(lambda _: enrol.open_accounts(["buyer", "wary"]))
    for account, organisation in (("operator", "maker"), ("buyer", "buyers"), ("wary", "buyers")):
        if account != "wary":
            say_on(made.workspace, OrganisationRegistered(organisation), CARBON.START_US)
        say_on(made.workspace, AccountAssigned(account, organisation), CARBON.START_US)
    say_on(made.workspace, WhitelistStated("wary", ()), CARBON.START_US)
    with made.workspace as workspace, serve_in_thread(make_app(workspace)) as running:
        opened = Door(workspace, running.url, Trail(workspace), Webhooks(path, loopback=True))
        opened.key("operator", OPERATE)
        for name, organisation in (("trader", "maker"), ("buyer", "buyers")):
            member = opened.key(name, READ, WRITE)
            say_on(workspace, MemberPlaced(organisation, member, (Role.TRADER,)), now_us())
        yield opened


def publish(door: Door, who: str, text: str | bytes, path: str = PUBLISH, **headers: str) -> Any:
    shown = {"Authorization": f"Bearer {door.keys[who]}", "Content-Type": "text/csv"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.client.post(path, content=text, headers=shown | named)


def report(door: Door, who: str, accept: str = "application/json", **changed: str) -> Any:
    asked = {
        "account": "operator", "start": iso(CARBON.START_US), "stop": iso(CARBON.hour(2)),
        "factors": "grid operator@2025-v1",
    } | changed  # fmt: skip
    headers = {"Authorization": f"Bearer {door.keys[who]}", "Accept": accept}
    return door.client.get("/reports/247", params=asked, headers=headers)


def method(**changed: Any) -> dict[str, Any]:
    said = asdict(CARBON.method_of())
    since = iso(said.pop("commissioned_from_us"))
    return said | {"technologies": list(said["technologies"]), "commissioned_from": since} | changed


def test_factors_are_published_once_by_the_operator(door: Door) -> None:
    assert door.get("", "/carbon/factors")["total"] == 0
    assert publish(door, "trader", LINES).json()["code"] == "api.key_scope"
    assert publish(door, "operator", LINES.replace("150", "so")).json()["code"] == "factors.csv"
    assert publish(door, "operator", b"\xff").json()["code"] == "factors.csv"
    done = publish(door, "operator", LINES, Idempotency_Key="f")
    assert (done.status_code, done.json()["zones"], done.json()["rows"]) == (201, ["north"], 1)
    assert publish(door, "operator", LINES, Idempotency_Key="f").json() == done.json() | {"repeated": True}
    other = publish(door, "operator", LINES.replace("150", "151"), Idempotency_Key="f")
    assert (other.status_code, other.json()["code"]) == (409, "journal.key_reused")
    assert publish(door, "operator", LINES).json()["code"] == "factors.overlap"
    long = LINES.replace("v1", "v2") + "".join(
        CARBON.line("south", n, "100.125", "150.125", "400.125", "50.25") for n in range(2_000)
    )
    assert len(long) > 65_536
    assert publish(door, "operator", long, PUBLISH.replace("v1", "v2")).json()["rows"] == 2_001
    rows = door.get("", "/carbon/factors")["factors"]
    assert [one["version"] for one in rows] == ["2025-v1", "2025-v2"] and rows[0]["basis"] == "direct emissions"


def test_a_report_is_for_members_and_checks(door: Door) -> None:
    made = report(door, "trader")
    assert made.status_code == 200, made.text
    told = made.json()
    assert told["figures"]["location_ug"] == str(2_000 * 100 * 1_000)
    assert told["figures"]["market_hourly_ug"] == str(1_500 * 150 * 1_000)
    assert told["figures"]["matched_wh"] == 500
    assert check_report(told, door.workspace)["reckoned_again"]
    page = report(door, "trader", "text/html")
    assert page.headers["content-type"].startswith("text/html") and "<svg" in page.text and "<script" not in page.text
    assert told["evidence"]["root"][:16] in page.text
    assert report(door, "buyer").json()["code"] == "account.not_member"
    assert door.refused("", "GET", f"/reports/247?{made.request.url.query.decode()}") == (401, "api.key_missing")
    for changed, code in (
        ({"factors": "grid operator"}, "factors.name"),
        ({"factors": "grid operator@7"}, "factors.unknown"),
        ({"annual": "nothing@1"}, "factors.unknown"),
        ({"stop": iso(CARBON.hour(2) + 1_000_000)}, "report.period"),
        ({"time_zone": "Nowhere/Town"}, "report.time_zone"),
        ({"account": "nobody"}, "account.unknown"),
        ({"start": "yesterday"}, "period.malformed"),
    ):
        assert report(door, "operator", **changed).json()["code"] == code, changed


def test_certificates_become_credits_that_are_used(door: Door) -> None:
    assert door.refused("trader", "POST", "/carbon/methods", method()) == (403, "api.key_scope")
    assert door.refused("operator", "POST", "/carbon/methods", method(source="nobody")) == (404, "factors.unknown")
    adopted = door.done("operator", "POST", "/carbon/methods", method(), Idempotency_Key="m")
    again = door.done("operator", "POST", "/carbon/methods", method(), Idempotency_Key="m")
    assert again == adopted | {"repeated": True}
    assert door.refused("operator", "POST", "/carbon/methods", method()) == (409, "method.known")
    (row,) = door.get("", "/carbon/methods")["methods"]
    assert row["buffer_bp"] == 1_000 and row["technologies"] == ["solar_pv"]
    asked = {
        "account": "operator", "method": row["method"], "version": row["version"], "selection": {"quantity_wh": 1_000},
    }  # fmt: skip
    assert door.refused("buyer", "POST", "/carbon/credits", asked) == (403, "account.not_member")
    refused = door.refused("trader", "POST", "/carbon/credits", asked | {"holder": "wary"})
    assert refused == (409, "account.not_whitelisted")
    door.done("operator", "PUT", "/organisations/maker/approval", {"acts": ["credit"], "from_wh": 1_000})
    assert door.refused("trader", "POST", "/carbon/credits", asked) == (409, "account.two_persons")
    door.done("operator", "PUT", "/organisations/maker/approval", {"acts": [], "from_wh": 0})
    held = door.held_wh("operator")
    done = door.done("trader", "POST", "/carbon/credits", asked, Idempotency_Key="c")
    assert door.done("trader", "POST", "/carbon/credits", asked, Idempotency_Key="c") == done | {"repeated": True}
    assert door.held_wh("operator") == held - 1_000
    (credit,) = door.get("", "/carbon/credits")["credits"]
    assert (credit["grams"], credit["buffer_g"], credit["by"]) == (400, 40, door.ids["trader"])
    use = {"account": "operator", "grams": 60, "reason": "a flight"}
    assert door.refused("buyer", "POST", "/carbon/credits/use", use) == (403, "account.not_member")
    assert door.done("trader", "POST", "/carbon/credits/use", use)["acts"][0]["state"] == "retired"
    handed = door.done("trader", "POST", "/carbon/credits/use", use | {"target": "buyer", "grams": 300})
    assert handed["acts"][0]["quantity_wh"] == 300
    assert door.refused("trader", "POST", "/carbon/credits/use", use) == (409, "selection.short")
    assert door.get("operator", "/health")["law_breaches"] == 0


def test_an_offset_says_which_work(door: Door) -> None:
    asked = {"account": "operator", "work": "answer", "name": "rack-1"}
    assert door.refused("trader", "POST", "/carbon/offsets", asked) == (400, "offset.unclear")
    assert (
        door.refused("trader", "POST", "/carbon/offsets", asked | {"work": "rack", "number": 1})[1] == "offset.unclear"
    )
    assert door.refused("trader", "POST", "/carbon/offsets", asked | {"number": 0}) == (404, "trace.no_rack")
    assert door.refused("trader", "POST", "/carbon/offsets", asked | {"work": "model"}) == (404, "offset.no_model")
    assert door.get("", "/carbon/offsets") == {"total": 0, "next_after": None, "offsets": []}


def test_an_answer_is_offset_through_the_door(tmp_path: Path) -> None:
    plant = import_module("small_plant").Plant(tmp_path / "plant").enrolled()
    plant.worked(0)
    plant.certified(1)
    with plant.workspace as workspace, serve_in_thread(make_app(workspace)) as running:
        opened = Door(workspace, running.url, Trail(workspace), Webhooks(tmp_path, loopback=True))
        opened.key("operator", OPERATE)
        asked = {"account": "roof-a", "work": "answer", "name": "rack-1", "number": 2}
        done = opened.done("operator", "POST", "/carbon/offsets", asked, Idempotency_Key="o")
        again = opened.done("operator", "POST", "/carbon/offsets", asked, Idempotency_Key="o")
        assert again == done | {"repeated": True} and done["acts"][0]["state"] == "retired"
        (row,) = opened.get("", "/carbon/offsets")["offsets"]
        assert row["quantity_wh"] == -(-row["energy_mj"] // 3_600_000) == done["acts"][0]["quantity_wh"] > 0
        assert (row["number"], row["beneficiary"]) == (2, "roof-a")
        assert opened.refused("operator", "POST", "/carbon/offsets", asked) == (409, "offset.twice")
