"""Match hours: certificates are claimed for what was drawn in the same interval, by stated rules; both are used up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from consumer_kit import IMPORTS, Consumers, asked, kept
from device_kit import hours
from registry_kit import rows_of

from penstock.energy.matching import Corridor, Preference, Rules, Timing
from penstock.errors import Conflict, Corrupt, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS
from penstock.journal.kinds.energy import SpansLinked, TitlesMoved
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import HOUR_US, QUARTER_HOUR_US, Period
from penstock.usecases.claim import Claim, claim
from penstock.usecases.registry.consume import Consumption, consume_on
from penstock.usecases.registry.match_hours import Hours, Priced, match_hours, match_hours_on, plan_hours, preview
from penstock.usecases.registry.selection import Named, Selection

FIFO = Rules(Preference.FIFO)


@pytest.fixture
def consumers() -> Consumers:
    """The roof's 1,000, 1,500, 500, 2,000 Wh; home draws 700, 200, 0, 100 and mill 500, 500, 500, 500 Wh."""
    registry = Consumers()
    registry.with_hours()
    registry.consumed("home", (1, 700), (2, 900), (3, 900), (4, 1_000))
    return registry.consumed("mill", (1, 500), (2, 1_000), (3, 1_500), (4, 2_000))


def claim_links(registry: Consumers) -> dict[str, Any]:
    return dict(registry.world.books.links[LinkKind.CLAIM].columns())


def test_each_hour_is_matched_with_its_own(consumers: Consumers) -> None:
    linked, used, drawn = consumers.do(match_hours, asked(rules=FIFO))
    assert isinstance(linked.fact, SpansLinked)
    assert isinstance(used.fact, TitlesMoved)
    assert isinstance(drawn.fact, TitlesMoved)
    assert (linked.fact.link, linked.fact.quantity_in) == (LinkKind.CLAIM, 1_000 + 700 + 500 + 600)
    assert [(one.right, one.state) for one in (used.fact, drawn.fact)] == [
        (Right.ATTRIBUTE, TitleState.CLAIMED), (Right.CONSUMPTION, TitleState.CLAIMED),
    ]  # fmt: skip
    assert used.fact.purpose == "matched to consumption: fifo, same_interval"
    assert consumers.wh("owner", "claimed") == 2_800
    links = claim_links(consumers)
    assert rows_of(links, "source_start", "target", "target_start", "target_stop") == [
        (0, IMPORTS["home"], 0, 700), (700, IMPORTS["mill"], 0, 300),
        (1_000, IMPORTS["home"], 700, 900), (1_200, IMPORTS["mill"], 500, 1_000),
        (2_500, IMPORTS["mill"], 1_000, 1_500),
        (3_000, IMPORTS["home"], 900, 1_000), (3_100, IMPORTS["mill"], 1_500, 2_000),
    ]  # fmt: skip
    assert [(a, b, state) for a, b, _, state in consumers.drawn("mill")][:2] == [
        (0, 300, "claimed"),
        (300, 500, "held"),
    ]


def test_pro_rata_gives_each_its_share(consumers: Consumers) -> None:
    consumers.do(match_hours, asked(stop_us=hours(1)))
    links = claim_links(consumers)
    assert rows_of(links, "target", "target_start", "target_stop") == [
        (IMPORTS["home"], 0, 583), (IMPORTS["mill"], 0, 417),
    ]  # fmt: skip


def test_a_second_match_takes_what_the_first_left(consumers: Consumers) -> None:
    first = asked(consumers=["home"], rules=FIFO)
    consumers.do(match_hours, first)
    assert consumers.refused(match_hours, first) == "match.nothing"
    consumers.do(match_hours, asked(consumers=["mill"], rules=FIFO))
    assert consumers.wh("owner", "claimed") == 2_800


def test_who_draws_may_hold_the_certificates_itself(consumers: Consumers) -> None:
    assert consumers.refused(match_hours, Hours("owner", hours(0), hours(9))) == "match.nothing"


def test_only_suitable_certificates_are_taken(consumers: Consumers) -> None:
    narrow = Selection(start_us=hours(1), stop_us=hours(2))
    consumers.do(match_hours, asked(certificates=narrow, rules=FIFO))
    assert consumers.wh("owner", "claimed") == 700
    by_name = Selection((Named("roof/export", 2_500, 2_600),))
    assert consumers.refused(match_hours, asked(certificates=by_name)) == "match.selection"


def test_another_zone_is_out_of_reach_without_a_corridor() -> None:
    registry = Consumers("YY")
    registry.with_hours()
    registry.consumed("home", (1, 700), (2, 900), zone="YY")
    far = asked(consumers=["home"])
    assert registry.refused(match_hours, far) == "match.nothing"
    ways = Rules(corridors=(Corridor("XX", "YY", 150),))
    registry.do(match_hours, replace(far, rules=ways))
    assert registry.wh("owner", "claimed") == 300


def test_an_hour_takes_quarters_only_where_that_is_the_rule() -> None:
    registry = Consumers()
    registry.with_hours()
    registry.consumed("home", (0.25, 10), (0.5, 30), (1, 70), interval_us=QUARTER_HOUR_US)
    strict = asked(consumers=["home"])
    assert registry.refused(match_hours, strict) == "match.nothing"
    registry.do(match_hours, replace(strict, rules=Rules(timing=Timing.SAME_HOUR)))
    assert registry.wh("owner", "claimed") == 70


def test_the_cheapest_lot_goes_first(consumers: Consumers) -> None:
    cheapest = asked(rules=Rules(Preference.CHEAPEST))
    assert consumers.refused(match_hours, replace(cheapest, prices=(Priced(0, -1),))) == "match.price"
    assert consumers.refused(match_hours, replace(cheapest, prices=(Priced(99, 1),))) == "lot.unknown"
    consumers.do(match_hours, replace(cheapest, prices=(Priced(0, 5),)))
    assert consumers.wh("owner", "claimed") == 2_800


def test_what_is_reserved_for_another_is_not_taken(consumers: Consumers) -> None:
    consumers.moved(Right.ATTRIBUTE, 0, 1_000, TitleState.RESERVED)
    consumers.do(match_hours, asked(rules=FIFO))
    assert consumers.wh("owner", "claimed") == 1_800


def test_only_a_member_with_the_role_matches(consumers: Consumers) -> None:
    assert consumers.refused(match_hours, asked(by="stranger")) == "account.not_member"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": "nobody"}, "account.unknown"),
        ({"consumers": ("nobody",)}, "account.unknown"),
        ({"stop_us": hours(0)}, "period.empty"),
        ({"statement": "\x07"}, "retire.text"),
        ({"start_us": hours(8)}, "match.nothing"),
    ],
)
def test_bad_requests_change_nothing(consumers: Consumers, changes: dict[str, Any], code: str) -> None:
    assert consumers.refused(match_hours, asked(**changes)) == code


def test_a_preview_says_what_would_come_of_it(consumers: Consumers) -> None:
    before = consumers.world.books.digest()
    found = preview(consumers.world, asked(rules=FIFO), hours(5))
    assert (found["certificates_wh"], found["drawn_wh"], found["matched_wh"]) == (5_000, 3_000, 2_800)
    assert found["matched_basis_points"] == 9_333
    assert [(row["zone"], row["drawn_wh"], row["matched_wh"]) for row in found["intervals"]] == [
        ("XX", 1_200, 1_000), ("XX", 700, 700), ("XX", 500, 500), ("XX", 600, 600),
    ]  # fmt: skip
    assert consumers.world.books.digest() == before
    empty = preview(consumers.world, asked(start_us=hours(8)), hours(5))
    assert (empty["matched_basis_points"], empty["intervals"]) == (0, [])


def test_expired_certificates_supply_nothing() -> None:
    registry = Consumers()
    registry.with_hours()
    lots = registry.world.books.lots
    lots._columns["valid_us"][: len(lots)] = HOUR_US
    registry.consumed("home", (1, 700), (2, 900))
    plan = plan_hours(registry.world, asked(consumers=["home"]), hours(2.5))
    assert rows_of(plan.links(), "source_start", "source_stop") == [(1_000, 1_200)]


def links_of(*rows: tuple[int, ...]) -> Columns:
    columns = zip(*rows, strict=True)
    return {name: np.array(part, dtype=dtype) for (name, dtype), part in zip(LINKS.fixed, columns, strict=True)}


def test_another_hours_consumption_is_refused_whoever_decides(consumers: Consumers) -> None:
    wrong = links_of((0, 0, 100, IMPORTS["home"], 700, 800))
    with pytest.raises(Refused) as caught:
        claim(consumers.world, wrong, Claim("home", "a test", Period(hours(0), hours(2))))
    assert caught.value.code == "links.hour"
    segment = Segment(LINKS, wrong)
    fact = SpansLinked(segment.ref(), LinkKind.CLAIM, hours(0), hours(2), 100, 100, 0)
    with pytest.raises(Corrupt) as broken:
        consumers.tell([Entry(fact, segment)])
    assert broken.value.ids["cause"] == "links.hour"


def test_what_has_no_consumption_certificate_is_refused(consumers: Consumers) -> None:
    consumers.drew("home", (5, 1_400))
    beyond = links_of((0, 0, 100, IMPORTS["home"], 1_000, 1_100))
    with pytest.raises(Refused) as caught:
        claim(consumers.world, beyond, Claim("home", "a test", Period(hours(0), hours(9))))
    assert caught.value.code == "links.hour"


def breaks(registry: Consumers) -> set[str]:
    return {finding.code for finding in breaches(registry.world.books)}


def test_every_way_to_break_a_claim_is_found(consumers: Consumers) -> None:
    consumers.do(match_hours, asked(rules=FIFO))
    held = TITLE_STATES.index(TitleState.HELD)
    for right, code in ((Right.ATTRIBUTE, "law2.claim_source"), (Right.CONSUMPTION, "law2.claim_target")):
        states = consumers.world.books.titles[right].columns()["state"]
        kept = states.copy()
        states[0] = held
        assert code in breaks(consumers)
        states[:] = kept
    assert breaks(consumers) == set()
    consumers.world.books.titles[Right.ATTRIBUTE].columns()["interval_us"][0] += HOUR_US
    assert "law2.claim_hour" in breaks(consumers)


def test_a_match_is_recorded_once_under_its_key(tmp_path: Path) -> None:
    with kept(tmp_path / "kept", story) as workspace:
        first = match_hours_on(workspace, "match:1", asked(rules=FIFO), hours(5))
        again = match_hours_on(workspace, "match:1", asked(rules=FIFO), hours(6))
        with pytest.raises(Conflict) as caught:
            match_hours_on(workspace, "match:1", asked(), hours(5))
        assert caught.value.code == "journal.key_reused"
    assert (first.repeated, again.repeated, again.acts) == (False, True, first.acts)
    assert [act.get("quantity_wh") for act in first.acts] == [None, 700, 700]


def test_all_that_was_drawn_is_certified_by_a_command(tmp_path: Path) -> None:
    with kept(tmp_path / "kept", story) as workspace:
        (act,) = consume_on(workspace, "consume:1", Consumption("XX"), hours(5)).acts
        assert (act["right"], act["quantity_wh"]) == ("consumption", 100)
        with pytest.raises(Refused) as caught:
            consume_on(workspace, "consume:2", Consumption("XX"), hours(5))
        assert caught.value.code == "certificate.nothing"


def story(registry: Consumers) -> None:
    """The roof's hours; the home's first is certified, its second waits."""
    registry.with_hours()
    registry.consumed("home", (1, 700))
    registry.drew("home", (2, 800))
