"""The EnergyTag API: its words and inclusive ranges over the same books, and the defects it must not repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from member_kit import ROOF, Door, served

ET = "/energytag"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("energytag") / "ws") as opened:
        yield opened


def number(door: Door, account: str) -> int:
    return int(door.get("operator", f"/accounts/{account}")["number"])


@pytest.fixture
def maker(door: Door) -> int:
    return number(door, "operator")


@pytest.fixture
def buyer(door: Door) -> int:
    return number(door, "buyer")


def query(door: Door, who: str, account: int, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = door.ask(who, "POST", f"{ET}/certificate/query", {"source_id": account, **more}).json()
    return found


def act(door: Door, who: str, name: str, account: int, **more: Any) -> Any:
    return door.ask(who, "POST", f"{ET}/certificate/{name}", {"source_id": account, **more})


def test_a_bundle_has_both_ends_of_its_range(door: Door, maker: int) -> None:
    found = query(door, "trader", maker, certificate_status="Active")
    assert found["total"] == len(found["granular_certificate_bundles"]) >= 9
    for one in found["granular_certificate_bundles"]:
        assert one["bundle_quantity"] == one["bundle_id_range_end"] - one["bundle_id_range_start"] + 1 > 0
        assert (one["face_value"], one["account_id"], one["energy_source"]) == (1, maker, "Solar")
        same = door.get("trader", f"{ET}/certificate/{one['id']}")
        assert same == one
    pages = query(door, "trader", maker, limit=2, after=2)
    assert pages["next_after"] == 4
    assert pages["granular_certificate_bundles"] == found["granular_certificate_bundles"][2:4]


def test_a_range_of_an_issuance_moves_to_the_last_certificate(door: Door, maker: int, buyer: int) -> None:
    one = query(door, "trader", maker, certificate_status="Active", energy_source="Solar")
    bundle = one["granular_certificate_bundles"][0]
    first = bundle["bundle_id_range_start"]
    named = {
        "source_certificate_issuance_id": bundle["issuance_id"],
        "source_certificate_bundle_id_range_start": first,
        "source_certificate_bundle_id_range_end": first + 9,
    }
    done = act(door, "trader", "transfer", maker, target_id=buyer, **named)
    assert done.status_code == 202 and done.json()["certificate_quantity"] == 10
    (moved,) = done.json()["granular_certificate_bundle_ids"]
    got = door.get("buyer", f"{ET}/certificate/{moved}")
    assert (got["bundle_id_range_start"], got["bundle_id_range_end"], got["account_id"]) == (first, first + 9, buyer)
    assert got["issuance_id"] == bundle["issuance_id"]
    (rest,) = [
        each
        for each in query(door, "trader", maker, source_certificate_issuance_id=bundle["issuance_id"])[
            "granular_certificate_bundles"
        ]
        if each["account_id"] == maker
    ]
    assert rest["bundle_id_range_start"] == first + 10  # nothing lies between, nothing is in both
    assert rest["bundle_id_range_end"] == bundle["bundle_id_range_end"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"certificate_quantity": 0}, 400),
        ({"certificate_quantity": -5}, 400),
        ({"certificate_quantity": 1.5}, 400),
        ({"certificate_quantity": 10**9}, 409),
        ({"certificate_bundle_percentage": 0}, 400),
        ({"certificate_bundle_percentage": 100.01}, 400),
        ({"certificate_bundle_percentage": "0.001"}, 400),
        ({"certificate_quantity": 1, "certificate_bundle_percentage": 1}, 400),
        ({"target_id": None, "certificate_quantity": 1}, 400),
        ({"target_id": 99_999, "certificate_quantity": 1}, 404),
        ({"source_certificate_issuance_id": "nonsense"}, 400),
        ({"granular_certificate_bundle_ids": ["nonsense"]}, 400),
        ({"granular_certificate_bundle_ids": ["roof-a/export@5-5"]}, 400),
        ({"energy_source": "Perpetuum"}, 400),
        ({"device_id": 99_999}, 404),
        ({"unknown_field": 1}, 400),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    door: Door, maker: int, buyer: int, changed: dict[str, Any], status: int
) -> None:
    before = door.held_wh("operator"), door.held_wh("buyer")
    assert act(door, "trader", "transfer", maker, **({"target_id": buyer} | changed)).status_code == status
    assert (door.held_wh("operator"), door.held_wh("buyer")) == before


def test_the_key_says_who_asks(door: Door, maker: int, buyer: int) -> None:
    asked = {"target_id": buyer, "certificate_quantity": 1}
    assert act(door, "trader", "transfer", maker, user_id=door.ids["buyer"], **asked).json()["code"] == "energytag.user"
    assert act(door, "trader", "transfer", maker, user_id=door.ids["trader"], **asked).status_code == 202
    assert act(door, "buyer", "transfer", maker, **asked).status_code == 403
    assert act(door, "", "transfer", maker, **asked).status_code == 401
    assert door.ask("buyer", "POST", f"{ET}/certificate/query", {"source_id": maker}).status_code == 403
    assert act(door, "trader", "withdraw", maker, reason="x").json()["code"] == "api.key_scope"


def test_a_percentage_is_exact_and_rounds_down(door: Door, buyer: int) -> None:
    held = door.held_wh("buyer")
    done = act(door, "buyer", "cancel", buyer, certificate_bundle_percentage="33.33", beneficiary="everybody").json()
    assert done["certificate_quantity"] == held * 3333 // 10_000 == door.held_wh("buyer", "retired")
    bundle = door.get("buyer", f"{ET}/certificate/{done['granular_certificate_bundle_ids'][0]}")
    assert bundle["certificate_status"] == "Cancelled"


def test_reserve_and_withdraw(door: Door, maker: int) -> None:
    done = act(door, "trader", "reserve", maker, certificate_quantity=7, beneficiary="buyer").json()
    ids = done["granular_certificate_bundle_ids"]
    assert door.get("trader", f"{ET}/certificate/{ids[0]}")["certificate_status"] == "Reserved"
    assert act(door, "operator", "withdraw", maker, reason="a wrong meter").json()["code"] == "energytag.not_named"
    back = act(door, "operator", "withdraw", maker, reason="a wrong meter", granular_certificate_bundle_ids=ids)
    assert back.status_code == 202, back.text
    assert door.get("trader", f"{ET}/certificate/{ids[0]}")["certificate_status"] == "Withdrawn"
    buyers = query(door, "buyer", number(door, "buyer"), certificate_status="Cancelled")
    theirs = [buyers["granular_certificate_bundles"][0]["id"]]
    other = act(door, "operator", "withdraw", maker, reason="x", granular_certificate_bundle_ids=theirs)
    assert other.json()["code"] == "titles.other_holder"


def test_recurring_transfers_are_standing_orders(door: Door, maker: int, buyer: int) -> None:
    asked = {"target_id": buyer, "initial_action_datetime": "2030-01-01T00:00:00Z", "number_of_recurring_actions": 2}
    done = act(door, "trader", "recurring_transfer", maker, certificate_bundle_percentage=12.5, **asked)
    assert done.status_code == 202, done.text
    (order,) = [one for one in door.get("trader", "/orders")["orders"] if one["order"] == done.json()["action_id"]]
    assert (order["share_basis_points"], order["from"], order["until"]) == (
        1_250, "2030-01-01T00:00:00Z", "2030-01-01T02:00:00Z",
    )  # fmt: skip
    assert act(door, "trader", "recurring_claim", maker, certificate_quantity=1, **asked).status_code == 400
    two_days = asked | {"recurring_action_period_units": "days"}
    assert act(door, "trader", "recurring_cancel", maker, certificate_quantity=1, **two_days).status_code == 400


def test_a_claim_needs_something_drawn(door: Door, maker: int) -> None:
    asked = {"certificate_period_start": "2016-08-22T00:00:00Z", "certificate_period_end": "2016-08-24T00:00:00Z"}
    assert act(door, "trader", "claim", maker, **asked).json()["code"] == "match.nothing"
    assert act(door, "trader", "claim", maker, certificate_quantity=5).json()["code"] == "claim.beyond_consumption"
    assert act(door, "trader", "claim", maker).json()["code"] == "energytag.target"
    assert act(door, "trader", "claim", maker, **(asked | {"certificate_period_end": "2016-08-22T00:00:00Z"})).json()[
        "code"
    ] == ("period.empty")


def test_devices_measurements_accounts_and_users(door: Door, maker: int, buyer: int) -> None:
    devices = door.get("viewer", f"{ET}/device?limit=2")
    assert devices["total"] == 3 and devices["next_after"] == 2
    device = devices["devices"][0]
    assert door.get("viewer", f"{ET}/device/{device['id']}") == device
    assert (device["device_name"], device["energy_source"], device["capacity"]) == ("roof-a", "Solar", 40_000)
    measured = door.get("viewer", f"{ET}/measurement/{device['id']}")
    spans = door.get("", f"/certificates?register={ROOF}&limit=500")["certificates"]
    assert sum(one["interval_usage"] for one in measured["measurements"]) == sum(one["energy_wh"] for one in spans)
    assert door.refused("viewer", "GET", f"{ET}/device/99") == (404, "device.unknown")
    account = door.get("viewer", f"{ET}/account/{maker}")
    assert (account["account_name"], account["organisation"]) == ("operator", "maker")
    assert door.ids["viewer"] in account["user_ids"] and account["account_whitelist"] is None
    assert door.refused("viewer", "GET", f"{ET}/account/{buyer}") == (403, "account.not_member")
    me = door.get("viewer", f"{ET}/user/{door.ids['viewer']}")
    assert me["account_ids"] == [maker] and me["roles"] == {"maker": ["viewer"]}
    assert door.refused("viewer", "GET", f"{ET}/user/{door.ids['buyer']}") == (404, "user.unknown")
    made = door.done("operator", "POST", f"{ET}/account/create", {"account_name": "new", "organisation": "maker"})
    listed = door.done(
        "operator", "PATCH", f"{ET}/account/update_whitelist/{made['id']}", {"add_to_whitelist": [maker]}
    )
    assert listed["account_whitelist"] == [maker]
    removed = {"remove_from_whitelist": [maker]}
    assert door.done("operator", "PATCH", f"{ET}/account/update_whitelist/{made['id']}", removed) == (
        listed | {"account_whitelist": []}
    )


def test_nothing_is_issued_twice(door: Door) -> None:
    asked = {"issue_market_zone": "US-PSCO", "emissions_factor_production_device": "12.345", "validity_days": 10}
    assert door.refused("trader", "POST", f"{ET}/certificate/create", asked) == (403, "api.key_scope")
    assert door.refused("operator", "POST", f"{ET}/certificate/create", asked) == (409, "certificate.nothing")
    wrong = asked | {"interval_seconds": 7_200}
    assert door.refused("operator", "POST", f"{ET}/certificate/create", wrong) == (400, "api.parameter")


def test_an_unknown_storage_is_said_so(door: Door) -> None:
    for name in ("scr", "sdr"):
        assert door.refused("trader", "GET", f"{ET}/storage/query_{name}?storage=none") == (404, "storage.unknown")
        assert door.refused("trader", "POST", f"{ET}/storage/create_{name}", {"storage": "none"})[0] == 404
    assert door.refused("trader", "POST", f"{ET}/storage/issue_sdgc", {"storage": "none"})[0] == 404
