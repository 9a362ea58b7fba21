"""Work: each rack's answers, tokens and energy, and hour by hour its load and its energy per token.

Hours come from the links themselves: a stretch of a rack's calendar says when, its source how much energy, its target
how many tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

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
PARTS: Final = ("answers_mj", "idle_mj", "overhead_mj", "unattributed_mj")


def racks(workspace: Workspace) -> list[Row]:
    """Every rack: what it is, what it answered, and where its metered energy went [mJ]."""
    facts = [row.recorded.fact for row in workspace.facts()]
    return workspace.read(lambda world: [rack_row(world, rack, facts) for rack in world.compute.racks.values()])


def rack_row(world: World, rack: RackRegistered, facts: list[Any]) -> Row:
    """One rack. ``energy_mj_per_1k_tokens`` is of the answers alone, ``all_`` of everything it drew; rounded down."""
    served = [fact for fact in facts if isinstance(fact, AnswersServed) and fact.rack == rack.rack]
    sealed = [fact for fact in facts if isinstance(fact, EnergySealed) and fact.rack == rack.rack]
    tokens, shared = sum(one.tokens for one in served), energy_of(world, rack, sealed)
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


def energy_of(world: World, rack: RackRegistered, sealed: Sequence[EnergySealed] = ()) -> Row:
    """Where a rack's metered energy went [mJ]: answers, idle, overhead, unattributed; they add up to ``metered_mj``.

    By its ``sealed`` intervals where it has any; else by the links from its energy register.
    """
    if sealed:
        found = {name: sum(getattr(one, name) for one in sealed) for name in PARTS}
        return {**found, "metered_mj": sum(one.meter_mj for one in sealed)}
    work = world.books.links[LinkKind.WORK].columns()
    mine = work["source"] == _register(world, rack.energy_register)
    energy_mj = work["source_stop"] - work["source_start"]
    ends = (rack.calendar_register, rack.idle_register, rack.overhead_register, rack.unattributed_register)
    found = {
        name: int(energy_mj[mine & (work["target"] == _register(world, register))].sum()) if register else 0
        for name, register in zip(PARTS, ends, strict=True)
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


def hours(workspace: Workspace, named: str = "", most: int = HOURS_MAX) -> list[Row]:
    """The last ``most`` hours in which a rack, or the only one, worked, oldest first.

    Load [basis points], answers, tokens, energy of the answers [mJ]: of the links, and of sealed intervals by when they
    start where nobody bought certificates for them. Raises NotFound ``compute.which_rack``.
    """
    rack = workspace.read(lambda world: find_rack(world, named))
    sealed = [fact for fact in (row.recorded.fact for row in workspace.facts()) if isinstance(fact, EnergySealed)]
    return workspace.read(lambda world: _hours(world, rack, [one for one in sealed if one.rack == rack.rack], most))


def _hours(world: World, rack: RackRegistered, sealed: list[EnergySealed], most: int) -> list[Row]:
    work, serve = (world.books.links[kind].columns() for kind in (LinkKind.WORK, LinkKind.SERVE))
    calendar = world.capacity.calendar(rack.rack)
    worked, served = work["target"] == calendar.register, serve["source"] == calendar.register
    of_hour = calendar.hour_ms
    of_seal = (np.array([one.start_us for one in sealed], dtype=np.int64) - calendar.origin_us) // HOUR_US
    of_work, of_serve = work["target_start"][worked] // of_hour, serve["source_start"][served] // of_hour
    number = np.unique(np.concatenate([of_serve, of_work]))
    linked_mj = _by_hour(number, of_work, (work["source_stop"] - work["source_start"])[worked])
    sealed_mj = _by_hour(number, of_seal, np.array([one.answers_mj for one in sealed], dtype=np.int64))
    columns = {
        "time_ms": _by_hour(number, of_serve, (serve["source_stop"] - serve["source_start"])[served]),
        "answers": _by_hour(number, of_serve, np.ones(len(of_serve), dtype=np.int64)),
        "tokens": _by_hour(number, of_serve, (serve["target_stop"] - serve["target_start"])[served]),
        "energy_mj": np.maximum(linked_mj, sealed_mj),
    }
    shown = range(max(len(number) - most, 0), len(number))
    sums = [{name: int(column[row]) for name, column in columns.items()} for row in shown]
    return [_hour(calendar.begin_us(int(number[row])), one, of_hour) for row, one in zip(shown, sums, strict=True)]


def _hour(at_us: int, sums: dict[str, int], of_hour: int) -> Row:
    energy_mj = sums["energy_mj"] or None
    return {
        "hour": iso(at_us),
        "load_bp": sums.pop("time_ms") * BASIS_POINTS // of_hour,
        **sums,
        "energy_mj_per_1k_tokens": energy_mj and per_thousand(energy_mj, sums["tokens"]),
    }


def _by_hour(number: Column, hour: Column, values: Column) -> Column:
    """Values summed into the hours ``number``, which is in order; those of other hours are left out."""
    found = np.zeros(len(number), dtype=np.int64)
    if len(number):
        at = np.minimum(np.searchsorted(number, hour), len(number) - 1)
        mine = number[at] == hour
        np.add.at(found, at[mine], values[mine])
    return found


def _register(world: World, urn: str) -> int:
    return world.books.registers.id_of(urn)
