"""`penstock chain`: the chain a workspace knows, its contracts, and what is on its way there."""

from __future__ import annotations

from typing import Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

app = typer.Typer(help="The chain: contracts and transactions.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def status(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Which chain, which contracts, which checkpoint stands there."""
    from penstock.usecases.inspect import chain
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = chain(opened)
    rows = [(name, address) for name, address in found["contracts"].items()]
    title = f"chain {found['chain_id']}, anchored up to fact {found['anchored']:,}"
    emit(found, as_json, lambda: table(title, ("contract", "address"), rows))


@app.command()
def outbox(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """The operator's transactions and their states."""
    from penstock.usecases.inspect import outbox as look
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows: list[dict[str, Any]] = look(opened)
    cells = [(row["id"], row["nonce"], row["state"], row["tx"][:18]) for row in rows]
    emit({"outbox": rows}, as_json, lambda: table(f"{len(rows)} transactions", ("id", "nonce", "state", "hash"), cells))
