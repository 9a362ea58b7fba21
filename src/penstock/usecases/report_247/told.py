"""A report's parts as rows: exact integers, micrograms as text, so that no reader rounds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from penstock.energy.carbon.inventory import Inventory
from penstock.journal.segment import Column
from penstock.journal.words import ASSURANCES, TECHNOLOGIES
from penstock.usecases.report_247.claims import Used
from penstock.usecases.report_247.figures import Figures
from penstock.usecases.report_247.request import Scope
from penstock.usecases.world import World

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Lots:
    """What the issues behind a report say, by lot number; ``zone`` indexes ``zones``."""

    seq: Column
    zone: Column
    technology: Column
    assurance: Column
    stored: Column
    carbon: Column
    zones: list[str]


def lots_of(world: World) -> Lots:
    """Copies of the columns of all lots."""
    lots = world.books.lots
    return Lots(
        seq=np.array([lots[number].seq for number in range(len(lots))], dtype=np.int64),
        zone=lots.column("zone").copy(),
        technology=lots.column("technology").copy(),
        assurance=lots.column("assurance").copy(),
        stored=lots.column("stored").copy(),
        carbon=lots.column("carbon_mg_per_kwh").copy(),
        zones=list(lots.texts),
    )


def figures(one: Inventory) -> Row:
    """The figures of an inventory."""
    volume_wh = min(one.volume_wh, one.drawn_wh)
    return {
        "drawn_wh": one.drawn_wh,
        "matched_wh": one.matched_wh,
        "volume_wh": one.volume_wh,
        "matched_share_bp": one.matched_bp_down,
        "volume_share_bp": volume_wh * 10_000 // max(one.drawn_wh, 1),
        "carbon_free_share_bp": one.carbon_free_bp_down,
        "location_ug": str(one.location_ug),
        "market_annual_ug": str(one.market_annual_ug),
        "market_hourly_ug": str(one.market_hourly_ug),
        "avoided_ug": str(one.avoided_ug),
        "without_average_wh": one.without_average_wh,
        "without_residual_wh": one.without_residual_wh,
        "without_carbon_free_wh": one.without_carbon_free_wh,
        "without_marginal_wh": one.without_marginal_wh,
    }


def sites(scope: Scope, made: Figures, urns: Sequence[str]) -> list[Row]:
    """A row a register, those that drew most first."""
    order = np.lexsort((np.arange(len(scope)), -made.register_drawn))
    return [_site(scope, made, urns, int(row)) for row in order]


def _site(scope: Scope, made: Figures, urns: Sequence[str], row: int) -> Row:
    drawn, matched = int(made.register_drawn[row]), int(made.register_matched[row])
    return {
        "site": scope.sites[int(scope.site[row])],
        "register": urns[row],
        "zone": scope.zones[int(scope.zone[row])],
        "drawn_wh": drawn,
        "matched_wh": matched,
        "matched_share_bp": matched * 10_000 // max(drawn, 1),
        "carbon_free_share_bp": int(made.register_free_wh_bp[row]) // max(drawn, 1),
        "location_ug": str(int(made.register_location_ug[row])),
        "grid_hourly_ug": str(int(made.register_hourly_ug[row])),
        "unknown_hours": int(made.unknown[row]),
        "filled_borders": int(made.filled[row]),
    }


def months(local: Sequence[datetime], made: Figures) -> list[Row]:
    """A row a month of the local calendar."""
    names = np.array([f"{one.year:04}-{one.month:02}" for one in local])
    drawn, matched = made.drawn.sum(axis=0), made.matched.sum(axis=0)
    return [
        {
            "month": str(name),
            "drawn_wh": int(drawn[names == name].sum()),
            "matched_wh": int(matched[names == name].sum()),
        }
        for name in np.unique(names)
    ]


def heat(local: Sequence[datetime], made: Figures) -> Row:
    """By local month and hour of the day: drawn and matched [Wh]. A day of 23 or 25 hours is as long as it was."""
    names = [f"{one.year:04}-{one.month:02}" for one in local]
    known = sorted(set(names))
    place = np.array([known.index(name) for name in names]), np.array([one.hour for one in local])
    found: Row = {"months": known}
    for name, column in (("drawn_wh", made.drawn), ("matched_wh", made.matched)):
        table = np.zeros((len(known), 24), dtype=np.int64)
        np.add.at(table, place, column.sum(axis=0))
        found[name] = table.tolist()
    return found


def certificates(used: Used, made: Figures, hour: Column, hours: int, lots: Lots) -> list[Row]:
    """Certificates by technology, assurance and zone: what counts in its hour, what only in the year."""
    inside = (hour >= 0) & (hour < hours)
    claimed = np.where(inside, used.claims["stop"] - used.claims["start"], 0)
    lot = np.concatenate([used.claims["lot"], used.retired["lot"]])
    retired = used.retired["stop"] - used.retired["start"]
    nothing, none = np.zeros(len(claimed), dtype=np.int64), np.zeros(len(retired), dtype=np.int64)
    columns = {
        "matched_wh": np.concatenate([made.counted, none]),
        "other_hour_wh": np.concatenate([claimed - made.counted, none]),
        "retired_wh": np.concatenate([nothing, retired]),
    }
    kinds = np.column_stack(
        [lots.technology[lot], lots.assurance[lot], lots.zone[lot], lots.stored[lot], lots.carbon[lot]]
    )
    keys, group = np.unique(kinds, axis=0, return_inverse=True)
    sums = {name: _sums(column, group.ravel(), len(keys)) for name, column in columns.items()}
    return [
        {
            "technology": TECHNOLOGIES[technology].value,
            "assurance": ASSURANCES[assurance].value,
            "zone": lots.zones[zone],
            "stored": bool(stored),
            "carbon_mg_per_kwh": carbon,
            **{name: column[number] for name, column in sums.items()},
        }
        for number, (technology, assurance, zone, stored, carbon) in enumerate(keys.tolist())
    ]


def _sums(amount: Column, group: Column, groups: int) -> list[int]:
    total = np.zeros(groups, dtype=np.int64)
    np.add.at(total, group, amount)
    return [int(one) for one in total]


def missing(made: Figures, used: Used, hour: Column, held: Column, hours: int) -> list[Row]:
    """What a reader has to know is not there; only what there is any of."""
    total = made.total
    inside = (hour >= 0) & (hour < hours)
    other = int((used.claims["stop"] - used.claims["start"])[inside].sum()) - int(made.counted.sum())
    registers = int((made.unknown > 0).sum())
    found = (
        ("unknown_hours", int(made.unknown.sum()), f"register-hours without readings, of {registers} registers"),
        (
            "filled_borders",
            int(made.filled.sum()),
            "ends of hours between readings more than an hour apart, by even power",
        ),
        ("held_registers", len(held), "registers with readings in quarantine, which do not count"),
        ("other_hour_wh", other, "Wh claimed by certificates of another hour: in the year's volume alone"),
        ("without_average_wh", total.without_average_wh, "Wh drawn where no average factor is published"),
        ("without_residual_wh", total.without_residual_wh, "Wh unmatched where no residual factor is published"),
        (
            "without_carbon_free_wh",
            total.without_carbon_free_wh,
            "Wh unmatched whose grid mix is not published: as if none were carbon-free",
        ),
        ("without_marginal_wh", total.without_marginal_wh, "Wh matched where no marginal factor is published"),
    )
    return [{"what": what, "count": count, "sentence": sentence} for what, count, sentence in found if count]
