"""Place: a register's place in its site's measuring-point tree; and the trees as they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.energy.life import check_point
from penstock.energy.point_tree import DIRECTIONS, NOWHERE, ROLES
from penstock.errors import NotFound
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import PointPlaced
from penstock.journal.words import PointRole
from penstock.usecases.world import World


def place(world: World, fact: PointPlaced) -> list[Entry]:
    """A register stands below another, or begins a tree; raises as `life.check_point`."""
    check_point(world.energy, fact)
    return [Entry(fact)]


def site_tree(world: World, site: str) -> list[dict[str, Any]]:
    """The registers of a site's devices, parents before children, each with how deep it stands.

    Raises:
        NotFound: ``site.unknown``.
    """
    energy = world.energy
    if site not in energy.sites:
        raise NotFound("site.unknown", f"There is no site {site} with devices.", site=site)
    devices = np.flatnonzero(energy.site == list(energy.sites).index(site))
    registers = [int(register) for number in devices.tolist() for register in energy.registers_of(number)]
    below: dict[int, list[int]] = {}
    for register in registers:
        below.setdefault(int(energy.parent_of[register]), []).append(register)
    rows: list[dict[str, Any]] = []
    waiting = [(register, 0) for register in reversed(below.get(-1, []))]
    while waiting:
        register, depth = waiting.pop()
        rows.append(_point(world, register, depth))
        waiting += [(child, depth + 1) for child in reversed(below.get(register, []))]
    return rows


def _point(world: World, register: int, depth: int) -> dict[str, Any]:
    energy = world.energy
    direction, role = (int(energy.points.view(name)[register]) for name in ("direction", "role"))
    issues = PointRole.ISSUES if energy.issues(register) else PointRole.CHECKS
    return {
        "register": world.books.registers.urn(register),
        "device": energy.name(int(energy.device_of[register])),
        "depth": depth,
        "direction": None if direction == NOWHERE else DIRECTIONS[direction].value,
        "role": (issues if role == NOWHERE else ROLES[role]).value,
        "read_wh": int(world.books.registers.read[register]),
    }
