"""`penstock deal launch`: a deal file takes its place on the workspace's own chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.command import PASSPHRASE, passphrase
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

Keys = Annotated[Path | None, typer.Option(help="The folder of the operator's keys; else the workspace's own.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help=f"A file that holds the keys' passphrase; else {PASSPHRASE} is read.")
]
Account = typer.Option(help="Its account, 0x and 40 hex digits; without, a key is made beside the operator's.")


def launch(
    file: Annotated[Path, typer.Argument(help="A deal file (YAML).", exists=True)],
    name: Annotated[str, typer.Option(help="What the deal is called here, in one short word.")],
    holders: Annotated[Path | None, typer.Option(help="Its first holders: account, tranche, shares.")] = None,
    asset: Annotated[list[str] | None, typer.Option(help="An asset pledged from the start; may be repeated.")] = None,
    servicer: Annotated[str, Account] = "",
    trustee: Annotated[str, Account] = "",
    guardian: Annotated[str, Account] = "",
    keys: Keys = None,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Compile a deal, put it and its tranches on chain, admit its holders and hand them their shares."""
    from penstock.cli.deal import read_text
    from penstock.connect.spool import now_us
    from penstock.usecases.arrange import Arrangement, arrange, read_holders
    from penstock.usecases.workspace import KEYS_FOLDER
    from penstock.usecases.workspace import Workspace as Opened

    given = {"servicer": servicer, "trustee": trustee, "guardian": guardian}
    accounts = {role: _address(text) for role, text in given.items() if text}
    asked = Arrangement(name, read_text(file), read_holders(holders) if holders else (), tuple(asset or ()), accounts)
    _check(workspace)
    with Opened(workspace) as opened:
        done = arrange(opened, asked, keys or workspace / KEYS_FOLDER, passphrase(passphrase_file), now_us())
    emit(done, as_json, lambda: _draw(done))


def _address(text: str) -> bytes:
    from penstock.errors import Invalid
    from penstock.usecases.arrange import address

    found = address(text)
    if found is None:
        raise Invalid("launch.address", "An account is 0x and 40 hex digits, not all zero.", address=text)
    return found


def _check(workspace: Path) -> None:
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace

    if not is_workspace(workspace):
        hint = "Run: penstock store init, and: penstock certificate chain found"
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)


def _draw(done: dict[str, Any]) -> None:
    rows = [("deal hash", done["deal_hash"]), ("a close costs at most", f"{done['gas_ceiling']:,} gas")]
    rows += [("holders", f"{done['holders']:,}"), *done["contracts"].items(), *done["roles"].items()]
    table(f"{done['title']} is launched as {done['deal']}", ("what", "value"), rows)
