"""A table of assets: read exactly, and every wrong cell told with its row, column and remedy."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from asset_kit import ROW, assets_of, rows_of

from penstock.capital.asset_fields import ASSET_KINDS, COUNTS, REPAYMENTS, instant_us, micro, percent_e8
from penstock.capital.asset_table import MalformedAssets, read_assets
from penstock.errors import Invalid
from penstock.journal.words import ASSURANCES


def wrong(*changes: dict[str, str]) -> list[tuple[int, str, str]]:
    with pytest.raises(MalformedAssets) as caught:
        assets_of(*changes)
    return [(one.row, one.column, one.message + " " + one.remedy) for one in caught.value.mistakes]


def test_a_row_is_read_exactly() -> None:
    assets = assets_of({"payment_usdc": "143.123456", "assurance": "gateway_signed", "registers": "r1; r2"})
    assert assets.balance_usdc_micro.tolist() == assets.value_usdc_micro.tolist() == [20_000_000_000]
    assert (int(assets.rate_e8[0]), int(assets.payment_usdc_micro[0])) == (5_990_000, 143_123_456)
    assert ASSURANCES[assets.assurance[0]] == "gateway_signed"
    assert assets.registers == (("r1", "r2"),)
    assert assets.named["offtaker"].of(0) == "household 1"


def test_what_a_table_leaves_out() -> None:
    assets = assets_of(
        {}, {"kind": "ppa", "payment_usdc": "90", "balance_usdc": "0", "value_usdc": "9_000".replace("_", "")}
    )
    assert [REPAYMENTS[code] for code in assets.repays] == ["level", "fixed"]
    assert [COUNTS[code] for code in assets.count] == ["30/360", "30/360"]
    assert assets.technology.tolist() == [255, 255]
    assert assets.related.tolist() == [0, 0]
    assert assets.value_usdc_micro.tolist() == [20_000_000_000, 9_000_000_000]
    assert [ASSURANCES[code] for code in assets.assurance] == ["declared", "declared"]


def test_columns_of_numbers_and_dates_are_read_too() -> None:
    text = rows_of({}, {})
    typed = text.set_column(text.column_names.index("term_periods"), "term_periods", pa.array([240, 120]))
    dates = pa.array(["2026-02-01", "2026-03-01"]).cast(pa.date32())
    typed = typed.set_column(text.column_names.index("first_due"), "first_due", dates)
    instants = pa.array([datetime(2056, 1, 1, tzinfo=UTC), datetime(2057, 1, 1, tzinfo=UTC)])
    typed = typed.set_column(text.column_names.index("ends"), "ends", instants)
    assets = read_assets(typed)
    assert assets.term_periods.tolist() == [240, 120]
    assert assets.first_due_us.tolist() == [instant_us("2026-02-01"), instant_us("2026-03-01")]
    assert assets.ends_us.tolist() == [instant_us("2056-01-01"), instant_us("2057-01-01")]


@pytest.mark.parametrize("column", sorted(ROW))
def test_a_required_column_that_is_missing(column: str) -> None:
    with pytest.raises(MalformedAssets) as caught:
        read_assets(rows_of({}).drop_columns([column]))
    assert [(one.row, one.column) for one in caught.value.mistakes] == [(0, column)]


@pytest.mark.parametrize("column", sorted(ROW))
def test_a_required_cell_that_is_empty(column: str) -> None:
    found = wrong({}, {column: " "}, {})
    assert [(row, name) for row, name, _ in found] == [(2, column)]
    assert "empty" in found[0][2]


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("balance_usdc", "20.000,00", "12,345.67"),
        ("balance_usdc", "-5", "12,345.67"),
        ("balance_usdc", "1.1234567", "12,345.67"),
        ("balance_usdc", "1e3", "12,345.67"),
        ("rate_percent", "575", "5.75"),
        ("first_due", "02/01/2026", "2026-01-15"),
        ("first_due", "2026-02-30", "2026-01-15"),
        ("term_periods", "0", "1 to 1,200"),
        ("term_periods", "12.5", "1 to 1,200"),
        ("kind", "lone", "loan"),
        ("assurance", "certain", "meter_signed"),
        ("related", "maybe", "yes or no"),
        ("count", "actual", "act/365"),
        ("every_months", "13", "1 to 12"),
        ("technology", "fusion", "solar_pv"),
    ],
)
def test_a_cell_that_cannot_be_read(column: str, cell: str, says: str) -> None:
    found = wrong({}, {column: cell})
    assert [(row, name) for row, name, _ in found] == [(2, column)]
    assert says in found[0][2]


@pytest.mark.parametrize(
    ("change", "column", "says"),
    [
        ({"asset": "roof 1"}, "asset", "twice"),
        ({"ends": "2025-01-01", "starts": "2025-06-01"}, "ends", "before it starts"),
        ({"first_due": "2025-01-01"}, "first_due", "before the contract starts"),
        ({"ends": "2045-12-31"}, "term_periods", "beyond the contract's end"),
        ({"repays": "fixed"}, "payment_usdc", "price is missing"),
        ({"balance_usdc": "0"}, "balance_usdc", "Nothing is outstanding"),
        (
            {
                "repays": "fixed",
                "payment_usdc": "9",
                "escalation_percent": "100",
                "ends": "2199-01-01",
                "term_periods": "600",
            },
            "escalation_percent",
            "beyond 4.5 billion",
        ),
    ],
)
def test_rows_that_contradict_themselves(change: dict[str, str], column: str, says: str) -> None:
    found = wrong({}, change)
    assert (2, column) in [(row, name) for row, name, _ in found]
    assert says in "".join(text for _, _, text in found)


def test_every_mistake_is_told_at_once_and_the_first_twenty_are_shown() -> None:
    with pytest.raises(MalformedAssets) as caught:
        assets_of(*[{"rate_percent": "575"}] * 30)
    assert len(caught.value.mistakes) == 30
    assert caught.value.ids["mistakes"].count("\n") == 20
    assert caught.value.ids["mistakes"].endswith("... and 10 more")
    assert caught.value.to_json()["error"] == "Invalid"


def test_a_misspelt_column_is_told_and_foreign_ones_are_left_aside() -> None:
    assert "Did you mean `assurance`?" in wrong({"asurance": "declared"})[0][2]
    assert len(assets_of({"fico": "744"})) == 1


def test_a_column_that_stands_twice() -> None:
    table = rows_of({})
    with pytest.raises(MalformedAssets) as caught:
        read_assets(table.append_column("kind", table.column("kind")))
    assert "twice" in caught.value.mistakes[0].message


def test_no_rows() -> None:
    with pytest.raises(Invalid) as caught:
        read_assets(rows_of({}).slice(0, 0))
    assert caught.value.code == "assets.empty"


def test_too_many_rows() -> None:
    with pytest.raises(Invalid) as caught:
        read_assets(pa.table({"asset": pa.nulls(1_000_001, pa.string())}))
    assert caught.value.code == "assets.too_many"


def test_cells() -> None:
    assert [micro(text) for text in ("0", "1,234.5", "4503599627.370496", "4503599627.370497", "12,34")] == [
        0,
        1_234_500_000,
        2**52,
        None,
        None,
    ]
    assert [percent_e8(text) for text in ("8.125", "8.125 %", "100", "100.000001")] == [
        8_125_000,
        8_125_000,
        10**8,
        None,
    ]
    assert instant_us("2026-01-15") == instant_us("2026-01-15T00:00:00Z")
    assert instant_us("2026-01-15T12:00:00") is None  # an hour needs its offset
    assert len(ASSET_KINDS) < 255
