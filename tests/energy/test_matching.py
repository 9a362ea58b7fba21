"""Matching: interval by interval and zone by zone, by stated rules, exact to the Wh."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.energy.matching import Corridor, Preference, Rules, Side, Timing, match
from penstock.errors import Conflict, Invalid
from penstock.journal.overlay import Edges
from penstock.period import HOUR_US, QUARTER_HOUR_US

ZONES = ("north", "south")
FIFO = Rules(Preference.FIFO)
NOON = 12 * HOUR_US
Row = tuple[int, int, int]  # zone, interval, Wh


def side(
    rows: list[Row], length_us: int = HOUR_US, price: list[int] | None = None, carbon: list[int] | None = None
) -> Side:
    zone, interval_us, units = (np.array([row[n] for row in rows], dtype=np.int64) for n in range(3))
    extra = (None if one is None else np.array(one) for one in (price, carbon))
    return Side(zone, interval_us, np.full(len(rows), length_us), units, *extra)


def told(edges: Edges) -> list[tuple[int, ...]]:
    return list(zip(edges.left.tolist(), edges.right.tolist(), edges.units.tolist(), strict=True))


def test_only_one_interval_of_one_zone_suits() -> None:
    supply = side([(0, NOON, 5), (1, NOON, 5), (0, NOON + HOUR_US, 5)])
    demand = side([(0, NOON, 9), (1, NOON + 2 * HOUR_US, 9)])
    assert told(match(supply, demand, ZONES, FIFO)) == [(0, 0, 5)]


def test_pro_rata_shares_both_sides() -> None:
    supply = side([(0, NOON, 30), (0, NOON, 10)])
    demand = side([(0, NOON, 7), (0, NOON, 13)])
    edges = match(supply, demand, ZONES, Rules())
    taken = np.zeros(2, dtype=np.int64)
    np.add.at(taken, edges.left, edges.units)
    assert taken.tolist() == [15, 5]
    assert told(edges) == [(0, 0, 7), (0, 1, 8), (1, 1, 5)]


def test_the_cheapest_go_to_those_who_pay_most_and_to_nobody_who_pays_less() -> None:
    supply = side([(0, NOON, 5), (0, NOON, 5), (0, NOON, 5)], price=[30, 10, 20])
    demand = side([(0, NOON, 4), (0, NOON, 9)], price=[15, 25])
    assert told(match(supply, demand, ZONES, Rules(Preference.CHEAPEST))) == [(1, 1, 5), (2, 1, 4)]
    anyone = replace(demand, price=None)
    assert told(match(supply, anyone, ZONES, Rules(Preference.CHEAPEST))) == [
        (1, 0, 4),
        (1, 1, 1),
        (2, 1, 5),
        (0, 1, 3),
    ]


def test_least_carbon_goes_where_the_grid_has_most() -> None:
    supply = side([(0, NOON, 5), (0, NOON, 5)], carbon=[40, 11])
    demand = side([(0, NOON, 3), (0, NOON, 4)], carbon=[300, 500])
    assert told(match(supply, demand, ZONES, Rules(Preference.LARGEST_CARBON))) == [(1, 1, 4), (1, 0, 1), (0, 0, 2)]


def test_a_corridor_carries_what_is_left_up_to_its_limit() -> None:
    supply = side([(0, NOON, 10), (0, NOON + HOUR_US, 10)])
    demand = side([(0, NOON, 4), (1, NOON, 9), (1, NOON + HOUR_US, 9)])
    rules = Rules(Preference.FIFO, corridors=(Corridor("north", "south", 5),))
    edges = match(supply, demand, ZONES, rules)
    assert told(edges) == [(0, 0, 4), (0, 1, 5), (1, 2, 5)]
    assert edges.left_at.tolist() == [0, 4, 0]


def test_a_corridor_runs_one_way_and_in_its_time() -> None:
    supply, demand = side([(1, NOON, 10)]), side([(0, NOON, 9)])
    one_way = Rules(corridors=(Corridor("north", "south"),))
    later = Rules(corridors=(Corridor("south", "north", None, NOON + HOUR_US, NOON + 2 * HOUR_US),))
    open_now = Rules(corridors=(Corridor("south", "north", None, NOON, NOON + HOUR_US),))
    assert [told(match(supply, demand, ZONES, rules)) for rules in (one_way, later, open_now)] == [[], [], [(0, 0, 9)]]


def test_a_quarter_of_an_hour_suits_an_hour_only_by_the_stated_rule() -> None:
    supply = side([(0, NOON, 5), (0, NOON + 3 * QUARTER_HOUR_US, 5), (0, NOON + HOUR_US, 5)], QUARTER_HOUR_US)
    demand = side([(0, NOON, 8)])
    assert told(match(supply, demand, ZONES, FIFO)) == []
    assert told(match(supply, demand, ZONES, replace(FIFO, timing=Timing.SAME_HOUR))) == [(0, 0, 5), (1, 0, 3)]


def test_intervals_of_one_length_match_beside_those_of_another() -> None:
    lengths = np.array([HOUR_US, QUARTER_HOUR_US])
    supply = replace(side([(0, NOON, 5), (0, NOON, 7)]), length_us=lengths)
    demand = replace(side([(0, NOON, 6), (0, NOON, 6)]), length_us=lengths[::-1])
    assert sorted(told(match(supply, demand, ZONES, FIFO))) == [(0, 1, 5), (1, 0, 6)]


def test_years_apart_need_no_cell_for_each_hour_between() -> None:
    supply = side([(0, NOON, 5), (0, 4_000_000 * HOUR_US, 5)])
    demand = side([(0, 4_000_000 * HOUR_US, 3)])
    assert told(match(supply, demand, ZONES, FIFO)) == [(1, 0, 3)]


def test_nothing_to_match_is_no_edge() -> None:
    assert told(match(side([]), side([]), ZONES, Rules(corridors=(Corridor("north", "south", 3),)))) == []


def code_of(supply: Side, demand: Side, rules: Rules) -> str:
    with pytest.raises((Invalid, Conflict)) as caught:
        match(supply, demand, ZONES, rules)
    return caught.value.code


def test_bad_rows_and_rules_are_refused() -> None:
    good = side([(0, NOON, 5)])
    assert code_of(side([(0, NOON, 0)]), good, FIFO) == "match.quantity"
    assert code_of(good, side([(0, NOON, -5)]), FIFO) == "match.quantity"
    assert code_of(side([(0, NOON + 1, 5)]), good, FIFO) == "match.interval"
    assert code_of(side([(0, NOON, 5)], 7 * 60_000_000), good, FIFO) == "match.interval"
    assert code_of(side([(0, 0, 5)], 2 * HOUR_US), good, FIFO) == "match.interval"
    assert code_of(side([(0, 0, 5)], 0), good, FIFO) == "match.interval"
    assert code_of(good, good, Rules(corridors=(Corridor("north", "north"),))) == "match.corridor"
    assert code_of(good, good, Rules(corridors=(Corridor("north", "south", -1),))) == "match.corridor"
    assert code_of(good, good, Rules(corridors=(Corridor("north", "south", 1, 5, 5),))) == "match.corridor"
    twice = (Corridor("north", "south", 1), Corridor("north", "south", 2, NOON, NOON + HOUR_US))
    assert code_of(good, good, Rules(corridors=twice)) == "match.corridor_twice"
    assert code_of(good, good, Rules(Preference.CHEAPEST)) == "match.unpriced"
    assert code_of(good, good, Rules(Preference.LARGEST_CARBON)) == "match.no_carbon"
    quarter = side([(0, NOON, 5)], QUARTER_HOUR_US)
    assert code_of(good, quarter, Rules(corridors=(Corridor("north", "south", 1),))) == "match.limit_mixed"


rows = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([NOON, NOON + HOUR_US]), st.integers(1, 50)), max_size=12)


@given(rows, rows, st.sampled_from([Preference.PRO_RATA, Preference.FIFO]), st.integers(0, 60))
def test_each_unit_is_matched_once_and_none_is_left_that_could_be(
    certificates: list[Row], drawn: list[Row], preference: Preference, limit: int
) -> None:
    supply, demand = side(certificates), side(drawn)
    edges = match(supply, demand, ZONES, Rules(preference, corridors=(Corridor("north", "south", limit),)))
    for row, at, given_side in ((edges.left, edges.left_at, supply), (edges.right, edges.right_at, demand)):
        units: dict[int, set[int]] = defaultdict(set)
        for number, begin, size in zip(row.tolist(), at.tolist(), edges.units.tolist(), strict=True):
            span = set(range(begin, begin + size))
            assert not span & units[number]
            units[number] |= span
        assert all(max(span) < given_side.units_wh[number] for number, span in units.items())
    for hour in (NOON, NOON + HOUR_US):
        have, want = (
            [sum(q for z, t, q in one if (z, t) == (zone, hour)) for zone in (0, 1)] for one in (certificates, drawn)
        )
        local = [min(have[zone], want[zone]) for zone in (0, 1)]
        across = min(have[0] - local[0], want[1] - local[1], limit)
        assert int(edges.units[supply.interval_us[edges.left] == hour].sum()) == sum(local) + across


def test_rules_say_what_they_are() -> None:
    rules = Rules(Preference.CHEAPEST, Timing.SAME_HOUR, (Corridor("a", "b", 5), Corridor("b", "a")))
    assert str(rules) == "cheapest, same_hour, a>b up to 5 Wh, b>a"
