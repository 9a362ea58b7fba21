"""Work: each rack's answers, tokens and energy, and hour by hour its load and its energy per token.

Hours come from the links themselves: a stretch of a rack's calendar says when, its source how much energy, its target
how many tokens.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.compute.service import MS_PER_HOUR
from penstock.errors import NotFound
from penstock.journal.kinds.compute import AnswersServed, RackRegistered
from penstock.journal.kinds.work import EnergySealed
from penstock.journal.segment import Column
from penstock.journal.words import LinkKind
from penstock.period import HOUR_US, iso
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
HOURS_MAX: Final = 168
BASIS_POINTS: Final = 10_000


def racks(workspace: Workspace) -> list[Row]:
    """Every rack: what it is, what it answered, and where its metered energy went [mJ]."""
    facts = [row.recorded.fact for row in workspace.facts()]
    return workspace.read(lambda world: [rack_row(world, rack, facts) for rack in world.compute.racks.values()])


def rack_row(world: World, rack: RackRegistered, facts: list[Any]) -> Row:
    """One rack. ``energy_mj_per_1k_tokens`` is of the answers alone, ``all_`` of everything it drew; rounded down."""
    served = [fact for fact in facts if isinstance(fact, AnswersServed) and fact.rack == rack.rack]
    sealed = [fact for fact in facts if isinstance(fact, EnergySealed) and fact.rack == rack.rack]
    tokens, shared = sum(one.tokens for one in served), energy_of(world, rack)
    return {
        "rack": rack.rack,
        "operator": rack.operator,
        "site": site_of(world, rack),
        "accelerators": rack.accelerators,
        "capacity_w": rack.capacity_w,
        "answers": sum(one.answers for one in served),
        "tokens": tokens,
        "refused_energy": sum(one.refused_energy for one in served),
        "refused_capacity": sum(one.refused_capacity for one in served),
        **shared,
        "energy_mj_per_1k_tokens": per_thousand(shared["answers_mj"], tokens),
        "all_energy_mj_per_1k_tokens": per_thousand(shared["metered_mj"], tokens),
        "modelled": any(one.modelled for one in served),
        "power_sources": sorted({one.source for one in sealed}),
        "sealed_intervals": len(sealed),
    }


def per_thousand(energy_mj: int, tokens: int) -> int | None:
    """Energy of a thousand tokens [mJ], rounded down; None where there were none."""
    return energy_mj * 1_000 // tokens if tokens else None


def energy_of(world: World, rack: RackRegistered) -> Row:
    """Where a rack's metered energy went [mJ]: answers, idle, overhead, unattributed; they add up to ``metered_mj``."""
    work = world.books.links[LinkKind.WORK].columns()
    mine = work["source"] == _register(world, rack.energy_register)
    energy_mj = work["source_stop"] - work["source_start"]
    parts = {
        "answers_mj": rack.calendar_register,
        "idle_mj": rack.idle_register,
        "overhead_mj": rack.overhead_register,
        "unattributed_mj": rack.unattributed_register,
    }
    found = {
        name: int(energy_mj[mine & (work["target"] == _register(world, register))].sum()) if register else 0
        for name, register in parts.items()
    }
    return {**found, "metered_mj": int(energy_mj[mine].sum())}


def site_of(world: World, rack: RackRegistered) -> str:
    """The site where a rack stands; empty where its device names none."""
    device = world.energy.number(rack.rack)
    return world.energy.sites[int(world.energy.site[device])] if device >= 0 else ""


def find_rack(world: World, named: str) -> RackRegistered:
    """The rack named, or the only one. Raises NotFound ``compute.which_rack``."""
    racks = world.compute.racks
    if named in racks or (not named and len(racks) == 1):
        return racks[named] if named else next(iter(racks.values()))
    hint = f"There are: {', '.join(sorted(racks)[:20])}." if racks else "No rack is registered yet."
    raise NotFound("compute.which_rack", "No rack has this name here, or several could be meant.", hint=hint)


def hours(world: World, rack: RackRegistered, most: int = HOURS_MAX) -> list[Row]:
    """The last ``most`` hours with work, oldest first: load [basis points], answers, tokens, energy [mJ]."""
    work, serve = (world.books.links[kind].columns() for kind in (LinkKind.WORK, LinkKind.SERVE))
    calendar = _register(world, rack.calendar_register)
    worked, served = work["target"] == calendar, serve["source"] == calendar
    of_hour = rack.accelerators * MS_PER_HOUR
    number, slot = np.unique(work["target_start"][worked] // of_hour, return_inverse=True)
    time_ms = _summed(slot, (work["target_stop"] - work["target_start"])[worked], len(number))
    energy_mj = _summed(slot, (work["source_stop"] - work["source_start"])[worked], len(number))
    at = np.searchsorted(number, serve["source_start"][served] // of_hour)
    tokens = _summed(at, (serve["target_stop"] - serve["target_start"])[served], len(number) + 1)
    answers = _summed(at, np.ones(len(at), dtype=np.int64), len(number) + 1)
    origin = _first_hour_us(world, rack)
    return [
        {
            "hour": iso(origin + int(number[row]) * HOUR_US),
            "load_bp": int(time_ms[row]) * BASIS_POINTS // of_hour,
            "answers": int(answers[row]),
            "tokens": int(tokens[row]),
            "energy_mj": int(energy_mj[row]),
            "energy_mj_per_1k_tokens": per_thousand(int(energy_mj[row]), int(tokens[row])),
        }
        for row in range(max(len(number) - most, 0), len(number))
    ]


def _first_hour_us(world: World, rack: RackRegistered) -> int:
    """The hour at position 0 of a rack's calendar: the first whole one since its commissioning."""
    commissioned_us = int(world.energy.commissioned_us[world.books.device_id(rack.rack)])
    return -(-commissioned_us // HOUR_US) * HOUR_US


def _summed(slot: Column, values: Column, size: int) -> Column:
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, slot, values)
    return found


def _register(world: World, urn: str) -> int:
    return world.books.registers.id_of(urn)
