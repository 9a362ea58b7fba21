"""Grid factors as published: what a kWh of a zone emitted in an interval, by source and version.

A source's figures of one version stand; what it revises is another version. So a figure that names both can be
reckoned again for ever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, NotFound
from penstock.journal.kinds.carbon import FactorsPublished
from penstock.journal.segment import Column, Columns
from penstock.period import iso

MG_PER_KWH_MAX: Final = 10_000_000
BASIS_POINTS: Final = 10_000
KINDS: Final = ("average", "residual", "marginal")
UNKNOWN: Final = -1
_SPANS: Final = ("start_us", "stop_us")


@dataclass(frozen=True, slots=True)
class FactorName:
    """A series of factors: who publishes it, and which version of it."""

    source: str
    version: str

    def __str__(self) -> str:
        return f"{self.source} {self.version}"


def parse_name(text: str) -> FactorName:
    """A name and its version, written NAME@VERSION; raises Invalid ``factors.name``."""
    source, at, version = text.rpartition("@")
    if not (source and at and version):
        raise Invalid("factors.name", "A name and its version are written NAME@VERSION.", given=text)
    return FactorName(source, version)


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Factors of one zone for a period's intervals, -1 where the source gives none.

    ``average``, ``residual``, ``marginal`` [mg CO2e per kWh]; ``carbon_free_bp``: the share of the grid's mix that is
    carbon-free [basis points]. ``seq`` is the fact and ``row`` the row of its segment that gives each.
    """

    average: Column
    residual: Column
    marginal: Column
    carbon_free_bp: Column
    seq: Column
    row: Column


class FactorBook:
    """Every published series: by name and zone, rows sorted by their start."""

    def __init__(self) -> None:
        self._rows: dict[tuple[FactorName, str], dict[str, Column]] = {}
        self.facts: dict[FactorName, list[tuple[int, FactorsPublished]]] = {}

    def check(self, fact: FactorsPublished, columns: Columns) -> None:
        """That factors may be published.

        Raises:
            Invalid: ``factors.named`` without source, version or zones; ``factors.rows`` for figures out of bounds.
            Conflict: ``factors.overlap`` where an interval of a zone has factors of this version already.
        """
        if not fact.source or not fact.version or not all(fact.zones) or len(set(fact.zones)) != len(fact.zones):
            raise Invalid("factors.named", "Factors name their source and version, and each of their zones once.")
        _check_rows(columns, len(fact.zones))
        name = FactorName(fact.source, fact.version)
        for number, zone in enumerate(fact.zones):
            new = {each: columns[each][columns["zone"] == number] for each in _SPANS}
            old = self._rows.get((name, zone), {each: np.zeros(0, np.int64) for each in _SPANS})
            start, stop = (np.concatenate([old[each], new[each]]) for each in _SPANS)
            order = np.argsort(start, kind="stable")
            if (start[order][1:] < stop[order][:-1]).any():
                raise Conflict("factors.overlap", f"{name} gives an hour of {zone} twice.", zone=zone, series=name)

    def add(self, seq: int, fact: FactorsPublished, columns: Columns) -> None:
        """Take in a publication; raises as `check`."""
        self.check(fact, columns)
        name = FactorName(fact.source, fact.version)
        self.facts.setdefault(name, []).append((seq, fact))
        for number, zone in enumerate(fact.zones):
            rows = np.flatnonzero(columns["zone"] == number)
            new = {each: columns[each][rows] for each in (*_SPANS, *KINDS, "carbon_free_bp")}
            new |= {"seq": np.full(len(rows), seq, dtype=np.int64), "row": rows}
            old = self._rows.get((name, zone))
            joined = {each: np.concatenate([old[each], new[each]]) for each in new} if old else new
            order = np.argsort(joined["start_us"], kind="stable")
            self._rows[name, zone] = {each: column[order] for each, column in joined.items()}

    def check_known(self, name: FactorName) -> None:
        """Raises NotFound ``factors.unknown``."""
        if name not in self.facts:
            known = ", ".join(str(one) for one in self.facts) or "none yet"
            raise NotFound("factors.unknown", f"No factors are published as {name}.", hint=f"Published: {known}.")

    def at(self, name: FactorName, zone: str, start_us: Column, interval_us: int = 0) -> Factors:
        """The factors of whole intervals that start so; -1 for an interval that no row of the zone holds whole.

        Raises:
            NotFound: ``factors.unknown``.
        """
        self.check_known(name)
        rows = self._rows.get((name, zone))
        if rows is None or not len(rows["start_us"]):
            return Factors(*(np.full(len(start_us), UNKNOWN, dtype=np.int64) for _ in range(6)))
        at = np.searchsorted(rows["start_us"], start_us, side="right") - 1
        place = np.maximum(at, 0)
        held = (at >= 0) & (start_us + max(interval_us, 1) <= rows["stop_us"][place])
        found = (np.where(held, rows[each][place], UNKNOWN) for each in (*KINDS, "carbon_free_bp", "seq", "row"))
        return Factors(*(column.astype(np.int64) for column in found))

    def digest(self) -> bytes:
        """sha256 over every series."""
        digest = hashlib.sha256()
        for (name, zone), rows in self._rows.items():
            digest.update(f"{name}\n{zone}\n".encode())
            digest.update(b"".join(np.ascontiguousarray(rows[each]).tobytes() for each in sorted(rows)))
        return digest.digest()


def _check_rows(columns: Columns, zones: int) -> None:
    zone, start, stop = columns["zone"], columns["start_us"], columns["stop_us"]
    bad: NDArray[Any] = (zone < 0) | (zone >= zones) | (stop <= start)
    for each in KINDS:
        bad |= (columns[each] < UNKNOWN) | (columns[each] > MG_PER_KWH_MAX)
    bad |= (columns["carbon_free_bp"] < UNKNOWN) | (columns["carbon_free_bp"] > BASIS_POINTS)
    if bad.any():
        row = int(np.argmax(bad))
        hint = f"Factors are 0 to {MG_PER_KWH_MAX:,} mg CO2e per kWh, shares 0 to {BASIS_POINTS:,}, -1 for none."
        sentence = f"Row {row}, from {iso(int(start[row]))}, is out of bounds or empty."
        raise Invalid("factors.rows", sentence, hint=hint, row=row)
