"""`penstock meter`: bring signed packets in, see what counted and what did not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, counting, emit, kwh, table

if TYPE_CHECKING:
    from penstock.usecases.forgery import Row

app = typer.Typer(help="Readings: intake, status, refusals.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def ingest(
    file: Annotated[
        Path, typer.Argument(help="Messages: .cbor, .ocmf, .json, .jsonl, .xml, .csv or .parquet.", exists=True)
    ],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge a file of messages in any form and record it; the same file again records nothing."""
    from penstock.usecases.intake import ingest_file

    with counting(file.name, as_json) as tell:
        result = ingest_file(workspace, file, tell)
    emit(result, as_json, lambda: table(file.name, ("verdict", "count"), list(result.items()), right=(1,)))


@app.command()
def status(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """What was received, accepted and refused so far."""
    from penstock.usecases.inspect import metering
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = metering(opened)
    emit(found, as_json, lambda: _draw_status(found))


@app.command()
def refused(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every refused packet and reading, and why in plain words."""
    from penstock.usecases.inspect import refusals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = refusals(opened)
    cells = [(row["at"], row["device"], row["verdict"], row["why"]) for row in rows]
    emit(
        {"refused": rows},
        as_json,
        lambda: table(f"{len(rows)} refused", ("received", "device", "verdict", "why"), cells),
    )


@app.command()
def forgery(
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="A folder with real days of sunshine; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The forgery table: false days made from real ones, and how many of them the checks stop."""
    from penstock.usecases.forged_messages import all_rows

    found = all_rows(data or [Path(".data"), Path("../shared/data")])
    emit({"rows": [row.plain() for row in found]}, as_json, lambda: _draw_forgery(found))


@app.command()
def explain(
    reading: Annotated[str, typer.Argument(help="DEVICE@INSTANT, e.g. roof-1@2016-08-22T19:15:00Z.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Why a reading counted or not, each time it was judged, in plain words."""
    from penstock.errors import Invalid
    from penstock.period import parse_iso
    from penstock.usecases.explain import explain as explained
    from penstock.usecases.workspace import Workspace as Opened

    device, at, instant = reading.rpartition("@")
    if not at:
        raise Invalid("reading.malformed", "A reading is named DEVICE@INSTANT.", hint="See: penstock meter explain -h")
    at_us = parse_iso(instant)
    with Opened(workspace, read_only=True) as opened:
        found = explained(opened, device, at_us)
    emit(found, as_json, lambda: _draw_explained(found))


@app.command()
def quarantine(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Devices whose readings wait for a decision: kept, not counted, not lost."""
    from penstock.usecases.fleet import fleet
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = fleet(opened)["quarantined"]
    cells = [
        (row["device"], row["technology"], f"{row['capacity_w']:,} W", row["since"], row["last"], _words(row["found"]))
        for row in rows
    ]
    heads = ("device", "technology", "capacity", "in quarantine since", "last counted", "review found")
    emit({"quarantined": rows}, as_json, lambda: table(f"{len(rows)} in quarantine", heads, cells, right=(2,)))


@app.command()
def review(
    day: Annotated[str, typer.Option("--day", help="A day that is over, e.g. 2016-08-22; of each place, by its sun.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Hold a day's readings against each other: twins, copies and flat lines that hourly packets do not show."""
    from penstock.connect.spool import now_us
    from penstock.period import parse_iso
    from penstock.usecases.review import review_day
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        found = review_day(opened, parse_iso(f"{day}T00:00:00Z"), now_us())
    names = ("register", "outcome", "from")
    cells = [
        (*(row[name] for name in names), _words(row["findings"]), "yes" if row["certified_before"] else "")
        for row in found["found"]
    ]
    heads = (*names, "found", "certified already")
    title = f"{found['day']}: {len(cells)} of {found['registers']:,} registers, {found['readings']:,} readings"
    emit(found, as_json, lambda: table(title, heads, cells))


def _words(findings: list[str]) -> str:
    return ", ".join(one.replace("_", " ") for one in findings)


Device = Annotated[str, typer.Argument(help="The device's name.")]
By = Annotated[str, typer.Option("--by", help="Who decides.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the journal.")]


@app.command()
def release(
    device: Device,
    by: By,
    reason: Reason,
    overrule: Annotated[
        list[str] | None, typer.Option("--overrule", help="A finding that no longer holds, e.g. at_night; repeatable.")
    ] = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge again what waits of a device, after somebody decided about it; the past stays as it is."""
    from penstock.connect.spool import now_us
    from penstock.usecases.release import release_device
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        found = dict(release_device(opened, device, overrule or [], by, reason, now_us()))
    emit(found, as_json, lambda: table(f"{device} judged again", ("verdict", "count"), list(found.items()), right=(1,)))


@app.command()
def skip_gap(device: Device, by: By, reason: Reason, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Give up messages of a device that never came: its chain goes on with those that wait."""
    from penstock.connect.spool import now_us
    from penstock.usecases.release import skip_gap as skip
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        found = dict(skip(opened, device, by, reason, now_us()))
    emit(found, as_json, lambda: table(f"{device} goes on", ("verdict", "count"), list(found.items()), right=(1,)))


@app.command()
def correct(
    device: Device,
    by: By,
    reason: Reason,
    true_wh: Annotated[
        int | None, typer.Option("--true-wh", help="What its counter should have shown at its last counted reading.")
    ] = None,
    revised: Annotated[
        bool, typer.Option("--revised", help="Believe what its source now says of its history.")
    ] = False,
    shows_wh: Annotated[
        int | None, typer.Option("--shows-wh", help="What its counter shows, where it was not put right.")
    ] = None,
    channel: Annotated[int, typer.Option(help="Which of the device's registers, from 0.")] = 0,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A register truly stood elsewhere: withdraw or owe what was never counted, and go on from the true count."""
    from penstock.connect.spool import now_us
    from penstock.errors import Invalid
    from penstock.usecases.correct import Asked, correct_device
    from penstock.usecases.workspace import Workspace as Opened

    if (true_wh is None) is not revised:
        raise Invalid("correct.asked", "A correction needs a true count or a revised history, not both.")
    with Opened(workspace) as opened:
        found = correct_device(opened, Asked(device, true_wh, by, reason, shows_wh, channel), now_us())
    emit(found, as_json, lambda: table(f"{device} corrected", ("field", "value"), _rows(found)))


def _rows(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Fields and values, a level down where a value has its own."""
    flat = [(name, value) for name, value in found.items() if not isinstance(value, dict)]
    return flat + [one for value in found.values() if isinstance(value, dict) for one in value.items()]


def _draw_explained(found: dict[str, Any]) -> None:
    rows: list[tuple[str, str]] = []
    for judged in found["judged"]:
        rows += [("judged", f"fact {judged['fact']}, by {judged['rules']}: {judged['outcome'].replace('_', ' ')}")]
        message = judged.get("message")
        if message:
            number = f" {message['sequence']}" if message["sequence"] >= 0 else ""
            rows.append(("message", f"{message['form']}{number}, received {message['received']}: {message['verdict']}"))
        if "assurance" in judged:
            rows.append(("assurance", judged["assurance"].replace("_", " ")))
        if "step_wh" in judged:
            rows.append(
                (
                    "step",
                    f"{judged['step_wh']:,} Wh since {judged['counted_before']}; "
                    f"its capacity allows {judged['capacity_allows_wh']:,} Wh",
                )
            )
        rows += [
            ("found", f"{one['finding'].replace('_', ' ')}: {one['why']} ({one['rule']})") for one in judged["findings"]
        ]
    rows += [
        (
            "certificate",
            f"[{one['start']}, {one['stop']}) of the hour from {one['hour']}, {one['state']}: {one['holder']}",
        )
        for one in found["certificates"]
    ]
    table(found["summary"], ("what", "said"), rows)


def _draw_status(found: dict[str, Any]) -> None:
    rows = [("packets " + name, count) for name, count in found["packets"].items()]
    rows += [("readings " + name, count) for name, count in found["readings"].items()]
    counted = ", ".join(f"{kwh(energy_wh)} {technology}" for technology, energy_wh in found["by_technology_wh"].items())
    table(f"counted: {counted}", ("what", "how many"), rows, right=(1,))


def _draw_forgery(rows: list[Row]) -> None:
    for array in dict.fromkeys(row.array for row in rows):
        cells = [row.cells() for row in rows if row.array == array]
        days = max(row.days for row in rows if row.array == array)
        heads = ("forgery", "days stopped", "only noted", "energy stopped", "by")
        table(f"{array}: {days} real days", heads, cells, right=(1, 2, 3))
