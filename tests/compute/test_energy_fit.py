"""Weights fitted to a meter: found again where the meter is made of them, and judged by the frozen generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bench.attribution import closer, seen
from bench.batch_steps import Settings, batch_run

from penstock.compute.attribution import Rule, share
from penstock.compute.energy_fit import fit
from penstock.errors import Invalid

S_US = 1_000_000


def known_world(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Requests of a second each, one whole second a phase, and a meter that counts 20 + 70 mJ a token and 50 a step."""
    rng = np.random.default_rng(seed)
    start = np.sort(rng.integers(0, 300, 400)) * S_US
    prompt, output = rng.integers(100, 2_000, 400), rng.integers(5, 60, 400)
    requests = {"arrived_us": start, "first_us": start + S_US, "done_us": start + 2 * S_US}
    requests |= {"prompt_tokens": prompt, "output_tokens": output}
    steps, second = rng.integers(10, 60, 303), start // S_US
    mj = 100 + 50 * steps
    np.add.at(mj, second, 20 * prompt)
    np.add.at(mj, second + 1, 70 * output)
    here = np.zeros(303, bool)
    here[second] = here[second + 1] = True
    edges = np.arange(304) * S_US
    mj = np.where(here, mj, 100)
    return requests, {"start_us": edges[:-1], "stop_us": edges[1:], "meter_mj": mj, "steps": np.where(here, steps, 0)}


def test_weights_are_found_again() -> None:
    requests, samples = known_world(3)
    found = fit(requests, samples, Rule(idle_mw=5))
    rule = found.rule
    assert rule.idle_mw == 100  # [mW]: what was drawn where nobody was, not what was stated
    assert rule.prompt_nj == pytest.approx(20 * 10**6, rel=0.02)
    assert rule.output_nj == pytest.approx(70 * 10**6, rel=0.05)
    assert rule.step_nj == pytest.approx(50 * 10**6, rel=0.1)
    assert found.explained > 0.999
    assert 100 < found.blocks <= 152


def test_bad_samples_are_not_fitted_to() -> None:
    requests, samples = known_world(3)
    torn = dict(samples) | {"good": np.arange(303) % 7 != 0}
    torn["meter_mj"] = np.where(torn["good"], samples["meter_mj"], 10**9)
    assert fit(requests, torn, Rule()).rule.prompt_nj == pytest.approx(20 * 10**6, rel=0.02)


def test_too_little_to_fit_to() -> None:
    requests, samples = known_world(3)
    few = {name: values[:40] for name, values in samples.items()}
    with pytest.raises(Invalid) as caught:
        fit(requests, few, Rule())
    assert caught.value.code == "attribution.few_samples"
    with pytest.raises(Invalid) as caught:
        fit(requests, {**samples, "meter_mj": np.zeros(303, np.int64)}, Rule())
    assert caught.value.code == "attribution.unexplained"


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        (Settings(seconds=120), 5),
        pytest.param(Settings(seed=12, seconds=120, meter_us=100_000, noise=0.03), 5, marks=pytest.mark.nightly),
        pytest.param(Settings(seed=13, seconds=120, requests_per_s=2.0), 5, marks=pytest.mark.nightly),
        (Settings(seed=11, seconds=120, meter_us=1_000_000), 1.5),  # always full: a constant batch suits a flat rule
    ],
)
def test_closer_than_flat_to_a_machine_that_batches(settings: Settings, times: float) -> None:
    """Accuracy, not speed: fitted to its meter alone, at several paces, loads and noises of it."""
    drawn = batch_run(settings)
    requests, samples = seen(drawn)
    fitted = fit(requests, samples, Rule())
    done = share(requests, samples, fitted.rule)
    assert done.meter_mj == int(samples["meter_mj"].sum())
    assert closer(drawn, done.request_mj)[2] >= times
