"""`penstock deal report` and `penstock deal verify`: what a period took in and paid, and whether a report says so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc


def report(
    deal: Annotated[str, typer.Argument(help="The deal's name.")],
    period: Annotated[int, typer.Option(min=1, help="Which closed period, counted from 1.")],
    out: Annotated[Path, typer.Option(help="The folder for its files.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Write the investor report of a closed period: HTML, JSON and CSV, each figure with its proof."""
    from penstock.usecases.investor_report.build import deal_report
    from penstock.usecases.investor_report.page import write_report
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        told = deal_report(opened, deal, period - 1).told
    files = [str(path) for path in write_report(told, out)]
    emit(_short(told) | {"files": files}, as_json, lambda: _draw(told, files[0]))


def _short(told: dict[str, Any]) -> dict[str, Any]:
    """What fits a line of JSON; the files say all."""
    names = ("deal", "number", "start", "stop", "state", "fresh", "inflow_usdc_micro", "sources", "uses", "tests")
    return {name: told[name] for name in names} | {"root": told["evidence"]["root"]}


def _draw(told: dict[str, Any], file: str) -> None:
    from penstock.usecases.investor_report.words import bound, ratio

    title = f"{told['title']}, period {told['number']} to {told['stop']}: {told['state']}"
    cells = [(one["source"], usdc(one["usdc_micro"]), "") for one in told["sources"]]
    cells += [(one["use"], "", usdc(one["usdc_micro"])) for one in told["uses"]]
    table(title, ("what", "in", "out"), cells, right=(1, 2))
    tests = [
        (one["name"], ratio(one["ratio_millionths"]), level["state"], level["when"], bound(level["bound_millionths"]))
        for one in told["tests"]
        for level in one["levels"]
    ]
    table(file, ("test", "ratio", "level", "when", "bound"), tests, right=(1, 4))


def verify(
    file: Annotated[Path, typer.Argument(help="A report's report.json, or a look-through's file.")],
    against: Annotated[Path | None, typer.Option(help="The workspace it was made from: every figure again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an investor report or a look-through: its proofs offline; against its workspace, every figure."""
    from penstock.usecases.investor_report.build import check_report, read_report
    from penstock.usecases.look_through.build import check_look_through
    from penstock.usecases.workspace import Workspace as Opened

    said = read_report(read_text(file))
    check = check_look_through if "look_through" in said else check_report
    if against is None:
        found = check(said)
    else:
        with Opened(against, read_only=True) as opened:
            found = check(said, opened)
    emit(found, as_json, lambda: table("It holds", ("field", "value"), list(found.items())))


def read_text(file: Path) -> str:
    """The text of a file. Raises Invalid ``file.unreadable``."""
    from penstock.errors import Invalid

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("file.unreadable", "The file cannot be read as text.", file=file.name) from error
