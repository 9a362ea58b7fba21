"""`penstock certificate import`, `export` and `file`: to and from other registries."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="To and from other registries.", no_args_is_help=True, rich_markup_mode=None)

Account = Annotated[str, typer.Option(help="Whose they are here.")]
SPANS = "REGISTER:START:STOP: this very certificate. Repeat for several."


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file; its first line names the fields.", exists=True)],
    account: Account,
    registry: Annotated[str, typer.Option(help="Who sent it, and issued what does not say by whom.")],
    form: Annotated[str, typer.Option(help="energytag or irec.")] = "energytag",
    whole: Annotated[bool, typer.Option("--whole", help="All of it or nothing.")] = False,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Other registries' certificates come to live here, or come back; each row with a verdict."""
    from penstock.usecases.registry.import_certificates import Import, import_on
    from penstock.usecases.workspace import Workspace as Opened

    asked = Import(account, registry, form, b"", whole)
    with Opened(workspace) as opened:
        done, told = import_on(opened, "", file, asked, time.time_ns() // 1_000)
    cells = [(row["row"], row["verdict"], row["why"]) for row in told.get("refused", ())]
    title = ", ".join(f"{count} {name}" for name, count in told.get("verdicts", {}).items())
    emit(done.to_json() | told, as_json, lambda: table(title, ("row", "verdict", "why"), cells, right=(0,)))


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="The CSV file to write for the other side.")],
    account: Account,
    registry: Annotated[str, typer.Option(help="Where they go.")],
    certificate: Annotated[list[str] | None, typer.Option(help=SPANS)] = None,
    quantity_wh: Annotated[int, typer.Option(help="So many Wh, the oldest first.", min=0)] = 0,
    share: Annotated[int, typer.Option(help="Such a share of all [basis points].", min=0, max=10_000)] = 0,
    statement: Annotated[str, typer.Option(help="A statement for the public.")] = "",
    by: Annotated[str, typer.Option(help="Who asks: a member's id, or the operator.")] = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Certificates go to live in another registry; they stay here, exported, until they come back."""
    from penstock.usecases.registry.export_certificates import Export, export_on, read_named
    from penstock.usecases.registry.selection import Selection
    from penstock.usecases.workspace import Workspace as Opened

    selection = Selection(tuple(read_named(one) for one in certificate or ()), quantity_wh, share)
    asked = Export(account, registry, selection, statement, by)
    with Opened(workspace) as opened:
        done, text = export_on(opened, f"export:{opened.store.size()}", asked, time.time_ns() // 1_000)
    out.write_text(text, "utf-8")
    wh = sum(act["quantity_wh"] for act in done.acts)
    rows = [("exported", kwh(wh)), ("file", out.name), ("fact", done.first_seq)]
    value = done.to_json() | {"file": str(out)}
    emit(value, as_json, lambda: table(f"to {registry}", ("field", "value"), rows))


@app.command("file")
def write_file(
    fact: Annotated[int, typer.Argument(help="The export's fact.", min=0)],
    out: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """The file of an earlier export once more."""
    from penstock.usecases.registry.export_certificates import exported_csv
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        text = exported_csv(opened, fact)
    out.write_text(text, "utf-8")
    lines = text.count("\n") - 1
    emit({"file": str(out), "rows": lines}, as_json, lambda: table(out.name, ("rows",), [(lines,)], right=(0,)))
