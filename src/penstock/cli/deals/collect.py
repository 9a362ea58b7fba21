"""`penstock deal collect` and its kin: what a servicer brings in files - assets, bills, payments, tapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.journal.fact import Entry
    from penstock.usecases.sequencer import Receipt
    from penstock.usecases.workspace import Workspace as Opened
    from penstock.usecases.world import World

Deal = Annotated[str, typer.Argument(help="The deal's name.")]
File = Annotated[Path, typer.Argument(help="A CSV or Parquet file; docs/servicing.md has its columns.")]
By = Annotated[str, typer.Option(help="Who acts: the account of the deal's servicer, where one is appointed.")]
Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]


def collect(
    deal: Deal,
    file: File,
    reference: Annotated[str, typer.Option(help="The bank's name of the statement: recorded once.")],
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record payments that reached the deal's first account, each matched to its asset and bill."""
    from penstock.usecases.servicing.collect import collect_on

    acted(
        workspace,
        as_json,
        "collect",
        key,
        lambda opened, name, at_us: collect_on(opened, name, deal, file, reference, at_us, by),
    )


def pool(
    deal: Deal, file: File, by: By = "", key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """Pledge the assets of a table to a deal, each to it alone."""
    from penstock.usecases.servicing.pool import pool_on

    acted(workspace, as_json, "pool", key, lambda opened, name, at_us: pool_on(opened, name, deal, file, at_us, by))


def bill(
    deal: Deal, file: File, by: By = "", key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """Record what obligors owe on a deal's assets."""
    from penstock.usecases.servicing.bill import bill_on

    acted(workspace, as_json, "bill", key, lambda opened, name, at_us: bill_on(opened, name, deal, file, at_us, by))


def tape(
    deal: Deal,
    file: File,
    period: Annotated[int, typer.Option(min=1, help="Which period, counted from 1.")],
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record how every asset stands at a period's end; with it the period's data are complete."""
    from penstock.usecases.servicing.report import report_on

    acted(
        workspace,
        as_json,
        "tape",
        key,
        lambda opened, name, at_us: report_on(opened, name, deal, period - 1, file, at_us, by),
    )


def acted(
    workspace: Path, as_json: bool, verb: str, key: str, act: Callable[[Opened, str, int], Receipt]
) -> dict[str, Any]:
    """Do an act on the workspace, once under its key, and show what it recorded; NotFound ``store.no_workspace``."""
    from penstock.connect.spool import now_us
    from penstock.errors import NotFound
    from penstock.store.opening import is_workspace
    from penstock.usecases.servicing.serviced_rows import receipt_row
    from penstock.usecases.workspace import Workspace as Opened

    if not is_workspace(workspace):
        hint = "Name the folder with --workspace."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)
    with Opened(workspace) as opened:
        told = receipt_row(act(opened, key or f"{verb}:{opened.store.size()}", now_us()))
    emit(told, as_json, lambda: table(verb, ("what", "value"), list(told.items())))
    return told


def decided(
    workspace: Path, as_json: bool, verb: str, key: str, asked: Any, decide: Callable[[World], Sequence[Entry]]
) -> dict[str, Any]:
    """As `acted`, for what is decided from the world alone."""
    return acted(workspace, as_json, verb, key, lambda opened, name, at_us: opened.submit(
        name, asked, at_us, decide))  # fmt: skip
