"""Certificates through the door: found, explained, matched, withdrawn, sent away and back, retired to a badge."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from member_kit import HOURS, KIT, PLANT, ROOF, Door, served, wh

from penstock.energy.certificate_id import Properties
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.kinds.lift import ReturnCause
from penstock.journal.words import ASSURANCES, Assurance
from penstock.period import DAY_US, SECOND_US, parse_iso
from penstock.usecases.registry.lift import ON_CHAIN, UNCLAIMED
from penstock.usecases.registry.lower import Burn, returned

AT_US = KIT.START_US + 2 * DAY_US
HOLDER = bytes(range(20))
PURPOSE = "A <b>climate</b> action"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("certificates") / "ws") as opened:
        yield opened


def certificates(door: Door, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get("", f"/certificates?limit=500&{query}")["certificates"]
    return found


def page(door: Door, path: str) -> str:
    found = door.client.get(path, headers={"Accept": "text/html"})
    assert found.status_code == 200 and found.headers["content-type"].startswith("text/html")
    return found.text


def test_certificates_are_found_by_what_they_are(door: Door) -> None:
    every = certificates(door, "")
    assert len(every) >= 12 and {one["technology"] for one in every} == {"solar_pv"}
    assert certificates(door, f"register={ROOF}") == [one for one in every if one["register"] == ROOF]
    assert certificates(door, "zone=elsewhere") == [] == certificates(door, "technology=wind")
    hour = every[0]["hour"]
    assert {one["hour"] for one in certificates(door, f"start={hour}&stop={every[0]['ends']}")} == {hour}
    assert certificates(door, "state=lifted") == []
    assert door.refused("", "GET", "/certificates?state=sold") == (400, "api.parameter")
    assert door.refused("", "GET", "/certificates?holder=nobody") == (404, "account.unknown")
    assert door.refused("", "GET", "/certificates?start=yesterday") == (400, "period.malformed")


def test_a_certificates_life_is_told(door: Door) -> None:
    moved = door.done("trader", "POST", "/certificates/transfer", {
        "account": "operator", "target": "buyer", "selection": wh(30, register=ROOF), "statement": "thanks",
    })  # fmt: skip
    row = moved["acts"][0]["certificates"][0]
    name = f"{row['register']}@{row['start']}-{row['stop']}"
    life = door.get("", f"/certificates/{name}")
    assert life["energy_wh"] == 30 and [one["holder"] for one in life["parts"]] == ["buyer"]
    assert life["origin"]["device"] == "roof-a" and len(life["origin"]["public_key"]) == 64
    whats = [event["what"] for event in life["events"]]
    assert whats[0] == "issued" and whats[-1] == "transferred"
    newest = life["events"][-1]
    assert (newest["by"], newest["from"], newest["to"], newest["energy_wh"]) == (
        door.ids["trader"], "operator", "buyer", 30,
    )  # fmt: skip
    assert newest["seq"] == moved["first_seq"] and newest["statement"] == "thanks"
    wide = f"{row['register']}@{row['start']}-{row['stop'] + 5}"
    assert sum(part["energy_wh"] for part in door.get("", f"/certificates/{wide}")["parts"]) == 35
    shown = page(door, f"/certificates/{name}")
    assert "transferred" in shown and life["check"] in shown


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (f"{ROOF}@5-5", 400), (f"{ROOF}@9-5", 400), (f"{ROOF}@-1-5", 400), ("nonsense", 400), (f"{ROOF}@0-99x", 400),
        ("nobody/export@0-5", 404), (f"{ROOF}@1000000-1000001", 404),
    ],
)  # fmt: skip
def test_a_name_that_names_nothing_is_said_so(door: Door, name: str, status: int) -> None:
    assert door.ask("", "GET", f"/certificates/{name}").status_code == status


def test_a_portfolio_sums_to_what_is_held(door: Door) -> None:
    found = page(door, "/portfolio?account=operator")
    assert 'data-testid="state-held"' in found and "solar_pv" in found and "<svg" in found
    assert f"{door.held_wh('operator')} Wh" in found
    assert "There is no account" in page(door, "/portfolio?account=nobody")
    assert "operator" in page(door, "/portfolio")
    hostile = page(door, "/portfolio?account=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script" not in hostile


def test_portfolios_are_of_those_who_have_certificates_most_first(door: Door) -> None:
    every = certificates(door, "")
    of = {
        name: sum(one["energy_wh"] for one in every if one["holder"] == name) for name in {o["holder"] for o in every}
    }
    opened = {one["account"] for one in door.get("operator", "/accounts?limit=500")["accounts"]}
    assert of.keys() < opened, "some have none"
    shown = re.findall(r'portfolio\?account=([^"]+)">[^§]*?title="(\d+) Wh">', page(door, "/portfolio"))
    assert dict(shown) == {quote(name): str(energy_wh) for name, energy_wh in of.items()}
    assert [int(energy_wh) for _, energy_wh in shown] == sorted(of.values(), reverse=True)
    for state, energy_wh in _by_state(every).items():
        assert f'state-{state}"><b title="{energy_wh} Wh">' in page(door, "/portfolio")
    assert "No further account" in page(door, "/portfolio?after=100")
    assert door.refused("", "GET", "/portfolio?after=-1") == (400, "api.parameter")


def _by_state(rows: list[dict[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in rows:
        found[one["state"]] += one["energy_wh"]
    return found


def test_a_match_finds_nothing_where_nothing_was_drawn(door: Door) -> None:
    asked = {"account": "operator", "start": "2016-08-22T00:00:00Z", "stop": "2016-08-24T00:00:00Z"}
    shown = door.done("trader", "POST", "/certificates/match/preview", asked)
    assert (shown["drawn_wh"], shown["matched_wh"]) == (0, 0) and shown["certificates_wh"] > 0
    assert door.refused("trader", "POST", "/certificates/match", asked) == (409, "match.nothing")
    assert door.refused("buyer", "POST", "/certificates/match/preview", asked) == (403, "account.not_member")
    assert door.refused("operator", "POST", "/certificates/consume", {"zone": "here"})[0] == 409


def test_new_readings_are_issued_moved_and_retired_as_one(door: Door) -> None:
    before = sum(one["energy_wh"] for one in certificates(door, ""))
    more = [one.raw for one in KIT.chain_of("roof-a", HOURS + 2)][HOURS:]
    door.key("gateway", "push")
    pushed = door.client.post(
        "/readings",
        content=b"".join(more),
        headers={"Authorization": f"Bearer {door.keys['gateway']}", "Content-Type": "application/cbor-seq"},
    )
    assert pushed.status_code == 200
    asked = {"zone": PLANT.ZONE, "account": "roof-a", "target": "buyer", "then": "retire", "reason": "together"}
    terms = {"carbon_mg_per_kwh": 7, "valid_days": 36_500}
    assert door.refused("trader", "POST", "/certificates/together", asked) == (403, "api.key_scope")
    assert door.refused("operator", "POST", "/certificates/together", asked | {"reason": ""})[1] == "retire.reason"
    held = door.held_wh("buyer", "retired")
    done = door.done("operator", "POST", "/certificates/together", asked | {"terms": terms}, Idempotency_Key="one")
    assert door.held_wh("buyer", "retired") == held + 400
    assert sum(one["energy_wh"] for one in certificates(door, "")) == before + 400
    assert {one["carbon_mg_per_kwh"] for one in certificates(door, f"register={ROOF}&state=retired")} >= {7}
    again = door.done("operator", "POST", "/certificates/together", asked | {"terms": terms}, Idempotency_Key="one")
    assert again == done | {"repeated": True}
    assert door.refused("operator", "POST", "/certificates/issue", {"zone": PLANT.ZONE}) == (409, "certificate.nothing")


def test_a_claim_beyond_what_was_drawn_is_refused(door: Door) -> None:
    asked = {"account": "operator", "selection": wh(5)}
    assert door.refused("trader", "POST", "/certificates/claim", asked) == (409, "claim.beyond_consumption")
    assert door.refused("buyer", "POST", "/certificates/claim", asked)[0] in (403, 409)


def test_a_file_of_rows_is_done_row_by_row_or_not_at_all(door: Door) -> None:
    mine = certificates(door, "holder=operator&state=held&register=roof-c/export")[0]
    first, held = mine["start"], door.held_wh("operator")
    rows = f"register,start,stop\nroof-c/export,{first},{first + 2}\nroof-c/export,{first + 2},{first + 3}\nno,1,2\n"
    headers = {"Authorization": f"Bearer {door.keys['trader']}", "Content-Type": "text/csv"}
    path = "/certificates/bulk?act=retire&account=operator&reason=bulk"
    whole = door.client.post(f"{path}&whole=true", content=rows, headers=headers)
    assert (whole.status_code, whole.json()["code"], door.held_wh("operator")) == (409, "bulk.row", held)
    each = door.client.post(path, content=rows, headers=headers).json()
    assert (each["rows"], each["done"], each["quantity_wh"]) == (3, 2, 3) and door.held_wh("operator") == held - 3
    assert each["refusals"] == [{"row": 2, "reason": "unknown_register"}]
    other = headers | {"Authorization": f"Bearer {door.keys['buyer']}"}
    assert door.client.post(path, content=rows, headers=other).json()["code"] == "account.not_member"
    taken = door.client.post(path.replace("retire", "withdraw"), content=rows, headers=headers)
    assert taken.json()["code"] == "api.key_scope"
    assert door.client.post(path, content=b"\x00nonsense", headers=headers).status_code == 400


def test_withdrawn_by_the_issuer_alone(door: Door) -> None:
    asked = {"selection": wh(3, register=ROOF), "reason": "a wrong meter"}
    assert door.refused("trader", "POST", "/certificates/withdraw", asked) == (403, "api.key_scope")
    door.done("operator", "POST", "/certificates/withdraw", asked)
    assert sum(one["energy_wh"] for one in certificates(door, "state=withdrawn")) == 3


def test_away_to_another_registry_and_back(door: Door) -> None:
    asked = {"account": "operator", "registry": "elsewhere", "selection": wh(11, register="roof-b/export")}
    held = door.held_wh("operator")
    done = door.done("trader", "POST", "/certificates/export", asked)
    file = door.ask("trader", "GET", f"/certificates/exports/{done['first_seq']}")
    assert file.headers["content-type"].startswith("text/csv") and "Solar" in file.text
    assert door.held_wh("operator", "exported") == 11 and door.held_wh("operator") == held - 11
    headers = {"Authorization": f"Bearer {door.keys['operator']}", "Content-Type": "text/csv"}
    path = "/certificates/import?account=operator&registry=elsewhere&form=energytag&whole=true"
    back = door.client.post(path, content=file.content, headers=headers)
    assert back.status_code == 201, back.text
    assert door.held_wh("operator") == held
    again = door.client.post(path, content=file.content, headers=headers)
    assert (again.status_code, door.held_wh("operator")) == (409, held)
    bad = door.client.post(path, content=b"\xff\xfe", headers=headers)
    assert bad.status_code == 400
    trader = headers | {"Authorization": f"Bearer {door.keys['trader']}"}
    assert door.client.post(path, content=file.content, headers=trader).json()["code"] == "api.key_scope"
    assert door.refused("trader", "GET", "/certificates/exports/0") == (400, "export.seq")


def test_a_badge_shows_what_was_retired_on_chain(door: Door) -> None:
    assert door.refused("", "GET", "/badges/4") == (404, "badge.unknown")
    workspace = door.workspace
    workspace.submit("vault", b"", AT_US, lambda _: [Entry(AccountOpened(name)) for name in (ON_CHAIN, UNCLAIMED)])
    asked = {"account": "operator", "holder": f"0x{HOLDER.hex()}", "selection": wh(10, register="roof-c/export")}
    assert door.refused("buyer", "POST", "/certificates/lift", asked) == (403, "account.not_member")
    (batch,) = door.done("trader", "POST", "/certificates/lift", asked, Idempotency_Key="lift")["batches"]
    assert door.done("trader", "POST", "/certificates/lift", asked, Idempotency_Key="lift")["batches"] == [batch]
    burn = Burn(
        ReturnCause.RETIRED, 0, bytes.fromhex(batch["certificate"]), 10, HOLDER, badge=4, beneficiary="all of us",
        purpose=PURPOSE,
    )  # fmt: skip
    workspace.submit("burn", b"", AT_US, lambda world: returned(world, burn))
    badge = door.get("", "/badges/4")
    assert (badge["energy_wh"], badge["beneficiary"], badge["description"]) == (10, "all of us", PURPOSE)
    assert badge["holder"] == f"0x{HOLDER.hex()}" and badge["certificate"] == batch["certificate"]
    assert sum(one["energy_wh"] for one in badge["certificates"]) == 10
    assert {one["state"] for one in badge["certificates"]} == {"retired"}
    picture = base64.b64decode(badge["image"].partition(",")[2]).decode()
    assert picture.startswith("<svg") and "Badge 4" in picture
    shown = page(door, "/badges/4")
    assert "all of us" in shown and "<b>climate" not in shown and "&lt;b&gt;climate" in shown
    assert json.loads(door.client.get("/badges/4").content)["badge"] == 4


def test_an_id_on_chain_says_what_it_stands_for(door: Door) -> None:
    badge = door.get("", "/badges/4")
    said = door.get("", f"/ids/{badge['certificate']}")
    shared = said["properties"]
    one = badge["certificates"][0]
    for mine, its in (("zone", "zone"), ("start", "hour"), ("stop", "ends"), ("technology", "technology")):
        assert shared[mine] == one[its]
    again = Properties(
        shared["zone"].encode().ljust(32, b"\0"),
        parse_iso(shared["start"]) // SECOND_US,
        (parse_iso(shared["stop"]) - parse_iso(shared["start"])) // SECOND_US,
        shared["technology"].encode().ljust(32, b"\0"),
        ASSURANCES.index(Assurance(shared["assurance"])),
        int(shared["commissioned"].replace("-", "") or 0),
        shared["carbon_mg_per_kwh"],
        shared["support"].encode().ljust(32, b"\0"),
        shared["stored"],
    )
    assert again.certificate().hex() == badge["certificate"] == shared["certificate"]
    assert said["decimals"] == 0 and "1 Wh each" in said["description"]
    picture = base64.b64decode(said["image"].partition(",")[2]).decode()
    assert picture.startswith("<svg") and picture.endswith("</svg>") and one["zone"] in picture
    for other in ("0" * 64, badge["certificate"].upper(), "nonsense"):
        assert door.refused("", "GET", f"/ids/{other}") == (404, "id.unknown")
