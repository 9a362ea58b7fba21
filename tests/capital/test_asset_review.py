"""Averages, concentrations, eligibility and the legal-final test of a pool."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from asset_kit import assets_of, rows_of

from penstock.capital.asset_review import averages, check_legal_final, concentration, ends_us, review
from penstock.capital.deal import Calendar, Deal, Pool, Tranche
from penstock.errors import Invalid, Refused
from penstock.period import SECOND_US, parse_iso
from penstock.usecases.check_assets import check_assets, load_assets

START_S = parse_iso("2026-01-15T00:00:00Z") // SECOND_US
FINAL_S = parse_iso("2046-06-20T00:00:00Z") // SECOND_US


def deal(pool: Pool | None = None, final_s: int = FINAL_S) -> Deal:
    tranches = (Tranche("A", 60_000_000, legal_final_s=final_s), Tranche("E", residual=True))
    return Deal("Roofs", Calendar(START_S, 0, 1, 0, periods=240), (), (), (), tranches, (), (), pool=pool)


POOLS = (
    {"balance_usdc": "300", "rate_percent": "4", "offtaker": "mall", "term_periods": "120", "region": "TX"},
    {"balance_usdc": "100", "rate_percent": "8", "offtaker": "farm", "term_periods": "240", "related": "yes"},
    {"balance_usdc": "100", "rate_percent": "8", "offtaker": "mill", "assurance": "meter_signed"},
)


def test_averages_weigh_by_balance() -> None:
    found = averages(assets_of(*POOLS), parse_iso("2026-06-01T00:00:00Z"))
    assert found.rate_e8 == 5_600_000
    assert found.remaining_months == (3 * 120 + 2 * 240) // 5
    assert (found.age_months, found.count, found.balance_usdc_micro) == (12, 3, 500_000_000)


def test_a_fixed_price_weighs_its_value() -> None:
    ppa = {"kind": "ppa", "balance_usdc": "0", "value_usdc": "500", "payment_usdc": "9", "offtaker": "mall"}
    shares = concentration(assets_of(*POOLS, ppa), "offtaker")
    assert [(one.name, one.assets, one.share) for one in shares] == [
        ("mall", 2, Fraction(8, 10)),
        ("farm", 1, Fraction(1, 10)),
        ("mill", 1, Fraction(1, 10)),
    ]


def test_concentration_by_words() -> None:
    assets = assets_of(*POOLS)
    assert [one.name for one in concentration(assets, "assurance")] == ["declared", "meter_signed"]
    assert [(one.name, one.usdc_micro) for one in concentration(assets, "technology")] == [("none", 500_000_000)]
    assert [one.name for one in concentration(assets, "state")] == ["TX", "AZ"]
    with pytest.raises(Invalid) as caught:
        concentration(assets, "colour")
    assert caught.value.code == "assets.unknown_attribute"


def test_caps_are_of_the_eligible_total_before_any_cap() -> None:
    pool = Pool(caps=(("offtaker", Fraction(1, 2)), ("region", Fraction(8, 10))))
    found = review(deal(pool), assets_of(*POOLS))
    assert found.eligible.tolist() == [True, False, True]
    assert [(one.name, one.share) for one in found.over_caps["offtaker"]] == [("mall", Fraction(3, 4))]
    assert found.over_caps["region"] == ()


def test_eligibility_by_assurance() -> None:
    found = review(deal(Pool(assurance_at_least="gateway_signed", related=True)), assets_of(*POOLS))
    assert found.eligible.tolist() == [False, False, True]


def test_without_a_pool_all_count() -> None:
    assert review(deal(), assets_of(*POOLS)).eligible.all()


def test_a_contract_that_ends_before_the_legal_final_and_its_tail_is_refused() -> None:
    pool = Pool(tail_days=180)
    enough = {"ends": "2046-12-17"}  # the legal final and 180 days, to the day
    check_legal_final(deal(pool), assets_of(enough))
    with pytest.raises(Refused) as caught:
        review(deal(pool), assets_of(enough, {"ends": "2046-12-16"}, {"ends": "2046-12-15"}))
    assert caught.value.code == "assets.past_legal_final"
    assert caught.value.message.startswith("2 contracts")
    assert caught.value.ids == {
        "needed": "2046-12-17T00:00:00Z", "earliest": "2046-12-15T00:00:00Z", "asset": "roof 3",
    }  # fmt: skip
    check_legal_final(deal(pool, final_s=0), assets_of({"ends": "2046-12-15"}))


def test_the_base_case_falls_into_the_deals_periods() -> None:
    calendar = Calendar(START_S, 0, 1, 0, periods=240, business="US", ends_s=(START_S + 86_400 * 31,))
    assert ends_us(calendar).tolist() == [(START_S + 86_400 * 31) * SECOND_US]
    found = review(deal(), assets_of(*POOLS)).base_case
    assert len(found.cash) == 240
    assert int(found.principal.sum()) == 500_000_000
    with pytest.raises(Invalid) as caught:
        ends_us(replace(calendar, periods=0, ends_s=()))
    assert caught.value.code == "assets.no_periods"


def test_a_csv_file_is_checked_without_passing_through_floats(tmp_path: Path) -> None:
    table = rows_of(*POOLS, {"balance_usdc": "9007199254.740993".replace("9007199254", "4007199254")})
    lines = [",".join(table.column_names), *(",".join(row.values()) for row in table.to_pylist())]
    file = tmp_path / "assets.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    assert int(load_assets(file).balance_usdc_micro[3]) == 4_007_199_254_740_993
    found = check_assets(deal(Pool(caps=(("offtaker", Fraction(1, 2)),))), file)
    assert (found["assets"], found["eligible_assets"]) == (4, 3)
    assert found["over_caps"]["offtaker"][0]["name"] == "household 1"
    assert found["largest"]["region"][0]["share_bp"] == 9_999
    assert sum(found["base_case"]["cash_usdc_micro"]) > found["balance_usdc_micro"]


@pytest.mark.parametrize(("name", "content"), [("a.csv", b"\xff\xfe\x00"), ("a.parquet", b"PAR1"), ("b.csv", b"")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for file in (tmp_path / name, tmp_path / "none.csv"):
        with pytest.raises(Invalid) as caught:
            load_assets(file)
        assert caught.value.code == "assets.unread"
