"""The same tools over stdio: on a workspace's own folder, or passed on to a door that serves one.

Source: MCP specification, transports, stdio. Nothing but the protocol is written to stdout.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from mcp import Client
from penstock.mcp.server import INSTRUCTIONS, NAME


def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve one client on stdin and stdout, until it goes."""
    asyncio.run(server.run_stdio_async())


def pass_on_stdio(url: str, key: str) -> None:
    """Serve one client on stdin and stdout by asking the door at ``url``, with ``key`` where there is one."""
    asyncio.run(_passed_on(url, key))


async def _passed_on(url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as door,
        stdio_server() as (read, write),
    ):
        server = passing_on(door)
        await server.run(read, write, server.create_initialization_options())


def passing_on(door: Client) -> Server[Any]:
    """A server that asks another: tools, payments in ``_meta`` and resources go through as they are."""

    async def tools(_: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        return await door.list_tools()

    async def call(_: Any, asked: CallToolRequestParams) -> CallToolResult:
        meta: Any = asked.meta
        return await door.call_tool(asked.name, asked.arguments, meta=meta)

    async def resources(_: Any, __: PaginatedRequestParams | None) -> ListResourcesResult:
        return await door.list_resources()

    async def templates(_: Any, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return await door.list_resource_templates()

    async def read(_: Any, asked: ReadResourceRequestParams) -> ReadResourceResult:
        return await door.read_resource(asked.uri)

    return Server(
        NAME, instructions=INSTRUCTIONS, on_list_tools=tools, on_call_tool=call, on_list_resources=resources,
        on_list_resource_templates=templates, on_read_resource=read,
    )  # fmt: skip
