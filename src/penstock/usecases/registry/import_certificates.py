"""Import: certificates of another registry come to live here, on registers of their own, as declared.

Their numbering is kept and never trusted: a row that would live here twice, whose quantity is not that of its numbers,
or whose interval overlaps another of its device, is refused, and costs no other row its place. What had left from here,
or had been here before, comes back as the very spans that left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from penstock.energy.foreign import distinct, register_of, spelling
from penstock.energy.foreign_csv import EXPLAINED, TAKEN, Offered, RowVerdict, read_foreign
from penstock.energy.foreign_fields import NONE
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import FOREIGN, TITLES
from penstock.journal.kinds.energy import Tally, TitlesIssued
from penstock.journal.kinds.exchange import CertificatesImported
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.links import overlapping
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import (
    TECHNOLOGIES,
    TITLE_STATES,
    Assurance,
    RegisterKind,
    Right,
    TitleState,
    Unit,
)
from penstock.period import DAY_US
from penstock.usecases.claim import Claim, moved
from penstock.usecases.files import read_whole
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
RETURNED: Final = "returned from "
"""How the purpose of coming back begins."""
ROWS_MAX: Final = 1_000
"""No more refused rows are listed in an answer; its tallies are of all."""
_ALIKE: Final = ("zone", "source", "length_us", "carbon", "valid_days", "support", "stored")


@dataclass(frozen=True, slots=True)
class Import:
    """What a file offers goes to ``account``; ``whole``: all of it or nothing. ``registry`` is who sent it."""

    account: str
    registry: str
    form: str
    file_hash: bytes
    whole: bool = False
    by: str = ""


def judge(world: World, offered: Offered, at_us: int) -> tuple[Column, dict[str, Column]]:
    """A verdict a row, and columns: register (a new one behind all others) and, of what comes back, its span here."""
    columns, registers = offered.columns, world.books.registers
    verdict = columns["verdict"].copy()
    verdict[(verdict == 0) & (columns["stop"] > at_us)] = RowVerdict.INTERVAL
    expires = (verdict == 0) & (columns["expiry"] != NONE)
    verdict[expires & (columns["expiry"] <= at_us)] = RowVerdict.STATUS
    register, own = _registers(world, offered)
    start, stop = np.zeros((2, len(offered)), dtype=np.int64)
    start[own], stop[own] = columns["first"][own], columns["last"][own] + 1
    known = ~own & (verdict == 0) & (register < len(registers))
    _places(world, columns, register, np.flatnonzero(known), start, stop)
    start[own & (columns["face_wh"] != 1)] = 0
    stop[own & (columns["face_wh"] != 1)] = 0
    comes_back = (own | (stop > start)) & (verdict == 0)
    verdict[comes_back] = np.where(_left(world, register, start, stop)[comes_back], RowVerdict.RETURNED, 0)
    verdict[comes_back & (verdict == 0)] = RowVerdict.TWICE
    verdict[comes_back & own & (verdict == RowVerdict.TWICE)] = RowVerdict.NOT_EXPORTED
    _judge_new(world, columns, register, verdict)
    return verdict, {"register": register, "start": start, "stop": stop}


def import_certificates(
    world: World, offered: Offered, asked: Import, at_us: int, verdicts: list[Column] | None = None
) -> list[Entry]:
    """Facts of an import: new registers, what was imported, its titles, and what came back. None where no row is good.

    ``verdicts`` is handed each row's verdict.

    Raises:
        Refused: ``import.refused`` where a row is and all or nothing was asked. NotFound: ``account.unknown``. As
        `Participants.check_may`: the registry's operator imports.
    """
    world.participants.check_may(asked.by, asked.account, "import")
    holder = world.books.accounts.id_of(asked.account)
    verdict, places = judge(world, offered, at_us)
    if verdicts is not None:
        verdicts.append(verdict)
    refused = ~np.isin(verdict, TAKEN)
    if asked.whole and refused.any():
        row = int(np.argmax(refused))
        sentence = f"Row {row + 1} is refused: {EXPLAINED[RowVerdict(verdict[row])]}."
        raise Refused("import.refused", sentence, row=row + 1, refused=int(refused.sum()))
    entries = _new(world, offered, asked, places["register"], verdict, holder)
    back = np.flatnonzero(verdict == RowVerdict.RETURNED)
    return entries + (
        [_back(world, asked, {n: c[back] for n, c in places.items()}, holder, at_us)] if len(back) else []
    )


def import_on(workspace: Workspace, key: str, file: Path, asked: Import, at_us: int) -> tuple[Done, Row]:
    """Record a file's certificates under a key (empty: the file's own); what it did, and what became of its rows.

    Raises:
        As `read_foreign` and `import_certificates`; Invalid ``file.too_long``.
    """
    raw = read_whole(file)
    asked = Import(asked.account, asked.registry, asked.form, hashlib.sha256(raw).digest(), asked.whole, asked.by)
    offered, verdicts = read_foreign(raw, asked.form, asked.registry), list[Column]()

    def decide(world: World) -> list[Entry]:
        verdicts.clear()
        return import_certificates(world, offered, asked, at_us, verdicts)

    found = done(workspace, key or _key(workspace, asked), asked, at_us, decide)
    return found, _told(offered, verdicts[0]) if verdicts else {"rows": len(offered)}


def _key(workspace: Workspace, asked: Import) -> str:
    return f"import:{workspace.store.size()}:{asked.file_hash.hex()[:32]}"


def _told(offered: Offered, verdict: Column) -> Row:
    refused = np.flatnonzero(~np.isin(verdict, TAKEN))[:ROWS_MAX].tolist()
    codes = [RowVerdict(code) for code in verdict[refused].tolist()]
    rows = [
        {"row": row + 1, "verdict": code.name.lower(), "why": EXPLAINED[code]}
        for row, code in zip(refused, codes, strict=True)
    ]
    return {"rows": len(offered), "verdicts": {one.name: one.count for one in _tallies(verdict)}, "refused": rows}


def _tallies(verdict: Column) -> tuple[Tally, ...]:
    counts = np.bincount(verdict, minlength=len(RowVerdict)).tolist()
    return tuple(Tally(code.name.lower(), counts[code]) for code in RowVerdict if counts[code])


def _registers(world: World, offered: Offered) -> tuple[Column, Column]:
    """Each row's register, those not opened yet numbered on behind all others; and which rows are our own."""
    columns, books, origin = offered.columns, world.books, world.participants.origin
    firsts, place = distinct(columns["registry"], columns["device"])
    pairs = np.column_stack([columns["registry"][firsts], columns["device"][firsts]])
    numbers, own, new = list[int](), list[bool](), dict[str, int]()
    for registry, device in pairs.tolist():
        name, issuer = offered.texts["device"][device], offered.texts["registry"][registry]
        own.append(spelling(issuer) == spelling(origin))
        urn = name if own[-1] else world.foreign.known_as(register_of(issuer, name))
        first = len(books.registers) + len(new)
        known = urn in books.registers
        numbers.append(books.registers.id_of(urn) if known else new.setdefault(spelling(urn), first))
    return np.array(numbers, dtype=np.int64)[place], np.array(own)[place]


def _places(world: World, columns: Columns, register: Column, rows: Column, start: Column, stop: Column) -> None:
    """Where numbers that live here already lie: written to ``start`` and ``stop`` of rows that lie in one bundle."""
    index = world.foreign.by_number
    handle = index.find(register[rows], columns["first"][rows])
    here = np.flatnonzero(handle >= 0)
    rows, handle = rows[here], handle[here]
    whole = columns["last"][rows] < index.take("stop", handle)
    rows, handle = rows[whole], handle[whole]
    face_wh, own = index.take("face_wh", handle), index.take("own", handle)
    begins = own + (columns["first"][rows] - index.take("start", handle)) * face_wh
    start[rows] = begins
    stop[rows] = begins + (columns["last"][rows] - columns["first"][rows] + 1) * face_wh


def _left(world: World, register: Column, start: Column, stop: Column) -> Column:
    """Which spans have left for another registry, all of them, and are named once."""
    rows = np.flatnonzero((stop > start) & (start >= 0) & (register < len(world.books.registers)))
    parts = world.books.titles[Right.ATTRIBUTE].parts(register[rows], start[rows], stop[rows])
    gone = parts["state"] == TITLE_STATES.index(TitleState.EXPORTED)
    covered = np.zeros(len(rows), dtype=np.int64)
    np.add.at(covered, parts["query"][gone], (parts["stop"] - parts["start"])[gone])
    left = np.zeros(len(start), dtype=bool)
    left[rows] = (covered == stop[rows] - start[rows]) & ~overlapping(register[rows], start[rows], stop[rows])
    return left


def _judge_new(world: World, columns: Columns, register: Column, verdict: Column) -> None:
    """Of what would be new here: valid for less than a day, the unit that validity is kept in; numbers that live here
    or stand in the file before; intervals that overlap.
    """
    brief = (columns["expiry"] != NONE) & (columns["expiry"] < columns["stop"] + DAY_US)
    verdict[(verdict == 0) & brief] = RowVerdict.STATUS
    rows = np.flatnonzero(verdict == 0)
    first, stop = columns["first"][rows], columns["last"][rows] + 1
    twice = overlapping(register[rows], first, stop) | world.foreign.by_number.overlaps(register[rows], first, stop)
    verdict[rows[twice]] = RowVerdict.TWICE
    rows = rows[~twice]
    times = (columns[name][rows] for name in ("start", "stop", "face_wh"))
    late = world.foreign.times_overlap(register[rows], *times)
    verdict[rows[late]] = RowVerdict.TIME_OVERLAP


def _new(world: World, offered: Offered, asked: Import, register: Column, verdict: Column, holder: int) -> list[Entry]:
    rows = np.flatnonzero(verdict == RowVerdict.ACCEPTED)
    if not len(rows):
        return []
    columns = {name: column[rows] for name, column in offered.columns.items()}
    register, new = _opened(world, register[rows], rows)
    columns["length_us"] = columns["stop"] - columns["start"]
    columns["valid_days"] = np.where(columns["expiry"] == NONE, 0, (columns["expiry"] - columns["stop"]) // DAY_US)
    firsts, group = distinct(*(columns[name] for name in _ALIKE))
    alike = np.column_stack([columns[name][firsts] for name in _ALIKE])
    order = np.lexsort((columns["first"], columns["start"], group, register))
    spans = _spans(
        world, {name: column[order] for name, column in columns.items()}, register[order], rows[order], offered
    )
    segment = Segment(FOREIGN, spans)
    quantity = int(np.sum(spans["stop"] - spans["start"]))
    fact = CertificatesImported(
        segment.ref(), asked.registry, asked.account, quantity, asked.file_hash, _tallies(verdict), asked.by
    )
    opened = [Entry(_register(offered, row)) for row in new]
    titles = [_issue(offered, spans, alike[n].tolist(), np.flatnonzero(group[order] == n), holder)
              for n in range(len(alike))]  # fmt: skip
    return [*opened, Entry(fact, segment), *titles]


def _opened(world: World, register: Column, rows: Column) -> tuple[Column, list[int]]:
    """Registers as they will be numbered once the new ones are opened; and a row of each new one, in that order."""
    known = len(world.books.registers)
    new, first = np.unique(register[register >= known], return_index=True)
    numbered = register.copy()
    numbered[register >= known] = known + np.searchsorted(new, register[register >= known])
    return numbered, rows[np.flatnonzero(register >= known)[first]].tolist()


def _register(offered: Offered, row: int) -> RegisterOpened:
    texts, columns = offered.texts, offered.columns
    urn = register_of(texts["registry"][columns["registry"][row]], texts["device"][columns["device"][row]])
    return RegisterOpened(urn, Unit.WH, RegisterKind.PROMISED, (Right.ATTRIBUTE,))


def _spans(world: World, columns: Columns, register: Column, rows: Column, offered: Offered) -> dict[str, Column]:
    """Columns of foreign/1: on each register one after the other, from where its certificates end."""
    units = (columns["last"] - columns["first"] + 1) * columns["face_wh"]
    reach = np.cumsum(units)
    begins = np.flatnonzero(np.r_[True, register[1:] != register[:-1]])
    heads = np.array([world.foreign.head(number) for number in register[begins].tolist()], dtype=np.int64)
    offset = np.repeat(heads - (reach - units)[begins], np.diff(np.r_[begins, len(register)]))
    return {
        "register": register.astype(np.int32),
        "start": reach - units + offset,
        "stop": reach + offset,
        "first": columns["first"],
        "last": columns["last"],
        "face_wh": columns["face_wh"],
        "interval_us": columns["start"],
        "interval_stop_us": columns["stop"],
        "said": offered.said[rows],
    }


def _issue(offered: Offered, spans: Columns, alike: Sequence[int], rows: Column, holder: int) -> Entry:
    zone, source, length_us, carbon, valid_days, support, stored = alike
    columns = {name: spans[name][rows] for name in ("register", "start", "stop", "interval_us")}
    segment = Segment(TITLES, {**columns, "holder": np.full(len(rows), holder, dtype=np.int32)})
    fact = TitlesIssued(
        segment.ref(),
        Right.ATTRIBUTE,
        offered.texts["zone"][zone],
        TECHNOLOGIES[source],
        Assurance.DECLARED,
        length_us,
        int(np.sum(columns["stop"] - columns["start"])),
        max(carbon, 0),
        valid_days * DAY_US,
        offered.texts["support"][support],
        stored == 1,
    )
    return Entry(fact, segment)


def _back(world: World, asked: Import, spans: Columns, holder: int, at_us: int) -> Entry:
    parts = world.books.titles[Right.ATTRIBUTE].parts(*(spans[name] for name in ("register", "start", "stop")))
    told = Claim(asked.account, RETURNED + asked.registry, None, "", asked.by)
    target = np.full(len(parts["start"]), holder, dtype=np.int32)
    return moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, told, target, at_us)
