"""Selection: which certificates an act is about - named by their spans, or so many Wh, or a share of what suits.

By quantity or share the oldest interval goes first, then the lower register, then the lower position; the last title
is cut, so that the parts together are exactly what was asked. Nothing renumbers: a part's name is its own span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.cutting import ratio_down
from penstock.journal.links import overlapping
from penstock.journal.segment import Column, Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Assurance, Right, Technology, TitleState
from penstock.usecases.world import World

Mask = NDArray[np.bool_]
WHOLE_BASIS_POINTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Named:
    """A certificate's name: the units ``[start, stop)`` of a register [Wh]."""

    register: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for: exactly one of ``spans``, ``quantity_wh`` and ``share_basis_points`` (rounded down to a Wh).

    The others narrow what suits; empty, None and 0 do not. ``start_us`` to ``stop_us`` is when it was produced: an
    interval suits that starts there. ``interval_us`` is how long an interval is, ``lot`` the number of an issue.
    ``assurance`` is the least that will do.
    """

    spans: tuple[Named, ...] = ()
    quantity_wh: int = 0
    share_basis_points: int = 0
    register: str = ""
    zone: str = ""
    technology: Technology | None = None
    assurance: Assurance | None = None
    start_us: int = 0
    stop_us: int = 0
    interval_us: int = 0
    lot: int | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What is to become of certificates: the state they come to, and for whom."""

    state: TitleState
    beneficiary: str


def select(
    world: World,
    account: str | None,
    selection: Selection,
    states: Sequence[TitleState] = (TitleState.HELD,),
    right: Right = Right.ATTRIBUTE,
    at_us: int | None = None,
) -> dict[str, Column]:
    """Parts of titles of ``account`` (None: anybody's) in one of ``states``: columns of `TitleBook.parts`.

    ``query`` is the named span that a part lies in, 0 where none is named. With ``at_us`` what has expired by then,
    or is sold forward, is passed over, or refused where it is named.

    Raises:
        Invalid: ``selection.unclear``, ``selection.quantity``, ``selection.share``, ``selection.span``,
            ``selection.period``. NotFound: ``account.unknown``, ``register.unknown``. Refused: ``selection.short``
            where less suits, ``selection.nothing`` where a share comes to no Wh. As `of_spans`.
    """
    _check(selection)
    holder = None if account is None else world.books.accounts.id_of(account)
    if selection.spans:
        parts = of_spans(world, holder, spans_of(world, selection.spans), states, right, at_us)
        _check_suit(suits(world, selection, parts))
        return parts
    rows = world.books.titles[right].owned(holder, states)
    rows = _pick(rows, suits(world, selection, rows))
    if at_us is not None:
        rows = _pick(rows, ~world.books.expired(rows["lot"], rows["interval_us"], at_us))
        rows = _pick(rows, world.forwards.spare(right, rows))
    return _head_of(rows, selection)


def usable(world: World, account: str, selection: Selection, use: Use, at_us: int) -> dict[str, Column]:
    """Parts of certificates that ``account`` may use so: held, unexpired - or reserved for whom they are used, named.

    Raises:
        As `select`; Refused ``reserve.for_another``.
    """
    states = (TitleState.HELD, TitleState.RESERVED) if selection.spans else (TitleState.HELD,)
    parts = select(world, account, selection, states, at_us=at_us)
    world.reservations.check(parts, use.state, use.beneficiary, at_us)
    return parts


def of_spans(
    world: World,
    holder: int | None,
    spans: Columns,
    states: Sequence[TitleState] = (TitleState.HELD,),
    right: Right = Right.ATTRIBUTE,
    at_us: int | None = None,
) -> dict[str, Column]:
    """As `select`, of named spans as columns: register numbers, start, stop. Each has to be covered to the last unit.

    Raises:
        Invalid: ``selection.span`` for an empty one. Conflict: ``selection.twice`` where they overlap.
        NotFound: ``titles.none``. Refused: ``titles.other_holder``, ``titles.not_active``, ``titles.expired``.
    """
    register, start, stop = (spans[name] for name in ("register", "start", "stop"))
    if ((start < 0) | (stop <= start)).any():
        raise Invalid("selection.span", "A certificate's span runs upwards from 0 or more.")
    if overlapping(register, start, stop).any():
        raise Conflict("selection.twice", "A unit is named twice.", hint="Spans include their start, not their stop.")
    parts = world.books.titles[right].parts(register, start, stop)
    covered = np.zeros(len(start), dtype=np.int64)
    np.add.at(covered, parts["query"], parts["stop"] - parts["start"])
    _check_rows(world, covered != stop - start, spans, NotFound, "titles.none", "Not all of this was issued")
    _check_parts(world, parts, holder, states, at_us)
    return parts


def spans_of(world: World, spans: Sequence[Named]) -> dict[str, Column]:
    """Named spans as columns; NotFound ``register.unknown``."""
    return {
        "register": np.array([world.books.registers.id_of(one.register) for one in spans], dtype=np.int32),
        "start": np.array([one.start for one in spans], dtype=np.int64),
        "stop": np.array([one.stop for one in spans], dtype=np.int64),
    }


def suits(world: World, selection: Selection, rows: Columns) -> Mask:
    """Which titles are of the register, zone, technology, assurance, time and lot asked for."""
    lots, fits = world.books.lots, np.ones(len(rows["start"]), dtype=bool)
    if selection.register:
        fits &= rows["register"] == world.books.registers.id_of(selection.register)
    if selection.stop_us:
        fits &= (rows["interval_us"] >= selection.start_us) & (rows["interval_us"] < selection.stop_us)
    if selection.lot is not None:
        fits &= rows["lot"] == selection.lot
    of_lot = np.ones(len(lots), dtype=bool)
    if selection.zone:
        of_lot &= lots.column("zone") == lots.text(selection.zone)
    if selection.technology is not None:
        of_lot &= lots.column("technology") == TECHNOLOGIES.index(selection.technology)
    if selection.assurance is not None:
        of_lot &= lots.column("assurance") <= ASSURANCES.index(selection.assurance)
    if selection.interval_us:
        of_lot &= lots.column("interval_us") == selection.interval_us
    found: Mask = fits & of_lot[rows["lot"]]
    return found


def quantity_of(parts: Columns) -> int:
    """Units in parts."""
    return int(np.sum(parts["stop"] - parts["start"]))


def _check(asked: Selection) -> None:
    if bool(asked.spans) + bool(asked.quantity_wh) + bool(asked.share_basis_points) != 1:
        hint = "Name spans, or a quantity above 0, or a share."
        raise Invalid("selection.unclear", "Say which certificates in exactly one way.", hint=hint)
    if not 0 <= asked.quantity_wh < 2**63:
        raise Invalid("selection.quantity", "A quantity is 1 Wh or more.", quantity_wh=asked.quantity_wh)
    if not 0 <= asked.share_basis_points <= WHOLE_BASIS_POINTS:
        raise Invalid("selection.share", f"A share is 1 to {WHOLE_BASIS_POINTS} basis points.")
    if any(not 0 <= one.start < one.stop < 2**63 for one in asked.spans):
        raise Invalid("selection.span", "A certificate's span runs upwards from 0 or more.")
    if (asked.start_us or asked.stop_us) and not 0 <= asked.start_us < asked.stop_us < 2**63:
        raise Invalid("selection.period", "A time of production ends after it starts.")


def _head_of(rows: Columns, asked: Selection) -> dict[str, Column]:
    """The first units of ``rows``, oldest interval first: as many as were asked for."""
    order = np.lexsort((rows["start"], rows["register"], rows["interval_us"]))
    rows = {name: column[order] for name, column in rows.items()}
    reach = np.cumsum(rows["stop"] - rows["start"])
    whole = int(reach[-1]) if len(reach) else 0
    wanted = asked.quantity_wh or int(ratio_down(whole, asked.share_basis_points, WHOLE_BASIS_POINTS)[0])
    if wanted > whole:
        raise Refused("selection.short", f"{wanted} Wh are asked of certificates that hold {whole}.", suits_wh=whole)
    if not wanted:
        raise Refused("selection.nothing", "This share comes to no whole Wh.", suits_wh=whole)
    last = int(np.searchsorted(reach, wanted))
    parts = {name: column[: last + 1].copy() for name, column in rows.items()}
    parts["stop"][last] -= reach[last] - wanted
    return {**parts, "query": np.zeros(last + 1, dtype=np.int64)}


def _check_suit(fits: Mask) -> None:
    if not fits.all():
        raise Refused("selection.unsuitable", "A named certificate is not of the kind that is asked for.")


def _check_parts(
    world: World, parts: Columns, holder: int | None, states: Sequence[TitleState], at_us: int | None
) -> None:
    other = np.zeros(len(parts["start"]), dtype=bool) if holder is None else parts["holder"] != holder
    _check_rows(world, other, parts, Refused, "titles.other_holder", "Somebody else holds this")
    state = ~np.isin(parts["state"], [TITLE_STATES.index(one) for one in states])
    _check_rows(world, state, parts, Refused, "titles.not_active", "A certificate in this state cannot be used so")
    if at_us is not None:
        late = world.books.expired(parts["lot"], parts["interval_us"], at_us)
        _check_rows(world, late, parts, Refused, "titles.expired", "This has expired")


def _check_rows(world: World, bad: Mask, spans: Columns, error: Any, code: str, sentence: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        register, start, stop = (int(spans[name][row]) for name in ("register", "start", "stop"))
        urn = world.books.registers.urn(register)
        raise error(code, f"{sentence}: [{start}, {stop}) of {urn}.", register=urn, refused=int(bad.sum()))


def _pick(rows: Columns, mask: Mask) -> dict[str, Column]:
    return {name: column[mask] for name, column in rows.items()}
