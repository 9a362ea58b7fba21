"""Matching: which certified Wh supplied which Wh drawn, interval by interval. Columns in, edges out.

First within each zone, then over each corridor between zones, in the order stated, with what is left. Everything is in
whole Wh and exact: shares are floors of cumulative units, so that they sum to what was shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid
from penstock.journal.overlay import Edges, both, lay, overlay, share_down
from penstock.period import HOUR_US

Ints = NDArray[Any]
UNBOUNDED: Final = 2**62
BLOCK_ROWS: Final = 1 << 16
SPARE_CELLS: Final = 1 << 20
"""Cells are numbered as they lie while there are not many more of them than rows; else only those with rows are."""


class Preference(StrEnum):
    """Which units go first where one side of an interval has more than the other."""

    PRO_RATA = "pro_rata"  # all rows of an interval, each by its share
    FIFO = "fifo"  # in the order given
    CHEAPEST = "cheapest"  # the cheapest certificates, to those who pay most
    LARGEST_CARBON = "largest_carbon"  # the certificates with least carbon, where the grid has most


class Timing(StrEnum):
    """When a certificate's interval suits an interval of consumption."""

    SAME_INTERVAL = "same_interval"  # it begins and ends with it
    SAME_HOUR = "same_hour"  # both lie in one hour (UTC), whatever their lengths


@dataclass(frozen=True, slots=True)
class Corridor:
    """Energy of zone ``source`` may supply zone ``target``: at most ``limit_wh`` [Wh] in an interval, None without one.

    From ``start_us`` until ``stop_us`` (0: always).
    """

    source: str
    target: str
    limit_wh: int | None = None
    start_us: int = 0
    stop_us: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What suits, and who goes first."""

    preference: Preference = Preference.PRO_RATA
    timing: Timing = Timing.SAME_INTERVAL
    corridors: tuple[Corridor, ...] = ()

    def __str__(self) -> str:
        """The rules in one line, as a claim states them."""
        ways = [
            f"{c.source}>{c.target}" + ("" if c.limit_wh is None else f" up to {c.limit_wh} Wh") for c in self.corridors
        ]
        return ", ".join([self.preference.value, self.timing.value, *ways])


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Rows of certificates or of consumption: ``zone`` (a number both sides share), the interval and its length [us],
    and how much [Wh].

    ``price``: what a certificate costs, or the most that a consumer pays [micro-dollars per MWh]. ``carbon``: of a
    certificate's generation, or of the grid that the consumer is spared [mg CO2e per kWh]. None where nobody asks.
    """

    zone: Ints
    interval_us: Ints
    length_us: Ints
    units_wh: Ints
    price: Ints | None = None
    carbon: Ints | None = None

    def __len__(self) -> int:
        return len(self.units_wh)


def match(supply: Side, demand: Side, zones: Sequence[str], rules: Rules) -> Edges:
    """Which Wh of which certificate (left) supply which Wh of which consumption (right).

    ``zones`` names the zone numbers of both sides. Each unit is matched once. Rows that suit nothing have no edge.

    Raises:
        Invalid: ``match.quantity`` below 1 Wh, ``match.interval`` for one that is no aligned part of an hour,
            ``match.corridor``, ``match.limit_mixed`` where a limit per interval meets intervals of several lengths,
            ``match.unpriced`` and ``match.no_carbon`` where a preference asks for what a side does not say.
        Conflict: ``match.corridor_twice``. As `overlay.lay`.
    """
    for side, what in ((supply, "certificate"), (demand, "consumption")):
        _check_rows(side, what)
    _check_corridors(rules)
    (left, right), slots, mixed = _slots(supply, demand, rules.timing)
    orders = _order(supply, rules.preference, 1), _order(demand, rules.preference, -1)
    rest = [supply.units_wh, demand.units_wh]
    cells = _cells(supply, left, slots, len(zones)), _cells(demand, right, slots, len(zones))
    found = [_meet(cells, rest, orders, slots * len(zones), None, rules.preference)]
    found[0] = _affordable(found[0], supply, demand, rules.preference)
    used = [np.zeros(len(side) if rules.corridors else 0, dtype=np.int64) for side in (supply, demand)]
    for corridor in rules.corridors:
        if corridor.limit_wh is not None and mixed:
            hint = "Match by the same hour, or intervals of one length at a time."
            raise Invalid("match.limit_mixed", "A limit per interval needs intervals of one length.", hint=hint)
        _use(used, found[-1])
        rest = [side.units_wh - taken for side, taken in zip((supply, demand), used, strict=True)]
        cells = (
            _in_zone(supply, left, zones, corridor.source, corridor),
            _in_zone(demand, right, zones, corridor.target, corridor),
        )
        edges = _meet(cells, rest, orders, slots, corridor.limit_wh, rules.preference)
        edges = Edges(
            edges.left, edges.right, edges.left_at + used[0][edges.left], edges.right_at + used[1][edges.right],
            edges.units,
        )  # fmt: skip
        found.append(_affordable(edges, supply, demand, rules.preference))
    return found[0] if len(found) == 1 else _joined(found)


def _meet(
    cells: tuple[Ints, Ints],
    units: Sequence[Ints],
    orders: tuple[Ints | None, Ints | None],
    count: int,
    limit: int | None,
    preference: Preference,
) -> Edges:
    cells, count = _dense(cells, count)
    left, right = both(
        lambda: lay(cells[0], units[0], count, orders[0]), lambda: lay(cells[1], units[1], count, orders[1])
    )
    met = np.minimum(left.totals, right.totals)
    if limit is not None:
        met = np.minimum(met, limit)
    if preference is Preference.PRO_RATA:
        left, right = share_down(left, met), share_down(right, met)
    return overlay(left, right, met)


def _dense(cells: tuple[Ints, Ints], count: int) -> tuple[tuple[Ints, Ints], int]:
    """The same cells by fewer numbers, where there are many more numbers than rows."""
    rows = len(cells[0]) + len(cells[1])
    if count <= 4 * rows + SPARE_CELLS:
        return cells, max(count, 1)
    present, number = np.unique(np.concatenate(cells), return_inverse=True)
    number = np.where(present[number] < 0, -1, number)
    return (number[: len(cells[0])], number[len(cells[0]) :]), len(present)


def _slots(supply: Side, demand: Side, timing: Timing) -> tuple[tuple[Ints, Ints], int, bool]:
    """The number of each row's interval of time, from 0 on; how many there are; whether lengths differ."""
    lengths = np.unique(np.concatenate([np.atleast_1d(_step(side)) for side in (supply, demand)]))
    mixed = timing is Timing.SAME_INTERVAL and len(lengths) > 1
    step = HOUR_US if timing is Timing.SAME_HOUR or not len(lengths) else int(lengths[0])
    ends = [end for side in (supply, demand) if len(side) for end in (side.interval_us.min(), side.interval_us.max())]
    first = int(min(ends, default=0)) // step
    kinds = len(lengths) if mixed else 1
    count = (int(max(ends, default=0)) // step - first + 1) * kinds

    def slot(side: Side, rows: slice) -> Ints:
        number: Ints = (side.interval_us[rows] // step - first) * kinds
        return number + np.searchsorted(lengths, side.length_us[rows]) if mixed else number

    left, right = (_by_block(len(side), count, partial(slot, side)) for side in (supply, demand))
    return (left, right), count, mixed


def _cells(side: Side, slot: Ints, slots: int, zones: int) -> Ints:
    """The number of each row's (slot, zone)."""
    return _by_block(len(side), slots * zones, lambda rows: slot[rows].astype(np.int64) * zones + side.zone[rows])


def _by_block(rows: int, below: int, reckon: Callable[[slice], Ints]) -> Ints:
    """A column of numbers below a bound, as narrow as they allow, reckoned in blocks that fit a core's cache."""
    out = np.empty(rows, dtype=np.int32 if below < 2**31 else np.int64)
    for part in _blocks(rows):
        out[part] = reckon(part)
    return out


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(low, low + BLOCK_ROWS) for low in range(0, rows, BLOCK_ROWS))


def _in_zone(side: Side, slot: Ints, zones: Sequence[str], zone: str, corridor: Corridor) -> Ints:
    """The slot of each row that a corridor begins or ends at while it is open; -1 of all others."""
    there = side.zone == (zones.index(zone) if zone in zones else -1)
    if corridor.stop_us:
        there &= (side.interval_us >= corridor.start_us) & (side.interval_us < corridor.stop_us)
    cell: Ints = np.where(there, slot, -1)
    return cell


def _order(side: Side, preference: Preference, sign: int) -> Ints | None:
    """Row numbers with those that go first in front; None as they come."""
    if preference in (Preference.PRO_RATA, Preference.FIFO):
        return None
    key = side.price if preference is Preference.CHEAPEST else side.carbon
    if key is None and preference is Preference.LARGEST_CARBON and sign > 0:
        raise Invalid("match.no_carbon", "To match by carbon, say how much each certificate has.")
    if key is None and sign > 0:
        raise Invalid("match.unpriced", "To match the cheapest, say what each certificate costs.")
    return None if key is None else np.argsort(sign * key, kind="stable")


def _affordable(edges: Edges, supply: Side, demand: Side, preference: Preference) -> Edges:
    """Without what costs more than is paid: as prices rise on one side and fall on the other, a cell's last edges."""
    if preference is not Preference.CHEAPEST or supply.price is None or demand.price is None:
        return edges
    return edges.rows(supply.price[edges.left] <= demand.price[edges.right])


def _use(used: list[Ints], edges: Edges) -> None:
    np.add.at(used[0], edges.left, edges.units)
    np.add.at(used[1], edges.right, edges.units)


def _joined(found: Sequence[Edges]) -> Edges:
    return Edges(*(np.concatenate([getattr(one, name) for one in found]) for name in Edges.__slots__))


def _check_rows(side: Side, what: str) -> None:
    if len(side) and int(side.units_wh.min()) < 1:
        _refuse("match.quantity", "A quantity is 1 Wh or more", what, side.units_wh < 1)
    length = _step(side)
    for part in _blocks(len(side)):
        step = length if length.ndim == 0 else length[part]
        bad = (step < 1) | (step > HOUR_US) | (HOUR_US % np.maximum(step, 1) != 0)
        bad = (side.interval_us[part] % np.maximum(step, 1) != 0) | bad
        if bad.any():
            sentence = "An interval is an hour or a whole part of one, and begins on the grid"
            _refuse("match.interval", sentence, what, bad, part.start)


def _step(side: Side) -> Ints:
    """Lengths of intervals: one for all where all are equal, which is a division by a constant."""
    length = side.length_us
    alike = len(length) > 0 and (length.strides == (0,) or bool((length == length[0]).all()))
    return np.asarray(length[0]) if alike else length


def _refuse(code: str, sentence: str, what: str, bad: Ints, first: int = 0) -> NoReturn:
    raise Invalid(code, f"{sentence}.", side=what, row=first + int(np.argmax(bad)))


def _check_corridors(rules: Rules) -> None:
    for number, one in enumerate(rules.corridors):
        if one.source == one.target or (one.limit_wh is not None and one.limit_wh < 0) or not _runs(one):
            raise Invalid("match.corridor", "A corridor joins two zones, its limit is not negative, its time runs on.")
        for other in rules.corridors[:number]:
            if (one.source, one.target) == (other.source, other.target) and _overlap(one, other):
                sentence = f"The corridor from {one.source} to {one.target} is stated twice for one time."
                raise Conflict("match.corridor_twice", sentence)


def _runs(one: Corridor) -> bool:
    return one.stop_us == one.start_us == 0 or 0 <= one.start_us < one.stop_us


def _overlap(one: Corridor, other: Corridor) -> bool:
    stops = [c.stop_us or UNBOUNDED for c in (one, other)]
    return max(one.start_us, other.start_us) < min(stops)
