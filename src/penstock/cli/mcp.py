"""`penstock mcp`: the tools for agents on stdin and stdout, for hosts that start their servers as processes."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from penstock.cli.show import HERE, Workspace

KEY: Final = "PENSTOCK_API_KEY"
Url = Annotated[str, typer.Option(help=f"Ask this door instead (http://127.0.0.1:8400/mcp); its key in {KEY}.")]


def mcp(workspace: Workspace = HERE, url: Url = "") -> None:
    """Serve one agent on stdin and stdout: a workspace's own folder as its operator, or a door that is open already."""
    from penstock.mcp.stdio import pass_on_stdio

    if url:
        pass_on_stdio(url, os.environ.get(KEY, ""))
        return
    from penstock.cli.serve import check_workspace
    from penstock.connect.spool import now_us
    from penstock.mcp.server import make_server
    from penstock.mcp.stdio import serve_stdio
    from penstock.mcp.who import Owner
    from penstock.usecases.workspace import Workspace as Opened

    check_workspace(workspace)
    with Opened(workspace) as opened:
        serve_stdio(make_server(opened, Owner(), now_us))
