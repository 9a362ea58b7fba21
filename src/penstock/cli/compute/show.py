"""`penstock compute status|sales`: racks with their load and energy, what was sold and whom it paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, console, emit, table

if TYPE_CHECKING:
    from penstock.usecases.workspace import Workspace as Opened

Hours = Annotated[int, typer.Option(min=0, max=168, help="How many of the last hours with work to list.")]


def status(workspace: Workspace = HERE, hours: Hours = 0, as_json: AsJson = False) -> None:
    """Racks: answers, tokens, load, energy per token, and the energy behind them."""
    from penstock.cli.serve import check_workspace
    from penstock.usecases.compute_report.work import racks
    from penstock.usecases.workspace import Workspace as Opened

    check_workspace(workspace)
    with Opened(workspace, read_only=True) as opened:
        found = [_whole(opened, one, hours) for one in racks(opened)]
    emit({"racks": found}, as_json, lambda: _draw_racks(found))


def sales(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """What was sold, by model, rack, site and scheme, and whom it paid."""
    from penstock.cli.serve import check_workspace
    from penstock.usecases.compute_report.sales import sales as found_sales
    from penstock.usecases.workspace import Workspace as Opened

    check_workspace(workspace)
    with Opened(workspace, read_only=True) as opened:
        found = found_sales(opened)
    emit(found, as_json, lambda: _draw_sales(found))


def _whole(opened: Opened, rack: dict[str, Any], most: int) -> dict[str, Any]:
    """A rack with the energy behind it and its last hours."""
    from penstock.usecases.compute_report.energy_mix import energy_mix
    from penstock.usecases.compute_report.work import find_rack, hours

    mix = opened.read(lambda world: energy_mix(world, find_rack(world, rack["rack"])))
    return {**rack, "energy_mix": mix, "hours": hours(opened, rack["rack"], most)}


def _draw_racks(racks: list[dict[str, Any]]) -> None:
    from penstock.api.compute_charts import joules

    def each(energy_mj: int | None) -> str:
        return "" if energy_mj is None else joules(energy_mj)

    heads = ("rack", "answers", "tokens", "1,000 tokens", "with idle", "metered", "matched")
    rows = [
        (
            one["rack"], f"{one['answers']:,}", f"{one['tokens']:,}", each(one["energy_mj_per_1k_tokens"]),
            each(one["all_energy_mj_per_1k_tokens"]), joules(one["metered_mj"]),
            f"{one['energy_mix']['matched_bp'] / 100:.1f} %",
        )
        for one in racks
    ]  # fmt: skip
    table("Racks", heads, rows, right=(1, 2, 3, 4, 5, 6))
    for one in racks:
        if one["hours"]:
            shown = [
                (
                    row["hour"],
                    f"{row['load_bp'] / 100:.1f} %",
                    f"{row['tokens']:,}",
                    each(row["energy_mj_per_1k_tokens"]),
                )
                for row in one["hours"]
            ]
            table(one["rack"], ("hour", "load", "tokens", "1,000 tokens"), shown, right=(1, 2, 3))


def _draw_sales(found: dict[str, Any]) -> None:
    from penstock.api.compute_charts import dollars

    console().print(f"Sold: {dollars(found['paid_usdc_micro'])}, {found['answers']:,} answers paid one by one.")
    table(
        "Whom it paid",
        ("account", "deal", "paid"),
        [(one["account"], one["deal"], dollars(one["paid_usdc_micro"])) for one in found["paid_to"]],
        right=(2,),
    )
    cuts = (("model", "by_model"), ("rack", "by_rack"), ("site", "by_site"), ("paid by", "by_scheme"))
    rows = [
        (cut, one["name"] or "not said", f"{one['answers']:,}", dollars(one["paid_usdc_micro"]))
        for cut, key in cuts
        for one in found[key]
    ]
    table("Sales", ("by", "", "answers", "paid"), rows, right=(2, 3))
