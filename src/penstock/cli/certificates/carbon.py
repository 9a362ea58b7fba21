"""`penstock certificate carbon`: grid factors, the 24/7 report, methods, carbon credits, offsets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

if TYPE_CHECKING:
    from penstock.energy.carbon.factors import FactorName
    from penstock.usecases.registry.selection import Selection

app = typer.Typer(help="Factors, 24/7 reports, carbon credits.", no_args_is_help=True, rich_markup_mode=None)

Account = Annotated[str, typer.Option(help="Whose.")]
Since = Annotated[str, typer.Option("--from", help="From when on (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="Until when.")]
Named = Annotated[str, typer.Option(help="SOURCE@VERSION of published factors.")]
Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]
Statement = Annotated[str, typer.Option(help="A statement for the public.")]
Register = Annotated[str, typer.Option(help="Only of this register.")]
Zone = Annotated[str, typer.Option(help="Only of this zone.")]
By = Annotated[str, typer.Option(help="Who asks: a member of the account's organisation; the operator by default.")]


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
    from penstock.energy.carbon.factors import FactorName
    from penstock.usecases.registry.factors import publish_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        done = publish_on(opened, FactorName(source, version), basis, _text(file), _now())
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
    start: Since,
    stop: Until,
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
    year = _named(annual) if annual else None
    asked = Request(period, _named(factors), account, tuple(site or ()), year, time_zone)
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
    from penstock.errors import Invalid
    from penstock.usecases.report_247.build import check_report
    from penstock.usecases.workspace import Workspace as Opened

    try:
        said = json.loads(_text(file))
    except ValueError as error:
        raise Invalid("report.malformed", "This is not a 24/7 report.") from error
    if not isinstance(said, dict):
        raise Invalid("report.malformed", "This is not a 24/7 report.")
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
    from penstock.usecases.registry.factors import adopt_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        done = adopt_on(opened, _text(file), _now())
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


@app.command()
def credit(
    account: Account,
    method: Annotated[str, typer.Option(help="METHOD@VERSION.")],
    quantity_wh: Annotated[int, typer.Option(help="How much of what it holds, oldest first.")] = 0,
    register: Register = "",
    zone: Zone = "",
    start: Since = "",
    stop: Until = "",
    holder: Annotated[str, typer.Option(help="Whose credits they become; the account's by default.")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Turn certificates into carbon credits: they are certificates no longer."""
    from penstock.usecases.registry.avoid import Crediting, avoid_on
    from penstock.usecases.workspace import Workspace as Opened

    name = _named(method)
    asked = Crediting(name.source, name.version, holder or account, statement, by)
    selection = _selection(quantity_wh, register, zone, start, stop)
    with Opened(workspace) as opened:
        done = avoid_on(opened, key or f"credit:{opened.store.size()}", account, selection, asked, _now()).to_json()
    _done(done, as_json, account)


@app.command()
def credits(workspace: Workspace = HERE, as_json: AsJson = False) -> None:  # noqa: A001 (the command's name)
    """Carbon credits that were made."""
    from penstock.usecases.registry.avoid import credit_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = credit_rows(opened)
    cells = [
        (
            r["register"],
            f"[{r['start']:,}, {r['stop']:,})",
            f"{r['grams']:,}",
            f"{r['buffer_g']:,}",
            kwh(r["energy_wh"]),
        )
        for r in found
    ]
    heads = ("register", "span", "g CO2e", "held apart", "from")
    emit({"credits": found}, as_json, lambda: table(f"{len(found)} credits", heads, cells, right=(1, 2, 3, 4)))


@app.command()
def use(
    account: Account,
    grams: Annotated[int, typer.Option(help="How many grams of carbon credits, oldest first.", min=1)],
    register: Register = "",
    to: Annotated[str, typer.Option(help="Hand them to this account instead of retiring them.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom they are retired.")] = "",
    reason: Annotated[str, typer.Option(help="What for.")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Retire carbon credits, or hand them over."""
    from penstock.usecases.registry.avoid import Using, use_credits_on
    from penstock.usecases.workspace import Workspace as Opened

    asked = Using(account, grams, register, to, beneficiary, reason, statement, by)
    with Opened(workspace) as opened:
        done = use_credits_on(opened, key or f"credit:{opened.store.size()}", asked, _now()).to_json()
    _done(done, as_json, account)


@app.command()
def offset(
    account: Account,
    rack: Annotated[str, typer.Option(help="Work of this rack.")] = "",
    answer: Annotated[int, typer.Option(help="Of the rack, this answer alone.")] = -1,
    model: Annotated[str, typer.Option(help="Answers of this model.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom; the account by default.")] = "",
    zone: Zone = "",
    start: Since = "",
    stop: Until = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Retire certificates for AI work, to the energy that its record says, rounded up."""
    from penstock.errors import Invalid
    from penstock.journal.kinds.carbon import Work
    from penstock.usecases.registry.offset import Offset, offset_on
    from penstock.usecases.workspace import Workspace as Opened

    if bool(rack) == bool(model) or (model and answer >= 0):
        raise Invalid("offset.unclear", "An offset is for a rack, an answer of a rack, or a model.")
    work = Work.MODEL if model else Work.ANSWER if answer >= 0 else Work.RACK
    asked = Offset(work, model or rack, beneficiary or account, max(answer, 0), statement, by)
    with Opened(workspace) as opened:
        name = key or f"offset:{opened.store.size()}"
        done = offset_on(opened, name, account, _selection(0, "", zone, start, stop), asked, _now()).to_json()
    _done(done, as_json, work.value)


@app.command()
def offsets(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """AI work that certificates were retired for."""
    from penstock.usecases.registry.offset import offset_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = offset_rows(opened)
    cells = [
        (r["work"], r["name"], r["number"] if r["number"] >= 0 else "", f"{r['energy_mj']:,}", f"{r['quantity_wh']:,}")
        for r in found
    ]
    heads = ("work", "name", "answer", "mJ", "Wh retired")
    emit({"offsets": found}, as_json, lambda: table(f"{len(found)} offsets", heads, cells, right=(2, 3, 4)))


def _selection(quantity_wh: int, register: str, zone: str, start: str, stop: str) -> Selection:
    from penstock.period import parse_iso
    from penstock.usecases.registry.selection import Selection

    bounds = (parse_iso(start) if start else 0, parse_iso(stop) if stop else 0)
    if bounds[1] == 0 and bounds[0]:
        bounds = (bounds[0], 2**63 - 1)
    return Selection(quantity_wh=quantity_wh, register=register, zone=zone, start_us=bounds[0], stop_us=bounds[1])


def _named(text: str) -> FactorName:
    from penstock.energy.carbon.factors import FactorName
    from penstock.errors import Invalid

    source, at, version = text.rpartition("@")
    if not (source and at and version):
        raise Invalid("factors.name", "A name and its version are written NAME@VERSION.", given=text)
    return FactorName(source, version)


def _text(file: Path) -> str:
    from penstock.errors import Invalid

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("file.unreadable", "The file cannot be read as text.", file=file.name) from error


def _now() -> int:
    return time.time_ns() // 1_000


def _fields(found: dict[str, Any], as_json: bool, title: str) -> None:
    rows = [(name, ", ".join(map(str, one)) if isinstance(one, list) else one) for name, one in found.items()]
    emit(found, as_json, lambda: table(title, ("field", "value"), rows))


def _done(done: dict[str, Any], as_json: bool, title: str) -> None:
    rows = [(act["seq"], act["kind"], f"{act.get('quantity_wh', '')}", act.get("purpose", "")) for act in done["acts"]]
    emit(done, as_json, lambda: table(title, ("fact", "kind", "quantity", "purpose"), rows, right=(0, 2)))
