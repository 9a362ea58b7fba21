"""`penstock audit` and `penstock verify`: the laws on a whole workspace, and one proof offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.show import HERE, AsJson, Workspace, console, emit, table

if TYPE_CHECKING:
    from penstock.journal.finding import Finding
    from penstock.usecases.audit import Audit


def audit(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Check the record byte by byte and the five laws over it; exit 70 with every finding where one is broken."""
    from penstock.errors import Corrupt
    from penstock.usecases.audit import audit_workspace

    found = audit_workspace(workspace)
    if found.findings:
        emit(found.to_json(), as_json, lambda: _list(found.findings))
        if as_json:
            raise typer.Exit(Corrupt.exit_code)
        raise Corrupt(
            "audit.findings", "The record or its books are damaged.", hint="Restore a backup; see docs/errors.md."
        )
    emit(found.to_json(), as_json, lambda: _draw(found))


def _draw(found: Audit) -> None:
    table("clean", ("checked", "count"), list(found.checked.items()), right=(1,))
    if found.debts:
        owed_wh = sum(one["owed_wh"] for one in found.debts)
        cells = [tuple(one.values()) for one in found.debts]
        heads = ("register", "debt Wh", "covered Wh", "owed Wh")
        table(f"issuers owe {owed_wh:,} Wh", heads, cells, right=(1, 2, 3))


def _list(findings: Sequence[Finding]) -> None:
    say = console().print
    for one in findings:
        where = ", ".join(f"{name} {value}" for name, value in one.ids)
        law = f"law {one.law}" if one.law else "record"
        say(f"{law}: {one.message} [{one.code}: {where}]", markup=False, soft_wrap=True)


def verify(
    bundle: Annotated[Path, typer.Argument(help="A proof bundle (JSON).", exists=True)],
    log_key: Annotated[str, typer.Option(help="Trust only this log key (hex).")] = "",
    as_json: AsJson = False,
) -> None:
    """Check a proof bundle offline: signatures, inclusion, sums. Nothing but the file is read."""
    from penstock.usecases.prove import verify_bundle_file

    report = verify_bundle_file(bundle, log_key)
    emit(report, as_json, lambda: print("\n".join(report["text"])))
