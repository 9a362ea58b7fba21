"""`penstock serve`: a workspace's page, its API and its chain, on this machine only, until Ctrl-C.

The process that serves owns the workspace; what is to come in meanwhile comes through it: pushed to its API, from a
folder it watches, from a broker it collects from.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.connect_lines import MQTT_PASSWORD, Authority, Look, broker_at, broker_of, wait_for
from penstock.cli.show import HERE, AsJson, Workspace

if TYPE_CHECKING:
    from penstock.usecases.trail import Trail
    from penstock.usecases.webhook import Webhooks
    from penstock.usecases.workers import Workers
    from penstock.usecases.workspace import Workspace as Opened

Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port of page and API; 0 takes a free one.")]
RpcPort = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the chain's JSON-RPC; 0 takes a free one.")]
Folder = Annotated[
    Path | None, typer.Option(help="Take readings from this folder meanwhile.", exists=True, file_okay=False)
]
Mqtt = Annotated[str, typer.Option(help=f"Collect from this broker meanwhile; its password in {MQTT_PASSWORD}.")]


ToLoopback = Annotated[bool, typer.Option(help="Webhooks may go to this machine, and over http there.")]


def serve(
    workspace: Workspace = HERE,
    port: Port = 8400,
    rpc_port: RpcPort = 8545,
    folder: Folder = None,
    mqtt: Mqtt = "",
    authority: Authority = None,
    webhooks_to_loopback: ToLoopback = False,
    as_json: AsJson = False,
) -> None:
    """Serve page, API and chain of a workspace on 127.0.0.1. It owns the workspace until it is stopped."""
    from penstock.api.app import make_app
    from penstock.api.running import serve_in_thread
    from penstock.connect.spool import now_us
    from penstock.mcp.door import http_door, mount
    from penstock.usecases.trail import Trail
    from penstock.usecases.webhook import Webhooks
    from penstock.usecases.workers import Workers
    from penstock.usecases.workspace import Workspace as Opened

    check_workspace(workspace)
    with ExitStack() as stack:
        opened = stack.enter_context(Opened(workspace))
        rpc = _chain(stack, workspace, rpc_port)
        workers = stack.enter_context(Workers())
        trail, hooks = Trail(opened), Webhooks(workspace, loopback=webhooks_to_loopback)
        app = make_app(opened, workers=workers, trail=trail, hooks=hooks)
        mount(app, http_door(opened, now_us))
        running = stack.enter_context(serve_in_thread(app, port))
        failures = _deliver(stack, opened, trail, hooks)
        failures += [] if folder is None else _watch(stack, opened, workers, folder)
        failures += _collect(stack, opened, workers, mqtt, authority)
        _say(running.url, rpc, as_json)
        wait_for(lambda: next((found for look in failures if (found := look())), None))


def _deliver(stack: ExitStack, opened: Opened, trail: Trail, hooks: Webhooks) -> list[Look]:
    """Webhooks delivered while the stack is open."""
    from penstock.connect.spool import now_us
    from penstock.usecases.webhook import Deliverer

    deliverer = stack.enter_context(Deliverer(hooks, trail, opened, now_us))
    return [lambda: deliverer.failure]


def _watch(stack: ExitStack, opened: Opened, workers: Workers, folder: Path) -> list[Look]:
    """A folder, watched while the stack is open."""
    from penstock.connect.folder import FolderConnector, WatchedFolder
    from penstock.usecases.files import ALL_READERS
    from penstock.usecases.line import line_into

    line = stack.enter_context(line_into(opened, "folder", workers))
    connector = stack.enter_context(FolderConnector(WatchedFolder(folder, line.gateway.take_once, ALL_READERS)))
    return [lambda: line.failure, lambda: connector.failure]


def _collect(stack: ExitStack, opened: Opened, workers: Workers, mqtt: str, authority: Path | None) -> list[Look]:
    """A broker collected from while the stack is open; without one, commands that nobody receives still expire."""
    from penstock.connect.spool import now_us
    from penstock.usecases.command import Dispatcher
    from penstock.usecases.line import line_into

    if not mqtt:
        dispatcher = stack.enter_context(Dispatcher(opened, lambda _device: None, now_us))
        return [lambda: dispatcher.failure]
    line = stack.enter_context(line_into(opened, "collector", workers))
    return stack.enter_context(broker_of(opened, line, broker_at(mqtt, authority), "collector"))


def check_workspace(workspace: Path) -> None:
    """A path mistyped must not become a new, empty workspace."""
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace

    if not is_workspace(workspace):
        hint = "Run: penstock demo, or name the folder with --workspace."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)


def _chain(stack: ExitStack, workspace: Path, port: int) -> str:
    """The address of the workspace's own chain, served while the stack is open; empty where it has none."""
    from penstock.chain.rpc import serve as serve_rpc
    from penstock.usecases.own_chain import has_chain, open_chain

    if not has_chain(workspace):
        return ""
    node = stack.enter_context(open_chain(workspace))
    return stack.enter_context(serve_rpc(node, port))


def _say(url: str, rpc: str, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"url": url, "rpc": rpc or None}) + "\n")
    else:
        sys.stdout.write(f"page   {url}/\nAPI    {url}/openapi.json\n")
        sys.stdout.write(f"chain  {rpc}\n" if rpc else "chain  none in this workspace\n")
        sys.stdout.write("Ctrl-C stops it.\n")
    sys.stdout.flush()
