"""One attribute is never live on chain and here: both sides in any order, with reorganisations before finality."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest
from acts import PICK, act
from chain_rules import ANYBODY, HOLDERS, ChainRules
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from penstock.usecases.registry.lift import ON_CHAIN
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.transfer import Transfer, transfer


class OnePlace(ChainRules):
    """Here certificates are transferred and retired as well, also those that left."""

    @act(data=PICK, to=ANYBODY)
    def transfer(self, data: st.DataObject, to: str) -> None:
        account, asked = self.drawn_asked(data)
        places = self.usable(account, asked, to) if to != account else None
        expected = None if places is None else dict.fromkeys(places, ("held", self.number(to)))
        at_us = self.at_us
        self.expects(lambda world: transfer(world, Transfer(account, to, asked), at_us), expected, "transfer")

    @act(data=PICK)
    def retire(self, data: st.DataObject) -> None:
        account, asked = self.drawn_asked(data)
        asked = asked if asked.spans else Selection(quantity_wh=1)
        places = self.usable(account, asked, account)
        expected = None if places is None else dict.fromkeys(places, ("retired", self.number(account)))
        at_us = self.at_us
        self.expects(lambda world: retire(world, Retirement(account, asked, account, "x"), at_us), expected, "retire")


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        OnePlace,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_one_attribute_is_never_live_in_both_places() -> None:
    run(10, 40)


@pytest.mark.nightly
def test_one_attribute_is_never_live_in_both_places_at_length() -> None:
    run(int(os.environ.get("EXAMPLES", "400")), 80)


def test_a_tour_of_what_random_histories_seldom_meet() -> None:
    """Minted, forgotten, minted again; burned, forgotten, burned by another; taken in once final; the rest lapses."""
    machine = OnePlace()
    chain = machine.chain
    (certificate,), holder = {one for one, _ in chain.head.state.twin.balances}, HOLDERS[0]
    steps: list[Callable[[], object]] = [
        lambda: chain.forget(2),
        lambda: chain.mine(chain.head.at_s),
        lambda: machine.burn_of(certificate, holder, 3, "Lowered", "trader"),
        lambda: chain.mine(chain.head.at_s),
        machine.collect,
        lambda: chain.forget(1),
        lambda: chain.waiting.clear(),
        lambda: machine.burn_of(certificate, holder, 2, "Retired", "a climate action"),
        lambda: machine.burn_of(certificate, holder, 9, "Claimed", "x"),
        lambda: machine.burn_of(certificate, holder, 4, "Lowered", "trader"),
        *[lambda: chain.mine(chain.head.at_s)] * 3,
        machine.collect,
        machine.collect,
        *[lambda: chain.mine(chain.head.at_s + 40_000)] * 3,
        machine.collect,
    ]
    try:
        for step in steps:
            step()
            machine.laws_hold_and_every_unit_is_as_the_model_says()
            machine.one_place()
        states = Counter((state, holder) for state, holder in machine.scene.model.of().values())
        assert states["held", machine.number("trader")] == 4
        assert states["retired", machine.number(ON_CHAIN)] == 2
        assert states["lifted", machine.number(ON_CHAIN)] == 7 - 4 - 2
    finally:
        machine.teardown()
