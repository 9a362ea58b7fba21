"""What links of each kind must satisfy, besides being exclusive: units, lengths, no gap, nothing beyond the meter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal.register import UNITS, Registers
from penstock.journal.segment import Columns
from penstock.journal.words import LinkKind, RegisterKind, Unit
from penstock.units import MJ_PER_WH

Mask = NDArray[np.bool_]

LIKE: Final = frozenset({LinkKind.ALLOCATE, LinkKind.CLAIM, LinkKind.STORE, LinkKind.DELIVER, LinkKind.PAY})
"""Kinds between like units: each row as long on one side as on the other."""
TILED: Final = frozenset({LinkKind.WORK, LinkKind.SERVE, LinkKind.BILL})
"""Kinds between unlike units: the rows of a batch, in order, leave no gap on any register."""


@dataclass(frozen=True, slots=True, eq=False)
class Breach:
    """A rule that rows break: its code and sentence, and which rows."""

    code: str
    sentence: str
    rows: Mask


def check(kind: LinkKind, links: Columns, registers: Registers) -> None:
    """Refused with the first breach of `breaches_of_batch` or `beyond_meter`; registers are known."""
    for breach in (*breaches_of_batch(kind, links, registers), beyond_meter(kind, links, registers)):
        if breach.rows.any():
            raise Refused(breach.code, breach.sentence, kind=kind.value, row=int(np.argmax(breach.rows)))


def breaches_of_batch(kind: LinkKind, links: Columns, registers: Registers) -> Iterator[Breach]:
    """Units, lengths and gaps: law 3, for the links of one batch in their order."""
    into, out_of = (registers.unit_codes[links[side]] for side in ("source", "target"))
    like, lost = into == out_of, registers.are(RegisterKind.LOSS)[links["target"]]
    if kind in LIKE:
        bad = ~like
    elif kind is LinkKind.AVOID:
        bad = (into != UNITS.index(Unit.WH)) | (out_of != UNITS.index(Unit.G_CO2E))
    elif kind is LinkKind.CONVERT:
        bad = np.where(lost, ~like, (into != UNITS.index(Unit.WH)) | (out_of != UNITS.index(Unit.MJ)))
    else:
        bad = lost & ~like
    yield Breach("links.units", f"The units of the registers do not suit {kind}.", bad)
    finer = np.where(like, 1, MJ_PER_WH if kind is LinkKind.CONVERT else 0)
    source, target = (links[f"{side}_stop"] - links[f"{side}_start"] for side in ("source", "target"))
    wrapped = source > (2**63 - 1) // np.maximum(finer, 1)
    unequal = (finer > 0) & (wrapped | (target != source * finer))
    yield Breach("links.unequal", "Like units go over one for one.", unequal)
    if kind in TILED:
        gap = _gaps(links, "source", registers) | _gaps(links, "target", registers)
        yield Breach("links.gap", "Links between unlike units follow each other without a gap.", gap)


def beyond_meter(kind: LinkKind, links: Columns, registers: Registers) -> Breach:
    """Source units of a counted register that it has not reached; for *allocate* and *claim* target units too: law 4.

    The other kinds derive their target: it moves on with them.
    """
    counted, read = registers.are(RegisterKind.COUNTED), registers.read
    beyond = counted[links["source"]] & (links["source_stop"] > read[links["source"]])
    if kind in (LinkKind.ALLOCATE, LinkKind.CLAIM):
        beyond |= counted[links["target"]] & (links["target_stop"] > read[links["target"]])
    return Breach("links.beyond_meter", "A counted register has not reached these units.", beyond)


def _gaps(links: Columns, side: str, registers: Registers) -> Mask:
    """Rows that do not start where the row before them on the same register stopped; a calendar may stand idle."""
    register: NDArray[Any] = links[side]
    order = np.argsort(register, kind="stable")
    start, stop = links[f"{side}_start"][order], links[f"{side}_stop"][order]
    gap = np.zeros(len(register), dtype=bool)
    gap[order[1:]] = (np.diff(register[order]) == 0) & (start[1:] != stop[:-1])
    gap &= ~registers.are(RegisterKind.SCHEDULED)[register]
    return gap
