"""Look-through: parts add up over all holders, a stake in 5,000 positions is its positions, holdings are checked."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_story import KeptStory
from report_plant import ReportPlant
from servicing_kit import DEAL, TEXT, USDC, month, table
from typer.testing import CliRunner

from penstock.capital.pooled import Ints
from penstock.cli.main import app
from penstock.errors import PenstockError, Unverified
from penstock.period import DAY_US
from penstock.usecases.look_through.build import (
    Made,
    Position,
    check_look_through,
    look_through,
    positions_of_csv,
)
from penstock.usecases.look_through.claim import intervals
from penstock.usecases.look_through.share import by_name, joined, share_of

ASSETS = 300
FACE = 60_000_000
STAKE, POSITIONS = 50_000_000, 5_000
REGIONS, OFFTAKERS = ("CO", "UT", "NM"), tuple(f"town-{number}" for number in range(17))


def part_of_each(made: Made) -> Ints:
    """Each position's own part of all assets together; they add up to the holding's."""
    start, stop = intervals(made.claims, made.held)
    cut = (share_of(made.assets.weight, start[[at]], stop[[at]], made.claims.whole) for at in range(len(start)))
    return np.array([int(part.sum()) for part in cut], dtype=np.int64)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptStory]:
    """Sixty million of A on three hundred loans of odd sizes; January is closed."""
    text = TEXT.replace("9_000 USDC", f"{FACE:_} USDC").replace("turbo: below 1.05", "turbo: below 0.10")
    made = KeptStory(tmp_path_factory.mktemp("stake") / "story", text)
    dice = np.random.Generator(np.random.PCG64(5))
    names = [f"loan-{number}" for number in range(ASSETS)]
    cells = {
        "asset": names,
        "contract": [f"c-{name}" for name in names],
        "offtaker": [OFFTAKERS[number % len(OFFTAKERS)] for number in range(ASSETS)],
        "obligor": [f"home-{number}" for number in range(ASSETS)],
        "region": [REGIONS[number % 3] for number in range(ASSETS)],
        "assurance": ["meter_signed" if number % 2 else "gateway_signed" for number in range(ASSETS)],
        "balance_usdc": [f"{int(one) / 100:.2f}" for one in dice.integers(10_000_000, 40_000_000, ASSETS)],
    }
    same = {"kind": "loan", "technology": "solar_pv", "related": "no", "rate_percent": "8", "term_periods": "100",
            "starts": "2025-01-01", "ends": "2035-01-01", "first_due": "2026-01-15"}  # fmt: skip
    made.pooled(table(**cells, **{name: [one] * ASSETS for name, one in same.items()}))
    made.at(month(0).stop_us + DAY_US).taped(0)
    made.closed(0)
    with made.workspace:
        yield made


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportPlant]:
    made = ReportPlant(tmp_path_factory.mktemp("behind") / "plant")
    made.lived()
    with made.workspace:
        yield made


def look(made: KeptStory, positions: list[Position]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(look_through(made.workspace, DEAL, positions).told))
    return found


def test_a_stake_of_fifty_million_in_five_thousand_positions(story: KeptStory) -> None:
    """Each position is a lookable holding of its own, and all of them together are the stake, to the micro-dollar."""
    each = STAKE // POSITIONS * USDC
    made = look_through(story.workspace, DEAL, [("A", each, -1)] * POSITIONS)
    whole = look_through(story.workspace, DEAL, [("A", STAKE * USDC, -1)])
    assert made.told["holding"]["positions"] == POSITIONS
    assert np.array_equal(made.parts, whole.parts)
    parts = part_of_each(made)
    assert len(parts) == POSITIONS and int(parts.sum()) == made.told["part_usdc_micro"] and int(parts.min()) > 0
    assert made.told["holding"]["claim_usdc_micro"] == STAKE * USDC
    scattered = [("A", each, 2 * at * each) for at in range(POSITIONS // 4)]
    apart = look_through(story.workspace, DEAL, scattered)
    assert int(part_of_each(apart).sum()) == int(apart.parts.sum())


def test_the_parts_of_all_holders_are_the_pool(story: KeptStory) -> None:
    cuts = [0, 1, 7, FACE * USDC // 3, FACE * USDC]
    held: list[list[Position]] = [
        [("A", stop - start, start)] for start, stop in pairwise(cuts)
    ] + [[("E", 10**12, 0)]]  # fmt: skip
    made = [look_through(story.workspace, DEAL, positions) for positions in held]
    assert np.array_equal(sum(one.parts for one in made), made[0].assets.balance)
    assert all(int(one.parts.min()) >= 0 for one in made)


def test_parts_by_any_attribute_add_up_to_the_same(story: KeptStory) -> None:
    told = look(story, [("A", 12_345_678_901, 17)])
    assert sum(one["part_usdc_micro"] for one in told["assets"]) == told["part_usdc_micro"]
    for rows in told["by"].values():
        assert sum(row["part_usdc_micro"] for row in rows) == told["part_usdc_micro"]
        assert sum(row["assets"] for row in rows) == ASSETS
        assert sum(row["usdc_micro"] for row in rows) == told["pool_usdc_micro"]
    assert {row["name"] for row in told["by"]["region"]} == set(REGIONS)
    assert len(told["by"]["offtaker"]) == len(OFFTAKERS)


def test_a_residual_has_what_no_note_stands_before(story: KeptStory) -> None:
    told = look(story, [("E", 10**12, 0)])
    behind = told["pool_usdc_micro"] - FACE * USDC
    assert told["holding"]["claim_usdc_micro"] == behind > 0
    assert abs(told["part_usdc_micro"] - behind) < ASSETS  # one floor an asset
    assert told["holding"]["tranches"][0]["ahead_usdc_micro"] == FACE * USDC


def test_readings_behind_a_holding_are_spans_of_registers(plant: ReportPlant) -> None:
    """All holders together come to all that the rack's meter counted in the last period."""
    sides = [("A", 2 * 10**12, 0)], [("B", 5 * 10**11, 0)]
    first, second = (look_through(plant.workspace, "first", list(one)).told["readings"] for one in sides)
    meter, tokens = first
    assert meter["register"] == "rack-1/import" and meter["stop"] == plant.read_wh("rack-1/import")
    delivered = plant.world.capital.performance.delivered
    assert meter["stop"] - meter["start"] == delivered[-1].energy_wh
    assert meter["part"] + second[0]["part"] == delivered[-1].energy_wh
    assert (tokens["unit"], tokens["start"]) == ("tokens", 0)


def test_it_is_made_again_and_a_forged_part_is_found(story: KeptStory) -> None:
    told = look(story, [("A", 5_000_000, 3), ("A", 2, 1), ("E", 4, -1)])
    assert check_look_through(told)["made_again"] is False
    assert check_look_through(told, story.workspace)["made_again"]
    forged = copy.deepcopy(told)
    forged["by"]["region"][0]["part_usdc_micro"] += 1
    with pytest.raises(Unverified) as caught:
        check_look_through(forged, story.workspace)
    assert caught.value.code == "look_through.differs"


@pytest.mark.parametrize(
    ("positions", "code"),
    [
        ([("X", 1, -1)], "look_through.no_tranche"),
        ([("A", 0, -1)], "look_through.shares"),
        ([("A", -5, 3)], "look_through.shares"),
        ([("A", FACE * USDC + 1, -1)], "look_through.shares"),
        ([("A", 10, 0), ("A", 10, 9)], "look_through.shares"),
        ([("A", FACE * USDC, -1), ("A", 1, -1)], "look_through.shares"),
        ([], "look_through.too_many"),
    ],
)
def test_what_cannot_be_held_is_refused(story: KeptStory, positions: list[Position], code: str) -> None:
    with pytest.raises(PenstockError) as caught:
        look_through(story.workspace, DEAL, positions)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["shares\n1\n", "tranche,shares\nA,one\n", "tranche,shares\nA\n", 'tranche,shares\n"A']
)
def test_positions_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(PenstockError) as caught:
        positions_of_csv(text)
    assert caught.value.code == "look_through.csv"


@pytest.mark.parametrize(
    "said", [{}, {"look_through": "penstock-look-through/1"}, {"look_through": "x", "facts": 1, "evidence": {}}]
)
def test_what_is_no_look_through_is_refused(story: KeptStory, said: dict[str, Any]) -> None:
    with pytest.raises(PenstockError) as caught:
        check_look_through(said, story.workspace)
    assert caught.value.code == "look_through.malformed"


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["deal", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_the_command_line(story: KeptStory, tmp_path: Path) -> None:
    file, out, workspace = tmp_path / "positions.csv", tmp_path / "out.json", str(story.workspace.path)
    file.write_text("tranche,shares\n" + f"A,{STAKE // POSITIONS * USDC}\n" * POSITIONS)
    said = run("look-through", DEAL, "--positions", str(file), "--out", str(out), "-w", workspace)
    assert said["holding"]["claim_usdc_micro"] == STAKE * USDC
    assert run("verify", str(out), "--against", workspace)["made_again"]
    one = run("look-through", DEAL, "--tranche", "A", "--shares", str(STAKE * USDC), "-w", workspace)
    assert one["by"] == said["by"]


@given(
    st.lists(st.integers(0, 10**15), min_size=1, max_size=6),
    st.lists(st.integers(0, 10**13), min_size=1, max_size=9),
)
@settings(max_examples=60)
def test_intervals_that_tile_claims_tile_every_amount(amounts: list[int], sizes: list[int]) -> None:
    stop = np.cumsum(np.array(sizes, dtype=np.int64))
    start, whole = stop - sizes, int(stop[-1])
    weights = np.array(amounts, dtype=np.int64)
    parts = [share_of(weights, start[at : at + 1], stop[at : at + 1], whole) for at in range(len(sizes))]
    assert all(int(part.min()) >= 0 for part in parts)
    together = sum(parts)
    assert np.array_equal(together, weights if whole else np.zeros_like(weights))
    assert np.array_equal(share_of(weights, start[::-1], stop[::-1], whole), together)
    assert len(joined(start, stop)[0]) == (1 if whole else 0)


def test_sums_by_name_are_largest_first() -> None:
    names, amounts = ["b", "a", "b", "c"], np.array([1, 3, 2, 9], dtype=np.int64)
    assert by_name(names, amounts) == [("c", (9,), 1), ("a", (3,), 1), ("b", (3,), 2)]
