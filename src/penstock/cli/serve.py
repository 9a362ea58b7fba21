"""`penstock serve`: a workspace's page, its API and its chain, on this machine only, until Ctrl-C."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.show import HERE, AsJson, Workspace

Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port of page and API; 0 takes a free one.")]
RpcPort = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the chain's JSON-RPC; 0 takes a free one.")]


def serve(workspace: Workspace = HERE, port: Port = 8400, rpc_port: RpcPort = 8545, as_json: AsJson = False) -> None:
    """Serve page, API and chain of a workspace on 127.0.0.1. It owns the workspace until it is stopped."""
    from penstock.api.app import make_app
    from penstock.api.running import serve_in_thread
    from penstock.usecases.workspace import Workspace as Opened

    _check(workspace)
    with ExitStack() as stack:
        opened = stack.enter_context(Opened(workspace))
        rpc = _chain(stack, workspace, rpc_port)
        running = stack.enter_context(serve_in_thread(make_app(opened), port))
        _say(running.url, rpc, as_json)
        _wait()


def _check(workspace: Path) -> None:
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


def _wait() -> None:
    """Until Ctrl-C or a request to terminate; then the stack closes everything in turn."""
    import signal
    import threading

    stop = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: stop.set())
    while not stop.wait(3_600):
        pass
