"""The type checker refuses what the run time refuses: units do not mix."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
MIXED = {
    "Wh(1) + Usdc(1)": "operator",
    "Tokens(1) - Ms(1)": "operator",
    "Mj(1) < Wh(1)": "operator",
    "Mj(1) >= Wh(1)": "operator",
    "Wh(1) * 0.5": "operator",
    "Wh(1.0)": "arg-type",
}
FINE = ("Wh(1) + Wh(1)", "Usdc(2) * 3", "Mj(1) < Wh(1).to_mj()", "Ms(1) <= Ms(2)", "Ms(1) > Ms(2)", "Ms(1) >= Ms(2)")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What ``mypy --strict`` says, by line."""
    folder = tmp_path_factory.mktemp("types")
    snippet = folder / "mixing.py"
    snippet.write_text("\n".join(["from penstock.units import Mj, Ms, Tokens, Usdc, Wh", *MIXED, *FINE, ""]))
    said, _, _ = api.run(
        ["--strict", f"--config-file={ROOT / 'pyproject.toml'}", f"--cache-dir={folder / 'cache'}", str(snippet)]
    )
    lines = [line.split(":", 2) for line in said.splitlines() if ": error:" in line]
    assert all(Path(path).name == "mixing.py" for path, _, _ in lines), said
    return {int(number): message for _, number, message in lines}


@pytest.mark.parametrize("line", range(len(MIXED)), ids=list(MIXED))
def test_what_mixes_units_fails(found: dict[int, str], line: int) -> None:
    assert f"[{list(MIXED.values())[line]}]" in found[line + 2]


def test_what_keeps_to_its_unit_passes(found: dict[int, str]) -> None:
    assert set(found) == set(range(2, 2 + len(MIXED)))
