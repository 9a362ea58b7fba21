"""`penstock key`: keys of the HTTP door, made and revoked only by whoever has the workspace's folder."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

app = typer.Typer(help="API keys of the HTTP door.", no_args_is_help=True, rich_markup_mode=None)

SCOPES_HELP = "What it may do: push, command, registry:read, registry:write, registry:operate. Repeat for several."
Scopes = Annotated[list[str], typer.Option("--scope", help=SCOPES_HELP)]


@app.command()
def create(
    label: Annotated[str, typer.Argument(help="Whom or what it is for.")],
    scope: Scopes,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days until it expires.")] = 365,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once and kept nowhere: only its digest is."""
    from penstock.connect.spool import now_us
    from penstock.period import DAY_US, iso
    from penstock.usecases.api_keys import create_key

    now = now_us()
    name, key = create_key(workspace, label, frozenset(scope), now, now + days * DAY_US)
    said = {"id": name, "key": key, "scopes": sorted(scope), "expires": iso(now + days * DAY_US)}
    emit(said, as_json, lambda: table(f"key for {label}: write it down now", ("field", "value"), list(said.items())))


@app.command("list")
def list_(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every key, what it may, and whether it still may."""
    from penstock.connect.spool import now_us
    from penstock.usecases.api_keys import list_keys

    rows = list_keys(workspace, now_us())
    cells = [(row["id"], row["label"], ", ".join(row["scopes"]), row["state"], row["expires"]) for row in rows]
    heads = ("id", "label", "scopes", "state", "expires")
    emit({"keys": rows}, as_json, lambda: table(f"{len(rows)} keys", heads, cells))


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id.")], workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """From now on the key opens nothing."""
    from penstock.connect.spool import now_us
    from penstock.usecases.api_keys import revoke_key

    revoke_key(workspace, id, now_us())
    emit({"id": id, "state": "revoked"}, as_json, lambda: table("revoked", ("id",), [(id,)]))
