"""`penstock certificate`: titles to the attribute of verified Wh, who holds them, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from penstock.cli.certificates import issuing, life
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="Granular certificates.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_certificates(
    holder: Annotated[str, typer.Option(help="Only this account's.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=10_000)] = 50,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Certificates, by register and position."""
    from penstock.usecases.inspect import certificates
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = certificates(opened, holder, limit)
    cells = [
        (r["register"], f"[{r['start']:,}, {r['stop']:,})", f"{r['energy_wh']:,}", r["hour"], r["holder"], r["state"])
        for r in rows
    ]
    heads = ("register", "span", "Wh", "hour", "holder", "state")
    emit({"certificates": rows}, as_json, lambda: table(f"{len(rows)} certificates", heads, cells, right=(1, 2)))


@app.command()
def status(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """How much is issued, and in which state."""
    from penstock.usecases.inspect import certificate_totals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found: dict[str, Any] = certificate_totals(opened)
    rows = [(state, kwh(energy_wh)) for state, energy_wh in found["by_state_wh"].items()]
    emit(found, as_json, lambda: table(f"{kwh(found['issued_wh'])} issued", ("state", "energy"), rows, right=(1,)))


@app.command()
def show(
    certificate: Annotated[str, typer.Argument(help="Its name, REGISTER@START-STOP.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """What a certificate says, unit by unit: whose it is, in which state, from when, of what."""
    from penstock.usecases.registry.certificate_rows import parse_id, rows_of
    from penstock.usecases.registry.desk import parts_of
    from penstock.usecases.workspace import Workspace as Opened

    name = parse_id(certificate)
    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(lambda world: rows_of(world, parts_of(world, name)))
    cells = [(field, value) for row in rows for field, value in row.items()]
    emit({"certificates": rows}, as_json, lambda: table(certificate, ("field", "value"), cells))


ACTS: tuple[Callable[..., None], ...] = (
    issuing.issue, life.transfer, life.split, life.reserve, life.release, life.claim, life.retire, issuing.withdraw,
    issuing.expire, issuing.bulk,
)  # fmt: skip
for act in ACTS:
    app.command()(act)
