"""`penstock certificate prove`: one file that shows, offline, where a certificate comes from and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.show import HERE, AsJson, Workspace, console, emit


def prove(
    register: Annotated[str, typer.Argument(help="The register that issued it, such as roof-001/export.")],
    start: Annotated[int, typer.Argument(help="Its first position.", min=0)],
    stop: Annotated[int, typer.Argument(help="The position behind its last.", min=1)],
    bundle: Annotated[Path, typer.Option(help="The file to write.")] = Path("certificate.json"),
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Write the proof bundle of a certificate, or of part of one, for `penstock verify`."""
    from penstock.span import Span
    from penstock.usecases.prove import write_certificate_bundle
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        size = write_certificate_bundle(opened, register, Span(start, stop), bundle)
    emit({"file": str(bundle), "bytes": size}, as_json, lambda: console().print(f"{bundle}: {size:,} bytes"))
