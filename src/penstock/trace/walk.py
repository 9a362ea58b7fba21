"""Walking links: all pieces of a level at once, hop by hop, until nothing is linked any further.

A piece knows the part of its parent that it accounts for, so sums close in the parent's own unit. Where units differ
in size, its own span is taken outward: every unit that the part touches, so that nothing is lost on the way and
neighbours may share the unit at an edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.cutting import ratio_down
from penstock.journal.links import LinkBook
from penstock.journal.state import Books
from penstock.journal.words import LinkKind
from penstock.span import Span

Ints = NDArray[Any]
Level = dict[str, Ints]

HOPS_MOST: Final = 64
LINK_KINDS: Final = tuple(kind for kind in LinkKind if kind not in (LinkKind.DELIVER, LinkKind.CLAIM))
"""What a walk follows: energy, and what became of it. A delivery only says which promise was kept, a claim whose
attribute went with what was drawn."""
_COLUMNS: Final = ("parent", "kind", "row", "links", "register", "start", "stop", "part_start", "part_stop")


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Pieces by level; the first level is the spans asked for.

    Columns of a level: ``parent`` (row of the level before), ``kind`` (``LINK_KINDS[kind]``), ``row`` (the link's
    number in its book, the first of ``links`` joined), ``register``, ``start``, ``stop`` and the part of the parent it
    accounts for, ``part_start`` and ``part_stop`` [the parent's unit]. Sorted by (parent, part_start).
    ``whole`` is False where the walk stopped at its last allowed hop.
    """

    levels: tuple[Level, ...]
    is_back: bool
    whole: bool


def walk(
    books: Books, register: int, span: Span, *, is_back: bool, joined: bool = False, hops_most: int = HOPS_MOST
) -> Walk:
    """Follow one span; as `walk_all`."""
    ends = (np.array([value]) for value in (register, span.start, span.stop))
    return walk_all(books, *ends, is_back=is_back, joined=joined, hops_most=hops_most)


def walk_all(
    books: Books,
    register: Ints,
    start: Ints,
    stop: Ints,
    *,
    is_back: bool,
    joined: bool = False,
    hops_most: int = HOPS_MOST,
) -> Walk:
    """Follow spans, a row each of the first level, to all they came from or became; no loop over pieces.

    Args:
        joined: neighbouring links of one parent that continue each other on both sides become one piece.
    """
    levels = [_first(register, start, stop)]
    while len(levels) <= hops_most:
        level = _hop(books, levels[-1], is_back)
        if not len(level["row"]):
            return Walk(tuple(levels), is_back, True)
        levels.append(_join(level) if joined else level)
    return Walk(tuple(levels), is_back, False)


def _first(register: Ints, start: Ints, stop: Ints) -> Level:
    values = (-1, 0, -1, 1, register, start, stop, start, stop)
    return {
        name: np.broadcast_to(np.asarray(value, dtype=np.int64), len(register))
        for name, value in zip(_COLUMNS, values, strict=True)
    }


def _hop(books: Books, level: Level, is_back: bool) -> Level:
    found = [
        _pieces(books.links[kind], code, level, is_back) for code, kind in enumerate(LINK_KINDS) if books.links[kind]
    ]
    if not found:
        return {name: np.empty(0, dtype=np.int64) for name in _COLUMNS}
    pieces = {name: np.concatenate([part[name] for part in found]) for name in _COLUMNS}
    order = np.lexsort((pieces["part_start"], pieces["parent"]))
    return {name: column[order] for name, column in pieces.items()}


def _pieces(book: LinkBook, code: int, level: Level, is_back: bool) -> Level:
    join, near, far = (book.backward, "target", "source") if is_back else (book.forward, "source", "target")
    found, links = join(level["register"], level["start"], level["stop"]), book.columns()
    part_start, part_stop = getattr(found, f"{near}_start"), getattr(found, f"{near}_stop")
    own, other = (links[f"{side}_stop"][found.row] - links[f"{side}_start"][found.row] for side in (near, far))
    behind = ratio_down(links[f"{near}_stop"][found.row] - part_stop, other, own)
    return {
        "parent": found.query,
        "kind": np.full(len(found), code, dtype=np.int64),
        "row": found.row,
        "links": np.ones(len(found), dtype=np.int64),
        "register": getattr(found, far).astype(np.int64),
        "start": getattr(found, f"{far}_start"),
        "stop": links[f"{far}_stop"][found.row] - behind,  # outward: rounded down from the other end
        "part_start": part_start,
        "part_stop": part_stop,
    }


def _join(level: Level) -> Level:
    """Pieces that continue the one before, on both sides, taken into it."""
    same = np.ones(len(level["row"]) - 1, dtype=bool)
    for name in ("parent", "kind", "register"):
        same &= level[name][1:] == level[name][:-1]
    for side in ("", "part_"):  # outward spans may share the unit at an edge
        same &= (level[f"{side}start"][1:] <= level[f"{side}stop"][:-1]) & (
            level[f"{side}start"][1:] >= level[f"{side}start"][:-1]
        )
    first = np.flatnonzero(np.append(True, ~same))
    last = np.append(first[1:], len(level["row"])) - 1
    joined = {name: column[first] for name, column in level.items()}
    joined["links"] = np.add.reduceat(level["links"], first)
    for side in ("", "part_"):
        joined[f"{side}stop"] = np.maximum.reduceat(level[f"{side}stop"], first)
    joined["part_stop"] = level["part_stop"][last]
    return joined
