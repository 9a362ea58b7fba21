"""What the compute wing shows: figures that are those of the links and facts, by every cut the same sum."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import NotFound
from penstock.journal.kinds.compute import AnswersServed
from penstock.period import HOUR_US, iso
from penstock.usecases.compute_report.energy_mix import energy_mix
from penstock.usecases.compute_report.offers import offers
from penstock.usecases.compute_report.overview import overview
from penstock.usecases.compute_report.published import CURVES, GPU_HOUR, Tariff, energy_in_price
from penstock.usecases.compute_report.sales import sales
from penstock.usecases.compute_report.work import find_rack, hours, racks

if TYPE_CHECKING:
    from small_plant import Plant


def test_a_racks_energy_is_shared_out_without_rest(lived: Plant) -> None:
    (rack,) = racks(lived.workspace)
    parts = ("answers_mj", "idle_mj", "overhead_mj", "unattributed_mj")
    assert rack["metered_mj"] == sum(rack[part] for part in parts) == lived.read_wh("rack-1/import") * 3_600_000
    assert 3_600_000 <= rack["energy_mj_per_1k_tokens"] < 3_601_000 < rack["all_energy_mj_per_1k_tokens"]
    assert rack["modelled"]


def test_hours_add_up_to_the_rack(lived: Plant) -> None:
    (rack,) = racks(lived.workspace)
    rows = hours(lived.workspace)
    for name, of_rack in (("tokens", "tokens"), ("answers", "answers"), ("energy_mj", "answers_mj")):
        assert sum(row[name] for row in rows) == rack[of_rack]
    assert all(0 < row["load_bp"] <= 10_000 for row in rows)
    assert [row["hour"] for row in rows] == sorted(row["hour"] for row in rows)
    last = hours(lived.workspace, most=2)
    assert last == rows[-2:]


def test_an_hour_on_the_page_is_the_hour_in_which_it_was_asked(lived: Plant) -> None:
    rows = hours(lived.workspace)
    asked: Counter[str] = Counter()
    for row in lived.workspace.facts():
        if isinstance(row.recorded.fact, AnswersServed):
            columns = lived.workspace.columns(row)
            assert columns is not None
            for at_us, tokens in zip(columns["arrived_us"].tolist(), columns["tokens"].tolist(), strict=True):
                asked[iso(at_us // HOUR_US * HOUR_US)] += tokens
    assert {row["hour"]: row["tokens"] for row in rows} == asked


def test_sales_are_the_same_sum_by_every_cut_and_reach_the_deal(lived: Plant) -> None:
    found = sales(lived.workspace)
    paid = found["paid_usdc_micro"]
    assert paid == sum(one.inflow_usdc_micro for one in lived.world.capital.deal("first").closed) > 0
    for cut in ("by_model", "by_rack", "by_site", "by_scheme"):
        assert sum(one["paid_usdc_micro"] for one in found[cut]) == paid, cut
    assert found["paid_to"] == [{"account": "first/collect", "deal": "first", "paid_usdc_micro": paid}]


def test_the_energy_behind_a_rack_is_what_was_matched_to_it(lived: Plant) -> None:
    mix: dict[str, Any] = lived.workspace.read(lambda world: energy_mix(world, find_rack(world, "rack-1")))
    assert mix["matched_wh"] == mix["drawn_wh"] == lived.read_wh("rack-1/import")
    assert mix["matched_bp"] == 10_000
    assert mix["by_technology"] == [{"name": "solar_pv", "energy_wh": mix["matched_wh"]}]
    assert (mix["sources"], mix["carbon_mg_per_kwh"]) == (4, 0)


def test_offers_say_what_is_left_and_close_when_they_expire(lived: Plant) -> None:
    (before,) = offers(lived.workspace, 0)
    (after,) = offers(lived.workspace, 2**62)
    assert before["left_credits"] == 3_000_000 - 2_400_000
    assert (before["open"], after["open"]) == (True, False)
    assert before["price_usdc_micro_per_1k_units"] == 2_600


def test_nothing_served_yet_is_no_figure_and_no_fault(plant: Plant) -> None:
    found = overview(plant.workspace, 0, racks(plant.workspace), sales(plant.workspace))
    (rack,) = found["racks"]
    assert rack["energy_mj_per_1k_tokens"] is None
    assert found["hours"] == {"rack-1": []}
    assert found["sales"]["paid_usdc_micro"] == 0
    assert found["energy_mix"][0]["carbon_mg_per_kwh"] is None


def test_a_rack_that_is_not_there_is_said_to_be_so(lived: Plant) -> None:
    with pytest.raises(NotFound) as refused:
        lived.workspace.read(lambda world: find_rack(world, "rack-9"))
    assert refused.value.code == "compute.which_rack"


def test_energys_share_of_a_price_is_arithmetic_with_its_assumptions() -> None:
    share = energy_in_price(70_000, 2_000, Tariff(usdc_micro_per_mwh=80_000_000, pue_bp=12_000))
    assert share["energy_usdc_nano_per_1k_tokens"] == 1_867  # 70 J = 0.01944 Wh, x 1.2 x $80/MWh, rounded up
    assert share["energy_share_bp"] == 9
    assert "$80/MWh" in share["assumptions"]
    assert energy_in_price(70_000, 0)["energy_share_bp"] is None


def test_the_accelerator_hours_share_is_its_own_arithmetic() -> None:
    energy = GPU_HOUR["board_w"] * GPU_HOUR["pue_bp"] * GPU_HOUR["energy_usdc_micro_per_mwh"] // (10_000 * 1_000_000)
    assert energy == GPU_HOUR["energy_usdc_micro_per_hour"]
    assert energy * 10_000 // GPU_HOUR["rent_usdc_micro_per_hour"] == GPU_HOUR["energy_share_bp"]


@pytest.mark.parametrize("accelerator", CURVES)
def test_published_curves_agree_with_their_own_power_and_rate(accelerator: str) -> None:
    for run in CURVES[accelerator]:
        assert run.mj_per_token == pytest.approx(run.power_w * 1_000 / run.tokens_per_s, rel=0.02)
