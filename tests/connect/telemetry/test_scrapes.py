"""Pages of vLLM, DCGM and Kepler one after the other: resets, values that are none, late and disordered visits."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.connect.telemetry.scrapes import Scrape, samples_of, scrape_of
from penstock.errors import Invalid

DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
KEPLER = "kepler_node_cpu_joules_total"
S_US = 1_000_000


def page(*gpus: float | str, steps: float | str = 0, prompt: float | str = 0, output: float | str = 0) -> str:
    """A page as the exporters write it, one DCGM series an accelerator; '' leaves a series out."""
    lines = [f"# HELP {DCGM} Total energy consumption since boot (in mJ).", f"# TYPE {DCGM} counter"]
    lines += [f'{DCGM}{{gpu="{i}",Hostname="rack-7"}} {mj}' for i, mj in enumerate(gpus) if mj != ""]
    lines += [
        "# TYPE vllm:iteration_tokens_total histogram",
        f'vllm:iteration_tokens_total_bucket{{engine="0",model_name="m",le="+Inf"}} {steps}',
        f'vllm:iteration_tokens_total_count{{engine="0",model_name="m"}} {steps}',
        'vllm:iteration_tokens_total_sum{engine="0",model_name="m"} 99.0',
        f'vllm:prompt_tokens_total{{engine="0",model_name="m"}} {prompt}',
        f'vllm:generation_tokens_total{{engine="0",model_name="m"}} {output}',
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0',
    ]
    return "\n".join(lines) + "\n"


def visits(*pages: str, at_s: list[float] | None = None) -> list[Scrape]:
    instants = at_s or list(range(len(pages)))
    return [scrape_of(text, int(at * S_US), [DCGM]) for text, at in zip(pages, instants, strict=True)]


def samples(*pages: str, at_s: list[float] | None = None, late_us: int = 2 * S_US) -> dict[str, list[Any]]:
    found = samples_of(visits(*pages, at_s=at_s), [DCGM], late_us)
    return {name: column.tolist() for name, column in found.items()}


def test_what_was_counted_between_two_visits() -> None:
    found = samples(
        page(1_000, 500, steps=10, prompt=4.1e3, output=70),
        page(1_600, 900, steps=25, prompt=5e3, output=95),
        page(1_600, 1_000, steps=25, prompt=5e3, output=95),
    )
    assert found == {
        "start_us": [0, S_US],
        "stop_us": [S_US, 2 * S_US],
        "meter_mj": [1_000, 100],
        "good": [True, True],
        "steps": [15, 0],
        "prompt_tokens": [900, 0],
        "output_tokens": [25, 0],
    }


def test_a_reset_counts_what_it_says_and_marks_the_sample() -> None:
    found = samples(page(1_000, 500), page(40, 600), page(90, 700))
    assert found["meter_mj"] == [140, 150]
    assert found["good"] == [False, True]


@pytest.mark.parametrize("nothing", ["NaN", "+Inf", ""])
def test_a_value_that_is_none_is_made_up_for_in_a_marked_sample(nothing: str) -> None:
    found = samples(page(1_000, 10), page(nothing, 20), page(1_900, 30), page(2_000, 40))
    assert found["meter_mj"] == [10, 910, 110]
    assert found["good"] == [False, False, True]


def test_a_series_that_stays_away_marks_once() -> None:
    found = samples(page(1_000, 10), page("", 20), page("", 30))
    assert (found["meter_mj"], found["good"]) == ([10, 10], [False, True])


def test_a_series_that_joins_counts_from_its_first_sight() -> None:
    found = samples(page(1_000), page(1_100, 70_000), page(1_200, 70_500))
    assert (found["meter_mj"], found["good"]) == ([100, 600], [True, True])


def test_a_late_visit_marks_its_sample() -> None:
    found = samples(page(0), page(100), page(900), page(950), at_s=[0, 1, 7, 8])
    assert (found["meter_mj"], found["good"]) == ([100, 800, 50], [True, False, True])


def test_a_clock_that_goes_back_loses_nothing() -> None:
    found = samples(page(0), page(100), page(150), page(200), page(300), at_s=[0, 1, 0.5, 2, 3])
    assert found["stop_us"] == [S_US, 2 * S_US, 3 * S_US]
    assert (found["meter_mj"], found["good"]) == ([100, 100, 100], [True, False, True])


def test_parts_of_a_meter() -> None:
    def visit(at_s: int, rack_j: float, gpu_mj: int) -> Scrape:
        return scrape_of(f"{KEPLER} {rack_j}\n{DCGM} {gpu_mj}\n", at_s * S_US, [KEPLER, DCGM])

    scrapes = [visit(0, 0, 0), visit(1, 1.5, 900), visit(2, 2.0, 1_700)]
    found = samples_of(scrapes, [KEPLER], S_US, [DCGM])
    assert found["meter_mj"].tolist() == [1_500, 500]
    assert found["it_mj"].tolist() == [900, 500]
    assert found["good"].tolist() == [True, False]  # parts that say more than their meter
    assert "steps" not in found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{DCGM} -5\n", "connect.value"),
        (f"{DCGM} 1e60\n", "connect.value"),
        (f"{DCGM} five\n", "connect.malformed"),
        (f'{DCGM}{{gpu="0" 5\n', "connect.malformed"),
        (f'{DCGM}{{gpu="0"}} 5\n{DCGM}{{gpu="0"}} 6\n', "connect.series"),
    ],
)
def test_pages_that_are_none(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        scrape_of(text, 0, [DCGM])
    assert caught.value.code == code


def test_nothing_to_go_by() -> None:
    for scrapes in ([], visits(page(1)), visits(page(""), page("")), visits(page(1), page(2), at_s=[1, 1])):
        with pytest.raises(Invalid) as caught:
            samples_of(scrapes, [DCGM], S_US)
        assert caught.value.code == "connect.scrapes"
    with pytest.raises(Invalid) as caught:
        scrape_of("", 0, ["rack_joules_total"])
    assert caught.value.code == "connect.metric"
    assert scrape_of("rack_mj 7\n", 0, ["rack_mj"], {"rack_mj": "mJ"}).metrics["rack_mj"] == {"": 7}
