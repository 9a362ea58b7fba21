"""`penstock certificate match`: certificates to consumption, interval by interval and zone by zone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.certificates.chosen import Account, Key, Statement
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

if TYPE_CHECKING:
    from penstock.energy.matching import Corridor, Rules
    from penstock.usecases.registry.match_hours import Hours

app = typer.Typer(help="Certificates to consumption, hour by hour.", no_args_is_help=True, rich_markup_mode=None)

CORRIDOR: Final = "FROM/TO or FROM/TO=WH: energy of one zone may supply another, at most so many Wh an interval."
Since = Annotated[str, typer.Option("--from", help="From when on (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="Until when.")]
Consumers = Annotated[list[str] | None, typer.Option("--consumer", help="Who drew it; the account itself by default.")]
Preference = Annotated[str, typer.Option(help="Who goes first: pro_rata, fifo, cheapest or largest_carbon.")]
Timing = Annotated[str, typer.Option(help="What suits: same_interval or same_hour.")]
Corridors = Annotated[list[str] | None, typer.Option("--corridor", help=CORRIDOR)]
Prices = Annotated[
    list[str] | None, typer.Option("--price", help="LOT=MICRO: what a lot costs [micro-dollars per MWh].")
]


@app.command()
def run(
    account: Account,
    start: Since,
    stop: Until,
    consumer: Consumers = None,
    preference: Preference = "pro_rata",
    timing: Timing = "same_interval",
    corridor: Corridors = None,
    price: Prices = None,
    beneficiary: Annotated[str, typer.Option(help="For whom; the account by default.")] = "",
    statement: Statement = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Claim certificates for what was drawn, and keep which Wh supplied which."""
    from dataclasses import replace

    from penstock.usecases.registry.match_hours import match_hours_on
    from penstock.usecases.workspace import Workspace as Opened

    asked = _asked(account, start, stop, consumer, _rules(preference, timing, corridor), price)
    asked = replace(asked, beneficiary=beneficiary, statement=statement)
    with Opened(workspace) as opened:
        name = key or f"match:{opened.store.size()}"
        done = match_hours_on(opened, name, asked, time.time_ns() // 1_000).to_json()
    matched = sum(act["quantity_wh"] for act in done["acts"] if act.get("right") == "attribute")
    rows = [("matched", kwh(matched)), ("recorded before", done["repeated"]), ("first fact", done["first_seq"])]
    emit({"matched_wh": matched, **done}, as_json, lambda: table(account, ("field", "value"), rows))


@app.command()
def preview(
    account: Account,
    start: Since,
    stop: Until,
    consumer: Consumers = None,
    preference: Preference = "pro_rata",
    timing: Timing = "same_interval",
    corridor: Corridors = None,
    price: Prices = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """What a match would come to, interval by interval; nothing is recorded."""
    from penstock.usecases.registry.match_hours import preview as found_by
    from penstock.usecases.workspace import Workspace as Opened

    asked = _asked(account, start, stop, consumer, _rules(preference, timing, corridor), price)
    with Opened(workspace, read_only=True) as opened:
        found = opened.read(lambda world: found_by(world, asked, time.time_ns() // 1_000))
    cells = [
        (one["interval"], one["zone"], f"{one['drawn_wh']:,}", f"{one['matched_wh']:,}") for one in found["intervals"]
    ]
    title = f"{kwh(found['matched_wh'])} of {kwh(found['drawn_wh'])} drawn ({found['matched_basis_points'] / 100} %)"
    heads = ("interval", "zone", "drawn Wh", "matched Wh")
    emit(found, as_json, lambda: table(title, heads, cells, right=(2, 3)))


@app.command()
def plan(
    certificates: Annotated[
        Path, typer.Argument(help="Rows of certificates, .csv or .parquet (see docs/matching.md).")
    ],
    consumption: Annotated[Path, typer.Argument(help="Rows of consumption.")],
    out: Annotated[Path | None, typer.Option(help="Where each meeting is written, .csv or .parquet.")] = None,
    preference: Preference = "pro_rata",
    timing: Timing = "same_interval",
    corridor: Corridors = None,
    as_json: AsJson = False,
) -> None:
    """Match rows of two files by the same rules; needs no workspace and records nothing."""
    from penstock.usecases.registry.match_files import match_files

    found = match_files(certificates, consumption, _rules(preference, timing, corridor), out)
    emit(found, as_json, lambda: table(consumption.name, ("field", "value"), list(found.items())))


@app.command()
def consumption(
    zone: Annotated[str, typer.Option(help="The grid zone it was drawn in.")],
    minutes: Annotated[int, typer.Option(help="How long an interval is: 15, 30 or 60 minutes.")] = 60,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Issue consumption certificates for all that was drawn and has none yet."""
    from penstock.usecases.registry.consume import Consumption, consume_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        name = key or f"consumption:{opened.store.size()}"
        asked = Consumption(zone, minutes * 60_000_000)
        done: dict[str, Any] = consume_on(opened, name, asked, time.time_ns() // 1_000).to_json()
    issued = sum(act["quantity_wh"] for act in done["acts"])
    rows = [("issued", kwh(issued)), ("recorded before", done["repeated"]), ("first fact", done["first_seq"])]
    emit({"issued_wh": issued, **done}, as_json, lambda: table(zone, ("field", "value"), rows))


def _asked(
    account: str, start: str, stop: str, consumers: list[str] | None, rules: Rules, prices: list[str] | None
) -> Hours:
    from penstock.period import parse_iso
    from penstock.usecases.registry.match_hours import Hours, Priced

    priced = tuple(Priced(*_numbers(one.split("="), one)) for one in prices or ())
    return Hours(account, parse_iso(start), parse_iso(stop), tuple(consumers or ()), rules=rules, prices=priced)


def _rules(preference: str, timing: str, corridors: list[str] | None) -> Rules:
    from penstock.energy.matching import Preference as Preferences
    from penstock.energy.matching import Rules
    from penstock.energy.matching import Timing as Timings
    from penstock.errors import Invalid

    try:
        first, when = Preferences(preference), Timings(timing)
    except ValueError:
        hint = f"Write one of {', '.join((*Preferences, *Timings))}."
        raise Invalid("match.rule", "There is no such rule.", hint=hint) from None
    return Rules(first, when, tuple(_corridor(one) for one in corridors or ()))


def _corridor(text: str) -> Corridor:
    from penstock.energy.matching import Corridor
    from penstock.errors import Invalid

    ends, equals, limit = text.partition("=")
    zones = ends.split("/")
    if len(zones) != 2 or not all(zones):
        raise Invalid("match.rule", f"{text!r} is no corridor.", hint="Write FROM/TO or FROM/TO=WH.")
    return Corridor(zones[0], zones[1], _numbers([limit, "0"], text)[0] if equals else None)


def _numbers(parts: list[str], text: str) -> tuple[int, int]:
    from penstock.errors import Invalid

    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise Invalid("match.rule", f"{text!r} should hold whole numbers.", hint="Write LOT=MICRO or FROM/TO=WH.")
    return int(parts[0]), int(parts[1])
