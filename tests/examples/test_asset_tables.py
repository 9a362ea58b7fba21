"""The tables of assets are what their script writes, and each suits its deal."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from example_life import ROOT, assets_of, example

from penstock.capital.asset_review import review

ASSETS = ROOT / "examples" / "assets"
TABLES = sorted(file.stem for file in ASSETS.glob("*.csv"))


def test_the_script_writes_the_tables(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text((ASSETS / "make.py").read_text())
    runpy.run_path(str(script), run_name="__main__")
    assert sorted(file.stem for file in tmp_path.glob("*.csv")) == TABLES
    for name in TABLES:
        assert (tmp_path / f"{name}.csv").read_bytes() == (ASSETS / f"{name}.csv").read_bytes()
        assert (ASSETS / f"{name}.csv").stat().st_size < 50_000


@pytest.mark.parametrize("name", TABLES)
def test_each_suits_its_deal(name: str) -> None:
    found = review(example(name).deal, assets_of(name))
    assert found.base_case.cash.sum() > 0
    assert not any(found.over_caps.values())
