"""Energy shared out over batched requests: always the meter, and the same figures as the rule written out plainly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from bench.plain_share import plain_share
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.compute import batch_compiled, batch_kernel
from penstock.compute.attribution import Rule, Shares, share
from penstock.errors import Invalid

Ints = NDArray[np.int64]
S_US = 1_000_000
NO_TOKENS = Rule(prompt_nj=0, output_nj=0)


def column(values: Any) -> Ints:
    return np.array(values, dtype=np.int64)


def requests_of(rows: list[tuple[int, int, int, int, int]]) -> dict[str, Ints]:
    """Rows of (arrived, time to first token, decode time, prompt tokens, output tokens)."""
    table = column(rows).reshape(-1, 5)
    first = table[:, 0] + table[:, 1]
    instants = {"arrived_us": table[:, 0], "first_us": first, "done_us": first + table[:, 2]}
    return {**instants, "prompt_tokens": table[:, 3], "output_tokens": table[:, 4]}


def samples_of(rows: list[tuple[int, int, int]], start_us: int = 0) -> dict[str, Any]:
    """Rows of (length, meter mJ, steps), one after the other."""
    table = column(rows).reshape(-1, 3)
    stop = start_us + np.cumsum(table[:, 0])
    return {"start_us": stop - table[:, 0], "stop_us": stop, "meter_mj": table[:, 1], "steps": table[:, 2]}


request_rows = st.lists(
    st.tuples(
        st.integers(-2_000_000, 12_000_000),
        st.integers(0, 3_000_000),
        st.just(0) | st.integers(0, 5_000_000),
        st.integers(0, 30_000),
        st.integers(0, 4_000),
    ),
    max_size=30,
)
sample_rows = st.lists(
    st.tuples(st.integers(1, 2_000_000), st.integers(0, 10**7), st.integers(0, 200)), min_size=1, max_size=25
)
rules = st.builds(
    Rule,
    prompt_nj=st.integers(0, 10**9),
    output_nj=st.integers(0, 10**9),
    pair_nj=st.integers(0, 10**4),
    context_nj=st.integers(0, 10**5),
    step_nj=st.integers(0, 10**10),
    idle_mw=st.integers(0, 10**6),
    idle_always=st.booleans(),
    pue_bp=st.integers(10_000, 30_000),
)


@settings(max_examples=150, deadline=None)
@given(request_rows, sample_rows, rules, st.data())
def test_requests_idle_overhead_and_unattributed_are_the_meter(
    asked: list[tuple[int, int, int, int, int]],
    metered: list[tuple[int, int, int]],
    rule: Rule,
    data: st.DataObject,
) -> None:
    """With samples torn, late or apart, IT counted or not, steps counted or not, and requests outside of them all."""
    requests, samples = requests_of(asked), samples_of(metered)
    count = len(metered)
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    good = np.array(data.draw(flags))
    gaps = np.cumsum(column(data.draw(flags)) * 700_000)
    samples |= {"good": good, "start_us": samples["start_us"] + gaps, "stop_us": samples["stop_us"] + gaps}
    if data.draw(st.booleans()):
        samples["it_mj"] = samples["meter_mj"] * data.draw(st.integers(0, 10)) // 10
    if data.draw(st.booleans()):
        del samples["steps"]
    done = share(requests, samples, rule)
    assert done.meter_mj == int(samples["meter_mj"].sum())
    assert min(done.parts_mj) >= 0
    assert len(done.request_mj) == len(asked)
    assert (done.request_mj >= 0).all()
    assert done.unattributed_mj >= int(samples["meter_mj"][~good].sum())


@settings(max_examples=120, deadline=None)
@given(request_rows, sample_rows, rules, st.data())
def test_the_same_as_the_rule_written_out(
    asked: list[tuple[int, int, int, int, int]],
    metered: list[tuple[int, int, int]],
    rule: Rule,
    data: st.DataObject,
) -> None:
    requests, samples = requests_of(asked), samples_of(metered)
    samples["good"] = np.array(data.draw(st.lists(st.booleans(), min_size=len(metered), max_size=len(metered))))
    done = share(requests, samples, rule)
    if not done.request_mj.any():
        return  # the plain loop cannot share among nobody
    plain = plain_share(requests, samples, rule)
    assert done.request_mj.tolist() == plain.request_mj.tolist()
    assert done.parts_mj == plain.parts_mj


def many(count: int) -> tuple[dict[str, Ints], dict[str, Any]]:
    rng = np.random.default_rng(5)
    rows = np.stack(
        [
            np.sort(rng.integers(0, 600 * S_US, count)),
            rng.integers(0, S_US, count),
            rng.integers(0, 20 * S_US, count),
            rng.integers(1, 4_000, count),
            rng.integers(0, 900, count),
        ],
        axis=1,
    )
    sampled = [(250_000, int(mj), 12) for mj in rng.integers(20_000, 170_000, 2_400)]
    return requests_of(rows.tolist()), samples_of(sampled)


def test_the_compiled_kernel_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    requests, samples = many(9_000)
    rule = Rule(23_000_000, 64_000_000, 2_600, 23_000, 2_700_000_000, 95_000)
    monkeypatch.setattr(batch_kernel, "_kernel_for", lambda count: None)
    plain = share(requests, samples, rule)
    monkeypatch.setattr(batch_kernel, "_kernel_for", lambda count: batch_compiled)
    compiled = share(requests, samples, rule)
    assert np.array_equal(plain.request_mj, compiled.request_mj)
    assert plain.parts_mj == compiled.parts_mj
    assert plain.answers_mj > 0


def test_cells_are_found_wherever_requests_lie() -> None:
    edges = np.cumsum(np.random.default_rng(2).integers(1, 50, 400))
    at = np.random.default_rng(3).integers(edges[0], edges[-1] + 1, (3, 2_000))
    assert np.array_equal(batch_compiled.places_of(edges, at), batch_kernel.plain_places_of(edges, at))


def test_order_of_requests_moves_no_more_than_a_millijoule() -> None:
    requests, samples = many(2_000)
    turned = {name: values[::-1].copy() for name, values in requests.items()}
    one, other = share(requests, samples, Rule()), share(turned, samples, Rule())
    assert np.abs(one.request_mj - other.request_mj[::-1]).max() <= 1
    assert one.parts_mj == other.parts_mj


def shared(rows: list[tuple[int, int, int, int, int]], samples: Mapping[str, Any], rule: Rule) -> Shares:
    return share(requests_of(rows), samples, rule)


def test_a_step_is_borne_alone_or_in_equal_parts() -> None:
    """Two seconds of 100 steps at the same draw: a request alone bears the first, two bear half of the second each."""
    samples = samples_of([(S_US, 300_000, 100), (S_US, 300_000, 100)])
    rule = Rule(prompt_nj=0, output_nj=0, step_nj=3_000_000)
    done = shared([(0, 0, 2 * S_US, 10, 200), (S_US, 0, S_US, 10, 100)], samples, rule)
    assert np.abs(done.request_mj - [450_000, 150_000]).max() <= 1


def test_tokens_and_steps_by_their_weights() -> None:
    """One second, 40 J: 10 steps at 1 J in equal parts, 10 and 20 tokens at 1 J: 5 + 10 and 5 + 20 of 40."""
    samples = samples_of([(S_US, 40_000, 10)])
    rule = Rule(prompt_nj=0, output_nj=10**9, step_nj=10**9)
    done = shared([(0, 0, S_US, 0, 10), (0, 0, S_US, 0, 20)], samples, rule)
    assert np.abs(done.request_mj - [15_000, 25_000]).max() <= 1


def test_energy_goes_to_those_present_even_without_any_weight() -> None:
    done = shared([(0, 0, S_US, 5, 5), (0, 0, S_US // 2, 9, 9)], samples_of([(S_US, 900, 0)]), NO_TOKENS)
    assert np.abs(done.request_mj - [600, 300]).max() <= 1


def test_an_answer_given_all_at_once_bears_its_prompt_and_output() -> None:
    """Embeddings have one phase: the first token is the last."""
    done = shared([(0, 400, 0, 30, 0), (0, 400, 0, 10, 0)], samples_of([(S_US, 4_000, 1)]), Rule())
    assert done.request_mj.tolist() == [3_000, 1_000]


def test_idle_is_set_apart_in_empty_time_or_always() -> None:
    """100 W idle; the board draws 100 W for a second of nobody and 300 W for a second of one request."""
    samples, rows = samples_of([(S_US, 100_000, 0), (S_US, 300_000, 10)]), [(S_US, 0, S_US, 1, 1)]
    empty = shared(rows, samples, Rule(idle_mw=100_000))
    always = shared(rows, samples, Rule(idle_mw=100_000, idle_always=True))
    assert (empty.answers_mj, empty.parts_mj) == (300_000, (100_000, 0, 0))
    assert (always.answers_mj, always.parts_mj) == (200_000, (200_000, 0, 0))


def test_energy_above_idle_with_nobody_there_is_unattributed() -> None:
    done = shared([(S_US, 0, S_US, 1, 1)], samples_of([(S_US, 150_000, 0), (S_US, 300_000, 10)]), Rule(idle_mw=100_000))
    assert done.parts_mj == (100_000, 0, 50_000)


def test_a_bad_sample_is_unattributed_whole() -> None:
    samples = {**samples_of([(S_US, 5_000, 1), (S_US, 7_000, 1)]), "good": np.array([True, False])}
    done = shared([(0, 0, 2 * S_US, 1, 1)], samples, Rule(pue_bp=12_500, idle_mw=10))
    assert (done.answers_mj, done.parts_mj) == (4_000, (0, 1_000, 7_000))


def test_overhead_is_what_it_did_not_draw() -> None:
    rows, samples = [(0, 0, S_US, 1, 1)], samples_of([(S_US, 1_200, 1)])
    assert shared(rows, samples, Rule(pue_bp=12_000)).parts_mj == (0, 200, 0)
    assert shared(rows, {**samples, "it_mj": column([900])}, Rule(pue_bp=12_000)).parts_mj == (0, 300, 0)


def test_overhead_does_not_depend_on_the_meters_pace() -> None:
    rows = [(0, 0, S_US, 1, 1)]
    fine = shared(rows, samples_of([(1_000, 7, 1)] * 1_000), Rule(pue_bp=11_300))
    coarse = shared(rows, samples_of([(S_US, 7_000, 1)]), Rule(pue_bp=11_300))
    assert fine.overhead_mj == coarse.overhead_mj


def test_no_requests() -> None:
    done = shared([], samples_of([(S_US, 500, 0)]), Rule(idle_mw=100))
    assert (done.answers_mj, done.parts_mj) == (0, (100, 0, 400))


def test_started_says_when_a_request_left_the_queue() -> None:
    samples = samples_of([(S_US, 100_000, 1), (S_US, 100_000, 1)])
    queued = {**requests_of([(0, S_US, S_US, 100, 0)]), "started_us": column([S_US])}
    assert share(queued, samples, Rule(idle_mw=100_000)).parts_mj == (100_000, 0, 0)


GOOD = requests_of([(0, 10, 10, 1, 1)])
METER = samples_of([(S_US, 10, 1), (S_US, 10, 1)])


@pytest.mark.parametrize(
    ("requests", "samples", "code"),
    [
        ({}, METER, "attribution.columns"),
        ({**GOOD, "first_us": column([1, 2])}, METER, "attribution.columns"),
        ({**GOOD, "prompt_tokens": np.array([1.5])}, METER, "attribution.columns"),
        ({**GOOD, "prompt_tokens": column([-1])}, METER, "attribution.requests"),
        ({**GOOD, "done_us": column([5])}, METER, "attribution.requests"),
        ({**GOOD, "first_us": column([-5])}, METER, "attribution.requests"),
        ({**GOOD, "output_tokens": column([2**62])}, METER, "attribution.too_large"),
        (GOOD, {}, "attribution.columns"),
        (GOOD, samples_of([]), "attribution.samples"),
        (GOOD, {**METER, "meter_mj": column([1, -1])}, "attribution.samples"),
        (GOOD, {**METER, "start_us": column([0, 5])}, "attribution.samples"),
        (GOOD, {**METER, "it_mj": column([11, 1])}, "attribution.samples"),
        (GOOD, {**METER, "steps": column([-1, 1])}, "attribution.samples"),
        (GOOD, {**METER, "good": np.array([True])}, "attribution.samples"),
        (GOOD, {**METER, "meter_mj": column([2**62, 1])}, "attribution.too_large"),
    ],
)
def test_malformed_columns_are_refused(requests: dict[str, Ints], samples: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        share(requests, samples, Rule(output_nj=4))
    assert caught.value.code == code


def test_a_rule_is_published_and_read_back() -> None:
    rule = Rule(1, 2, 3, 4, 5, 6, True, 11_000)
    assert Rule.of(rule.parameters()) == rule
    for bad in ('{"prompt_nj":-1}', '{"prompt_nj":1.5}', '{"other":1}', "[", "[]"):
        with pytest.raises(Invalid) as caught:
            Rule.of(bad)
        assert caught.value.code == "attribution.rule"
    with pytest.raises(Invalid) as caught:
        Rule(pue_bp=9_999)
    assert caught.value.code == "pue.range"
