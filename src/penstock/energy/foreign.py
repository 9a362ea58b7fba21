"""Certificates of other registries that live here: their numbers there, and which spans of ours stand for them.

Each device of another registry has a register of its own here, so their numbering can do ours no harm. Of a device no
number lives here twice, and no two intervals overlap unless they are one and the same, numbered in the same unit: a MWh
that is counted as one certificate there is not a million others of 1 Wh besides. However a name is spelt - large or
small letters, the same letter in two forms - it is one name.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.exchange import CertificatesImported
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.links import overlapping
from penstock.journal.register import Registers
from penstock.journal.segment import Columns
from penstock.journal.span_index import SpanIndex

Ints = NDArray[Any]
PREFIX: Final = "import/"
_TIMES: Final = ("register", "start", "stop", "face_wh")
NUMBERS: Final = ("first", "last", "face_wh", "interval_us", "interval_stop_us")


def register_of(registry: str, device: str) -> str:
    """The name of the register that stands for a device of another registry."""
    return f"{PREFIX}{registry.replace('%', '%25').replace('/', '%2F')}/{device}"


def spelling(text: str) -> str:
    """A name as it is told from others: without regard to case, compatible forms, hyphens and spaces of other kinds.

    Source: Unicode Standard Annex 15 (NFKC), Unicode Standard clause 3.13 (caseless matching).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = ("-" if unicodedata.category(one) == "Pd" else one for one in folded)
    return " ".join("".join(plain).split())


def distinct(*columns: Ints) -> tuple[Ints, Ints]:
    """A row of each distinct tuple of values, in their order, and for each row the number of its tuple."""
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[order[1:]] != column[order[:-1]]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    return order[new], place


class ForeignCertificates:
    """All that was imported: by their numbers, by our spans, and when they were generated."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self.by_number = SpanIndex({"own": "int64", "face_wh": "int64"})
        self.by_time = SpanIndex({"face_wh": "int64"})
        self._by_span = SpanIndex(dict.fromkeys(NUMBERS, "int64"))
        self._opened: list[int] = []
        self._spelt: dict[str, str] = {}

    def known_as(self, urn: str) -> str:
        """The register of this name, or of the same name spelt otherwise; the name itself where there is none."""
        return self._spelt.get(spelling(urn), urn)

    def head(self, register: int) -> int:
        """Where the next certificate imported on a register begins."""
        return self._by_span.head(register)

    def issued_by(self, register: int, origin: str) -> tuple[str, str]:
        """Who issued the certificates of a register, and the device's name there; our own are of ``origin``."""
        urn = self._registers.urn(register)
        if not urn.startswith(PREFIX):
            return origin, urn
        registry, _, device = urn.removeprefix(PREFIX).partition("/")
        return registry.replace("%2F", "/").replace("%25", "%"), device

    def numbers(self, parts: Columns) -> dict[str, Ints]:
        """Columns `NUMBERS` of parts of titles: those they came with; our own are numbered by their positions.

        ``interval_stop_us`` is 0 of our own, whose lots tell it. Raises Refused ``export.not_whole``.
        """
        rows = len(parts["start"])
        own = {"first": parts["start"], "last": parts["stop"] - 1, "face_wh": np.ones(rows, dtype=np.int64)}
        found = own | {"interval_us": parts["interval_us"], "interval_stop_us": np.zeros(rows, dtype=np.int64)}
        handle = self._by_span.find(parts["register"], parts["start"])
        here = np.flatnonzero(handle >= 0)
        if not len(here):
            return found
        face_wh, begins = (self._by_span.take(name, handle[here]) for name in ("face_wh", "start"))
        low, high = parts["start"][here] - begins, parts["stop"][here] - begins
        if ((low % face_wh) | (high % face_wh)).any() or (
            parts["stop"][here] > self._by_span.take("stop", handle[here])
        ).any():
            hint = "Export whole certificates as they came."
            raise Refused("export.not_whole", "A part of another registry's certificate stays here.", hint=hint)
        first = self._by_span.take("first", handle[here])
        changed = {"first": first + low // face_wh, "last": first + high // face_wh - 1, "face_wh": face_wh}
        changed |= {name: self._by_span.take(name, handle[here]) for name in ("interval_us", "interval_stop_us")}
        for name, values in changed.items():
            found[name] = found[name].copy()
            found[name][here] = values
        return found

    def check(self, rows: Columns) -> None:
        """That certificates (columns of foreign/1) may live here.

        Raises:
            Invalid: ``import.quantity``, ``import.interval``. Conflict: ``import.twice``, ``import.time_overlap``.
            Refused: ``import.gap`` where our spans do not follow each other, ``import.register`` on another register.
        """
        register, first, last = rows["register"], rows["first"], rows["last"]
        count, units = last - first + 1, rows["stop"] - rows["start"]
        if (
            (first < 0).any()
            or (count < 1).any()
            or (rows["face_wh"] < 1).any()
            or (units != count * rows["face_wh"]).any()
        ):
            raise Invalid("import.quantity", "A certificate's quantity is not that of its numbers.")
        if (rows["interval_stop_us"] <= rows["interval_us"]).any():
            raise Invalid("import.interval", "An interval ends after it starts.")
        if overlapping(register, first, last + 1).any() or self.by_number.overlaps(register, first, last + 1).any():
            raise Conflict("import.twice", "One of these certificates lives here already.")
        if self.times_overlap(register, rows["interval_us"], rows["interval_stop_us"], rows["face_wh"]).any():
            raise Conflict("import.time_overlap", "Intervals of one device overlap.")
        self._check_spans(rows)

    def _check_spans(self, rows: Columns) -> None:
        order = np.lexsort((rows["start"], rows["register"]))
        register, start, stop = (rows[name][order] for name in ("register", "start", "stop"))
        begins = np.r_[True, register[1:] != register[:-1]][: len(register)]
        for number in register[begins].tolist():
            if not self._registers.urn(number).startswith(PREFIX):
                raise Refused("import.register", "Another registry's certificates have registers of their own.")
        due = np.r_[0, stop[:-1]][: len(stop)]
        due[begins] = [self.head(number) for number in register[begins].tolist()]
        if (start != due).any():
            raise Refused("import.gap", "Imported certificates follow each other on their register.")

    def times_overlap(self, register: Ints, start_us: Ints, stop_us: Ints, face_wh: Ints) -> NDArray[np.bool_]:
        """Which intervals overlap another of their device, here or earlier among these, without being the same.

        The same interval numbered in certificates of another size is another: its energy would live here twice.
        """
        rows, place = distinct(register, start_us, stop_us, face_wh)
        register, start_us, stop_us, face_wh = (one[rows] for one in (register, start_us, stop_us, face_wh))
        known = self._same_time(register, start_us, stop_us, face_wh)
        bad = overlapping(register, start_us, stop_us) | (self.by_time.overlaps(register, start_us, stop_us) & ~known)
        found: NDArray[np.bool_] = bad[place]
        return found

    def _same_time(self, register: Ints, start_us: Ints, stop_us: Ints, face_wh: Ints) -> NDArray[np.bool_]:
        handle = self.by_time.find(register, start_us)
        known = handle >= 0
        for name, values in (("start", start_us), ("stop", stop_us), ("face_wh", face_wh)):
            known[known] = self.by_time.take(name, handle[known]) == values[known]
        return known

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact, checked once more; raises as `check`, Refused ``import.not_imported``, Conflict
        ``import.register_known`` for a device's second register."""
        fact = recorded.fact
        if isinstance(fact, CertificatesImported) and columns is not None:
            self.check(columns)
            self._add(columns)
        elif isinstance(fact, RegisterOpened) and fact.register.startswith(PREFIX):
            self._open(fact.register)
        elif isinstance(fact, TitlesIssued) and self._opened and columns is not None:
            self._check_issued(columns)

    def _open(self, urn: str) -> None:
        if self.known_as(urn) != urn:
            raise Conflict("import.register_known", "This device has a register under another spelling.", register=urn)
        self._opened.append(self._registers.id_of(urn))
        self._spelt[spelling(urn)] = urn

    def _check_issued(self, issue: Columns) -> None:
        """On a register of another registry's nothing is issued but what was imported."""
        rows = np.flatnonzero(np.isin(issue["register"], self._opened))
        handle = self._by_span.find(issue["register"][rows], issue["stop"][rows] - 1)
        if (handle < 0).any():
            raise Refused("import.not_imported", "Nothing is issued here that was not imported.")

    def _add(self, rows: Columns) -> None:
        self._by_span.insert({name: rows[name] for name in ("register", "start", "stop", *NUMBERS)})
        numbers = {"register": rows["register"], "start": rows["first"], "stop": rows["last"] + 1}
        self.by_number.insert({**numbers, "own": rows["start"], "face_wh": rows["face_wh"]})
        times = [rows[name] for name in ("register", "interval_us", "interval_stop_us", "face_wh")]
        firsts, _ = distinct(*times)
        times = [column[firsts] for column in times]
        new = ~self._same_time(*times)
        self.by_time.insert({name: column[new] for name, column in zip(_TIMES, times, strict=True)})

    def digest(self) -> bytes:
        """sha256 over all of it."""
        digest = hashlib.sha256()
        for index in (self.by_number, self.by_time, self._by_span):
            for name, column in sorted(index.columns().items()):
                digest.update(name.encode() + column.tobytes())
        return digest.digest()
