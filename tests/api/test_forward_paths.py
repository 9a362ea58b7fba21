"""Output sold forward through the door, from the offer to the settlement, at the door's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from member_kit import HOURS, KIT, PLANT, ROOF, Door, iso_of, served

from penstock.api.gate import Gate
from penstock.period import DAY_US, HOUR_US, parse_iso
from penstock.usecases.registry.forward_desk import fund_on
from penstock.usecases.registry.fund import Fund

MWH = 1_000_000
CLOCK = [KIT.START_US + HOURS * HOUR_US]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.api.app.Gate", partial(Gate, clock=lambda: CLOCK[0]))
        with served(tmp_path_factory.mktemp("forward") / "ws") as opened:
            for account in ("roof-a", "buyer"):
                fund_on(opened.workspace, f"fund {account}", Fund(account, 10 * MWH, "a payment"), CLOCK[0])
            yield opened


def terms(door: Door, **changed: Any) -> dict[str, Any]:
    """Two hours after what is certified: 300 Wh, of which 400 are expected."""
    rows = door.get("", f"/certificates?register={ROOF}&limit=500")["certificates"]
    start_us = max(parse_iso(one["ends"]) for one in rows)
    CLOCK[0] = start_us - 1
    said = {
        "forward": "spring", "seller": "roof-a", "registers": [ROOF], "start": iso_of(start_us),
        "stop": iso_of(start_us + 2 * HOUR_US), "prices_usdc_micro_per_mwh": [80 * MWH], "quantity_wh": 300,
        "p50_wh": 400, "p90_wh": 350, "method": "site study", "basis": "three years", "grace_hours": 1,
        "cash_usdc_micro_per_mwh": 90 * MWH,
    }  # fmt: skip
    return said | changed


def test_from_the_offer_to_the_settlement(door: Door) -> None:
    asked = terms(door)
    assert door.get("", "/forwards") == {"total": 0, "next_after": None, "forwards": []}
    assert door.refused("", "POST", "/forwards", asked) == (401, "api.key_missing")
    assert door.refused("buyer", "POST", "/forwards", asked)[0] == 403
    assert door.refused("operator", "POST", "/forwards", asked | {"share_basis_points": 5}) == (400, "forward.quantity")
    offered = door.done("operator", "POST", "/forwards", asked, Idempotency_Key="o")
    assert offered["forward"]["offered_wh"] == 300 and offered["forward"]["state"] == "open"
    assert door.done("operator", "POST", "/forwards", asked, Idempotency_Key="o")["repeated"]
    assert door.refused("operator", "POST", "/forwards", asked) == (409, "forward.known")
    sale = {"buyer": "buyer", "quantity_wh": 250}
    assert door.refused("trader", "POST", "/forwards/spring/sell", sale) == (403, "account.not_member")
    assert door.refused("buyer", "POST", "/forwards/spring/sell", sale | {"quantity_wh": 301})[1] == "forward.oversold"
    assert door.refused("buyer", "POST", "/forwards/autumn/sell", sale) == (404, "forward.unknown")
    sold = door.done("buyer", "POST", "/forwards/spring/sell", sale, Idempotency_Key="s")["forward"]
    assert (sold["sold_wh"], sold["escrow_usdc_micro"]) == (250, 250 * 80)
    again = door.done("buyer", "POST", "/forwards/spring/sell", sale, Idempotency_Key="s")
    assert again["repeated"] and again["forward"] == sold
    passed = {"account": "buyer", "target": "operator", "start": 200, "stop": 250}
    assert door.refused("trader", "POST", "/forwards/spring/pass", passed) == (403, "account.not_member")
    held = door.done("buyer", "POST", "/forwards/spring/pass", passed)["forward"]["sales"][0]["holders"]
    assert held == ["buyer", "operator"]
    assert door.refused("operator", "POST", "/forwards/spring/settle")[1] == "forward.early"
    push(door)
    before = door.held_wh("buyer")
    assert door.refused("buyer", "POST", "/forwards/spring/deliver")[0] == 403
    delivered = door.done("operator", "POST", "/forwards/spring/deliver", Idempotency_Key="d")["forward"]
    assert delivered["delivered_wh"] == 250 and door.held_wh("buyer") == before + 200
    CLOCK[0] += DAY_US
    done = door.done("operator", "POST", "/forwards/spring/settle")["forward"]
    assert (done["state"], done["escrow_usdc_micro"], done["collateral_usdc_micro"]) == ("settled", 0, 0)
    assert door.get("", "/forwards")["forwards"] == [door.get("", "/forwards/spring")] == [done]
    assert door.refused("operator", "POST", "/forwards/spring/settle") == (409, "forward.settled")
    assert door.get("operator", "/health")["law_breaches"] == 0


def push(door: Door) -> None:
    """Two more hours are read and certified."""
    CLOCK[0] += 4 * HOUR_US
    door.key("gateway", "push")
    pushed = door.client.post(
        "/readings",
        content=b"".join(one.raw for one in KIT.chain_of("roof-a", HOURS + 2)[HOURS:]),
        headers={"Authorization": f"Bearer {door.keys['gateway']}", "Content-Type": "application/cbor-seq"},
    )
    assert pushed.status_code == 200, pushed.text
    door.done("operator", "POST", "/certificates/issue", {"zone": PLANT.ZONE})


def test_an_index_is_published_once_by_the_operator(door: Door) -> None:
    asked = {
        "index": "spot", "start": "2016-09-01T00:00:00Z", "stop": "2016-10-01T00:00:00Z",
        "price_usdc_micro_per_mwh": 70 * MWH, "source": "an exchange",
    }  # fmt: skip
    assert door.refused("trader", "POST", "/forwards/indices", asked) == (403, "api.key_scope")
    door.done("operator", "POST", "/forwards/indices", asked)
    assert door.refused("operator", "POST", "/forwards/indices", asked) == (409, "forward.index_known")
