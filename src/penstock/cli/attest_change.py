"""`penstock attest change`: attesters change their own set - sign, propose, execute, show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.command import PassphraseFile, passphrase
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.chain.client import ChainClient
    from penstock.keys import ChainKey
    from penstock.usecases.chain_desk import ChainDesk
    from penstock.usecases.workspace import Workspace as Opened

app = typer.Typer(help="Attesters change their own set.", no_args_is_help=True, rich_markup_mode=None)

WAIT_S: Final = 20
KeyFile = Annotated[Path, typer.Option("--key", help="The sealed chain key of who acts.", exists=True)]
Rpc = Annotated[str, typer.Option(help="The chain's JSON-RPC address; else the workspace's own chain.")]
Anchor = Annotated[str, typer.Option(help="With --rpc: the anchor's address, 0x and 40 hex digits.")]


@app.command()
def sign(
    key: KeyFile,
    out: Annotated[Path, typer.Option(help="The file to write: hand it to whoever collects signatures.")],
    add: Annotated[str, typer.Option(help="An account that is to attest: 0x and 40 hex digits.")] = "",
    remove: Annotated[str, typer.Option(help="An attester that is to leave.")] = "",
    quorum: Annotated[int, typer.Option(min=0, help="How many must agree from then on; 0: as many as now.")] = 0,
    operator: Annotated[str, typer.Option(help="Another account that may publish checkpoints; empty: as now.")] = "",
    rpc: Rpc = "",
    anchor: Anchor = "",
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Sign a change as one of the attesters. All who agree sign the same; nothing is sent."""
    from penstock.usecases.seats import NOBODY, expulsions, read_seats
    from penstock.usecases.signed_change import asked_change, sign_change, written

    own = _key(key, passphrase_file)
    parties = [_address(text) if text else NOBODY for text in (add, remove, operator)]
    with _chain(rpc, anchor, workspace) as (client, address):
        seats = read_seats(client, address)
        change = asked_change(seats, parties[0], parties[1], quorum, parties[2])
        seats.check(change, expulsions(client, address))
        signed = sign_change(own, seats, change)
    _write(out, written(signed))
    said = signed.to_json() | {"file": str(out)}
    cells = [("signer", said["signer"]), *said["change"].items(), ("file", out)]
    emit(said, as_json, lambda: table("change of the attester set, signed", ("field", "value"), cells))


@app.command()
def propose(
    signature: Annotated[list[Path], typer.Argument(help="The files that attesters signed.", exists=True)],
    key: KeyFile,
    instead: Annotated[
        bool, typer.Option("--instead", help="Drop the change announced before, and its delay.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Announce a change that enough attesters signed; anybody may, and execute it 48 hours later."""
    from penstock.connect.spool import now_us
    from penstock.usecases.reseat import propose as act
    from penstock.usecases.signed_change import BYTES_MAX, read_signed

    signed = []
    for one in signature:
        with one.open("rb") as file:
            signed.append(read_signed(file.read(BYTES_MAX + 1)))
    with _desk(workspace, key, passphrase_file) as (opened, desk):
        act(opened, desk, signed, now_us(), instead=instead)
        _show(desk, as_json)


@app.command()
def execute(
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Carry out the announced change once its delay is over, and record who attests now."""
    from penstock.connect.spool import now_us
    from penstock.usecases.reseat import execute as act

    with _desk(workspace, key, passphrase_file) as (opened, desk):
        act(opened, desk, now_us())
        _show(desk, as_json)


@app.command()
def show(rpc: Rpc = "", anchor: Anchor = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Who attests, how many must agree, and the change announced."""
    from penstock.usecases.reseat import show as look

    with _chain(rpc, anchor, workspace) as (client, address):
        row = look(client, address)
    emit(row, as_json, lambda: _draw(row))


@contextmanager
def _chain(rpc: str, anchor: str, workspace: Path) -> Iterator[tuple[ChainClient, bytes]]:
    """The chain and its anchor's address: somebody's, or the workspace's own."""
    from penstock.errors import Invalid
    from penstock.usecases.reseat import anchor_desk
    from penstock.usecases.seats import ANCHOR
    from penstock.usecases.workspace import Workspace as Opened

    if bool(rpc) != bool(anchor):
        raise Invalid("reseat.which_chain", "--rpc and --anchor go together.", hint="Give both, or --workspace alone.")
    if rpc:
        yield _far(rpc), _address(anchor)
        return
    from penstock.usecases.ballot import LOOKER

    _check(workspace)
    with Opened(workspace) as opened, anchor_desk(opened, LOOKER) as desk:
        yield desk.client, desk.contract(ANCHOR).address


def _far(rpc: str) -> ChainClient:
    from web3 import HTTPProvider

    from penstock.chain.client import ChainClient
    from penstock.usecases.anchor_rpc import JsonRpc

    JsonRpc(rpc)  # refuses what is no http(s) address
    return ChainClient(HTTPProvider(rpc, request_kwargs={"timeout": WAIT_S}))


@contextmanager
def _desk(workspace: Path, key: Path, passphrase_file: Path | None) -> Iterator[tuple[Opened, ChainDesk]]:
    from penstock.usecases.reseat import anchor_desk
    from penstock.usecases.workspace import Workspace as Opened

    own = _key(key, passphrase_file)
    _check(workspace)
    with Opened(workspace) as opened, anchor_desk(opened, own) as desk:
        yield opened, desk


def _check(workspace: Path) -> None:
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace

    if not is_workspace(workspace):
        hint = "Name its folder with --workspace, or a chain with --rpc and --anchor."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)


def _key(path: Path, passphrase_file: Path | None) -> ChainKey:
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey

    own = load_key(path, passphrase(passphrase_file))
    if not isinstance(own, ChainKey):
        raise Invalid("key.kind", "Whoever changes the set does so with a key of the chain.", key=path)
    return own


def _address(text: str) -> bytes:
    from penstock.errors import Invalid
    from penstock.usecases.arrange import address

    found = address(text)
    if found is None:
        raise Invalid("reseat.address", "An account is 0x and 40 hex digits, not all zero.", address=text)
    return found


def _write(path: Path, text: str) -> None:
    """Never over another file: it may hold a signature that somebody waits for."""
    from penstock.errors import Conflict

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.read_text("utf-8") != text:
            raise Conflict("reseat.file_exists", "Another file is there.", hint="Name a new one.", file=path) from None


def _show(desk: ChainDesk, as_json: bool) -> None:
    from penstock.usecases.reseat import show as look
    from penstock.usecases.seats import ANCHOR

    row = look(desk.client, desk.contract(ANCHOR).address)
    emit(row, as_json, lambda: _draw(row))


def _draw(row: dict[str, Any]) -> None:
    cells = [(name, row[name]) for name in ("anchor", "operator", "epoch")]
    cells += [(f"attester {place}", one) for place, one in enumerate(row["attesters"], start=1)]
    for name, value in (row["pending"] or {}).items():
        due = name == "executable_from_s"
        cells.append(("announced: " + ("due from" if due else name), _when(value) if due else value))
    table(f"{row['quorum']} of {len(row['attesters'])} attesters must agree", ("what", "value"), cells)


def _when(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
