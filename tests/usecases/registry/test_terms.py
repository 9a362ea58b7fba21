"""Certify with terms: 15 minutes to an hour, mixed only at a border; carbon, validity, support; nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from device_kit import hours
from registry_kit import ROOF, Registry, named

from penstock.errors import Corrupt, PenstockError
from penstock.journal.fact import Entry
from penstock.journal.formats import TITLES
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Segment
from penstock.journal.span_index import SpanIndex
from penstock.journal.titles import Verdict
from penstock.journal.words import Right, TitleState
from penstock.period import HOUR_US, QUARTER_HOUR_US
from penstock.usecases.certify import Terms, certify
from penstock.usecases.registry.expire import expire
from penstock.usecases.registry.reserve import Release, Reserve, release, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Selection, select
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw

QUARTERS = Terms(interval_us=QUARTER_HOUR_US)


def certified(registry: Registry, terms: Terms, *readings: tuple[float, int]) -> list[Entry]:
    columns = registry.taken(*readings)
    entries = certify(registry.world, [columns], "XX", terms)
    registry.tell(entries)
    return entries


def refused(registry: Registry, terms: Terms, *readings: tuple[float, int]) -> str:
    columns = registry.taken(*readings)
    with pytest.raises(PenstockError) as caught:
        certify(registry.world, [columns], "XX", terms)
    return caught.value.code


def intervals(registry: Registry) -> list[tuple[float, int, int]]:
    rows = registry.world.books.titles[Right.ATTRIBUTE].columns()
    begins = [(one - hours(0)) / HOUR_US for one in rows["interval_us"].tolist()]
    return list(zip(begins, rows["start"].tolist(), rows["stop"].tolist(), strict=True))


def test_a_quarter_has_what_completed_in_it() -> None:
    registry = Registry()
    certified(registry, QUARTERS, (0.25, 10), (0.5, 30), (1, 71))
    assert intervals(registry) == [(0, 0, 10), (0.25, 10, 30), (0.5, 30, 50), (0.75, 50, 71)]


def test_lengths_are_mixed_at_a_border_alone() -> None:
    registry = Registry()
    certified(registry, Terms(), (1, 1_000))
    certified(registry, QUARTERS, (1.25, 1_100))
    assert refused(registry, Terms(), (2, 1_500)) == "certificate.border"
    assert refused(registry, Terms(interval_us=2 * QUARTER_HOUR_US), (2.5, 1_600)) == "certificate.border"
    certified(registry, QUARTERS, (3, 2_000))
    certified(registry, Terms(), (4, 3_000))
    assert intervals(registry)[-1] == (3, 2_000, 3_000)


def test_a_register_that_stood_still_can_change_its_length() -> None:
    registry = Registry()
    certified(registry, QUARTERS, (0.5, 30))
    registry.taken((1, 30))
    certified(registry, Terms(), (2, 100))
    assert intervals(registry)[-1] == (1, 30, 100)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (Terms(interval_us=QUARTER_HOUR_US // 3), "certificate.interval"),
        (Terms(interval_us=2 * HOUR_US), "certificate.interval"),
        (Terms(interval_us=0), "certificate.interval"),
        (Terms(interval_us=-HOUR_US), "certificate.interval"),
        (Terms(carbon_mg_per_kwh=-1), "certificate.terms"),
        (Terms(valid_us=-1), "certificate.terms"),
        (Terms(support="x" * 33), "certificate.terms"),
        (Terms(support="é"), "certificate.terms"),
    ],
)
def test_terms_that_no_certificate_has_are_refused(terms: Terms, code: str) -> None:
    assert refused(Registry(), terms, (1, 1_000)) == code


def test_what_the_issue_says_is_said_of_the_attribute() -> None:
    registry = Registry()
    attribute, energy = certified(registry, Terms(HOUR_US, 41_000, 5 * HOUR_US, "feed-in tariff"), (1, 1_000))
    assert isinstance(attribute.fact, TitlesIssued)
    assert isinstance(energy.fact, TitlesIssued)
    assert (attribute.fact.carbon_mg_per_kwh, attribute.fact.valid_us, attribute.fact.support) == (
        41_000, 5 * HOUR_US, "feed-in tariff",
    )  # fmt: skip
    assert (energy.fact.carbon_mg_per_kwh, energy.fact.valid_us, energy.fact.support) == (0, 0, "")


@pytest.mark.parametrize("begins", [0.0, 0.5, 3.0, 3.5])
def test_a_second_issue_within_an_interval_does_not_apply(begins: float) -> None:
    """The known defect of other registries: a device's hour issued twice, with numbers that follow on."""
    registry = Registry().with_hours()
    registry.taken((6, 6_000))
    attribute, _ = certify(registry.world, [registry.taken((7, 7_000))], "XX")
    assert isinstance(attribute.fact, TitlesIssued)
    assert attribute.segment is not None
    columns = {name: column[:1] for name, column in attribute.segment.columns.items()}
    columns["interval_us"] = columns["interval_us"] * 0 + hours(begins)
    segment = Segment(TITLES, columns)
    quantity = int((columns["stop"] - columns["start"]).sum())
    forged = replace(attribute.fact, segment=segment.ref(), quantity=quantity)
    if begins == 3.0:  # the same interval goes on: as titles of one interval from several origins do
        registry.tell([Entry(forged, segment)])
        return
    with pytest.raises(Corrupt) as caught:
        registry.tell([Entry(forged, segment)])
    assert caught.value.ids["cause"] == "titles.interval"


# What expires.


@pytest.fixture
def valid() -> Registry:
    """Hours 1 and 2 of a roof, each valid for two hours after its end: until hour 3 and hour 4."""
    registry = Registry()
    certified(registry, Terms(valid_us=2 * HOUR_US), (1, 1_000), (2, 2_500))
    return registry


def late_acts() -> list[tuple[object, object]]:
    return [
        (transfer, Transfer("owner", "trader", named((0, 10)))),
        (retire, Retirement("owner", named((0, 10)), "buyer", "x")),
        (reserve, Reserve("owner", named((0, 10)), "buyer", hours(30))),
    ]


@pytest.mark.parametrize(("act", "asked"), late_acts())
def test_what_has_expired_is_not_used_even_before_the_sweep(valid: Registry, act: object, asked: object) -> None:
    assert valid.refused(act, asked, 3) == "titles.expired"  # type: ignore[arg-type]
    valid.do(act, asked, 2.999)  # type: ignore[arg-type]


def test_by_quantity_what_has_expired_is_passed_over(valid: Registry) -> None:
    valid.do(transfer, Transfer("owner", "trader", Selection(quantity_wh=10)), 3.5)
    assert valid.wh("trader") == 10
    assert valid.owned()[1][:3] == (1_000, 1_010, "trader")
    assert valid.refused(transfer, Transfer("owner", "trader", Selection(quantity_wh=1)), 4) == "selection.short"


def test_the_sweep_takes_what_has_expired_and_no_more(valid: Registry) -> None:
    sweep = lambda world, _asked, at_us: expire(world, at_us)  # noqa: E731
    valid.do(reserve, Reserve("owner", named((0, 100)), "buyer", hours(30)), 2.5)
    valid.do(retire, Retirement("owner", named((100, 200)), "buyer", "x"), 2.5)
    assert valid.refused(sweep, None, 2.999) == "expire.nothing"
    valid.do(sweep, None, 3)
    assert [(a, b, state) for a, b, _, state in valid.owned()] == [
        (0, 100, "expired"), (100, 200, "retired"), (200, 1_000, "expired"), (1_000, 2_500, "held"),
    ]  # fmt: skip
    assert valid.refused(sweep, None, 3.5) == "expire.nothing"
    assert valid.refused(transfer, Transfer("owner", "trader", named((0, 10))), 3.5) == "titles.not_active"
    valid.do(withdraw, Withdrawal(named((0, 100)), "an error"), 3.5)


def test_a_reservation_that_expired_can_be_released_and_is_swept(valid: Registry) -> None:
    valid.do(reserve, Reserve("owner", named((0, 1_000)), "buyer", hours(30)), 2.5)
    valid.do(release, Release("owner", named((0, 1_000)), "buyer"), 3.5)
    valid.do(lambda world, _asked, at_us: expire(world, at_us), None, 3.5)
    assert valid.wh("owner", "expired") == 1_000


def test_a_split_of_what_has_expired_is_refused(valid: Registry) -> None:
    asked = Split("owner", named((0, 1_000)).spans[0], (5,))
    assert valid.refused(split, asked, 3) == "titles.expired"


def test_a_fact_that_moves_what_has_expired_does_not_apply(valid: Registry) -> None:
    entries = transfer(valid.world, Transfer("owner", "trader", named((0, 10))), hours(2))
    with pytest.raises(Corrupt) as caught:
        valid.tell(entries, hours(3))
    assert caught.value.ids["cause"] == "titles.expired"


def test_a_fact_that_expires_what_is_valid_does_not_apply(valid: Registry) -> None:
    with pytest.raises(Corrupt) as caught:
        valid.moved(Right.ATTRIBUTE, 0, 1_000, TitleState.EXPIRED)
    assert caught.value.ids["cause"] == "titles.not_expired"


def test_what_expires_is_looked_for_once_for_deciding_and_applying(
    valid: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = transfer(valid.world, Transfer("owner", "trader", named((0, 10), (1_000, 1_100))), hours(2))
    assert entry.segment is not None
    columns, books, searches = dict(entry.segment.columns), valid.world.books, list[str]()
    columns["target"] = columns["target"] + 1  # rows that were not judged yet
    for name in ("find", "join", "overlaps"):
        monkeypatch.setattr(SpanIndex, name, counted(getattr(SpanIndex, name), searches))
    books.check_moves(Right.ATTRIBUTE, columns)
    assert books.judge_moves(Right.ATTRIBUTE, columns, hours(2.999)).tolist() == [0, 0]
    assert searches == ["find"]
    assert books.judge_moves(Right.ATTRIBUTE, columns, hours(3)).tolist() == [Verdict.EXPIRED, 0]


def counted(search: Callable[..., Any], searches: list[str]) -> Callable[..., Any]:
    def counting(*asked: Any) -> Any:
        searches.append(search.__name__)
        return search(*asked)

    return counting


def test_selection_by_name_says_what_has_expired(valid: Registry) -> None:
    with pytest.raises(PenstockError) as caught:
        select(valid.world, "owner", named((0, 1_001)), at_us=hours(3))
    assert caught.value.code == "titles.expired"
    assert caught.value.ids["register"] == ROOF
