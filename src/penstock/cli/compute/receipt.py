"""`penstock compute receipt`: a provider's signed papers checked offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.show import AsJson, emit

app = typer.Typer(
    help="A provider's papers: energy receipts, work reports, bills.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path, typer.Argument(help="The paper.", exists=True, dir_okay=False)]
Beside = typer.Option(help="The work report that a receipt or a bill speaks of.", exists=True, dir_okay=False)
Answer = typer.Option(help="The answer that a receipt is of, byte for byte.", exists=True, dir_okay=False)


@app.command()
def verify(
    file: File,
    key: Annotated[str, typer.Option(help="The provider's registered Ed25519 work key, hex.")],
    work: Annotated[Path | None, Beside] = None,
    answer: Annotated[Path | None, Answer] = None,
    as_json: AsJson = False,
) -> None:
    """Check a paper offline: signature, rows, energy, sums; nothing is asked of anybody."""
    from penstock.errors import Invalid, Unverified
    from penstock.trace.receipt import VerificationError, printable
    from penstock.trace.receipt import verify as check

    try:
        public = bytes.fromhex(key)
    except ValueError:
        raise Invalid("receipt.key_form", "A public key is written in hexadecimal digits.") from None
    try:
        beside = [None if path is None else path.read_bytes() for path in (work, answer)]
        found = check(file.read_bytes(), public, *beside)
    except VerificationError as error:
        kind = Invalid if error.code == "receipt.malformed" else Unverified
        raise kind(error.code, error.message, hint="docs/receipts.md explains the codes.") from error
    lines = printable(found.lines)
    emit({"holds": True, "kind": found.kind, "lines": lines}, as_json, lambda: typer.echo("\n".join(lines)))
