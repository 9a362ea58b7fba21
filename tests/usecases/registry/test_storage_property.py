"""Any order of generating, charging, discharging, certifying: no Wh appears, every certificate has its origin."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_kit import DISCHARGE, NAME, Plant

from penstock.errors import Refused
from penstock.journal.kinds.storage import StorageRecordsWithdrawn
from penstock.journal.words import TITLE_STATES, Direction, LinkKind, Right, TitleState
from penstock.usecases.registry.storage import withdraw_records
from penstock.usecases.registry.storage_rows import storage_row, stored_from
from penstock.usecases.world import World

rates = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (min(pair), max(pair)))
hour = st.tuples(st.integers(0, 400), st.integers(0, 300), st.integers(0, 900), st.integers(0, 700))
PLAIN = ["certify", "charge", "bare", "discharge", "surplus", "issue"]
acts = st.lists(
    st.one_of(
        st.tuples(st.just("hour"), hour),
        st.tuples(st.sampled_from(PLAIN), st.just((0, 0, 0, 0))),
        st.tuples(st.just("withdraw"), st.tuples(st.integers(0, 1), st.integers(0, 3), st.just(0), st.just(0))),
    ),
    max_size=24,
)


@dataclass
class Model:
    """The plant, its hour, and what was told of it so far."""

    plant: Plant
    hour: int = 0
    told: list[str] = field(default_factory=list)

    def do(self, act: str, how: tuple[int, int, int, int]) -> None:
        with suppress(Refused):
            if act == "hour":
                self.hour += 1
                roof, turbine, inlet, battery = how
                self.plant.meter(self.hour, roof=roof, turbine=turbine, inlet=inlet, battery=battery)
            elif not self.hour:
                return
            elif act == "certify":
                self.plant.certify(self.hour)
            elif act in ("charge", "bare"):
                self.plant.charge(self.hour, bare=act == "bare")
            elif act in ("discharge", "surplus"):
                self.plant.discharge(self.hour, surplus=act == "surplus")
            elif act == "issue":
                self.plant.issue(self.hour)
            else:
                self.withdraw(*how[:2])

    def withdraw(self, way: int, back: int) -> None:
        direction = (Direction.CHARGE, Direction.DISCHARGE)[way]
        held = self.plant.records(direction, "number")
        if len(held) > back:
            fact = StorageRecordsWithdrawn(NAME, direction, held[-1 - back][0], "a test")
            self.plant.told(withdraw_records(self.plant.world, fact), self.hour)


def units(world: World, register: int, state: TitleState) -> set[int]:
    rows = world.books.titles[Right.ATTRIBUTE].columns()
    at = np.flatnonzero((rows["register"] == register) & (rows["state"] == TITLE_STATES.index(state)))
    return {unit for row in at for unit in range(int(rows["start"][row]), int(rows["stop"][row]))}


@settings(max_examples=40, deadline=None)
@given(rates, acts)
def test_no_wh_appears_and_every_certificate_has_an_origin(
    rate: tuple[int, int], taken: list[tuple[str, tuple[int, int, int, int]]]
) -> None:
    num, den = rate
    model = Model(Plant().built(num, den))
    for act, how in [*taken, ("hour", (400, 300, 900, 300)), ("certify", (0,) * 4), ("charge", (0,) * 4)]:
        model.do(act, how)
        row = storage_row(model.plant.world, NAME)
        drawn_wh = row["charged_wh"] - row["stored_wh"]
        assert row["from_charge_wh"] + row["lost_wh"] == drawn_wh <= row["charged_wh"]
        assert row["from_charge_wh"] * den <= drawn_wh * num
        assert row["certified_wh"] <= row["charged_wh"]
    for act in ("surplus", "issue"):
        model.do(act, (0,) * 4)
    check_origins(model.plant)


def check_origins(plant: Plant) -> None:
    """Each unit the storage certifies comes from one claimed unit, another for each; none beyond what charge filled."""
    world, out = plant.world, plant.register(DISCHARGE)
    links = world.books.links[LinkKind.CLAIM].columns()
    ahead = stored_from(world.books, links["source"], links["source_start"], links["source_stop"])
    reached = [u for a, b in zip(ahead["start"].tolist(), ahead["stop"].tolist(), strict=True) for u in range(a, b)]
    assert len(reached) == len(set(reached))
    held = units(world, out, TitleState.HELD)
    assert held <= set(reached)
    sources = [plant.register(urn) for urn in ("roof/export", "turbine/export")]
    claimed = sum(len(units(world, one, TitleState.CLAIMED)) for one in sources)
    assert len(held) <= claimed == storage_row(world, NAME)["certified_wh"]
    back = world.books.links[LinkKind.STORE].backward(out, np.array(sorted(held)), np.array(sorted(held)) + 1)
    assert len(back) == len(held) and (back.source_stop - back.source_start == 1).all()
