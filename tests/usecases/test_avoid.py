"""Carbon credits and offsets: figures by hand, remainders carried, nothing used twice, facts that must not stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from carbon_kit import GRID, START_US, Portfolio, hour, line, method_of

from penstock.energy.carbon.credit import grams_down
from penstock.errors import Corrupt, PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.carbon import CarbonCredited, MethodAdopted, OffsetRetired, Work
from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES, Assurance, LinkKind, Right, Technology, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim, moved
from penstock.usecases.prove import trace_reading
from penstock.usecases.registry.avoid import Crediting, avoid, credit_rows, use_credits
from penstock.usecases.registry.selection import Named, Selection, select
from penstock.usecases.replay import replay
from penstock.usecases.world import World

CREDIT = "carbon/displaced-marginal/1/2025"
ASKED = Crediting("displaced-marginal", "1", "operator")
BUFFER = "displaced-marginal/buffer"


@pytest.fixture
def portfolio(tmp_path: Path) -> Iterator[Portfolio]:
    """A roof of 500, 1,500 and 3 Wh in three hours whose margin is 400, 500 and 500 g/kWh; nothing for the fourth."""
    made = Portfolio(tmp_path / "w")
    roof = made.device("roof", "north", "export", Technology.SOLAR_PV)
    made.publish(
        line("north", 0, "100", "150", "400", "50") + line("north", 1, "100", "150", "500", "50", hours=2)
        + line("north", 3, "100", "150", "", "50")
    )  # fmt: skip
    made.hourly(roof, [500, 1_500, 3, 100])
    made.certify(roof, "north", [500, 1_500, 3, 100])
    made.adopt()
    yield made
    made.workspace.store.close()


def credited(portfolio: Portfolio, start: int, stop: int, asked: Crediting = ASKED) -> None:
    portfolio.do(lambda world: avoid(world, parts(world, start, stop), asked))


def parts(world: World, start: int, stop: int, register: str = "roof/export") -> Any:
    return select(world, None, Selection(spans=(Named(register, start, stop),)))


def grams(portfolio: Portfolio, account: str, state: TitleState = TitleState.HELD) -> int:
    books = portfolio.world.books
    return books.titles[Right.CARBON].balance(books.accounts.id_of(account), state)


def test_a_credit_by_hand(portfolio: Portfolio) -> None:
    """500 Wh at 400 g/kWh are 200 g, 1,500 Wh at 500 g/kWh are 750 g; a tenth of the 950 g is held apart."""
    credited(portfolio, 0, 2_000)
    (row,) = credit_rows(portfolio.workspace)
    assert (row["grams"], row["buffer_g"], row["avoided_ug"]) == (950, 95, 950_000_000)
    assert (grams(portfolio, "operator"), grams(portfolio, BUFFER)) == (855, 95)
    links = portfolio.world.books.links[LinkKind.AVOID].columns()
    assert links["target_stop"].tolist() == [200, 950]
    assert not breaches(portfolio.world.books)


def test_remainders_are_carried_to_the_next_credit(portfolio: Portfolio) -> None:
    """2 Wh at 400 g/kWh are 0.8 g, nothing yet; each Wh after it 0.4 g."""
    portfolio.adopt(version="2", buffer_bp=0)
    asked = replace(ASKED, version="2")
    for stop in (3, 6, 9, 12):
        credited(portfolio, stop - 3, stop, asked)  # 1.2 g each
    assert [(row["start"], row["stop"]) for row in credit_rows(portfolio.workspace)] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    credited(portfolio, 12, 14, asked)  # 0.8 g each: 4.8 g so far, then 5.6 g
    assert portfolio.world.carbon.avoided_ug("carbon/displaced-marginal/2/2025") == 5_600_000
    assert credit_rows(portfolio.workspace)[-1]["stop"] == 5


@pytest.mark.parametrize("before", [0, 1, 999_999, 1_000_000, 7_300_000])
def test_grams_are_floors_of_cumulative_micrograms(before: int) -> None:
    parts_ug = np.array([400_000, 1, 599_999, 2_500_000])
    whole = [(before + int(parts_ug[:n].sum())) // 10**6 for n in range(5)]
    assert grams_down(before, parts_ug).tolist() == whole


def test_the_attribute_is_gone_for_every_other_use(portfolio: Portfolio) -> None:
    load = portfolio.device("load", "north", "import", Technology.LOAD)
    portfolio.hourly(load, [500])
    credited(portfolio, 0, 500)
    with pytest.raises(PenstockError) as found:
        portfolio.claim("roof/export", 0, load, 0, 500)
    assert found.value.code == "links.used"
    with pytest.raises(PenstockError) as found:
        credited(portfolio, 0, 500)
    assert found.value.code == "titles.not_active"


def test_a_claimed_certificate_makes_no_credit(portfolio: Portfolio) -> None:
    load = portfolio.device("load", "north", "import", Technology.LOAD)
    portfolio.hourly(load, [500])
    portfolio.claim("roof/export", 0, load, 0, 500)
    claimed = portfolio.world.books.titles[Right.ATTRIBUTE].parts(*(np.array([n]) for n in (0, 0, 500)))
    with pytest.raises(PenstockError) as found:
        portfolio.do(lambda world: avoid(world, claimed, ASKED))
    assert found.value.code == "titles.not_active"


@pytest.mark.parametrize(
    ("changed", "span", "code"),
    [
        ({"commissioned_from_us": hour(1)}, (0, 500), "carbon.not_additional"),
        ({"technologies": (Technology.WIND,)}, (0, 500), "carbon.not_additional"),
        ({}, (2_003, 2_103), "carbon.no_factor"),
        ({}, (0, 1), "carbon.no_gram"),
    ],
)
def test_what_is_not_credited(portfolio: Portfolio, changed: dict[str, Any], span: tuple[int, int], code: str) -> None:
    portfolio.adopt(version="2", **changed)
    size = portfolio.world.books.size
    with pytest.raises(PenstockError) as found:
        credited(portfolio, *span, replace(ASKED, version="2"))
    assert found.value.code == code
    assert portfolio.world.books.size == size


def test_weak_assurance_and_own_emissions_are_refused(portfolio: Portfolio) -> None:
    weak = portfolio.device("weak", "north", "export", Technology.SOLAR_PV)
    dirty = portfolio.device("dirty", "north", "export", Technology.SOLAR_PV)
    for register in (weak, dirty):
        portfolio.hourly(register, [500])
    portfolio.certify(weak, "north", [500], assurance=Assurance.DECLARED)
    portfolio.certify(dirty, "north", [500], carbon_mg_per_kwh=400_000)
    for register, code in ((weak, "carbon.not_additional"), (dirty, "carbon.not_avoided")):
        chosen = parts(portfolio.world, 0, 500, register)
        with pytest.raises(PenstockError) as found:
            avoid(portfolio.world, chosen, ASKED)
        assert found.value.code == code


def test_zones_do_not_mix(portfolio: Portfolio) -> None:
    south = portfolio.device("south", "south", "export", Technology.SOLAR_PV)
    portfolio.hourly(south, [500])
    portfolio.certify(south, "south", [500])
    both = Selection(spans=(Named("roof/export", 0, 500), Named(south, 0, 500)))
    with pytest.raises(PenstockError) as found:
        portfolio.do(lambda world: avoid(world, select(world, None, both), ASKED))
    assert found.value.code == "carbon.mixed"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"method": ""}, "method.named"),
        ({"additionality": ""}, "method.additionality"),
        ({"technologies": ()}, "method.additionality"),
        ({"buffer_bp": 10_000}, "method.bounds"),
        ({"crediting_years": 0}, "method.bounds"),
        ({"factors_version": "2030"}, "factors.unknown"),
        ({"version": "1"}, "method.known"),
    ],
)
def test_methods_that_do_not_stand(portfolio: Portfolio, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(PenstockError) as found:
        portfolio.adopt(**({"version": "2"} | changed))
    assert found.value.code == code


def test_credits_are_retired_and_the_buffer_only_that(portfolio: Portfolio) -> None:
    credited(portfolio, 0, 2_000)
    claim = Claim("operator", "travel of the year", Period(START_US, hour(1)))

    def of(world: World, account: str) -> Any:
        return select(world, account, Selection(quantity_wh=95), right=Right.CARBON)

    portfolio.do(lambda world: use_credits(world, of(world, "operator"), claim))
    assert grams(portfolio, "operator", TitleState.RETIRED) == 95
    with pytest.raises(PenstockError) as found:
        portfolio.do(lambda world: use_credits(world, of(world, BUFFER), claim, "operator"))
    assert found.value.code == "carbon.buffered"
    portfolio.do(lambda world: use_credits(world, of(world, BUFFER), claim))
    assert grams(portfolio, BUFFER, TitleState.RETIRED) == 95


def forged(entries: Sequence[Entry], **changed: Any) -> list[Entry]:
    return [
        Entry(replace(one.fact, **changed), one.segment) if isinstance(one.fact, CarbonCredited) else one
        for one in entries
    ]


@pytest.mark.parametrize(
    "changed",
    [{"avoided_ug": 10**12}, {"stop": 951}, {"buffer_g": 0}, {"vintage": 2024}, {"zone": "south"}, {"energy_wh": 1}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_credit_that_is_not_what_its_method_makes_does_not_apply(
    portfolio: Portfolio, changed: dict[str, Any]
) -> None:
    size = portfolio.world.books.size
    with pytest.raises(Corrupt) as found:
        portfolio.do(lambda world: forged(avoid(world, parts(world, 0, 2_000), ASKED), **changed))
    assert found.value.code == "carbon.does_not_apply"
    assert portfolio.world.books.size == size


@pytest.mark.parametrize("left_out", range(5))
def test_a_credit_with_a_fact_left_out_does_not_apply(portfolio: Portfolio, left_out: int) -> None:
    size = portfolio.world.books.size

    def without(world: World) -> list[Entry]:
        entries = avoid(world, parts(world, 0, 2_000), ASKED)
        after = Entry(method_of(version="9"))
        return [*entries[:left_out], *entries[left_out + 1 :], after]

    with pytest.raises(PenstockError):
        portfolio.do(without)
    assert portfolio.world.books.size == size


def test_attributes_retired_for_something_else_make_no_credit(portfolio: Portfolio) -> None:
    """A green tariff first, the credit's own links after: refused, whatever the facts are called."""

    def twice(world: World) -> list[Entry]:
        entries = avoid(world, parts(world, 0, 2_000), ASKED)
        moved = entries[1]
        return [entries[0], Entry(replace(moved.fact, purpose="green tariff: home"), moved.segment), *entries[2:]]

    with pytest.raises(Corrupt) as found:
        portfolio.do(twice)
    assert found.value.ids["cause"] == "carbon.not_retired"


@pytest.mark.parametrize("at", [1, 2])
def test_one_retirement_is_no_credit_and_an_offset_too(portfolio: Portfolio, at: int) -> None:
    """An offset that rests on the attributes of a credit, or on those retired for another reason, does not apply."""

    def both(world: World) -> list[Entry]:
        entries = avoid(world, parts(world, 0, 2_000), ASKED)
        offset = OffsetRetired(Work.RACK, "rack-1", -1, START_US, hour(2), 10**9, 2_000, "")
        return [*entries[: at + 1], Entry(offset), *entries[at + 1 :]]

    size = portfolio.world.books.size
    with pytest.raises(Corrupt):
        portfolio.do(both)
    assert portfolio.world.books.size == size


@pytest.mark.parametrize(("purpose", "beneficiary"), [("green tariff: home", "a"), ("offset of rack rack-1", "b")])
def test_what_was_retired_for_something_else_offsets_nothing(
    portfolio: Portfolio, purpose: str, beneficiary: str
) -> None:
    def after(world: World) -> list[Entry]:
        told = Claim(beneficiary, purpose, None)
        offset = OffsetRetired(Work.RACK, "rack-1", -1, START_US, hour(2), 10**9, 2_000, "a")
        return [moved(world, Right.ATTRIBUTE, parts(world, 0, 2_000), TitleState.RETIRED, told), Entry(offset)]

    with pytest.raises(Corrupt) as found:
        portfolio.do(after)
    assert found.value.ids["cause"] == "offset.not_retired"


def test_the_world_comes_back_the_same(portfolio: Portfolio) -> None:
    credited(portfolio, 0, 1_000)
    again = World()
    replay(portfolio.workspace.store, KINDS, again)
    assert again.carbon.digest() == portfolio.world.carbon.digest()
    assert again.books.digest() == portfolio.world.books.digest()


def test_factors_are_of_the_method_not_of_the_day(portfolio: Portfolio) -> None:
    method: MethodAdopted = portfolio.world.carbon.method("displaced-marginal", "1")
    assert (method.source, method.factors_version) == (GRID.source, GRID.version)


@pytest.mark.parametrize("state", [TitleState.HELD, TitleState.CLAIMED])
def test_a_credited_unit_that_is_not_retired_breaks_a_law(portfolio: Portfolio, state: TitleState) -> None:
    credited(portfolio, 0, 2_000)
    books = portfolio.world.books
    books.titles[Right.ATTRIBUTE].columns()["state"][0] = TITLE_STATES.index(state)
    assert "law2.credited_twice" in {one.code for one in breaches(books)}


def test_the_way_from_a_roof_to_its_credit_is_traced(portfolio: Portfolio) -> None:
    credited(portfolio, 0, 2_000)
    node = trace_reading(portfolio.workspace, "roof/export", 0, 2_000)
    assert CREDIT in repr(node)
