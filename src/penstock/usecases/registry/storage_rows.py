"""Storages as rows for the doors: what each holds, its records, and the chain from a certificate back to its origin."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.errors import NotFound
from penstock.journal.links import Pieces
from penstock.journal.register import Registers
from penstock.journal.segment import Column, Columns
from penstock.journal.state import Books
from penstock.journal.storage_book import NONE, Storage
from penstock.journal.words import ASSURANCES, Direction, LinkKind, Right
from penstock.period import iso
from penstock.usecases.registry.certificate_rows import rows_of
from penstock.usecases.world import World

Row = dict[str, Any]
Spans = tuple[Column, Column, Column]


def storages(world: World) -> list[Row]:
    """Every storage, in the order they were registered."""
    return [storage_row(world, one.fact.storage) for one in world.books.storages.all]


def storage_row(world: World, name: str) -> Row:
    """One storage: registers, efficiencies, and how much was charged, certified, discharged, lost and is left [Wh].

    Raises:
        NotFound: ``storage.unknown``.
    """
    books, one = world.books, world.books.storages.named(name)
    charged, given = (books.storages.records(one, way) for way in (Direction.CHARGE, Direction.DISCHARGE))
    size = charged["stop"] - charged["start"]
    standing = one.standing
    return {
        "storage": name,
        "operator": one.fact.operator,
        "zone": one.fact.zone,
        "charge_register": books.registers.urn(one.charge),
        "discharge_register": books.registers.urn(one.discharge),
        "loss_register": one.fact.loss_register,
        "closed": one.closed,
        "charged_wh": int(size.sum()),
        "certified_wh": int(size[charged["lot"] != NONE].sum()),
        "discharged_wh": int(np.sum(given["stop"] - given["start"])),
        "from_charge_wh": standing.given,
        "lost_wh": standing.lost,
        "stored_wh": int(size.sum()) - standing.drawn,
        "issued_wh": books.titles[Right.ATTRIBUTE].head(one.discharge),
        "efficiencies": [
            {"num": e.num, "den": e.den, "from": iso(e.start_us), "to": iso(e.stop_us), "method": e.method}
            for e in one.efficiencies
        ],
    }


def record_rows(world: World, name: str, direction: Direction) -> list[Row]:
    """A storage's charge or discharge records, in order. Raises NotFound ``storage.unknown``."""
    one = world.books.storages.named(name)
    held = world.books.storages.records(one, direction)
    return [_record(world, one, direction, held, row) for row in range(len(held["number"]))]


def _record(world: World, one: Storage, direction: Direction, held: Columns, row: int) -> Row:
    at = {name: int(held[name][row]) for name in held}
    told = {
        "record": at["number"],
        "storage": one.fact.storage,
        "direction": direction.value,
        "register": world.books.registers.urn(at["register"]),
        "start": at["start"],
        "stop": at["stop"],
        "energy_wh": at["stop"] - at["start"],
        "from": iso(at["interval_us"]),
        "to": iso(at["interval_us"] + at["length_us"]),
        "assurance": ASSURANCES[at["assurance"]].value,
        "state": "withdrawn" if at["withdrawn"] else "standing",
    }
    return told | (_origin(world, at["lot"]) if direction is Direction.CHARGE else _charge(at["charge"]))


def _origin(world: World, number: int) -> Row:
    if number == NONE:
        return {"certified": False}
    lot = world.books.lots[number]
    said = {"technology": lot.technology.value, "origin_assurance": lot.assurance.value, "zone": lot.zone}
    return {"certified": True, **said, "carbon_mg_per_kwh": lot.carbon_mg_per_kwh, "support": lot.support}


def _charge(number: int) -> Row:
    return {"charge_record": None if number == NONE else number}


def chain(world: World, register: str, start: int, stop: int) -> Row:
    """From units that a storage discharged back: their certificates, records, the charge, and what was claimed for it.

    ``discharge_links`` and ``claims`` say which unit came from which.

    Raises:
        NotFound: ``register.unknown``, ``storage.no_chain`` where no storage discharged any of them.
    """
    books = world.books
    given = np.array([books.registers.id_of(register)]), np.array([start]), np.array([stop])
    number = int(books.storages.storage_of(given[0])[0])
    stored = books.links[LinkKind.STORE].backward(*given)
    if number < 0 or not len(stored):
        raise NotFound("storage.no_chain", "No recorded charge is behind these units.", register=register)
    drawn = stored.source, stored.source_start, stored.source_stop
    claims = books.links[LinkKind.CLAIM].backward(*drawn)
    used = books.titles[Right.ATTRIBUTE].parts(claims.source, claims.source_start, claims.source_stop)
    one = books.storages.all[number]
    return {
        "storage": one.fact.storage,
        "certificates": rows_of(world, books.titles[Right.ATTRIBUTE].parts(*given)),
        "discharge_records": _meeting(world, one, Direction.DISCHARGE, given),
        "discharge_links": _links(books.registers, stored),
        "charge_records": _meeting(world, one, Direction.CHARGE, drawn),
        "claims": _links(books.registers, claims),
        "claimed_certificates": rows_of(world, used),
    }


def stored_from(books: Books, register: Column, start: Column, stop: Column) -> dict[str, Column]:
    """What storages discharged of certified units: ``query`` (the row asked), register, start and stop there.

    The way forward of `chain`: from an attribute to the charge it was claimed for, and on to the discharge.
    """
    claims = books.links[LinkKind.CLAIM].forward(register, start, stop)
    stored = books.links[LinkKind.STORE].forward(claims.target, claims.target_start, claims.target_stop)
    gives = books.storages.gives(len(books.registers))[stored.target]
    return {
        "query": claims.query[stored.query][gives],
        "register": stored.target[gives],
        "start": stored.target_start[gives],
        "stop": stored.target_stop[gives],
    }


def _meeting(world: World, one: Storage, direction: Direction, spans: Spans) -> list[Row]:
    """The records that share a unit with one of the spans, which lie on the storage's registers."""
    held = world.books.storages.records(one, direction)
    found = [
        (held["register"] == register) & (held["start"] < stop) & (held["stop"] > start)
        for register, start, stop in {(int(r), int(a), int(b)) for r, a, b in zip(*spans, strict=True)}
    ]
    rows = np.flatnonzero(np.any(found, axis=0))
    return [_record(world, one, direction, held, int(row)) for row in rows]


def _links(registers: Registers, pieces: Pieces) -> list[Row]:
    columns = (
        pieces.source, pieces.source_start, pieces.source_stop,
        pieces.target, pieces.target_start, pieces.target_stop,
    )  # fmt: skip
    return [
        {"from": registers.urn(a), "from_start": b, "from_stop": c, "to": registers.urn(d), "to_start": e, "to_stop": f}
        for a, b, c, d, e, f in zip(*(column.tolist() for column in columns), strict=True)
    ]
