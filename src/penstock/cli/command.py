"""`penstock command`: ask devices to act, and see what became of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.connect_lines import api_key
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.connect.ports import Command
    from penstock.keys import ChainKey, SigningKey

app = typer.Typer(help="Commands to devices.", no_args_is_help=True, rich_markup_mode=None)

PASSPHRASE: Final = "PENSTOCK_PASSPHRASE"  # noqa: S105 (the name of the variable, not what it holds)
Keys = Annotated[Path, typer.Option(help="The folder of the operator's keys.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help=f"A file that holds the key's passphrase; else {PASSPHRASE} is read.")
]
To = Annotated[str, typer.Option(help="Through this door, which owns the workspace; its API key in PENSTOCK_API_KEY.")]


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The key's name: its file in the folder.")],
    keys: Keys,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an operator's key, sealed under a passphrase; devices are told its public part."""
    import secrets

    from penstock.chain.keystore import save_key
    from penstock.keys import SigningKey

    made = SigningKey(secrets.token_bytes(32))
    keys.mkdir(parents=True, exist_ok=True)
    save_key(keys / f"{name}.json", made, passphrase(passphrase_file))
    said = {"key": name, "public": made.public.hex()}
    emit(said, as_json, lambda: table("operator's key", ("field", "value"), list(said.items())))


@app.command()
def send(
    device: Annotated[str, typer.Argument(help="The device that is asked.")],
    verb: Annotated[str, typer.Argument(help="set_point, charge or shed.")],
    power_w: Annotated[int, typer.Option(help="How much [W].")],
    keys: Keys,
    key: Annotated[str, typer.Option(help="The operator's key: its file in the folder, with or without .json.")],
    start: Annotated[str, typer.Option(help="From when (ISO 8601 with offset); now by default.")] = "",
    minutes: Annotated[int, typer.Option(min=1, max=10_080, help="For how long.")] = 15,
    expires: Annotated[int, typer.Option(min=1, max=10_080, help="Minutes in which it has to be received.")] = 5,
    passphrase_file: PassphraseFile = None,
    to: To = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Sign a command and put it into the journal; whoever reaches the device sends it until it is answered."""
    import secrets

    from penstock.connect.command import signed_by
    from penstock.connect.ports import Command
    from penstock.connect.spool import now_us
    from penstock.period import SECOND_US, parse_iso

    operator, now = _operator(keys, key, passphrase_file), now_us()
    start_us = parse_iso(start) if start else now
    stop_us = start_us + minutes * 60 * SECOND_US
    expires_us = min(now + expires * 60 * SECOND_US, stop_us)
    unsigned = Command(secrets.token_hex(8), device, verb, power_w, start_us, stop_us, expires_us, b"")
    signed = signed_by(operator, unsigned)
    row = _ask_door(to, signed, operator) if to else _ask_here(workspace, signed, operator, now)
    emit(row, as_json, lambda: table(f"command {row['command']}", ("field", "value"), list(row.items())))


@app.command("list")
def list_(
    workspace: Workspace = HERE,
    device: Annotated[str, typer.Option(help="Only this device's.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every command, newest first: what was asked, received, done, refused, or expired."""
    from penstock.usecases.command import rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = rows(opened, device)
    cells = [
        (one["command"], one["device"], one["verb"], f"{one['power_w']:,} W", one["state"], one["since"], one["note"])
        for one in found
    ]
    heads = ("command", "device", "verb", "power", "state", "since", "note")
    emit({"commands": found}, as_json, lambda: table(f"{len(found)} commands", heads, cells, right=(3,)))


def _ask_here(workspace: Path, signed: Command, operator: SigningKey, now: int) -> dict[str, Any]:
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace
    from penstock.usecases.command import record_command, row
    from penstock.usecases.workspace import Workspace as Opened

    if not is_workspace(workspace):
        hint = "Name the folder with --workspace, or a door with --to."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)
    with Opened(workspace) as opened:
        return row(record_command(opened, signed, operator.public, now))


def _ask_door(to: str, signed: Command, operator: SigningKey) -> dict[str, Any]:
    from penstock.usecases.collect import ask_over_http

    return ask_over_http(to, api_key(), signed, operator.public)


def _operator(folder: Path, name: str, passphrase_file: Path | None) -> SigningKey:
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import SigningKey

    path = folder / name
    found = load_key(path if path.is_file() else folder / f"{name}.json", passphrase(passphrase_file))
    if not isinstance(found, SigningKey):
        raise Invalid("key.kind", "An operator's key is an Ed25519 key.", key=name)
    return found


def chain_key(file: Path, passphrase_file: Path | None) -> ChainKey:
    """The key of the chain in a sealed file. Raises Invalid ``key.kind``, and as `load_key`."""
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey

    found = load_key(file, passphrase(passphrase_file))
    if not isinstance(found, ChainKey):
        raise Invalid("key.kind", "What is done on a chain is signed with a key of the chain.", key=file)
    return found


def passphrase(file: Path | None) -> str:
    """The passphrase of sealed keys, from a file or the environment; Invalid ``key.no_passphrase``."""
    from penstock.errors import Invalid

    given = file.read_text().rstrip("\r\n") if file else os.environ.get(PASSPHRASE)
    if given is None:
        raise Invalid("key.no_passphrase", "The key's passphrase is not given.", hint=f"Set {PASSPHRASE}.")
    return given
