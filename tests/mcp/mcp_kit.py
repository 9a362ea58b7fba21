"""A small plant that lived, its server in memory and over HTTP, and calls by the official client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from mcp.client.streamable_http import streamable_http_client

from mcp import Client

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
PLANT: Any = import_module("small_plant")
NOW_US: int = PLANT.DAYS[-1].stop_us
T = TypeVar("T")


def clock() -> int:
    return NOW_US


def with_client(server: Any, work: Callable[[Client], Awaitable[T]]) -> T:
    """What ``work`` finds through a client of ``server``: one in memory, or a transport."""

    async def run() -> T:
        async with Client(server) as client:
            return await work(client)

    return asyncio.run(run())


def over_http(url: str, key: str, work: Callable[[Client], Awaitable[T]]) -> T:
    """The same over streamable HTTP, with an API key where there is one."""

    async def run() -> T:
        async with http_client(url, key) as client:
            return await work(client)

    return asyncio.run(run())


@asynccontextmanager
async def http_client(url: str, key: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


def called(server: Any, tool: str, **arguments: Any) -> Any:
    """One call in memory: the structured content of its answer, and whether it is a refusal."""

    async def work(client: Client) -> Any:
        answer = await client.call_tool(tool, arguments)
        return answer.structured_content, answer.is_error

    return with_client(server, work)
