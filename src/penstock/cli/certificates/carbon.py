"""`penstock certificate carbon`: grid factors, the 24/7 report, methods; with credits and offsets (`credit`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.certificates import credit
from penstock.cli.certificates.credit import named
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="Factors, 24/7 reports, carbon credits.", no_args_is_help=True, rich_markup_mode=None)

Named = Annotated[str, typer.Option(help="SOURCE@VERSION of published factors.")]
Start = Annotated[str, typer.Option("--from", help="From when on (ISO 8601 with an offset).")]
Stop = Annotated[str, typer.Option("--to", help="Until when.")]


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="Factors (CSV).")],
    source: Annotated[str, typer.Option(help="Who publishes them.")],
    version: Annotated[str, typer.Option(help="Which version of them.")],
    basis: Annotated[str, typer.Option(help="What the figures include.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Publish grid factors from a CSV file, once for a source and version."""
    from penstock.connect.spool import now_us
    from penstock.energy.carbon.factors import FactorName
    from penstock.usecases.registry.factors import publish_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        done = publish_on(opened, FactorName(source, version), basis, _text(file), now_us())
    _fields(done, as_json, f"{source} {version}")


@app.command()
def factors(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Grid factors that are published."""
    from penstock.usecases.registry.factors import rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = rows(opened)
    cells = [(r["source"], r["version"], ", ".join(r["zones"]), f"{r['rows']:,}", r["fact"]) for r in found]
    heads = ("source", "version", "zones", "rows", "fact")
    emit({"factors": found}, as_json, lambda: table(f"{len(found)} publications", heads, cells, right=(3, 4)))


@app.command()
def report(
    start: Start,
    stop: Stop,
    factors: Named,
    out: Annotated[Path, typer.Option(help="The folder for its files.")],
    account: Annotated[str, typer.Option(help="All sites of this account.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="This site; may be repeated.")] = None,
    annual: Annotated[str, typer.Option(help="SOURCE@VERSION of the annual residual mix.")] = "",
    time_zone: Annotated[str, typer.Option(help="Whose hours of the day, as Europe/London.")] = "UTC",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a 24/7 report of energy and carbon: HTML, JSON and CSV, each figure with its proof."""
    from penstock.period import Period, parse_iso
    from penstock.usecases.report_247.build import report_247
    from penstock.usecases.report_247.page import write_report
    from penstock.usecases.report_247.request import Request
    from penstock.usecases.report_247.words import per_cent, tonnes, tonnes_down
    from penstock.usecases.workspace import Workspace as Opened

    period = Period(parse_iso(start), parse_iso(stop))
    year = named(annual) if annual else None
    asked = Request(period, named(factors), account, tuple(site or ()), year, time_zone)
    with Opened(workspace, read_only=True) as opened:
        made = report_247(opened, asked)
        files = write_report(opened, made, out)
    told = made.told["figures"]
    cells = [
        ("drawn", kwh(told["drawn_wh"])),
        ("matched hour by hour", per_cent(told["matched_share_bp"])),
        ("carbon-free energy", per_cent(told["carbon_free_share_bp"])),
        ("scope 2, location", tonnes(told["location_ug"])),
        ("scope 2, market, annual", tonnes(told["market_annual_ug"])),
        ("scope 2, market, hourly", tonnes(told["market_hourly_ug"])),
        ("avoided, apart", tonnes_down(told["avoided_ug"])),
        *((f"missing: {one['what']}", f"{one['count']:,}") for one in made.told["missing"]),
    ]
    answer = {"figures": told, "missing": made.told["missing"], "files": [str(path) for path in files]}
    emit(answer, as_json, lambda: table(str(files[0]), ("figure", "value"), cells, right=(1,)))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A report's report.json.")],
    against: Annotated[Path | None, typer.Option(help="The workspace it was made from: every figure again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a 24/7 report: its proofs offline; against its workspace, every figure."""
    from penstock.usecases.report_247.build import check_report, read_report
    from penstock.usecases.workspace import Workspace as Opened

    said = read_report(_text(file))
    if against is None:
        found = check_report(said)
    else:
        with Opened(against, read_only=True) as opened:
            found = check_report(said, opened)
    _fields(found, as_json, "The report holds")


@app.command()
def adopt(
    file: Annotated[Path, typer.Argument(help="A method of avoided emissions (YAML).")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Adopt a method of avoided emissions."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.factors import adopt_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        done = adopt_on(opened, _text(file), now_us())
    _fields(done, as_json, f"{done['method']} {done['version']}")


@app.command()
def methods(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Methods that are adopted."""
    from penstock.usecases.registry.factors import method_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = method_rows(opened)
    cells = [(r["method"], r["version"], r["baseline"], r["factors"], r["buffer_bp"]) for r in found]
    heads = ("method", "version", "baseline", "factors", "buffer [bp]")
    emit({"methods": found}, as_json, lambda: table(f"{len(found)} methods", heads, cells, right=(4,)))


for _command in (credit.credit, credit.credits, credit.use, credit.offset, credit.offsets):
    app.command()(_command)


def _text(file: Path) -> str:
    from penstock.errors import Invalid

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("file.unreadable", "The file cannot be read as text.", file=file.name) from error


def _fields(found: dict[str, Any], as_json: bool, title: str) -> None:
    rows = [(name, ", ".join(map(str, one)) if isinstance(one, list) else one) for name, one in found.items()]
    emit(found, as_json, lambda: table(title, ("field", "value"), rows))
