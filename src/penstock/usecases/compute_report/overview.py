"""The compute wing on one page: racks with their load and energy, offers, sales, whom they paid, energy's share."""

from __future__ import annotations

from typing import Any

from penstock.journal.kinds.compute import RackRegistered
from penstock.usecases.compute_report.energy_mix import energy_mix
from penstock.usecases.compute_report.offers import offers, windows
from penstock.usecases.compute_report.published import GPU_HOUR, curves, energy_in_price
from penstock.usecases.compute_report.work import hours
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


def overview(workspace: Workspace, now_us: int, work: list[Row], sold: Row) -> Row:
    """Everything the compute page shows; ``work`` and ``sold`` as `racks` and `sales` find them."""
    found = offers(workspace, now_us)
    return {
        "racks": work,
        "hours": {one["rack"]: hours(workspace, one["rack"]) for one in work},
        "energy_mix": workspace.read(lambda world: [energy_mix(world, one) for one in _racks(world)]),
        "offers": found,
        "windows": workspace.read(lambda world: windows(world, now_us)),
        "sales": sold,
        "energy_in_price": [_share(one) for one in found if one["energy_mj_per_1k_tokens"] is not None],
        "accelerator_hour": GPU_HOUR,
        "curves": curves(),
    }


def _share(offer: Row) -> Row:
    share = energy_in_price(offer["energy_mj_per_1k_tokens"], offer["price_usdc_micro_per_1k_units"])
    return {"credit_class": offer["credit_class"], "model": offer["model"], **share}


def _racks(world: World) -> list[RackRegistered]:
    return [*world.compute.racks.values()]
