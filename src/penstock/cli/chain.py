"""`penstock chain`: the chain a workspace knows, its contracts, and what is on its way there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.command import PassphraseFile, passphrase
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

Keys = Annotated[Path, typer.Option(help="The folder of the key.")]
app = typer.Typer(help="The chain: contracts and transactions.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The key's name: its file in the folder.")],
    keys: Keys,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key of the chain, sealed under a passphrase, for whoever holds or votes; its address is told."""
    import secrets

    from penstock.chain.keystore import save_key
    from penstock.keys import SEED_BYTES, ChainKey

    made = ChainKey(secrets.token_bytes(SEED_BYTES))
    keys.mkdir(parents=True, exist_ok=True)
    save_key(keys / f"{name}.json", made, passphrase(passphrase_file))
    said = {"key": name, "address": "0x" + made.address.hex()}
    emit(said, as_json, lambda: table("key of the chain", ("field", "value"), list(said.items())))


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
