"""The whole life of certificates under one machine: any act in any order, wanted or refused.

After every step the five laws hold, every Wh is in the state and in the hands that a plain dictionary says, what was
refused has changed nothing, and nothing lives on chain and here. At the end the record replays to the same world, an
attester takes every fact, and an audit finds nothing.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from plant_rules import PlantRules


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        PlantRules,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_whole_life_of_certificates() -> None:
    run(8, 30)


@pytest.mark.nightly
def test_the_whole_life_of_certificates_at_length() -> None:
    run(int(os.environ.get("EXAMPLES", "500")), 80)
