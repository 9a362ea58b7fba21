"""The yardstick of attribution is frozen, keeps its own books and shows a meter that knows nothing of requests."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from bench.batch_steps import BatchRun

FROZEN_SHA256 = "169c27fff5924b81f50b25356fdadbd1984d7370b09cb55ba9bd98c73de721a2"
YARDSTICK = Path(__file__).parents[2] / "bench" / "batch_steps.py"


def yardstick() -> ModuleType:
    """The benchmark's module, which is no part of the package."""
    spec = spec_from_file_location("batch_steps", YARDSTICK)
    assert spec is not None and spec.loader is not None
    found = sys.modules[spec.name] = module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(found)
    return found


MACHINE = yardstick()


def drawn(**settings: float) -> BatchRun:
    found: BatchRun = MACHINE.batch_run(MACHINE.Settings(seconds=60, **settings))
    return found


@pytest.fixture(scope="module")
def run() -> BatchRun:
    return drawn()


def test_it_was_written_before_the_method_and_never_since() -> None:
    assert hashlib.sha256(YARDSTICK.read_bytes()).hexdigest() == FROZEN_SHA256


def test_the_same_seed_draws_the_same_run_and_another_does_not(run: BatchRun) -> None:
    again, other = drawn(), drawn(seed=8)
    assert np.array_equal(run.truth.request_mj, again.truth.request_mj)
    assert np.array_equal(run.samples.energy_mj, again.samples.energy_mj)
    assert run.truth.idle_mj != other.truth.idle_mj


def test_every_request_is_answered_in_order_and_every_token_made_once(run: BatchRun) -> None:
    asked = run.requests
    assert (asked.arrived_us <= asked.started_us).all()
    assert (asked.started_us < asked.first_token_us).all()
    assert (asked.first_token_us < asked.done_us).all()
    assert run.steps.prefill_tokens.sum() == asked.prompt_tokens.sum()
    assert run.steps.decode_tokens.sum() == (asked.output_tokens - 1).sum()  # the first comes of the prompt
    assert (run.steps.from_us[1:] >= run.steps.until_us[:-1]).all()


def test_truth_and_idle_are_what_the_meter_saw_but_for_its_noise(run: BatchRun) -> None:
    quiet = drawn(noise=0.0)
    total = quiet.truth.request_mj.sum() + quiet.truth.idle_mj
    tail_mj = 95 * 2 * 250  # idle to the meter's next instants
    assert 0 <= quiet.samples.energy_mj[-1] - total <= tail_mj
    assert run.samples.energy_mj[-1] == pytest.approx(quiet.samples.energy_mj[-1], rel=0.005)
    assert (np.diff(run.samples.energy_mj) >= 0).all()


def test_a_step_is_split_whole_and_the_longer_prompt_bears_more() -> None:
    context, prefill = np.array([500.0, 1_500.0, 0.0, 0.0]), np.array([0.0, 0.0, 64.0, 900.0])
    pairs = prefill * prefill / 2
    split = MACHINE.marginal_mj(context, prefill, pairs)
    whole = np.array([[2.0], [2_000.0], [964.0], [pairs.sum()]])
    assert split.sum() == pytest.approx(MACHINE.step_mj(*whole)[0])
    assert split[0] < split[1] < split[2] < split[3]


def test_a_token_of_a_fuller_batch_costs_less_and_not_in_proportion() -> None:
    batch = np.array([1.0, 8.0, 64.0, 256.0])
    none = np.zeros(4)
    each_mj = MACHINE.step_mj(batch, batch * 800, none, none) / batch
    assert (np.diff(each_mj) < 0).all()
    assert each_mj[0] / each_mj[3] > 10
