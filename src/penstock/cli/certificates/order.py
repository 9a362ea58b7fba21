"""`penstock certificate order`: standing orders, and running them."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

app = typer.Typer(help="Standing orders, run after each issue.", no_args_is_help=True, rich_markup_mode=None)

By = Annotated[str, typer.Option(help="Who asks: a member's id, or the operator.")]


@app.command()
def place(
    account: Annotated[str, typer.Argument(help="Whose certificates.")],
    act: Annotated[str, typer.Argument(help="transfer, retire or claim.")],
    target: Annotated[str, typer.Option(help="The receiving account, or the register that drew.")] = "",
    quantity_wh: Annotated[int, typer.Option(help="So many Wh of each interval.", min=0)] = 0,
    share: Annotated[int, typer.Option(help="Such a share of each interval [basis points].", min=0, max=10_000)] = 0,
    start: Annotated[str, typer.Option("--from", help="Intervals from then on (ISO 8601); now by default.")] = "",
    stop: Annotated[str, typer.Option("--to", help="Intervals until then; no end by default.")] = "",
    register: Annotated[str, typer.Option(help="Only of this register.")] = "",
    zone: Annotated[str, typer.Option(help="Only of this zone.")] = "",
    technology: Annotated[str, typer.Option(help="Only of this technology.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom it is used.")] = "",
    purpose: Annotated[str, typer.Option(help="What for.")] = "",
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Of each interval's new certificates, so much, from now on."""
    from penstock.journal.kinds.account import OrderPlaced
    from penstock.period import parse_iso
    from penstock.usecases.registry.recurring import place_order_on, read_act, read_technology
    from penstock.usecases.workspace import Workspace as Opened

    now_us = time.time_ns() // 1_000
    times = parse_iso(start) if start else now_us, parse_iso(stop) if stop else 0
    asked = OrderPlaced(
        0, account, read_act(act), target, quantity_wh, share, *times, register, zone, read_technology(technology),
        beneficiary, purpose, by=by,
    )  # fmt: skip
    with Opened(workspace) as opened:
        _show(place_order_on(opened, f"order:{opened.store.size()}", asked, now_us), as_json)


@app.command()
def end(
    order: Annotated[int, typer.Argument(help="Its number.", min=1)],
    by: By = "operator",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A standing order does no more."""
    from penstock.journal.kinds.account import OrderEnded
    from penstock.usecases.registry.recurring import end_order_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        _show(end_order_on(opened, f"order:end:{order}", OrderEnded(order, by), time.time_ns() // 1_000), as_json)


@app.command()
def run(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Run all standing orders over what was issued since; again, nothing is done twice."""
    from penstock.usecases.registry.recurring import run_orders_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        done = run_orders_on(opened, time.time_ns() // 1_000).to_json()
    rows = [(act["by"], act["state"], act["quantity_wh"]) for act in done["acts"] if act["kind"] == "titles.moved"]
    emit(done, as_json, lambda: table("standing orders run", ("order", "state", "Wh"), rows, right=(2,)))


@app.command("list")
def list_orders(
    account: Annotated[str, typer.Option(help="Only this account's.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Every standing order, and what it has taken."""
    from penstock.usecases.registry.recurring import order_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(lambda world: order_rows(world, account))
    names = ("order", "account", "act", "target", "quantity_wh", "share_basis_points", "state", "taken_wh")
    cells = [tuple(row[name] for name in names) for row in rows]
    emit({"orders": rows}, as_json, lambda: table(f"{len(rows)} orders", names, cells, right=(0, 4, 5, 7)))


def _show(row: dict[str, Any], as_json: bool) -> None:
    emit(row, as_json, lambda: table("standing order", ("field", "value"), list(row.items())))
