"""`penstock deal vote`: a deal's holders change it - propose, cast, execute, list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.command import PASSPHRASE, passphrase
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.usecases.chain_desk import ChainDesk
    from penstock.usecases.consent import Change
    from penstock.usecases.workspace import Workspace as Opened

ADDRESS_BYTES: Final = 20
app = typer.Typer(help="Holders change a deal.", no_args_is_help=True, rich_markup_mode=None)

DealName = Annotated[str, typer.Argument(help="The deal's name.")]
Number = Annotated[int, typer.Argument(help="The vote's number.", min=1)]
KeyFile = Annotated[Path, typer.Option("--key", help="The sealed chain key of who acts.", exists=True)]
PassphraseFile = Annotated[
    Path | None, typer.Option(help=f"A file that holds the key's passphrase; else {PASSPHRASE} is read.")
]
Amend = Annotated[Path | None, typer.Option(help="Another text for the deal: a deal file.", exists=True)]
Waive = Annotated[str, typer.Option(help="A test that is to ask for nothing.")]
Through = Annotated[int, typer.Option(help="The last period of the waiver, counting from 1; 0 ends one.", min=0)]
Replace = Annotated[str, typer.Option(help="A payee of a fee whose account is to be another.")]
Account = Annotated[str, typer.Option(help="That account: 0x and 40 hex digits.")]
Note = Annotated[str, typer.Option(help="What it is for, in words; its digest stands on chain.")]


@app.command()
def propose(
    deal: DealName,
    key: KeyFile,
    note: Note,
    amend: Amend = None,
    waive: Waive = "",
    through: Through = 0,
    replace: Replace = "",
    account: Account = "",
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Open a vote on an amendment, a waiver or another payee: one of --amend, --waive, --replace."""
    from penstock.usecases.vote import propose as ask

    change = _change(amend, waive, through, replace, account)
    with desk_under(workspace, deal, key, passphrase_file) as (opened, desk):
        number = ask(opened, desk, deal, change, note)
        _show(desk, deal, number, as_json)


@app.command()
def cast(
    deal: DealName,
    number: Number,
    key: KeyFile,
    tranche: Annotated[str, typer.Option("--class", help="The tranche whose shares vote.")],
    yes: Annotated[bool, typer.Option("--yes/--no", help="For it, or against.")],
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Vote with all shares of a class. They stay put until the vote is over; income goes on."""
    from penstock.usecases.vote import cast as vote

    with desk_under(workspace, deal, key, passphrase_file) as (opened, desk):
        vote(opened, desk, deal, number, tranche, yes)
        _show(desk, deal, number, as_json)


@app.command()
def execute(
    deal: DealName,
    number: Number,
    key: KeyFile,
    note: Note,
    amend: Amend = None,
    waive: Waive = "",
    through: Through = 0,
    replace: Replace = "",
    account: Account = "",
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Carry out what passed, stated as it was proposed, once its delay is over; and record it."""
    from penstock.connect.spool import now_us
    from penstock.usecases.vote import carry_out

    change = _change(amend, waive, through, replace, account)
    with desk_under(workspace, deal, key, passphrase_file) as (opened, desk):
        carry_out(opened, desk, deal, number, change, note, now_us())
        _show(desk, deal, number, as_json)


@app.command("list")
def list_votes(
    deal: DealName,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Every vote of a deal and where it stands."""
    from penstock.usecases.ballot import LOOKER, deal_desk
    from penstock.usecases.vote import proposals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened, deal_desk(opened, LOOKER, deal) as desk:
        rows = proposals(desk, deal)
    emit({"deal": deal, "votes": rows}, as_json, lambda: _draw(deal, rows))


@contextmanager
def desk_under(
    workspace: Path, deal: str, key: Path, passphrase_file: Path | None
) -> Iterator[tuple[Opened, ChainDesk]]:
    """The workspace, and a desk at its chain under the key in a file. Raises Invalid ``key.kind``."""
    from penstock.chain.keystore import load_key
    from penstock.errors import Invalid
    from penstock.keys import ChainKey
    from penstock.usecases.ballot import deal_desk
    from penstock.usecases.workspace import Workspace as Opened

    own = load_key(key, passphrase(passphrase_file))
    if not isinstance(own, ChainKey):
        raise Invalid("key.kind", "Who acts on chain does so with a key of the chain.", key=key)
    with Opened(workspace) as opened, deal_desk(opened, own, deal) as desk:
        yield opened, desk


def _change(amend: Path | None, waive: str, through: int, replace: str, account: str) -> Change:
    from penstock.cli.deal import read_text
    from penstock.errors import Invalid
    from penstock.usecases.consent import Amendment, Replacement, Waiver

    if [amend is not None, bool(waive), bool(replace)].count(True) != 1:
        hint = "Give --amend FILE, or --waive TEST --through N, or --replace PAYEE --account 0x..."
        raise Invalid("vote.one_change", "A vote is about one change.", hint=hint)
    if amend is not None:
        return Amendment(read_text(amend))
    return Waiver(waive, through) if waive else Replacement(replace, _address(account))


def _address(text: str) -> bytes:
    from penstock.errors import Invalid

    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != ADDRESS_BYTES or not any(raw):
        raise Invalid("vote.address", "An account is 0x and 40 hex digits, not all zero.", address=text)
    return raw


def _show(desk: ChainDesk, deal: str, number: int, as_json: bool) -> None:
    from penstock.usecases.vote import proposals

    row = proposals(desk, deal)[number - 1]
    emit(row, as_json, lambda: _draw(deal, [row]))


def _draw(deal: str, rows: list[dict[str, Any]]) -> None:
    cells = [
        (
            row["proposal"],
            row["kind"],
            row["state"],
            _when(row["ends_at_s"]),
            _when(row["ready_at_s"]),
            ", ".join(f"{each['yes']:,} for, {each['no']:,} against" for each in row["classes"]),
        )
        for row in rows
    ]
    heads = ("vote", "about", "state", "open until", "due from", "shares, class by class")
    table(f"{len(rows)} votes on {deal}", heads, cells, right=(0,))


def _when(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M") if at_s else ""
