"""`penstock deal check --assets`: the pool is told beside the deal, and wrong cells stop it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import Invalid

DEAL = """
deal: Roofs
calendar: {pays: monthly, starts: 2026-01-15T00:00:00Z, periods: 240}
accounts: {collect: {}}
tranches:
  A: {face: 20_000 USDC, rate: 5 %, legal_final: 2046-06-20}
  E: {residual: true}
states: [normal]
waterfall:
  normal: [pay A.interest, sweep A, pay E rest]
pool: {caps: {offtaker: 50 %}, tail: 180 d}
"""
HEADER = "asset,kind,contract,offtaker,obligor,region,balance_usdc,rate_percent,starts,ends,first_due,term_periods"
ROWS = (
    'r1,loan,c1,o1,p1,AZ,"20,000.00",5.99,2025-06-01,2056-01-01,2026-02-01,240',
    "r2,loan,c2,o2,p2,CA,10000,6.49,2025-06-01,2056-01-01,2026-02-01,120",
)


def checked(folder: Path, *rows: str, as_json: bool = True) -> str:
    (folder / "deal.yaml").write_text(DEAL, "utf-8")
    (folder / "assets.csv").write_text("\n".join((HEADER, *rows)) + "\n", "utf-8")
    command = ["deal", "check", str(folder / "deal.yaml"), "--assets", str(folder / "assets.csv")]
    found = CliRunner().invoke(app, command + ["--json"] * as_json)
    if found.exception:
        raise found.exception
    return found.stdout


def test_the_pool_is_told_beside_the_deal(tmp_path: Path) -> None:
    found = json.loads(checked(tmp_path, *ROWS))
    assert found["deal"] == "Roofs"
    assert found["pool"]["balance_usdc_micro"] == 30_000_000_000
    assert found["pool"]["average_rate_e8"] == 6_156_666
    assert [one["name"] for one in found["pool"]["over_caps"]["offtaker"]] == ["o1"]
    assert len(found["pool"]["base_case"]["cash_usdc_micro"]) == 240


def test_the_pool_is_drawn(tmp_path: Path) -> None:
    drawn = checked(tmp_path, *ROWS, as_json=False)
    for words in ("deal.yaml is sound", "$30,000.00", "6.157 %", "above its cap", "66.66 %"):
        assert words in drawn


def test_a_wrong_cell_is_told_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        checked(tmp_path, ROWS[0], ROWS[1].replace("6.49", "649"))
    assert caught.value.code == "assets.malformed"
    assert "row 2, rate_percent" in caught.value.ids["mistakes"]
