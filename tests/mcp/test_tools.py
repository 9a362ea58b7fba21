"""The tools, called by the official client: what they say is what stands, and a refusal names its code."""

from __future__ import annotations

import json
from typing import Any

from mcp_kit import PLANT, called, clock, with_client

from mcp import Client
from penstock.mcp.server import make_server
from penstock.mcp.who import Owner

TOOLS = {"quote", "buy", "redeem", "prove", "portfolio", "energy_mix"}


def test_every_tool_says_what_it_takes_and_what_it_gives(server: Any) -> None:
    tools = with_client(server, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description and tool.output_schema and tool.annotations, tool.name
        assert tool.annotations.read_only_hint == (tool.name not in ("buy", "redeem"))
        assert "asked" not in tool.input_schema["properties"]


def test_a_quote_is_the_cheapest_that_has_so_many(server: Any, lived: Any) -> None:
    quote, refused = called(server, "quote", credits=10)
    assert not refused
    assert (quote["cheapest"], quote["cost_usdc_micro"]) == ("answers", 26_000)
    left = quote["offers"][0]["left_credits"]
    assert left == PLANT.TERMS.capacity_credits - lived.world.compute.credits["answers"].sold
    none, _ = called(server, "quote", credits=left + 1)
    assert none["cheapest"] is None and none["cost_usdc_micro"] is None
    other, _ = called(server, "quote", model="another")
    assert other["offers"] == []


def test_a_proof_reaches_roofs_and_money_and_closes(server: Any) -> None:
    proof, refused = called(server, "prove", number=3)
    assert not refused and proof["closes"] and proof["gaps"] == []
    assert {one["ends_at"] for one in proof["sources"]} <= {f"{roof}/export" for roof in PLANT.ROOFS}
    assert proof["paid_usdc_micro"] == sum(one["quantity"] for one in proof["reached"]) > 0
    assert proof["energy_mj"] >= proof["tokens"] * PLANT.MODEL.active_mj_per_token
    assert proof["bundle"] == "penstock://answers/rack-1/3/bundle"
    unknown, refused = called(server, "prove", number=10**9)
    assert refused and unknown["code"] == "trace.no_answer"


def test_the_mix_is_matched_energy_and_a_rack_that_is_not_there_is_refused(server: Any) -> None:
    mix, _ = called(server, "energy_mix")
    assert (mix["matched_bp"], mix["sources"]) == (10_000, 4)
    unknown, refused = called(server, "energy_mix", rack="rack-9")
    assert refused and unknown["code"] == "compute.which_rack"


def test_buying_moves_dollars_once_under_one_key(plant: Any) -> None:
    server = make_server(plant.workspace, Owner(), clock)
    asked = {"account": "buyer", "credit_class": "answers", "credits": 5, "max_cost_usdc_micro": 13_000, "key": "a"}
    before = plant.balance("buyer")
    done, refused = called(server, "buy", **asked)
    again, _ = called(server, "buy", **asked)
    assert not refused and done["cost_usdc_micro"] == 13_000
    assert (done["repeated"], again["repeated"], again["first_seq"]) == (False, True, done["first_seq"])
    assert plant.balance("buyer") == before - 13_000
    held, _ = called(server, "portfolio", account="buyer")
    assert held["credits"] == [
        {"credit_class": "answers", "model": "model", "unit": "tokens", "credits": 5, "units": 5_000}
    ]


def test_the_same_key_for_something_else_is_refused(plant: Any) -> None:
    server = make_server(plant.workspace, Owner(), clock)
    asked = {"account": "buyer", "credit_class": "answers", "max_cost_usdc_micro": 10**9, "key": "a"}
    called(server, "buy", **asked, credits=1)
    size = plant.workspace.store.size()
    _, refused = called(server, "buy", **asked, credits=2)
    assert refused and plant.workspace.store.size() == size


def test_what_may_not_be_bought_changes_nothing(plant: Any) -> None:
    server = make_server(plant.workspace, Owner(), clock)
    good = {"account": "buyer", "credit_class": "answers", "credits": 5, "max_cost_usdc_micro": 13_000}
    size = plant.workspace.store.size()
    for change, code in (
        ({"max_cost_usdc_micro": 12_999}, "market.above_limit"),
        ({"credit_class": "nothing"}, "credit.unknown_class"),
        ({"credit_class": "", "window": "none"}, "window.unknown"),
        ({"window": "both"}, "market.one_thing"),
        ({"credits": 10**9, "max_cost_usdc_micro": 10**15}, "credit.oversold"),
        ({"account": "nobody"}, "account.unknown"),
        ({"credits": 0}, "mcp.arguments"),
        ({"credits": "many"}, "mcp.arguments"),
        ({"account": ""}, "mcp.arguments"),
    ):
        said, refused = called(server, "buy", **{**good, **change})
        assert refused and said["code"] == code, (change, said)
    assert plant.workspace.store.size() == size


def test_a_tool_that_is_not_there_and_arguments_that_are_missing_are_refusals(server: Any) -> None:
    said, refused = called(server, "portfolio")
    assert refused and said["code"] == "mcp.arguments" and "account" in said["message"]

    async def unknown(client: Client) -> str:
        try:
            answer = await client.call_tool("sell_everything", {})
        except Exception as error:  # the protocol's own error is as good
            return str(error)
        assert answer.is_error
        return str(answer.structured_content)

    assert with_client(server, unknown)


def test_work_of_credits_that_nothing_backs_is_not_asked_for(server: Any) -> None:
    said, refused = called(server, "redeem", account="buyer", credit_class="answers", credits=1)
    assert refused and said["code"] == "credit.unknown_class"


def test_resources_are_json_and_unknown_ones_are_not_found(server: Any) -> None:
    async def read(client: Client) -> Any:
        found = {}
        for uri in ("offers", "racks", "racks/rack-1/hours", "racks/rack-1/energy-mix", "published/energy-per-token"):
            (content,) = (await client.read_resource(f"penstock://{uri}")).contents
            found[uri] = json.loads(content.text)  # type: ignore[union-attr]
        return found

    found = with_client(server, read)
    assert found["racks"][0]["tokens"] == sum(row["tokens"] for row in found["racks/rack-1/hours"])
    assert "ML.ENERGY" in found["published/energy-per-token"]["curves"][0]["source"]

    async def missing(client: Client) -> str:
        try:
            await client.read_resource("penstock://racks/rack-9/hours")
        except Exception as error:
            return str(error)
        return ""

    assert "compute.which_rack" in with_client(server, missing)
