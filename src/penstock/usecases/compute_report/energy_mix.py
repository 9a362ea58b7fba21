"""The energy behind a rack: what was matched to it, hour by hour, by technology and zone, and the carbon of that."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.segment import Column, Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, LinkKind, Right
from penstock.usecases.compute_report.work import BASIS_POINTS
from penstock.usecases.world import World

Row = dict[str, Any]
STATED_BY: Final = "certificates matched within the hour; carbon as the certificates state it"


def energy_mix(world: World, rack: RackRegistered) -> Row:
    """What of a rack's drawn energy [Wh] is matched within its hour, by what generated it, and how sure that is.

    ``carbon_mg_per_kwh`` is the mean over what is matched, rounded up; None where nothing is.
    """
    drawn = int(world.books.registers.read[world.books.registers.id_of(rack.import_register)])
    parts = _matched(world, rack)
    energy_wh = parts["stop"] - parts["start"]
    matched, lot, lots = int(energy_wh.sum()), parts["lot"], world.books.lots
    carbon = int((lots.column("carbon_mg_per_kwh")[lot] * energy_wh).sum())
    return {
        "rack": rack.rack,
        "drawn_wh": drawn,
        "matched_wh": matched,
        "matched_bp": matched * BASIS_POINTS // drawn if drawn else 0,
        "by_technology": _by(lots.column("technology")[lot], energy_wh, [one.value for one in TECHNOLOGIES]),
        "by_zone": _by(lots.column("zone")[lot], energy_wh, lots.texts),
        "by_assurance": _by(lots.column("assurance")[lot], energy_wh, [one.value for one in ASSURANCES]),
        "sources": len(np.unique(parts["register"])),
        "carbon_mg_per_kwh": -(-carbon // matched) if matched else None,
        "stated_by": STATED_BY,
    }


def _matched(world: World, rack: RackRegistered) -> Columns:
    """The certificates of what was allocated to the rack, cut to it."""
    links = world.books.links[LinkKind.ALLOCATE].columns()
    mine = links["target"] == world.books.registers.id_of(rack.import_register)
    register, start, stop = (links[name][mine] for name in ("source", "source_start", "source_stop"))
    return world.books.titles[Right.ATTRIBUTE].parts(register, start, stop)


def _by(code: Column, energy_wh: Column, names: list[str]) -> list[Row]:
    sums = np.zeros(len(names), dtype=np.int64)
    np.add.at(sums, code, energy_wh)
    order = np.argsort(-sums, kind="stable")
    return [{"name": names[one], "energy_wh": int(sums[one])} for one in order.tolist() if sums[one]]
