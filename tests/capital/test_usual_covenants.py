"""The usual covenants as the page on the language writes them: each compiles, and is what its name says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from penstock.capital.compile import compile_deal
from penstock.capital.language import load_deal
from penstock.capital.run import Series, run_deal

PAGE: Final = (Path(__file__).parents[2] / "docs" / "deal-language.md").read_text()
COVENANTS: Final = dict(re.findall(r"^\| ([^|]+) \| `\{(value: .*)\}` \|$", PAGE, re.MULTILINE))
MEASURES: Final = {
    "ltm": "{unit: USDC, of: cfads, over: 12}",
    "rents": "rate",
    **dict.fromkeys(("value", "borrowing_base", "pool", "interest", "losses"), "USDC"),
}
DOLLAR: Final = 10**6
PERIODS: Final = 24


def deal_with(covenant: str) -> str:
    """A deal whose only test is this one; it reports what the test reads and has the states it names."""
    named = [name for name in MEASURES if re.search(rf"\b{name}\b(?![(:])", covenant)]
    report = ", ".join(f"{name}: {MEASURES[name]}" for name in named) or "cfads: USDC"
    states = [name for name in ("lockup", "accel") if name in covenant]
    worse = "".join(f"  {name}: [pay A.interest, pay B.interest, sweep A, hold rest in trap]\n" for name in states)
    return f"""
deal: Usual
calendar: {{pays: monthly, starts: 2026-01-15T00:00:00Z, periods: {PERIODS}}}
report: {{{report}}}
schedule:
  base_cfads: {{grow: 100_000 USDC}}
  cash_ahead: {{ahead: base_cfads, over: 12}}
  service_ahead: [900_000 USDC]
  worth: {{worth: base_cfads, rate: 7 %}}
accounts: {{collect: {{}}, trap: {{}}}}
tranches:
  A: {{face: 1_500_000 USDC, rate: 6 %, principal: 10_000 USDC}}
  B: {{face: 500_000 USDC, rate: 8 %}}
  E: {{residual: true}}
tests:
  it: {{{covenant}, cure: after 1 clean period}}
states: [normal, {", ".join(states)}]
waterfall:
  normal: [pay A.interest, pay A.principal, pay B.interest, sweep B share 10 %, release trap, pay E rest]
{worse}"""


def states(name: str, **measures: int) -> list[str]:
    """The state after each close while measures stay as given [USDC]."""
    deal = load_deal(deal_with(COVENANTS[name]))
    cash = np.full(PERIODS, 100_000 * DOLLAR, dtype=np.int64)
    constant = {one: np.full(PERIODS, usdc * DOLLAR, dtype=np.int64) for one, usdc in measures.items()}
    return list(run_deal(deal, compile_deal(deal), Series(cash, constant)).states)


@pytest.mark.parametrize("name", COVENANTS)
def test_it_compiles_within_the_goals_of_a_close(name: str) -> None:
    program = compile_deal(load_deal(deal_with(COVENANTS[name])))
    assert program.gas_ceiling < 300_000


def test_they_are_all_here() -> None:
    assert len(COVENANTS) == 12


@pytest.mark.parametrize(
    ("name", "sound", "poor"),
    [
        ("DSCR, back over a year", {"ltm": 254_072}, {"ltm": 254_071}),  # 12 x (7,643.835616 + 10,000)
        ("LTV", {"value": 2_223_000}, {"value": 2_222_000}),
        ("borrowing base", {"borrowing_base": 2_000_000}, {"borrowing_base": 1_999_999}),
        ("overcollateralisation", {"pool": 2_100_000}, {"pool": 2_099_999}),
        ("pool factor", {"pool": 200_000}, {"pool": 199_999}),
    ],
)
def test_the_first_close_tells_sound_from_poor(name: str, sound: dict[str, int], poor: dict[str, int]) -> None:
    assert states(name, **sound)[0] == "normal"
    assert states(name, **poor)[0] != "normal"


def test_loan_life_cover_falls_as_the_loan_outlives_its_cash() -> None:
    """Twenty-four months of base case against a loan that they do not repay."""
    found = states("LLCR", cfads=100_000)
    assert found[0] == "normal"
    assert found[-1] == "lockup"


def test_forward_cover_sees_the_end_of_the_cash_a_year_ahead() -> None:
    found = states("DSCR, forward", ltm=2_000_000)
    assert found.index("lockup") == 13  # after the 14th period only ten months bring 100,000 each
