"""`penstock deal`: check a deal file, its schema, look at a deal and at what it paid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.deals import close, collect, launch, look_through, report, service, take_fees, vote
from penstock.cli.deals.pool_table import draw_pool
from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc

if TYPE_CHECKING:
    from penstock.capital.deal import Deal

app = typer.Typer(help="Deals: check, schema, show, periods.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A deal file (YAML).", exists=True)],
    assets: Annotated[Path | None, typer.Option(help="Its assets (CSV or Parquet), checked too.", exists=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Read and compile a deal file; every mistake is listed with its line. With its assets: each wrong cell, too."""
    from penstock.capital.compile import compile_deal
    from penstock.capital.language import load_deal

    deal = load_deal(read_text(file))
    program = compile_deal(deal)
    found = {
        "deal": deal.name,
        "deal_hash": program.deal_hash.hex(),
        "program_hash": program.program_hash.hex(),
        "program_bytes": len(program.code),
        "payees": list(program.payee_lanes),
        "states": list(program.states),
        "gas_ceiling": program.gas_ceiling,
    }
    pool = None if assets is None else _pool(deal, assets)

    def draw() -> None:
        rows = [(what, ", ".join(value) if isinstance(value, list) else value) for what, value in found.items()]
        table(f"{file.name} is sound", ("what", "value"), rows)
        if pool and assets:
            draw_pool(assets, pool)

    emit(found | ({"pool": pool} if pool else {}), as_json, draw)


def _pool(deal: Deal, assets: Path) -> dict[str, Any]:
    from penstock.usecases.check_assets import check_assets

    return check_assets(deal, assets)


@app.command()
def schema(as_json: AsJson = False) -> None:
    """The JSON schema of a deal file, for editors; the same as docs/deal.schema.json."""
    import json

    from penstock.capital.deal_schema import deal_schema

    found = deal_schema()
    emit(found, as_json, lambda: typer.echo(json.dumps(found, indent=2)))


@app.command("list")
def list_deals(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every deal and its state."""
    rows = _look(workspace)
    cells = [(row["deal"], row["state"], row["periods"], usdc(row["collected_usdc_micro"])) for row in rows]
    emit(
        {"deals": rows}, as_json, lambda: table("deals", ("deal", "state", "periods", "collected"), cells, right=(2, 3))
    )


@app.command()
def periods(
    deal: Annotated[str, typer.Argument(help="The deal's name.")], workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """What each closed period took in and paid, step by step."""
    from penstock.usecases.inspect import deal_periods
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = deal_periods(opened, deal)
    emit({"deal": deal, "periods": rows}, as_json, lambda: _draw_periods(rows))


def read_text(file: Path) -> str:
    """The text of a deal file. Raises Invalid ``deal.unread``."""
    from penstock.errors import Invalid

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("deal.unread", f"The deal file cannot be read: {error}.", file=file) from None


def _look(workspace: Path) -> list[dict[str, Any]]:
    from penstock.usecases.inspect import deals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        return deals(opened)


def _draw_periods(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        title = f"period {row['period'] + 1} to {row['stop']}: {row['state']}, {usdc(row['inflow_usdc_micro'])} in"
        steps = [
            (step["step"], step["label"], usdc(step["due_usdc_micro"]), usdc(step["paid_usdc_micro"]), step["limit"])
            for step in row["steps"]
        ]
        table(title, ("step", "what", "due", "paid", "bound by"), steps, right=(2, 3))


app.command()(launch.launch)
app.command()(close.close)
app.command("take-fees")(take_fees.take_fees)
app.command()(report.report)
app.command()(report.verify)
app.command("look-through")(look_through.look_through)
app.add_typer(vote.app, name="vote")
app.command()(collect.collect)
app.command()(collect.pool)
app.command()(collect.bill)
app.command()(collect.tape)
app.command()(service.servicing)
app.command("write-off")(service.write_off)
app.command()(service.release)
app.command()(service.dispute)
app.command()(service.resolve)
app.command()(service.mark)
app.command()(service.call)
app.command()(service.appoint)
