"""Plans against every plan there is, on small problems; against their own rules in integers, on large ones."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.agent.plan import NO_LIMIT, Ints, Problem, costed, energy_mj, make_plan, shortcomings
from penstock.agent.plan_file import plan_rows, read_problem
from penstock.errors import Invalid, PenstockError, Refused
from penstock.units import MJ_PER_WH

LOT = 1_000


def ints(*rows: Any) -> Ints:
    return np.array(rows, np.int64)


def problem(seed: int, providers: int = 2, hours: int = 2, lots: int = 2, **changes: Any) -> Problem:
    """A small problem, where all is sold in lots, so that every plan can be tried."""
    dice = np.random.default_rng(seed)
    made = Problem(
        demand_tokens=int(dice.integers(1, providers * hours * lots * 2 // 3 + 1)) * LOT,
        price_usdc_micro_per_1k=dice.integers(1, 50, (providers, hours)),
        capacity_tokens=dice.integers(0, lots + 1, (providers, hours)) * LOT,
        energy_mj_per_1k=dice.integers(1, 3, providers) * MJ_PER_WH,
        zone=dice.integers(0, 1, providers),
        lot_tokens=np.full(providers, LOT),
        arrived_bp=np.full(providers, 10_000),
        carbon_mg_per_kwh=dice.integers(1, 500, (1, hours)),
        certificate_usdc_micro_per_mwh=dice.integers(1, 30, (1, hours)) * 10**6,
        certificate_wh=dice.integers(0, 4, (1, hours)),
        deadline_hours=hours,
    )
    return replace(made, **changes)


def cheapest(of: Problem) -> int | None:
    """By trying all: the cost of the best plan that keeps every rule."""
    slots = [range(0, int(capacity) + 1, LOT) for capacity in of.capacity_tokens.flat]
    spots = [range(int(on_offer) + 1) for on_offer in of.certificate_wh.flat]
    best = None
    for bought in itertools.product(*slots):
        tokens = np.array(bought, np.int64).reshape(of.capacity_tokens.shape)
        if tokens.sum() < of.demand_tokens:
            continue
        for covered in itertools.product(*spots):
            plan = costed(of, tokens, np.array(covered, np.int64).reshape(of.certificate_wh.shape), 0)
            if (best is None or plan.cost_usdc_micro < best) and not shortcomings(of, plan):
                best = plan.cost_usdc_micro
    return best


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    matched_min_bp=st.sampled_from([0, 3_000, 10_000]),
    carbon=st.sampled_from([NO_LIMIT, 500, 2_000]),
    total=st.sampled_from([NO_LIMIT, 120]),
    deadline=st.sampled_from([1, 2]),
)
def test_no_plan_is_cheaper(seed: int, matched_min_bp: int, carbon: int, total: int, deadline: int) -> None:
    limits = {"matched_min_bp": matched_min_bp, "carbon_max_ug": carbon, "total_usdc_micro": total}
    asked = problem(seed, deadline_hours=deadline, **limits)
    best = cheapest(asked)
    try:
        plan = make_plan(asked)
    except Refused as refused:
        assert refused.code == "plan.impossible"
        assert best is None or (total < NO_LIMIT and best > total - 4)  # rounding is allowed for beforehand
        return
    assert best is not None
    assert shortcomings(asked, plan) == []
    assert plan.cost_usdc_micro <= best + 2  # certificates are whole Wh and prices whole micro-dollars
    assert plan.bound_usdc_micro <= best


def large(seed: int, **changes: Any) -> Problem:
    dice = np.random.default_rng(seed)
    providers, hours, zones = 12, 24, 3
    capacity = dice.integers(0, 200_000, (providers, hours))
    made = Problem(
        demand_tokens=int(capacity.sum() // 3),
        price_usdc_micro_per_1k=dice.integers(20, 400, (providers, hours)),
        capacity_tokens=capacity,
        energy_mj_per_1k=dice.integers(50_000, 500_000, providers),
        zone=dice.integers(0, zones, providers),
        lot_tokens=np.where(dice.random(providers) < 0.3, 5_000, 0),
        arrived_bp=dice.integers(9_000, 10_001, providers),
        carbon_mg_per_kwh=dice.integers(20_000, 700_000, (zones, hours)),
        certificate_usdc_micro_per_mwh=dice.integers(10**6, 9 * 10**7, (zones, hours)),
        certificate_wh=dice.integers(0, 5_000, (zones, hours)),
        deadline_hours=18,
    )
    return replace(made, **changes)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([10_000, 3_000]), matched=st.sampled_from([0, 4_000]))
def test_large_plans_keep_every_rule_in_integers(seed: int, share: int, matched: int) -> None:
    asked = large(seed, share_max_bp=share, matched_min_bp=matched)
    plan = make_plan(asked)
    assert shortcomings(asked, plan) == []
    assert plan.bound_usdc_micro <= plan.cost_usdc_micro <= plan.bound_usdc_micro * 1.001 + 500


@pytest.mark.parametrize("seed", [39, 48, 77])
def test_all_is_covered_in_whole_tokens(seed: int) -> None:
    """Certificates are used up to the last Wh somewhere, where a token more would be one too many."""
    asked = large(seed, matched_min_bp=10_000)
    asked = replace(asked, demand_tokens=asked.demand_tokens // 4)
    plan = make_plan(asked)
    assert shortcomings(asked, plan) == []
    assert plan.carbon_ug == 0


def test_each_rule_is_found_when_it_is_broken() -> None:
    asked = large(1, share_max_bp=3_000, matched_min_bp=2_000)
    plan = make_plan(asked)
    used = energy_mj(asked, plan.tokens)
    damages = {
        "demand": (asked, replace(plan, tokens=np.maximum(0, plan.tokens - 5_000))),
        "capacity": (asked, replace(plan, tokens=plan.tokens + asked.capacity_tokens + 1)),
        "deadline": (replace(asked, deadline_hours=1), plan),
        "lots": (replace(asked, lot_tokens=np.full(12, 7_919)), plan),
        "share": (replace(asked, share_max_bp=100), plan),
        "hour": (replace(asked, hour_usdc_micro=1), plan),
        "total": (replace(asked, total_usdc_micro=plan.cost_usdc_micro - 1), plan),
        "certificates: more than are on offer": (replace(asked, certificate_wh=asked.certificate_wh * 0), plan),
        "certificates: more than was drawn": (asked, replace(plan, certificates_wh=used // MJ_PER_WH + 2)),
        "matched": (asked, replace(plan, certificates_wh=plan.certificates_wh * 0)),
        "carbon": (replace(asked, carbon_max_ug=plan.carbon_ug - 1), plan),
    }
    for word, (rules, damaged) in damages.items():
        assert any(found.startswith(word) for found in shortcomings(rules, damaged)), word


def test_compute_and_certificates_are_bought_for_the_same_hour() -> None:
    """The cheap hour is dirty and has no certificates; a carbon limit moves the work, or buys cover."""
    asked = Problem(
        demand_tokens=1_000,
        price_usdc_micro_per_1k=ints([10, 20]),
        capacity_tokens=ints([1_000, 1_000]),
        energy_mj_per_1k=ints(*[10 * MJ_PER_WH]),
        zone=ints(*[0]),
        lot_tokens=ints(*[1_000]),
        arrived_bp=ints(*[10_000]),
        carbon_mg_per_kwh=ints([600_000, 600_000]),
        certificate_usdc_micro_per_mwh=ints([10**6, 10**6]),
        certificate_wh=ints([0, 10]),
        deadline_hours=2,
    )
    assert make_plan(asked).tokens.tolist() == [[1_000, 0]]
    clean = make_plan(replace(asked, carbon_max_ug=0))
    assert clean.tokens.tolist() == [[0, 1_000]]
    assert clean.certificates_wh.tolist() == [[0, 10]]
    assert (clean.cost_usdc_micro, clean.carbon_ug) == (30, 0)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"demand_tokens": 10**12}, "less capacity"),
        ({"total_usdc_micro": 10}, "the total budget"),
        ({"hour_usdc_micro": 1_000}, "the hourly budget"),
        ({"carbon_max_ug": 0, "certificate_wh": np.zeros((3, 24), np.int64)}, "the carbon limit"),
        ({"matched_min_bp": 10_000, "certificate_wh": np.zeros((3, 24), np.int64)}, "the share to be matched"),
        ({"share_max_bp": 1}, "the share of one provider"),
    ],
)
def test_what_stands_in_the_way_is_named(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(Refused) as caught:
        make_plan(large(3, **changes))
    assert caught.value.code == "plan.impossible"
    assert word in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"zone": np.full(12, 3)},
        {"arrived_bp": np.full(12, -1)},
        {"energy_mj_per_1k": np.full(11, 1)},
        {"certificate_wh": np.full((3, 24), 10**16)},
        {"price_usdc_micro_per_1k": np.full((12, 24), -1)},
    ],
)
def test_problems_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        large(1, **changes)


def test_nothing_asked_is_nothing_bought() -> None:
    assert make_plan(large(1, demand_tokens=0)).cost_usdc_micro == 0


def test_problems_are_read_and_plans_written() -> None:
    raw = b"""{"demand_tokens": 1000, "deadline_hours": 1, "price_usdc_micro_per_1k": [[5]],
    "capacity_tokens": [[2000]], "energy_mj_per_1k": [3600000], "zone": [0], "lot_tokens": [0], "arrived_bp": [10000],
    "carbon_mg_per_kwh": [[100]], "certificate_usdc_micro_per_mwh": [[1000000]], "certificate_wh": [[5]],
    "matched_min_bp": 10000}"""
    rows = plan_rows(make_plan(read_problem(raw)))
    assert rows["tokens"] == [{"provider": 0, "hour": 0, "tokens": 1_000}]
    assert rows["certificates"] == [{"zone": 0, "hour": 0, "wh": 1}]
    assert rows["cost_usdc_micro"] == 6


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"[" * 100_000, b'{"what": 1}', b'{"demand_tokens": 1.5}', b"\xff"])
def test_files_that_are_none_are_told(raw: bytes) -> None:
    with pytest.raises(PenstockError) as caught:
        read_problem(raw)
    assert caught.value.code == "plan.file"
