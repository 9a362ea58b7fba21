"""Match: in each hour, certified energy is sold to the rack that drew it and its certificates are claimed for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.journal.cutting import allocate, cut_at_rate, positions_of
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS, MOVES
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.kinds.energy import SpansLinked, TitlesMoved
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState
from penstock.period import Period
from penstock.units import MJ_PER_WH
from penstock.usecases.certify import owners
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What a rack drew: hours in order (``hour_us``) and energy in each [Wh]."""

    rack: RackRegistered
    hour_us: Column
    import_wh: Column


def match(world: World, draw: Draw, period: Period, beneficiary: str) -> list[Entry]:
    """Allocate each hour's certified energy to what the rack drew in that hour, pro rata over its holders.

    Facts: the allocation (Wh to Wh), its conversion to the rack's energy register (Wh to mJ), the energy titles sold
    to the rack's operator, the attributes claimed for the rack's consumption, and the links that say for which of it.

    Raises:
        Refused: ``allocate.short`` where an hour has less certified energy than was drawn.
    """
    registers = world.books.registers
    target, energy = registers.id_of(draw.rack.import_register), registers.id_of(draw.rack.energy_register)
    start = world.books.links[LinkKind.ALLOCATE].filled(target)
    held = _hours_held(world, draw.hour_us)
    links = _allocate_hours(draw.hour_us, draw.import_wh, held, target, start)
    moves = _moves(links, held, world.books.accounts.id_of(draw.rack.operator))
    hours = positions_of(draw.import_wh, start)
    claim = f"consumption of {draw.rack.rack}"
    return [
        link_entry(world, LinkKind.ALLOCATE, links, period),
        link_entry(world, LinkKind.CONVERT, cut_at_rate(target, hours, energy, MJ_PER_WH, 1), period),
        _moved(world, Right.ENERGY, moves, TitleState.HELD, f"sold to {draw.rack.rack}", beneficiary),
        _moved(world, Right.ATTRIBUTE, moves, TitleState.CLAIMED, claim, beneficiary),
        link_entry(world, LinkKind.CLAIM, links, period),
    ]


def buy(world: World, hour_us: Column, energy_wh: Column, buyer: str) -> list[Entry]:
    """In each hour so much energy with its certificates goes to ``buyer``, pro rata over who can still sell it.

    Raises:
        Refused: ``allocate.short`` where an hour has less. NotFound: ``account.unknown``.
    """
    held = _hours_held(world, hour_us)
    moves = _moves(_allocate_hours(hour_us, energy_wh, held, 0, 0), held, world.books.accounts.id_of(buyer))
    rights = (Right.ENERGY, Right.ATTRIBUTE)
    return [_moved(world, right, moves, TitleState.HELD, f"sold to {buyer}", buyer) for right in rights]


def available_wh(world: World, period: Period) -> tuple[Column, Column]:
    """Hours of ``period`` that have energy which whoever generated it can still sell, and how much [Wh]."""
    held = _still_whole(world, _held_in(world, period.start_us, period.stop_us))
    hours, slot = np.unique(held["interval_us"], return_inverse=True)
    energy = np.zeros(len(hours), dtype=np.int64)
    np.add.at(energy, slot, held["stop"] - held["start"])
    return hours, energy


def _hours_held(world: World, hour_us: Column) -> dict[str, Column]:
    """Energy of hours that its producers can still sell, by (hour, register)."""
    titles = _held_in(world, int(hour_us.min(initial=2**63 - 1)), int(hour_us.max(initial=-1)) + 1)
    rows = np.flatnonzero(np.isin(titles["interval_us"], hour_us))
    held = _still_whole(world, {name: column[rows] for name, column in titles.items()})
    order = np.lexsort((held["start"], held["register"], held["interval_us"]))
    return {name: column[order] for name, column in held.items()}


def _held_in(world: World, start_us: int, stop_us: int) -> dict[str, Column]:
    """Energy titles that are held, of intervals that begin in ``[start_us, stop_us)``."""
    return world.books.titles[Right.ENERGY].begun(start_us, stop_us, (TitleState.HELD,))


def _still_whole(world: World, energy: Columns) -> dict[str, Column]:
    """Of held energy titles, the units of which whoever owns the output holds both the energy and the certificate."""
    held = energy["holder"] == owners(world, energy["register"], energy["interval_us"])
    mine = {name: column[held] for name, column in energy.items()}
    parts = world.books.titles[Right.ATTRIBUTE].parts(mine["register"], mine["start"], mine["stop"])
    whole = parts["state"] == TITLE_STATES.index(TitleState.HELD)
    whole &= parts["holder"] == mine["holder"][parts["query"]]
    return {name: column[whole] for name, column in parts.items() if name != "query"}


def _allocate_hours(hours: Column, energy_wh: Column, held: Columns, target: int, start: int) -> dict[str, Column]:
    parts = []
    for hour_us, drawn in zip(hours.tolist(), energy_wh.tolist(), strict=True):
        first, stop = np.searchsorted(held["interval_us"], [hour_us, hour_us + 1])
        register, begin, end = (held[name][first:stop] for name in ("register", "start", "stop"))
        parts.append(allocate(register, begin, end, target, start, drawn))
        start += drawn
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _moves(links: Columns, held: Columns, buyer: int) -> dict[str, Column]:
    """The titles under the allocated spans, from whoever holds them to ``buyer``."""
    order = np.lexsort((held["start"], held["register"]))
    at = _row_of(held["register"][order], held["start"][order], links["source"], links["source_start"])
    return {
        "register": links["source"],
        "start": links["source_start"],
        "stop": links["source_stop"],
        "source": held["holder"][order][at],
        "target": np.full(len(at), buyer, dtype=np.int32),
    }


def _row_of(registers: Column, starts: Column, register: Column, start: Column) -> Column:
    """The row of sorted (registers, starts) that equals each (register, start)."""
    joined = np.rec.fromarrays([registers.astype(np.int64), starts])
    return np.searchsorted(joined, np.rec.fromarrays([register.astype(np.int64), start]))


def _moved(world: World, right: Right, moves: Columns, state: TitleState, purpose: str, beneficiary: str) -> Entry:
    code = np.full(len(moves["start"]), TITLE_STATES.index(state), dtype=np.uint8)
    columns = {**moves, "state": code}
    world.books.check_moves(right, columns)
    world.forwards.check_moves(right, columns)
    segment = Segment(MOVES, columns)
    quantity = int(np.sum(moves["stop"] - moves["start"]))
    return Entry(TitlesMoved(segment.ref(), right, state, purpose, beneficiary, quantity), segment)


def link_entry(world: World, kind: LinkKind, links: Columns, period: Period, check: bool = True) -> Entry:
    """A fact of links; spans to loss registers are its loss. Links that rest on others of one command go unchecked
    here: the books check every fact again when it is applied.
    """
    if check:
        world.books.check_links(kind, links)
    segment = Segment(LINKS, links)
    lost = world.books.registers.are(RegisterKind.LOSS)[links["target"]]
    fact = SpansLinked(
        segment=segment.ref(),
        link=kind,
        start_us=period.start_us,
        stop_us=period.stop_us,
        quantity_in=int(np.sum(links["source_stop"] - links["source_start"])),
        quantity_out=int(np.sum((links["target_stop"] - links["target_start"])[~lost])),
        loss=int(np.sum((links["source_stop"] - links["source_start"])[lost])),
    )
    return Entry(fact, segment)
