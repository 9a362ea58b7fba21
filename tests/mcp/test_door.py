"""The door over HTTP and over stdio: who may come in, what a key may do, and that a repeated call is one act."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mcp.client.stdio import stdio_client
from mcp_kit import NOW_US, clock, over_http, with_client

from mcp import Client, StdioServerParameters
from penstock.api.app import make_app
from penstock.api.running import Running, serve_in_thread
from penstock.mcp.door import PATH, http_door, mount
from penstock.usecases.api_keys import OPERATE, READ, WRITE, create_key, revoke_key
from penstock.usecases.workers import Workers

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "quote", "arguments": {}}}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture
def served(plant: Any) -> Iterator[Running]:
    with Workers() as workers:
        app = make_app(plant.workspace, workers=workers)
        mount(app, http_door(plant.workspace, clock))
        with serve_in_thread(app) as running:
            yield running


def key_for(plant: Any, *scopes: str) -> str:
    return create_key(plant.workspace.path, "agent", frozenset(scopes), NOW_US, NOW_US + 10**12)[1]


def test_the_official_client_calls_over_http_with_a_key(plant: Any, served: Running) -> None:
    async def work(client: Client) -> Any:
        names = {tool.name for tool in (await client.list_tools()).tools}
        bought = await client.call_tool(
            "buy", {"account": "buyer", "credit_class": "answers", "credits": 2, "max_cost_usdc_micro": 5_200}
        )
        return names, bought

    names, bought = over_http(served.url + PATH, key_for(plant, OPERATE), work)
    assert "energy_mix" in names and not bought.is_error
    assert plant.world.compute.credits["answers"].sold == 2


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Bearer penstock_000000000000_wrong", "Basic abc"])
def test_without_a_good_key_nothing_is_answered(served: Running, shown: str) -> None:
    headers = {**ACCEPT, **({"Authorization": shown} if shown else {})}
    answer = httpx.post(served.url + PATH, json=CALL, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_without_a_scope_of_the_registry_does_not_come_in(plant: Any, served: Running) -> None:
    headers = {**ACCEPT, "Authorization": f"Bearer {key_for(plant, 'push')}"}
    assert httpx.post(served.url + PATH, json=CALL, headers=headers).status_code == 401


def test_a_revoked_key_opens_nothing_from_then_on(plant: Any, served: Running) -> None:
    key = key_for(plant, READ)
    assert not over_http(served.url + PATH, key, lambda client: client.call_tool("quote", {})).is_error
    revoke_key(plant.workspace.path, key.split("_")[1], NOW_US)
    headers = {**ACCEPT, "Authorization": f"Bearer {key}"}
    assert httpx.post(served.url + PATH, json=CALL, headers=headers).status_code == 401


def test_a_reading_key_buys_nothing_and_a_stranger_sees_no_portfolio(plant: Any, served: Running) -> None:
    async def work(client: Client) -> Any:
        asked = {"account": "buyer", "credit_class": "answers", "credits": 1, "max_cost_usdc_micro": 10**6}
        return await client.call_tool("buy", asked), await client.call_tool("portfolio", {"account": "buyer"})

    bought, seen = over_http(served.url + PATH, key_for(plant, READ), work)
    assert bought.structured_content["code"] == "api.key_scope"
    assert seen.structured_content["code"] == "account.not_member"
    bought, _ = over_http(served.url + PATH, key_for(plant, WRITE), work)
    assert bought.structured_content["code"] == "account.not_member"
    assert plant.world.compute.credits["answers"].sold == 0


def test_a_foreign_name_and_a_foreign_page_do_not_come_in(plant: Any, served: Running) -> None:
    headers = {**ACCEPT, "Authorization": f"Bearer {key_for(plant, READ)}"}
    assert httpx.post(served.url + PATH, json=CALL, headers={**headers, "Host": "evil.example"}).status_code == 421
    foreign = httpx.post(served.url + PATH, json=CALL, headers={**headers, "Origin": "http://evil.example"})
    assert foreign.status_code == 403


def test_a_body_beyond_bounds_is_refused(plant: Any, served: Running) -> None:
    headers = {**ACCEPT, "Authorization": f"Bearer {key_for(plant, READ)}"}
    body = b'{"jsonrpc": "2.0", "padding": "' + b"x" * 70_000 + b'"}'
    assert httpx.post(served.url + PATH, content=body, headers=headers).status_code in (400, 413)


def test_paths_beside_the_door_answer_as_before(served: Running) -> None:
    assert httpx.get(f"{served.url}/health").status_code == 200
    assert httpx.get(f"{served.url}/nothing").json()["code"] == "api.no_path"
    assert PATH not in httpx.get(f"{served.url}/openapi.json").json()["paths"]


def stdio(*arguments: str, key: str = "") -> Any:
    command = ["-m", "penstock", "mcp", *arguments]
    environment = {"PENSTOCK_API_KEY": key} if key else None
    return stdio_client(StdioServerParameters(command=sys.executable, args=command, env=environment))


def test_a_host_starts_it_as_a_process_on_a_folder(plant: Any) -> None:
    plant.workspace.__exit__(None, None, None)  # one owner at a time
    answer = with_client(
        stdio("--workspace", str(plant.workspace.path)), lambda client: client.call_tool("quote", {"credits": 3})
    )
    assert not answer.is_error
    assert answer.structured_content["offers"][0]["credit_class"] == "answers"


def test_a_host_reaches_a_door_that_is_open_already(plant: Any, served: Running) -> None:
    async def work(client: Client) -> Any:
        names = {tool.name for tool in (await client.list_tools()).tools}
        return names, await client.call_tool("portfolio", {"account": "buyer"})

    names, seen = with_client(stdio("--url", served.url + PATH, key=key_for(plant, OPERATE)), work)
    assert "prove" in names and seen.structured_content["account"] == "buyer"
