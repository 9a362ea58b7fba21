"""`penstock certificate storage`: what batteries charged and discharged, and certificates that keep their origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from penstock.usecases.registry.storage_records import Metered

app = typer.Typer(
    help="Storage: charge and discharge records, first in first out.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The storage.")]
Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]
Minutes = Annotated[int, typer.Option(help="How long an interval is: 15, 30 or 60 minutes.")]
Since = Annotated[str, typer.Option("--from", help="Only intervals from here on (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="Only intervals up to here.")]
Certificates = Annotated[
    list[str] | None, typer.Option("--certificate", help="Claim this one, REGISTER@START-STOP; all that suit if none.")
]


@app.command()
def register(
    name: Name,
    operator: Annotated[str, typer.Option(help="The account that claims for the charge and gets the discharge.")],
    charge_register: Annotated[str, typer.Option(help="The register that counts what is charged.")],
    discharge_register: Annotated[str, typer.Option(help="The register that counts what is discharged; it issues.")],
    zone: Annotated[str, typer.Option(help="The grid zone; that of the register's site by default.")] = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Register a storage. Its losses get a register of their own, NAME/loss."""
    from penstock.usecases.registry.storage import NewStorage
    from penstock.usecases.registry.storage_desk import register_on

    asked = NewStorage(name, operator, charge_register, discharge_register, zone)
    _act(workspace, "storage-register", key, register_on, asked, as_json)


@app.command("efficiency")
def state_efficiency(
    name: Name,
    start: Annotated[str, typer.Option("--from", help="From when on it holds (ISO 8601 with an offset).")],
    stop: Annotated[str, typer.Option("--to", help="Until when.")],
    basis_from: Annotated[str, typer.Option(help="From when on it was measured, standby included.")],
    basis_to: Annotated[str, typer.Option(help="Until when.")],
    method: Annotated[str, typer.Option(help="How it was found, in a word.")],
    basis_in_wh: Annotated[int, typer.Option(help="What went in [Wh]; 0: what the storage's meters say.")] = 0,
    basis_out_wh: Annotated[int, typer.Option(help="What came out [Wh].")] = 0,
    num: Annotated[int, typer.Option(help="Of DEN Wh charged, NUM are discharged; 0: what the basis showed.")] = 0,
    den: Annotated[int, typer.Option(help="See NUM.")] = 0,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """State how much of the charge comes out again, before it is used."""
    from penstock.period import parse_iso
    from penstock.usecases.registry.storage_desk import Efficiency, state_on

    holds, basis = (parse_iso(start), parse_iso(stop)), (parse_iso(basis_from), parse_iso(basis_to))
    asked = Efficiency(name, *holds, *basis, method, basis_in_wh, basis_out_wh, num, den)
    _act(workspace, "storage-efficiency", key, state_on, asked, as_json)


@app.command()
def charge(
    name: Name,
    minutes: Minutes = 60,
    start: Since = "",
    stop: Until = "",
    certificate: Certificates = None,
    bare: Annotated[bool, typer.Option("--bare", help="Claim no certificates.")] = False,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record what was charged since the last record, and claim certificates of the same intervals for it."""
    from dataclasses import replace

    from penstock.usecases.registry.certificate_rows import parse_id
    from penstock.usecases.registry.storage_desk import charge_on

    named = tuple(parse_id(text) for text in certificate or ())
    asked = replace(_metered(name, minutes, start, stop), certificates=named, bare=bare)
    _act(workspace, "storage-charge", key, charge_on, asked, as_json)


@app.command()
def discharge(
    name: Name,
    minutes: Minutes = 60,
    start: Since = "",
    stop: Until = "",
    surplus: Annotated[bool, typer.Option("--surplus", help="What no charge supports stands without origin.")] = False,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record what was discharged since the last record: from the oldest charge, with its losses."""
    from dataclasses import replace

    from penstock.usecases.registry.storage_desk import discharge_on

    asked = replace(_metered(name, minutes, start, stop), surplus=surplus)
    _act(workspace, "storage-discharge", key, discharge_on, asked, as_json)


@app.command()
def issue(name: Name, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Certificates for all that was discharged and has none yet; they keep zone, technology and carbon."""
    from penstock.usecases.registry.storage_desk import issue_on

    _act(workspace, "storage-issue", key, issue_on, name, as_json)


@app.command()
def withdraw(
    name: Name,
    direction: Annotated[str, typer.Argument(help="charge or discharge.")],
    first: Annotated[int, typer.Argument(help="The first record to withdraw; all newer ones go too.", min=0)],
    reason: Annotated[str, typer.Option(help="Why.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Withdraw records, newest first, while nothing was built on them: they certify nothing any more."""
    from penstock.journal.kinds.storage import StorageRecordsWithdrawn
    from penstock.usecases.registry.storage_desk import direction_of, withdraw_on

    fact = StorageRecordsWithdrawn(name, direction_of(direction), first, reason)
    _act(workspace, "storage-withdraw", key, withdraw_on, fact, as_json)


@app.command()
def close(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Close a storage: no more records. What was recorded is still certified."""
    from penstock.journal.kinds.storage import StorageClosed
    from penstock.usecases.registry.storage_desk import close_on

    fact = StorageClosed(name, reason)
    _act(workspace, "storage-close", key, close_on, fact, as_json)


@app.command("list")
def list_storages(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every storage: what it charged, gave, lost, and still holds."""
    from penstock.usecases.registry.storage_rows import storages
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(storages)
    names = ("charged_wh", "certified_wh", "from_charge_wh", "lost_wh", "stored_wh")
    cells = [(row["storage"], row["operator"], row["zone"], *(f"{row[one]:,}" for one in names)) for row in rows]
    heads = ("storage", "operator", "zone", "charged", "certified", "given", "lost", "stored")
    emit({"storages": rows}, as_json, lambda: table(f"{len(rows)} storages [Wh]", heads, cells, right=(3, 4, 5, 6, 7)))


@app.command()
def records(
    name: Name,
    direction: Annotated[str, typer.Argument(help="charge or discharge.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A storage's charge or discharge records, in order."""
    from penstock.usecases.registry.storage_desk import direction_of
    from penstock.usecases.registry.storage_rows import record_rows
    from penstock.usecases.workspace import Workspace as Opened

    way = direction_of(direction)
    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(lambda world: record_rows(world, name, way))
    emit({"records": rows}, as_json, lambda: _list(f"{len(rows)} {direction} records of {name}", rows))


@app.command()
def chain(
    certificate: Annotated[str, typer.Argument(help="What was discharged: REGISTER@START-STOP.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """From a certificate of the discharge back: its records, the charge, and the certificates claimed for it."""
    from penstock.usecases.registry.certificate_rows import parse_id
    from penstock.usecases.registry.storage_rows import chain as chain_of
    from penstock.usecases.workspace import Workspace as Opened

    span = parse_id(certificate)
    with Opened(workspace, read_only=True) as opened:
        found = opened.read(lambda world: chain_of(world, span.register, span.start, span.stop))

    def draw() -> None:
        _list("discharge records", found["discharge_records"])
        _list("charge records", found["charge_records"])
        names = ("certificate", "energy_wh", "hour", "state", "technology")
        cells = [tuple(one[name] for name in names) for one in found["claimed_certificates"]]
        heads = ("certificate", "Wh", "hour", "state", "technology")
        table("certificates claimed for the charge", heads, cells, right=(1,))

    emit(found, as_json, draw)


def _metered(name: str, minutes: int, start: str, stop: str) -> Metered:
    from penstock.period import SECOND_US, parse_iso
    from penstock.usecases.registry.storage_records import Metered

    start_us, stop_us = (parse_iso(text) if text else 0 for text in (start, stop))
    return Metered(name, minutes * 60 * SECOND_US, start_us, stop_us)


def _act(workspace: Path, verb: str, key: str, act: Any, asked: Any, as_json: bool) -> None:
    """Do an act of the desk, once under its key, and show how the storage stands."""
    from penstock.connect.spool import now_us
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        told: dict[str, Any] = act(opened, key or f"{verb}:{opened.store.size()}", asked, now_us())
    row = told["storage"]
    names = ("charged_wh", "certified_wh", "from_charge_wh", "lost_wh", "stored_wh", "issued_wh")
    cells = [(name.removesuffix("_wh").replace("_", " "), f"{row[name]:,} Wh") for name in names]
    cells += [(f"efficiency from {one['from']}", f"{one['num']}/{one['den']}") for one in row["efficiencies"]]
    emit(told, as_json, lambda: table(row["storage"], ("field", "value"), cells, right=(1,)))


def _list(title: str, rows: list[dict[str, Any]]) -> None:
    cells = [
        (one["record"], f"[{one['start']:,}, {one['stop']:,})", one["from"], _origin(one), one["state"]) for one in rows
    ]
    table(title, ("record", "span", "interval", "origin", "state"), cells, right=(0, 1))


def _origin(row: dict[str, Any]) -> str:
    if row["direction"] == "charge":
        return str(row.get("technology", "none"))
    return "none" if row["charge_record"] is None else f"charge record {row['charge_record']}"
