"""Split: a certificate is cut into several of the same holder. Their names are their spans; nothing renumbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.segment import Column, Columns
from penstock.journal.words import Right, TitleState
from penstock.units import INT64_MAX
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.selection import Named, of_spans, quantity_of, spans_of
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PURPOSE: Final = "split"
PARTS_MAX: Final = 10_000
"""No certificate is cut into more parts at once."""


@dataclass(frozen=True, slots=True)
class Split:
    """A certificate of ``account``, named, is cut into parts of ``sizes_wh``, in order; what is left is one more."""

    account: str
    certificate: Named
    sizes_wh: tuple[int, ...]
    by: str = ""


def split(world: World, asked: Split, at_us: int) -> list[Entry]:
    """The fact of a split.

    Raises:
        Invalid: ``split.sizes`` for none, too many, or one below 1 Wh; ``selection.span``. Refused: ``split.too_large``
        where they come to more than there is, ``split.nothing`` where one part is all of it, ``split.not_whole`` where
        the name is not a whole certificate's; as `of_spans` and `check_may`.
    """
    whole = asked.certificate.stop - asked.certificate.start
    if not 0 < len(asked.sizes_wh) <= PARTS_MAX or min(asked.sizes_wh) < 1:
        raise Invalid("split.sizes", f"A certificate is cut into parts of 1 Wh or more, at most {PARTS_MAX}.")
    if not 0 <= asked.certificate.start < asked.certificate.stop <= INT64_MAX:
        raise Invalid("selection.span", "A certificate's span runs upwards from 0 or more.")
    if sum(asked.sizes_wh) > whole:
        raise Refused("split.too_large", f"The parts come to {sum(asked.sizes_wh)} Wh of {whole}.", whole_wh=whole)
    if asked.sizes_wh[0] == whole:
        raise Refused("split.nothing", "This part is the whole certificate.", whole_wh=whole)
    spans = spans_of(world, [asked.certificate])
    _check_whole(world, spans)
    cuts = asked.certificate.start + np.cumsum(np.array(asked.sizes_wh, dtype=np.int64))
    cuts = cuts[cuts < asked.certificate.stop]
    return [cut(world, asked.account, np.full(len(cuts), spans["register"][0]), cuts, at_us, asked.by)]


def cut(world: World, account: str, register: Column, position: Column, at_us: int, by: str = "") -> Entry:
    """The fact that cuts certificates of ``account`` at positions (columns): each inside one that it holds.

    Raises:
        NotFound: ``titles.none``. Refused: ``split.at_border`` where a certificate begins there, or a cut is named
        twice; as `of_spans` and `check_may`.
    """
    order = np.lexsort((position, register))
    register, position = register[order].astype(np.int32), position[order]
    titles = world.books.titles[Right.ATTRIBUTE].parts(register, position, position + 1)
    if len(titles["start"]) != len(position):
        raise NotFound("titles.none", "Not every cut lies in a certificate.")
    whole = world.books.titles[Right.ATTRIBUTE].containing(register, position)
    again = np.r_[False, (register[1:] == register[:-1]) & (position[1:] == position[:-1])]
    if again.any() or (whole["start"] == position).any():
        raise Refused("split.at_border", "A certificate begins at this position already.")
    same = np.r_[whole["start"][1:] == whole["start"][:-1], False] & np.r_[register[1:] == register[:-1], False]
    stop = np.where(same, np.roll(position, -1), whole["stop"])
    parts = of_spans(
        world, world.books.accounts.id_of(account), {"register": register, "start": position, "stop": stop},
        at_us=at_us,
    )  # fmt: skip
    world.participants.check_may(by, account, "release", quantity_of(parts))  # it stays with its holder, as that does
    return moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, Claim("", PURPOSE, None, "", by), at_us=at_us)


def _check_whole(world: World, spans: Columns) -> None:
    title = world.books.titles[Right.ATTRIBUTE].at(int(spans["register"][0]), int(spans["start"][0]))
    if title is not None and (title.start, title.stop) != (int(spans["start"][0]), int(spans["stop"][0])):
        hint = f"That one is [{title.start}, {title.stop})."
        raise Refused("split.not_whole", "Name the whole certificate that is to be cut.", hint=hint)


def split_on(workspace: Workspace, key: str, asked: Split, at_us: int) -> Done:
    """Record a split under a key; the same key again tells what it did. Raises as `split`."""
    return done(workspace, key, asked, at_us, lambda world: split(world, asked, at_us))
