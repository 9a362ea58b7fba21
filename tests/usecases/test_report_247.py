"""The 24/7 report: a small portfolio's figures by hand, what is missing said, proofs that hold, forgeries found."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from carbon_kit import GRID, HEADS, START_US, Portfolio, hour, line
from small_plant import DAYS, ZONE, Plant

from penstock.energy.carbon.factors import FactorName
from penstock.errors import Invalid, NotFound, Refused, Unverified
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.words import Technology
from penstock.period import Period, parse_iso
from penstock.usecases.registry.factors import factors_of_csv, publish
from penstock.usecases.report_247.build import check_report, report_247
from penstock.usecases.report_247.claims import claim_facts
from penstock.usecases.report_247.evidence import check_evidence
from penstock.usecases.report_247.request import Request

PERIOD = Period(START_US, hour(4))
ASKED = Request(PERIOD, GRID, "operator")


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portfolio]:
    """Two loads in two zones, a roof and a gas plant; four hours.

    North: drawn 1,000 1,000 2,000 0; roof 500 1,500 0 0, of which 500 and 900 are claimed in their hours and 100
    in another hour than theirs. South: drawn 600 600 600 600; a plant of 200 g/kWh covers 600 in the first hour.
    """
    made = Portfolio(tmp_path_factory.mktemp("portfolio") / "w")
    north, south = (made.device(f"load-{z}", z, "import", Technology.LOAD) for z in ("north", "south"))
    roof = made.device("roof", "north", "export", Technology.SOLAR_PV)
    plant = made.device("plant", "south", "export", Technology.BIOMASS)
    made.publish(
        line("north", 0, "100", "150", "400", "50") + line("north", 1, "200", "250", "500", "40")
        + line("north", 2, "300", "350", "", "30", hours=2) + line("south", 0, "500", "600", "700", "10", hours=4)
    )  # fmt: skip
    made.hourly(north, [1_000, 1_000, 2_000, 0])
    made.hourly(south, [600, 600, 600, 600])
    made.hourly(roof, [500, 1_500, 0, 0])
    made.hourly(plant, [600, 0, 0, 0])
    made.certify(roof, "north", [500, 1_500, 0, 0])
    made.certify(plant, "south", [600, 0, 0, 0], Technology.BIOMASS, carbon_mg_per_kwh=200_000)
    made.claim(roof, 0, north, 0, 500)
    made.claim(roof, 500, north, 1_000, 900)
    made.claim(roof, 1_400, north, 2_000, 100)
    made.claim(plant, 0, south, 0, 600)
    yield made
    made.workspace.store.close()


@pytest.fixture(scope="module")
def told(portfolio: Portfolio) -> dict[str, Any]:
    return report_247(portfolio.workspace, ASKED).told


def test_the_figures_by_hand(told: dict[str, Any]) -> None:
    """Wh times g per kWh are mg; times 1,000, µg."""
    north, south = told["zones"]
    assert (north["drawn_wh"], north["matched_wh"], north["volume_wh"]) == (4_000, 1_400, 1_500)
    location = 1_000 * 100 + 1_000 * 200 + 2_000 * 300
    assert north["location_ug"] == str(location * 1_000)
    hourly = 500 * 150 + 100 * 250 + 2_000 * 350
    assert north["market_hourly_ug"] == str(hourly * 1_000)
    mean = (150 + 250 + 350 + 350) / 4
    assert north["market_annual_ug"] == str(int((4_000 - 1_500) * mean * 1_000))
    free = 1_400 * 100 + 500 * 50 + 100 * 40 + 2_000 * 30  # Wh times per cent
    assert north["carbon_free_share_bp"] == free * 100 // 4_000
    assert north["avoided_ug"] == str((500 * 400 + 900 * 500) * 1_000)
    assert (south["matched_wh"], south["matched_share_bp"]) == (600, 2_500)
    assert south["market_hourly_ug"] == str((1_800 * 600 + 600 * 200) * 1_000)
    assert south["market_annual_ug"] == str((1_800 * 600 + 600 * 200) * 1_000)
    total = told["figures"]
    assert total["location_ug"] == str((location + 2_400 * 500) * 1_000)
    assert total["matched_share_bp"] == (1_400 + 600) * 10_000 // 6_400


def test_sites_months_and_heat_add_up(told: dict[str, Any]) -> None:
    total = told["figures"]
    for name in ("drawn_wh", "matched_wh"):
        assert sum(one[name] for one in told["sites"]) == total[name]
        assert sum(one[name] for one in told["months"]) == total[name]
        assert sum(map(sum, told["heat"][name])) == total[name]
    assert sum(int(one["location_ug"]) for one in told["sites"]) == int(total["location_ug"])
    assert told["heat"]["drawn_wh"][0][:4] == [1_600, 1_600, 2_600, 600]


def test_certificates_by_kind(told: dict[str, Any]) -> None:
    rows = {one["technology"]: one for one in told["certificates"]}
    assert (rows["solar_pv"]["matched_wh"], rows["solar_pv"]["other_hour_wh"]) == (1_400, 100)
    assert (rows["biomass"]["matched_wh"], rows["biomass"]["carbon_mg_per_kwh"]) == (600, 200_000)


def test_what_is_missing_is_said(told: dict[str, Any]) -> None:
    assert {one["what"]: one["count"] for one in told["missing"]} == {"other_hour_wh": 100}


def test_hours_without_readings_or_factors_are_missing(portfolio: Portfolio) -> None:
    longer = report_247(portfolio.workspace, replace(ASKED, period=Period(START_US, hour(6))))
    found = {one["what"]: one["count"] for one in longer.told["missing"]}
    assert found["unknown_hours"] == 4
    assert longer.told["figures"]["drawn_wh"] == 6_400


def test_another_year_gives_the_annual_residual(portfolio: Portfolio) -> None:
    year = FactorName("residual mix", "2025")
    portfolio.publish("north,2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,,400,,\n", year)
    made = report_247(portfolio.workspace, replace(ASKED, annual=year)).told
    north, south = made["zones"]
    assert north["market_annual_ug"] == str(2_500 * 400 * 1_000)
    assert south["without_residual_wh"] == 1_800


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)], ids=["short", "long", "plain"]
)
def test_a_local_day_is_as_long_as_it_was(tmp_path: Path, day: str, hours: int) -> None:
    made = Portfolio(tmp_path / "w")
    load = made.device("load", "GB", "import", Technology.LOAD, parse_iso("2025-01-01T00:00:00Z"))
    start_us = parse_iso(f"{day}T00:00:00+00:00") - (0 if day < "2025-03-31" else 3_600_000_000)
    at_us = [start_us + n * 3_600_000_000 for n in range(hours + 1)]
    made.read(load, at_us, [1_000 * n for n in range(hours + 1)])
    made.publish("GB,2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,100,100,100,0\n")
    told = report_247(
        made.workspace, Request(Period(at_us[0], at_us[-1]), GRID, "operator", time_zone="Europe/London")
    ).told
    made.workspace.store.close()
    assert told["figures"]["drawn_wh"] == 1_000 * hours
    row = told["heat"]["drawn_wh"][0]
    assert row[1] == {23: 0, 24: 1_000, 25: 2_000}[hours]
    assert len(told["months"]) == 1


def test_a_report_checks_offline_and_against_its_workspace(portfolio: Portfolio, told: dict[str, Any]) -> None:
    assert check_report(told)["facts_proven"] == len(told["evidence"]["facts"]) > 8
    assert check_report(told, portfolio.workspace)["reckoned_again"]


def test_it_still_checks_after_more_has_happened(portfolio: Portfolio, told: dict[str, Any]) -> None:
    portfolio.publish(line("north", 2, "1", "1", "1", "1", hours=2), FactorName("another", "1"))
    assert check_report(told, portfolio.workspace)["reckoned_again"]


def test_a_forged_figure_is_found(portfolio: Portfolio, told: dict[str, Any]) -> None:
    forged = copy.deepcopy(told)
    forged["figures"]["location_ug"] = "1"
    assert not check_report(forged)["reckoned_again"]
    with pytest.raises(Unverified) as found:
        check_report(forged, portfolio.workspace)
    assert found.value.code == "report.differs"


@pytest.mark.parametrize("change", ["body", "seq", "proof", "root"])
def test_forged_evidence_is_found(told: dict[str, Any], change: str) -> None:
    forged = copy.deepcopy(told)
    fact = forged["evidence"]["facts"][0]
    if change == "root":
        forged["evidence"]["root"] = "00" * 32
    else:
        fact[change] = {"body": fact["body"] + " ", "seq": fact["seq"] + 1, "proof": fact["proof"][1:]}[change]
    with pytest.raises(Unverified) as found:
        check_report(forged)
    assert found.value.code == "report.evidence"


@pytest.mark.parametrize(("seq", "size"), [("1", 1), ("-1", 1), ("0", float("inf")), ("0", 0), ("x", 1)])
def test_a_proof_outside_its_tree_is_a_reports_refusal(seq: str, size: float) -> None:
    fact = {"seq": seq, "body": "{}", "proof": []}
    with pytest.raises(Unverified) as found:
        check_evidence({"root": "00" * 32, "size": size, "facts": [fact]})
    assert found.value.code == "report.evidence"


@pytest.mark.parametrize("said", [{}, {"report": "penstock-247/1"}, {"report": "penstock-247/1", "evidence": {}}])
def test_what_is_no_report_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as found:
        check_report(said)
    assert found.value.code == "report.malformed"


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        (replace(ASKED, period=Period(START_US + 1, hour(4))), Invalid, "report.period"),
        (replace(ASKED, period=Period(START_US, START_US + 3 * 366 * 86_400_000_000)), Invalid, "report.period"),
        (replace(ASKED, account=""), Invalid, "report.whose"),
        (replace(ASKED, time_zone="Mars/Olympus"), Invalid, "report.time_zone"),
        (replace(ASKED, time_zone="../etc/passwd"), Invalid, "report.time_zone"),
        (replace(ASKED, account="nobody"), NotFound, "report.no_site"),
        (replace(ASKED, account="", sites=("nowhere",)), NotFound, "report.no_site"),
        (replace(ASKED, account="", sites=("roof",)), Refused, "report.no_consumption"),
        (replace(ASKED, factors=FactorName("grid operator", "2024")), NotFound, "factors.unknown"),
    ],
)
def test_bad_requests(portfolio: Portfolio, asked: Request, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as found:
        report_247(portfolio.workspace, asked)
    assert getattr(found.value, "code", "") == code


def test_a_rack_that_ran_on_certified_hours_alone(plant: Plant) -> None:
    """Signed readings, certified, matched and served: every Wh the rack drew has a certificate of its hour."""
    plant.worked(0)
    zones, rows = factors_of_csv(f"{HEADS}{ZONE},2016-01-01T00:00:00Z,2017-01-01T00:00:00Z,500,600,700,10\n")
    plant.do("factors", lambda world: publish(world, GRID, "", zones, rows))
    told = report_247(plant.workspace, Request(DAYS[0], GRID, "operator")).told
    drawn = plant.read_wh("rack-1/import")
    assert (told["figures"]["drawn_wh"], told["figures"]["matched_wh"]) == (drawn, drawn)
    assert told["figures"]["location_ug"] == str(drawn * 500_000)
    assert told["figures"]["market_hourly_ug"] == told["figures"]["market_annual_ug"] == "0"
    assert told["figures"]["avoided_ug"] == str(drawn * 700_000)
    assert check_report(told, plant.workspace)["reckoned_again"]


def test_facts_of_claims_stand_still_while_the_world_goes_on(portfolio: Portfolio) -> None:
    facts = [(row.recorded.seq, row.recorded.fact) for row in portfolio.workspace.facts()]
    claims = [seq for seq, fact in facts if isinstance(fact, SpansLinked)]
    earlier = [one for one in facts if one[0] < claims[2]]
    assert claim_facts(earlier, portfolio.world)["seq"].tolist() == claims[:2]
    assert claim_facts(facts, portfolio.world)["row"].tolist() == [0] * len(claims)
