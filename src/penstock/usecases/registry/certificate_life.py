"""One certificate's life: where its units came from, whose they were and are, what they were used for, how to check it.

The name is a span, so it may cover several titles by now, or a part of one: what is told is told of its units.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.errors import NotFound
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right
from penstock.period import iso
from penstock.usecases.registry.certificate_rows import certificate_id, parse_id, rows_of
from penstock.usecases.trail import Trail, who_did_what
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
EVENTS_MAX: Final = 500
PARTS_MAX: Final = 200


def life_of(workspace: Workspace, trail: Trail, certificate: str) -> Row:
    """All that a door shows of one certificate, by its name.

    Raises:
        Invalid: ``certificate.id``. NotFound: ``register.unknown``, ``certificate.none`` where nothing was issued.
    """
    named = parse_id(certificate)
    register = workspace.read(lambda world: world.books.registers.id_of(named.register))
    span = (register, named.start, named.stop)
    parts = workspace.read(lambda world: _parts(world, *span))
    if not parts:
        raise NotFound("certificate.none", "No certificate was issued for these units.", certificate=certificate)
    facts = trail.touching(*span)
    events = [event for row in facts if (event := _event(workspace, row, span))]
    return {
        "certificate": certificate,
        "energy_wh": named.stop - named.start,
        "parts": parts,
        "origin": workspace.read(lambda world: _origin(world, register)),
        "events": events[-EVENTS_MAX:],
        "came_from": workspace.read(lambda world: _linked(world, LinkKind.STORE, span, back=True)),
        "used_for": workspace.read(lambda world: _used(world, span)),
        "check": f"penstock certificate prove {named.register} {named.start} {named.stop}",
    }


def _parts(world: World, register: int, start: int, stop: int) -> list[Row]:
    book = world.books.titles[Right.ATTRIBUTE]
    parts = book.parts(*(np.array([value]) for value in (register, start, stop)))
    return rows_of(world, {name: column[:PARTS_MAX] for name, column in parts.items()})


def _origin(world: World, register: int) -> Row:
    """What is known of the measuring point and whoever signs for it."""
    device, registers = world.energy.counting(register), world.books.registers
    found: Row = {"register": registers.urn(register), "read_wh": int(registers.read[register])}
    if device < 0:
        return found | {"device": "", "site": "", "zone": "", "capacity_w": 0, "commissioned": "", "public_key": ""}
    energy = world.energy
    site = energy.sites[energy.site[device]]
    return found | {
        "device": energy.name(device),
        "site": site,
        "zone": world.books.sites[site].zone if site in world.books.sites else "",
        "capacity_w": int(energy.capacity_w[device]),
        "commissioned": iso(int(energy.commissioned_us[device])),
        "public_key": energy.key(device).hex(),
    }


def _event(workspace: Workspace, row: FactRow, span: tuple[int, int, int]) -> Row | None:
    """What a fact did to attributes of the span; None where it did nothing to them."""
    fact, columns = row.recorded.fact, workspace.columns(row)
    if columns is None or not isinstance(fact, TitlesIssued | TitlesMoved) or fact.right is not Right.ATTRIBUTE:
        return None
    rows = _over(columns, span)
    said = who_did_what(row) | {"what": "issued" if isinstance(fact, TitlesIssued) else ""}
    sides = ("holder", "holder") if isinstance(fact, TitlesIssued) else ("source", "target")
    names = workspace.read(lambda world: [_account(world, columns, side, rows) for side in sides])
    if isinstance(fact, TitlesMoved):
        state = TITLE_STATES[int(columns["state"][rows[0]])].value
        said |= {
            "state": state,
            "what": state if state != "held" else "transferred" if names[0] != names[1] else "held",
        }
    low, high = np.maximum(columns["start"][rows], span[1]), np.minimum(columns["stop"][rows], span[2])
    return said | {"from": names[0], "to": names[1], "energy_wh": int(np.sum(high - low))}


def _over(columns: Columns, span: tuple[int, int, int]) -> Any:
    register, start, stop = span
    return np.flatnonzero((columns["register"] == register) & (columns["start"] < stop) & (columns["stop"] > start))


def _account(world: World, columns: Columns, side: str, rows: Any) -> str:
    numbers = np.unique(columns[side][rows])
    return world.books.accounts.name(int(numbers[0])) if len(numbers) == 1 else f"{len(numbers)} accounts"


def _used(world: World, span: tuple[int, int, int]) -> list[Row]:
    return _linked(world, LinkKind.CLAIM, span, back=False) + _linked(world, LinkKind.STORE, span, back=False)


def _linked(world: World, kind: LinkKind, span: tuple[int, int, int], *, back: bool) -> list[Row]:
    """The spans that this one became, or came from, by one kind of link."""
    book = world.books.links[kind]
    pieces = book.backward(*span) if back else book.forward(*span)
    side = "source" if back else "target"
    columns = [getattr(pieces, name)[:PARTS_MAX].tolist() for name in (side, f"{side}_start", f"{side}_stop")]
    rows = [(world.books.registers.urn(register), start, stop) for register, start, stop in zip(*columns, strict=True)]
    return [
        {"link": kind.value, "certificate": certificate_id(*row), "register": row[0], "start": row[1], "stop": row[2]}
        for row in rows
    ]
