"""Selection: by name, by quantity, by share; the last certificate cut to the exact Wh; only what suits."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from device_kit import START_US, hours
from registry_kit import ROOF, Registry, named, rows_of

from penstock.errors import PenstockError
from penstock.journal.words import Assurance, Right, Technology, TitleState
from penstock.period import HOUR_US, to_us
from penstock.usecases.registry.selection import Named, Selection, select


def found(registry: Registry, asked: Selection, account: str | None = "owner") -> list[tuple[int, ...]]:
    return rows_of(select(registry.world, account, asked))


def code(registry: Registry, asked: Selection, account: str | None = "owner", at_us: int | None = None) -> str:
    with pytest.raises(PenstockError) as caught:
        select(registry.world, account, asked, at_us=at_us)
    return caught.value.code


def test_named_spans_are_cut_out_of_the_certificates_they_lie_in(registry: Registry) -> None:
    assert found(registry, named((0, 1_000), (1_200, 1_300))) == [(0, 1_000), (1_200, 1_300)]
    assert found(registry, named((900, 2_600))) == [(900, 1_000), (1_000, 2_500), (2_500, 2_600)]


def test_a_quantity_takes_the_oldest_first_and_cuts_the_last(registry: Registry) -> None:
    assert found(registry, Selection(quantity_wh=2_501)) == [(0, 1_000), (1_000, 2_500), (2_500, 2_501)]
    assert found(registry, Selection(quantity_wh=5_000))[-1] == (3_000, 5_000)
    assert found(registry, Selection(quantity_wh=1)) == [(0, 1)]


def test_a_share_is_rounded_down(registry: Registry) -> None:
    assert found(registry, Selection(share_basis_points=3_333)) == [(0, 1_000), (1_000, 1_666)]
    assert found(registry, Selection(share_basis_points=10_000))[-1] == (3_000, 5_000)
    assert code(registry, Selection(share_basis_points=1, stop_us=1)) == "selection.nothing"


def test_filters_narrow_what_suits(registry: Registry) -> None:
    second = Selection(share_basis_points=10_000, start_us=hours(1), stop_us=hours(2))
    assert found(registry, second) == [(1_000, 2_500)]
    suits = Selection(
        quantity_wh=10, register=ROOF, zone="XX", technology=Technology.SOLAR_PV, assurance=Assurance.DECLARED,
        interval_us=HOUR_US, lot=0,
    )  # fmt: skip
    assert found(registry, suits) == [(0, 10)]
    for other in (
        Selection(quantity_wh=1, zone="YY"),
        Selection(quantity_wh=1, technology=Technology.WIND),
        Selection(quantity_wh=1, interval_us=HOUR_US // 4),
        Selection(quantity_wh=1, lot=9),
        Selection(quantity_wh=1, start_us=hours(9), stop_us=hours(10)),
    ):
        assert code(registry, other) == "selection.short"
    assert code(registry, Selection((Named(ROOF, 0, 10),), zone="YY")) == "selection.unsuitable"


def test_a_certificate_in_another_zone_or_level_is_not_good_enough(registry: Registry) -> None:
    assert registry.world.books.lots[0].assurance is Assurance.METER_SIGNED
    assert found(registry, Selection(quantity_wh=5, assurance=Assurance.METER_SIGNED)) == [(0, 5)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Selection(), "selection.unclear"),
        (Selection(quantity_wh=1, share_basis_points=1), "selection.unclear"),
        (Selection(quantity_wh=-5), "selection.quantity"),
        (Selection(quantity_wh=2**63), "selection.quantity"),
        (Selection(share_basis_points=10_001), "selection.share"),
        (Selection(share_basis_points=-1), "selection.share"),
        (named((5, 5)), "selection.span"),
        (named((5, 4)), "selection.span"),
        (named((-1, 4)), "selection.span"),
        (named((0, 500), (499, 600)), "selection.twice"),
        (named((4_999, 5_001)), "titles.none"),
        (named((0, 1), register="no such"), "register.unknown"),
        (Selection(quantity_wh=5_001), "selection.short"),
        (Selection(quantity_wh=1, start_us=5, stop_us=5), "selection.period"),
    ],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, asked: Selection, expected: str) -> None:
    assert code(registry, asked) == expected


def test_only_the_holders_own_in_a_live_state(registry: Registry) -> None:
    assert code(registry, named((0, 1)), "trader") == "titles.other_holder"
    assert code(registry, Selection(quantity_wh=1), "trader") == "selection.short"
    assert code(registry, Selection(quantity_wh=1), "nobody") == "account.unknown"
    registry.moved(Right.ATTRIBUTE, 0, 1_000, TitleState.RETIRED)
    assert code(registry, named((0, 1))) == "titles.not_active"
    assert found(registry, Selection(quantity_wh=1)) == [(1_000, 1_001)]
    assert found(registry, named((1_000, 1_001)), None) == [(1_000, 1_001)]


@pytest.mark.parametrize(
    ("first", "last", "count"), [("03-26", "03-27", 23), ("10-29", "10-30", 25), ("06-01", "06-02", 24)]
)
def test_a_local_day_has_its_own_number_of_hours(first: str, last: str, count: int) -> None:
    """Days of daylight saving are 23 and 25 hours long where people live, and so many whole hours here."""
    zone = ZoneInfo("Europe/Berlin")
    start_us, stop_us = (
        to_us(datetime.fromisoformat(f"2017-{day}T00:00:00").replace(tzinfo=zone)) for day in (first, last)
    )
    registry = Registry()
    begins = (start_us - START_US) / HOUR_US
    registry.counted(*((begins + hour, 10 * hour + 20) for hour in range(-1, count + 2)))
    day = Selection(share_basis_points=10_000, start_us=start_us, stop_us=stop_us)
    assert sum(stop - start for start, stop in found(registry, day)) == 10 * count
