"""Who may do what through the door: keys bound to organisations, wallets that signed in, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from member_kit import ADDRESS, ROOF, Door, iso_of, served, sign, wh

from penstock.connect.spool import now_us
from penstock.period import SECOND_US
from penstock.usecases.sign_in import NONCE_US, SignIn, parse


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("members") / "ws") as opened:
        yield opened


def transfer(quantity_wh: int, account: str = "operator", target: str = "buyer") -> dict[str, object]:
    return {"account": account, "target": target, "selection": wh(quantity_wh)}


def test_a_trader_acts_for_its_organisation_alone(door: Door) -> None:
    before = door.held_wh("buyer")
    told = door.done("trader", "POST", "/certificates/transfer", transfer(70))
    assert told["acts"][0]["by"] == door.ids["trader"]
    assert door.held_wh("buyer") == before + 70
    assert door.refused("buyer", "POST", "/certificates/transfer", transfer(1)) == (403, "account.not_member")
    assert door.refused("stranger", "POST", "/certificates/transfer", transfer(1)) == (403, "account.not_member")
    assert door.refused("viewer", "POST", "/certificates/transfer", transfer(1)) == (403, "account.role")
    assert door.refused("reader", "POST", "/certificates/transfer", transfer(1)) == (403, "api.key_scope")
    assert door.refused("", "POST", "/certificates/transfer", transfer(1)) == (401, "api.key_missing")
    assert door.held_wh("buyer") == before + 70


def test_what_an_account_did_is_for_its_members_and_the_operator(door: Door) -> None:
    assert [one["account"] for one in door.get("viewer", "/accounts")["accounts"]] == ["operator"]
    assert {"operator", "buyer"} <= {one["account"] for one in door.get("operator", "/accounts")["accounts"]}
    assert door.get("stranger", "/accounts")["total"] == 0
    for path in ("/accounts/operator", "/accounts/operator/trail"):
        assert door.refused("buyer", "GET", path) == (403, "account.not_member")
        assert door.refused("", "GET", path) == (401, "api.key_missing")
    assert door.refused("operator", "GET", "/accounts/nobody") == (404, "account.unknown")


def test_an_act_is_done_once_under_its_key(door: Door) -> None:
    before = door.held_wh("buyer")
    first = door.done("trader", "POST", "/certificates/transfer", transfer(5), Idempotency_Key="once")
    again = door.done("trader", "POST", "/certificates/transfer", transfer(5), Idempotency_Key="once")
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again | {"repeated": False} == first and door.held_wh("buyer") == before + 5
    other = door.ask("trader", "POST", "/certificates/transfer", transfer(6), Idempotency_Key="once")
    assert (other.status_code, other.json()["code"]) == (409, "journal.key_reused")
    own = door.done("operator", "POST", "/certificates/transfer", transfer(6), Idempotency_Key="once")
    assert not own["repeated"]  # another's key of the same name is another key


def test_the_trail_says_who_did_what(door: Door) -> None:
    told = door.done("trader", "POST", "/certificates/transfer", transfer(9))
    trail = door.get("trader", "/accounts/operator/trail?limit=1")
    (newest,) = trail["facts"]
    assert (newest["seq"], newest["by"], newest["quantity"]) == (told["first_seq"], door.ids["trader"], 9)
    assert trail["next_after"] == 1 and trail["total"] > 1
    assert door.get("buyer", "/accounts/buyer/trail?limit=1")["facts"] == [newest]
    rest = door.get("trader", f"/accounts/operator/trail?after=1&limit={trail['total']}")
    assert len(rest["facts"]) == trail["total"] - 1 and rest["next_after"] is None
    assert {"member.placed", "account.assigned", "titles.moved"} <= {one["kind"] for one in rest["facts"]}


def test_a_wallet_signs_in_and_acts_as_its_member(door: Door) -> None:
    opened = door.done("", "POST", "/session", door.signed())
    assert (opened["address"], opened["accounts"]) == (ADDRESS, ["buyer"])
    door.keys["wallet"] = opened["token"]
    door.done("trader", "POST", "/certificates/transfer", transfer(3))
    told = door.done("wallet", "POST", "/certificates/transfer", transfer(3, "buyer", "operator"))
    assert told["acts"][0]["by"] == ADDRESS
    assert door.refused("wallet", "POST", "/certificates/expire") == (403, "api.key_scope")
    assert door.refused("wallet", "POST", "/readings")[0] == 401
    assert door.ask("wallet", "DELETE", "/session").status_code == 204
    assert door.refused("wallet", "GET", "/accounts") == (401, "sign_in.session")
    assert door.refused("wallet", "DELETE", "/session") == (401, "sign_in.session")


def test_a_signed_text_opens_one_session(door: Door) -> None:
    signed = door.signed()
    door.done("", "POST", "/session", signed)
    assert door.refused("", "POST", "/session", signed) == (422, "sign_in.nonce")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"domain": "elsewhere.example", "uri": "https://elsewhere.example"}, "sign_in.domain"),
        ({"uri": "https://elsewhere.example"}, "sign_in.text"),
        ({"chain": "1"}, "sign_in.chain"),
        ({"nonce": "a" * 66}, "sign_in.nonce"),
        ({"issued": "2020-01-01T00:00:00Z"}, "sign_in.time"),
        ({"issued": "2120-01-01T00:00:00Z"}, "sign_in.time"),
        ({"issued": "2026-99-01T00:00:00Z"}, "sign_in.text"),
        ({"more": "\nExpiration Time: 2020-01-01T00:00:00Z"}, "sign_in.time"),
        ({"more": "\nNot Before: 2120-01-01T00:00:00Z"}, "sign_in.time"),
        ({"more": "\nResources:\n- ipfs://x\nand more"}, "sign_in.text"),
        ({"address": "0x" + "ab" * 20}, "sign_in.text"),
        ({"address": "0x0000000000000000000000000000000000000001"}, "sign_in.signature"),
    ],
)
def test_a_text_that_says_something_else_opens_nothing(door: Door, changed: dict[str, str], code: str) -> None:
    status, found = door.refused("", "POST", "/session", door.signed(**changed))
    assert found == code and status in (400, 422)


def test_a_signature_of_another_text_opens_nothing(door: Door) -> None:
    signed = door.signed()
    forged = signed | {"signature": sign(signed["message"].replace("Registry", "Another"))}
    assert door.refused("", "POST", "/session", forged) == (422, "sign_in.signature")
    for v in ("02", "1d", "ff"):
        assert door.refused("", "POST", "/session", signed | {"signature": signed["signature"][:-2] + v})[0] == 422
    door.done("", "POST", "/session", signed)  # a wrong signature does not spend the nonce


def test_times_of_nonces_and_sessions_end(door: Door, tmp_path: Path) -> None:
    now, desk = now_us(), SignIn(tmp_path)
    nonce = desk.nonce(now)
    text = door.signed(nonce=nonce, issued=iso_of(now), more=f"\nExpiration Time: {iso_of(now + 5 * SECOND_US)}")
    signature, said = bytes.fromhex(text["signature"][2:]), parse(text["message"])
    opened = desk.open(text["message"], signature, said.domain, said.chain_id, now)
    assert opened.expires_us == now + 5 * SECOND_US
    assert desk.check(opened.token, opened.expires_us - 1) == ADDRESS
    from penstock.errors import Unverified

    with pytest.raises(Unverified):
        desk.check(opened.token, opened.expires_us)
    late = door.signed(nonce=desk.nonce(now - NONCE_US - 2 * SECOND_US), issued=iso_of(now))
    with pytest.raises(Unverified, match="nonce"):
        desk.open(late["message"], bytes.fromhex(late["signature"][2:]), said.domain, said.chain_id, now)
    desk.close()


def test_the_secret_of_a_session_is_kept_nowhere(door: Door) -> None:
    opened = door.done("", "POST", "/session", door.signed())
    secret = opened["token"].split("_", 2)[2].encode()
    for file in door.workspace.path.glob("door.sqlite*"):
        assert secret not in file.read_bytes()


def test_organisations_are_administered_by_their_own(door: Door) -> None:
    path = f"/organisations/maker/members/{door.ids['viewer']}"
    assert door.refused("trader", "PUT", path, {"roles": ["trader"]}) == (403, "account.role")
    assert door.refused("stranger", "PUT", path, {"roles": ["trader"]}) == (403, "account.not_member")
    assert door.refused("trader", "POST", "/organisations", {"organisation": "mine"}) == (403, "api.key_scope")
    admin = door.key("admin", "registry:read", "registry:write")
    door.done("operator", "PUT", f"/organisations/maker/members/{admin}", {"roles": ["administrator", "viewer"]})
    door.done("admin", "PUT", path, {"roles": ["viewer", "approver"]})
    (maker,) = door.get("viewer", "/organisations")["organisations"]
    roles = {one["member"]: one["roles"] for one in maker["members"]}
    assert roles[door.ids["viewer"]] == ["approver", "viewer"]
    door.done("admin", "PUT", "/accounts/operator/whitelist", {"sources": []})
    assert door.refused("buyer", "POST", "/certificates/transfer", transfer(1, "buyer", "operator"))[1] == (
        "account.not_whitelisted"
    )
    door.done("admin", "PUT", "/accounts/operator/whitelist", {"everyone": True})


def test_two_persons_where_the_organisation_says_so(door: Door) -> None:
    admin = door.key("chief", "registry:read", "registry:write")
    door.done("operator", "PUT", f"/organisations/maker/members/{admin}", {"roles": ["administrator", "approver"]})
    door.done("chief", "PUT", "/organisations/maker/approval", {"acts": ["transfer"], "from_wh": 20})
    assert door.refused("trader", "POST", "/certificates/transfer", transfer(20)) == (409, "account.two_persons")
    door.done("trader", "POST", "/certificates/transfer", transfer(19))
    asked = {"transfer": transfer(20), "expires": iso_of(now_us() + 600 * SECOND_US)}
    proposal = door.done("trader", "POST", "/proposals", asked)
    number, before = proposal["proposal"], door.held_wh("buyer")
    assert (proposal["state"], proposal["energy_wh"]) == ("open", 20)
    assert door.refused("buyer", "GET", f"/proposals/{number}") == (404, "proposal.unknown")
    assert door.refused("trader", "POST", f"/proposals/{number}/approve")[0] in (403, 409)
    told = door.done("chief", "POST", f"/proposals/{number}/approve")
    assert told["acts"][-1]["by"] == f"proposal:{number}" and door.held_wh("buyer") == before + 20
    assert door.get("trader", f"/proposals/{number}")["state"] == "executed"
    dropped = door.done("trader", "POST", "/proposals", asked)["proposal"]
    assert door.done("trader", "POST", f"/proposals/{dropped}/drop", {"reason": "no"})["state"] == "dropped"
    assert door.refused("trader", "POST", "/proposals", {"expires": asked["expires"]}) == (400, "proposal.act")
    door.done("chief", "PUT", "/organisations/maker/approval", {"acts": []})


def test_acts_by_name_and_their_refusals(door: Door) -> None:
    held = door.get("", f"/certificates?holder=operator&register={ROOF}&state=held")["certificates"]
    first = held[-1]
    named = {"register": ROOF, "start": first["start"], "stop": first["stop"]}
    split = {"account": "operator", "certificate": named, "sizes_wh": [1, 2]}
    assert len(door.done("trader", "POST", "/certificates/split", split)["acts"][0]["certificates"]) >= 2
    for sizes, status in (([0], 400), ([-5], 400), ([first["energy_wh"] + 1], 409)):
        assert door.ask("trader", "POST", "/certificates/split", split | {"sizes_wh": sizes}).status_code == status
    kept = {
        "account": "operator",
        "beneficiary": "buyer",
        "selection": {"spans": [named | {"stop": named["start"] + 1}]},
    }
    door.done("trader", "POST", "/certificates/reserve", kept)
    use = {"account": "operator", "beneficiary": "somebody", "reason": "test", "selection": kept["selection"]}
    assert door.ask("trader", "POST", "/certificates/retire", use).status_code == 409  # reserved for another
    door.done("trader", "POST", "/certificates/retire", use | {"selection": wh(4), "statement": "For all."})
    assert door.held_wh("operator", "retired") == 4
    tariff = {"account": "operator", "tariff": "Green", "selection": wh(2)}
    assert door.done("trader", "POST", "/certificates/retire", tariff)["acts"][0]["purpose"] == "green tariff: Green"
    both = tariff | {"reason": "and more"}
    assert door.refused("trader", "POST", "/certificates/retire", both) == (400, "retire.reason")
    assert door.refused("operator", "POST", "/certificates/expire")[1] == "expire.nothing"


def test_orders_stand_and_end(door: Door) -> None:
    asked = {
        "account": "operator", "act": "transfer", "target": "buyer", "quantity_wh": 10, "start": "2016-01-01T00:00:00Z",
    }  # fmt: skip
    placed = door.done("trader", "POST", "/orders", asked)
    assert placed["state"] == "standing"
    assert [one["order"] for one in door.get("viewer", "/orders")["orders"]] == [placed["order"]]
    assert door.get("buyer", "/orders")["orders"] == []
    assert door.refused("buyer", "DELETE", f"/orders/{placed['order']}")[0] == 403
    assert door.done("trader", "DELETE", f"/orders/{placed['order']}")["state"] == "ended"


def test_of_a_hundred_who_ask_for_one_certificate_one_gets_it(door: Door) -> None:
    held = door.get("", f"/certificates?holder=operator&register={ROOF}&state=held")["certificates"][-1]
    named = {"register": ROOF, "start": held["start"], "stop": held["stop"]}
    asked = {"account": "operator", "selection": {"spans": [named]}, "reason": "a race", "beneficiary": "the fastest"}

    def ask(number: int) -> tuple[int, str]:
        found = door.ask("trader", "POST", "/certificates/retire", asked | {"statement": f"runner {number}"})
        return found.status_code, found.json().get("code", "done")

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    assert answers.count((201, "done")) == 1
    assert answers.count((409, "titles.not_active")) == 99
    assert door.get("", "/health")["law_breaches"] == 0
