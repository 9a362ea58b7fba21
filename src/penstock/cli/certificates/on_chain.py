"""`penstock certificate chain`: a chain founded; certificates lifted to it, sent there, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.command import PASSPHRASE, passphrase
from penstock.cli.show import HERE, AsJson, Workspace, emit, progress, table

if TYPE_CHECKING:
    from penstock.keys import ChainKey, SigningKey
    from penstock.usecases.chain_desk import ChainDesk
    from penstock.usecases.workspace import Workspace as Opened

app = typer.Typer(help="Certificates on chain.", no_args_is_help=True, rich_markup_mode=None)

Keys = Annotated[Path | None, typer.Option(help="The folder of the operator's keys; else the workspace's own.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help=f"A file that holds the keys' passphrase; else {PASSPHRASE} is read.")
]
ADDRESS_DIGITS: Final = 40


@app.command()
def found(
    attester: Annotated[
        list[str] | None, typer.Option(help="An attester's address; repeatable. Without, three keys are made here.")
    ] = None,
    base_uri: Annotated[str, typer.Option(help="Where badges and certificates are shown.")] = "http://127.0.0.1:8000",
    keys: Keys = None,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Give the workspace a chain of its own, with the contracts that certificates are lifted to."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.found import Founding
    from penstock.usecases.registry.found import found as begin
    from penstock.usecases.workspace import KEYS_FOLDER
    from penstock.usecases.workspace import Workspace as Opened

    attesters = tuple(_address(one) for one in attester or ())
    asked = Founding(keys or workspace / KEYS_FOLDER, passphrase(passphrase_file), attesters, base_uri)
    with Opened(workspace) as opened:
        done = begin(opened, asked, now_us())
    title, rows = f"chain {done['chain_id']}", list(done["contracts"].items())
    emit(done, as_json, lambda: table(title, ("contract", "address"), rows))


@app.command("lift")
def lift_certificates(
    account: Annotated[str, typer.Option(help="Whose certificates leave.")],
    holder: Annotated[str, typer.Option(help="The address that may mint them: 0x and 40 hex digits.")],
    wh: Annotated[int, typer.Option(help="How many Wh, oldest interval first.", min=1)],
    days: Annotated[int, typer.Option(help="Days to mint them in; what is left comes back.", min=1, max=3_650)] = 30,
    zone: Annotated[str, typer.Option(help="Only of this zone.")] = "",
    register: Annotated[str, typer.Option(help="Only of this register.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Lock certificates here for an address on chain. `send` brings them there."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.chain_certificates import deadline_s
    from penstock.usecases.registry.lift import Lifting, lift_on
    from penstock.usecases.registry.selection import Selection
    from penstock.usecases.workspace import Workspace as Opened

    at_us = now_us()
    asked = Lifting(account, _address(holder), deadline_s(at_us, days))
    with Opened(workspace) as opened:
        _open_vault(opened, at_us)
        selection = Selection(quantity_wh=wh, zone=zone, register=register)
        rows = lift_on(opened, asked, selection, at_us, f"lift:{opened.store.size()}")
    emit({"batches": rows}, as_json, lambda: _show(rows))


@app.command("list")
def list_batches(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every batch that was lifted, and how much of its id is on chain."""
    from penstock.usecases.registry.lift import batches
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = batches(opened)
    emit({"batches": rows}, as_json, lambda: _show(rows))


@app.command()
def proofs(
    batch: Annotated[int, typer.Argument(help="The number of the fact that lifted it.", min=0)],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """What each holder of a batch sends to the contract to mint its row."""
    from penstock.usecases.registry.lift import proofs as prove
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = [_plain(row) for row in prove(opened, batch)]
    cells = [(row["index"], row["row"][3], f"{row['row'][2] - row['row'][1]:,}", len(row["proof"])) for row in rows]
    heads = ("row", "holder", "Wh", "hashes")
    emit({"rows": rows}, as_json, lambda: table(f"batch {batch}", heads, cells, right=(0, 2, 3)))


@app.command()
def send(
    keys: Keys = None, passphrase_file: PassphraseFile = None, workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """Anchor the journal, open every batch on chain and mint its rows to their holders."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.chain_certificates import send as bring
    from penstock.usecases.registry.lift import batches

    at_us = now_us()
    with (
        _desk(workspace, keys, passphrase_file, at_us) as (opened, desk, log_key),
        progress("minting certificates", len(batches(opened)), as_json) as step,
    ):
        rows = [row for row in bring(opened, desk, log_key, at_us, step) if row["minted_rows"]]
    emit({"batches": rows}, as_json, lambda: _show(rows))


@app.command()
def collect(
    keys: Keys = None, passphrase_file: PassphraseFile = None, workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """Record what was burned on chain - lowered, retired, claimed - and take back what nobody minted in time."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.chain_certificates import collect as take_back

    at_us = now_us()
    with _desk(workspace, keys, passphrase_file, at_us) as (opened, desk, _):
        found = take_back(opened, desk, at_us)
    burned, lapsed = found["burned"], found["lapsed"]
    cells = [(r["number"], r["cause"], f"{r['quantity_wh']:,}", r["account"] or r["beneficiary"]) for r in burned]
    cells += [("", "lapsed", "", f"batch {r['batch']}, {r['rows']} rows") for r in lapsed]
    emit(found, as_json, lambda: table(f"{len(cells)} came back", ("burn", "cause", "Wh", "to"), cells, right=(0, 2)))


@contextmanager
def _desk(
    workspace: Path, keys: Path | None, passphrase_file: Path | None, at_us: int
) -> Iterator[tuple[Opened, ChainDesk, SigningKey]]:
    from penstock.usecases.registry.chain_certificates import own_desk
    from penstock.usecases.workspace import KEYS_FOLDER
    from penstock.usecases.workspace import Workspace as Opened

    folder = keys or workspace / KEYS_FOLDER
    own, log_key = _keys(folder, passphrase(passphrase_file))
    with Opened(workspace) as opened, own_desk(opened, own, at_us) as desk:
        yield opened, desk, log_key


def _keys(folder: Path, given: str) -> tuple[ChainKey, SigningKey]:
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey, SigningKey

    own, log_key = load_key(folder / "operator.json", given), load_key(folder / "log.json", given)
    if not (isinstance(own, ChainKey) and isinstance(log_key, SigningKey)):
        raise Invalid("key.kind", "The operator's key is of the chain, the log's an Ed25519 key.", folder=folder)
    return own, log_key


def _open_vault(opened: Opened, at_us: int) -> None:
    """The vault's accounts, so that lifting does not wait for the contracts."""
    from penstock.usecases.registry.lift import open_vault

    open_vault(opened, at_us)


def _address(text: str) -> bytes:
    from penstock.errors import Invalid

    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) * 2 != ADDRESS_DIGITS:
        raise Invalid("lift.address", "An address is 0x and 40 hex digits.", address=text)
    return raw


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Bytes as hex."""

    def text(value: Any) -> Any:
        return "0x" + value.hex() if isinstance(value, bytes) else value

    return {
        "batch": [text(value) for value in row["batch"]],
        "index": row["index"],
        "row": [text(value) for value in row["row"]],
        "proof": [text(value) for value in row["proof"]],
    }


def _show(rows: list[dict[str, Any]]) -> None:
    cells = [
        (r["batch"], r["certificate"][:16], f"{r['quantity_wh']:,}", r["rows"], _state(r), f"{r['on_chain_wh']:,}")
        for r in rows
    ]
    heads = ("batch", "certificate", "Wh", "rows", "", "Wh of its id on chain")
    table(f"{len(rows)} batches", heads, cells, right=(0, 2, 3, 5))


def _state(row: dict[str, Any]) -> str:
    return "lapsed" if row["lapsed"] else ""
