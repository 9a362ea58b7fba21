"""Erase: readings of devices, or of old days, are gone - rows, messages, seeds - and nothing else changes.

What stays of a row is a hash in its segment's tree, so that every other row goes on proving itself. So that the journal
still makes the same books, each register keeps one stand-in row, where its erased readings had got to, and the fact
says where registers and devices stood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.device import Devices
from penstock.energy.standings import STOOD
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import FORMATS, STANDINGS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.pruned_tree import Mask
from penstock.journal.sealed_rows import ERASED, SealedRows
from penstock.journal.segment import Column, Columns, Segment
from penstock.period import DAY_US
from penstock.store.ports import Forgotten, Place, Upkeep
from penstock.store.sql_store import SqlStore
from penstock.usecases.replay import read_back, segment_ref
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ASKED: Final = "asked"
RETENTION: Final = "retention"
REGISTER, DEVICE = "register", "device"
_ALWAYS: Final = 2**63 - 1
Ints = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ErasureAsked:
    """Whose readings to erase: devices by name, or all of an account's, or everybody's where neither is named.

    Those of days before ``before_us``, the first instant of a day (UTC); of all days where it is 0.
    """

    devices: tuple[str, ...]
    account: str
    before_us: int


def erase(workspace: Path, asked: ErasureAsked, at_us: int) -> dict[str, Any]:
    """Erase what somebody asked to have erased; with an account and all days, also who is behind it.

    Raises:
        Invalid: ``erase.whose`` unless devices or an account are named, ``erase.day``. NotFound: ``device.unknown``,
            ``erase.nobody``. Refused: ``erase.nothing``.
    """
    if bool(asked.devices) == bool(asked.account):
        hint = "Name --device, once or more, or --account."
        raise Invalid("erase.whose", "Erasing wants devices or an account, one of the two.", hint=hint)
    return act(workspace, asked, ASKED, at_us)


def act(path: Path, asked: ErasureAsked, reason: str, at_us: int) -> dict[str, Any]:
    """Erase, record it, and clean up; what was done."""
    if asked.before_us % DAY_US:
        raise Invalid("erase.day", "Seeds are kept by day: name the first instant of a day (UTC).")
    with Workspace(path) as opened:
        erasure = Erasure(opened.store, asked, reason)
        receipt = opened.submit(f"{reason}:{at_us}", asked, at_us, erasure.decide, upkeep=erasure.upkeep)
        (row,) = opened.facts(receipt.first_seq, receipt.first_seq + 1)
        fact = row.recorded.fact
        assert isinstance(fact, ReadingsErased)  # noqa: S101 - the command records nothing else
        counts = {"messages": fact.messages, "readings": fact.readings, "guessable": fact.guessable}
        return {**counts, "registers": fact.segment.rows, "fact": row.recorded.seq, "left_over": opened.store.litter()}


@dataclass(slots=True)
class Erasure:
    """One act: decided against the world inside the sequencer, with the files written on the way."""

    store: SqlStore
    asked: ErasureAsked
    reason: str
    _places: list[Place] = field(default_factory=list)
    _forgotten: list[Forgotten] = field(default_factory=list)

    def decide(self, world: World) -> list[Entry]:
        """The fact, once the rows that are left lie in files of their own."""
        devices = self._devices(world)
        registers = None if devices is None else np.flatnonzero(np.isin(world.energy.device_of, devices))
        found = Found(self.asked.before_us or _ALWAYS, registers, devices, world.energy)
        for digest, rows in erasable(self.store):
            found.look(digest, rows)
        if not found.gone:
            raise Refused("erase.nothing", "There is nothing left to erase there.")
        self._places = list(self._moved(found))
        before_day = self.asked.before_us // DAY_US if self.asked.before_us else None
        for scope, subjects in ((REGISTER, registers), (DEVICE, devices)):
            self._forgotten.append(Forgotten(scope, None if subjects is None else subjects.tolist(), before_day))
        return [self._told(world.energy, found)]

    def upkeep(self) -> Upkeep:
        """What the commit moves and forgets."""
        people = [self.asked.account] if self.asked.account and not self.asked.before_us else []
        return Upkeep(self._places, self._forgotten, people)

    def _devices(self, world: World) -> Ints | None:
        """Numbers of the devices meant; None for all."""
        energy, asked = world.energy, self.asked
        if asked.devices:
            return np.array([_known(energy, name) for name in asked.devices], dtype=np.int64)
        if not asked.account:
            return None
        owner, everyone = energy.ownership.owners.find(asked.account), np.arange(len(energy))
        found: Ints = everyone[energy.ownership.owner_at(everyone, energy.site, np.full(len(energy), _ALWAYS)) == owner]
        if owner < 0 or not len(found):
            raise NotFound("erase.nobody", f"No device is {asked.account}'s.", account=asked.account)
        return found

    def _moved(self, found: Found) -> Iterator[Place]:
        """Whatever shares a file with what is touched moves with it, into a file of its own."""
        where = {place.segment: place.file for place in self.store.rows.places.all()}
        files: dict[str, list[str]] = {}
        for digest in sorted(self.store.rows.sharing(found.touched)):
            files.setdefault(where.get(digest, digest) or digest, []).append(digest)
        for digests in files.values():
            yield from self.store.rows.move(
                [(digest, found.left(digest, self._rows(digest, found))) for digest in digests]
            )

    def _rows(self, digest: str, found: Found) -> SealedRows:
        fmt = FORMATS[found.formats[digest]]
        if digest in found.gone:  # its tree is needed, and so its salts
            return self.store.sealed(digest, fmt)
        return self.store.rows.unsalted(digest, fmt)

    def _told(self, devices: Devices, found: Found) -> Entry:
        standings = standings_of(devices, found.registers(devices))
        fact = ReadingsErased(
            segment=standings.ref(),
            reason=self.reason,
            before_us=self.asked.before_us,
            messages=found.messages,
            readings=found.readings,
            guessable=found.guessable,
        )
        return Entry(fact, standings)


class Found:
    """What is to be erased, collected segment by segment in the journal's order.

    Stand-ins are columns by register number: the segment (-1 none) and row that stand in, and what they will say.
    """

    def __init__(self, before_us: int, registers: Ints | None, devices: Ints | None, known: Devices) -> None:
        self._before_us, self._subjects = before_us, {REGISTER: registers, DEVICE: devices}
        self.gone: dict[str, Mask] = {}
        self.formats: dict[str, str] = {}
        self.messages = self.readings = self.guessable = 0
        count = len(known.device_of)
        self._segment, self._row = np.full(count, -1), np.zeros(count, dtype=np.int64)
        self._at_us, self._position_wh = np.full(count, -_ALWAYS), np.zeros(count, dtype=np.int64)
        self._assurance = np.zeros(count, dtype=np.uint8)
        self._lost = {REGISTER: np.zeros(count, dtype=np.bool_), DEVICE: np.zeros(len(known), dtype=np.bool_)}

    @property
    def touched(self) -> set[str]:
        """Segments that lose rows, and those whose stand-ins now say more."""
        digests = list(self.formats)
        return set(self.gone) | {digests[number] for number in set(self._segment[self._standing()].tolist())}

    def look(self, digest: str, rows: SealedRows) -> None:
        """Take note of what goes in one segment."""
        fmt, columns = rows.format, rows.columns
        self.formats[digest] = fmt.name
        mine = (columns[fmt.instant] < self._before_us) & (columns["verdict"] != ERASED)
        wanted = self._subjects[fmt.subject]
        if wanted is not None:
            mine &= np.isin(columns[fmt.subject], wanted)
        if fmt.subject == REGISTER:
            self._stand_in(columns, np.flatnonzero(mine & (columns["verdict"] == 0)))
        gone = mine if rows.erased is None else mine & ~rows.erased
        if gone.any():
            self.gone[digest] = gone
            self._count(rows, gone)

    def left(self, digest: str, rows: SealedRows) -> SealedRows:
        """The rows of a segment once all is done to it."""
        left = rows.without(self.gone[digest]) if digest in self.gone else rows
        mine = np.flatnonzero(self._standing() & (self._segment == list(self.formats).index(digest)))
        if not len(mine):
            return left
        columns = {name: column.copy() for name, column in left.columns.items()}
        said = {"register": mine, "at_us": self._at_us[mine], "position_wh": self._position_wh[mine], "packet": -1}
        for name, values in {**said, "verdict": 0, "assurance": self._assurance[mine], "findings": 0}.items():
            if name in columns:
                columns[name][self._row[mine]] = values
        return SealedRows(left.format, columns, left.salts, left.erased, left.nodes)

    def registers(self, devices: Devices) -> Ints:
        """The registers whose standing rested on what is gone."""
        of = devices.device_of
        return np.flatnonzero((of >= 0) & (self._lost[REGISTER] | self._lost[DEVICE][np.maximum(of, 0)]))

    def _standing(self) -> Mask:
        """Registers that lose readings now and had some that counted: they want a stand-in."""
        standing: Mask = self._lost[REGISTER] & (self._segment >= 0)
        return standing

    def _stand_in(self, columns: Columns, counted: Ints) -> None:
        """The first row that counted, of a register that has no stand-in yet; and its last instant and position."""
        register, at_us = columns["register"][counted], columns["at_us"][counted]
        seen, first = np.unique(register, return_index=True)
        new = self._segment[seen] < 0
        self._segment[seen[new]], self._row[seen[new]] = len(self.formats) - 1, counted[first[new]]
        order = np.lexsort((at_us, register))
        last = counted[order[np.r_[np.diff(register[order]) != 0, True]]] if len(order) else counted
        last = last[columns["at_us"][last] > self._at_us[seen]]
        register = columns["register"][last]
        self._at_us[register], self._position_wh[register] = columns["at_us"][last], columns["position_wh"][last]
        if "assurance" in columns:
            self._assurance[register] = columns["assurance"][last]

    def _count(self, rows: SealedRows, gone: Mask) -> None:
        numbers, count = rows.columns[rows.format.subject][gone], int(gone.sum())
        self._lost[rows.format.subject][numbers[numbers >= 0]] = True
        if rows.format.subject == REGISTER:
            self.readings += count
        else:
            self.messages += count
        self.guessable += 0 if rows.format.salted else count


def erasable(store: SqlStore) -> Iterator[tuple[str, SealedRows]]:
    """Every segment whose rows can be erased, once each, in the journal's order; blank where they are gone."""
    seen: set[str] = set()
    for stored in store.facts():
        if stored.segment is None or stored.segment in seen:
            continue
        seen.add(stored.segment)
        ref = segment_ref(read_back(KINDS, stored).fact)
        if ref is not None and FORMATS[ref.format].subject:
            yield stored.segment, store.rows.unsalted(stored.segment, FORMATS[ref.format])


def standings_of(devices: Devices, registers: Ints) -> Segment:
    """Where registers and their devices stand."""
    of = devices.device_of[registers]
    hashes = np.empty(len(of), dtype=object)
    hashes[:] = [one.tobytes() for one in devices.head_hash[of]]
    columns: dict[str, Column] = {"register": registers.astype(np.int32), "device": of}
    columns |= {name: getattr(devices, name)[registers] for name in STOOD}
    columns |= {"head_sequence": devices.head_sequence[of], "head_hash": hashes}
    return Segment(STANDINGS, columns)


def _known(devices: Devices, name: str) -> int:
    number = devices.number(name)
    if number < 0:
        raise NotFound("device.unknown", f"There is no device {name}.", hint="See: penstock device list", device=name)
    return number
