"""Which deals the demo can play, checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.exact import period_bounds
from penstock.capital.language import load_deal
from penstock.capital.measure import check_measures
from penstock.capital.program import Program
from penstock.cli.deal import read_text
from penstock.cli.demo.play import HOLDERS_OF
from penstock.errors import Invalid, Refused
from penstock.period import DAY_US, SECOND_US, Period

FEES: Final = {"roofs", "servicer"}
COLLECT: Final = "collect"


def read_deal(file: Path, week: Period) -> str:
    """The text of a deal that can be played over ``week``.

    Raises:
        Invalid: ``deal.malformed`` with every mistake and its line, ``deal.unread``, ``demo.deal_unsuited``.
        Refused: what the chain cannot hold, as `compile_deal`.
    """
    text = read_text(file)
    check_suited(text, week)
    return text


def check_suited(text: str, week: Period) -> None:
    """Raises as `read_deal`."""
    deal = load_deal(text)
    reasons = [*_parts(deal), *_calendar(compile_deal(deal), week)]
    if reasons:
        hint = "Begin with examples/deals/mixed_pool.yaml, or: penstock deal check FILE"
        raise Invalid("demo.deal_unsuited", f"The demo cannot play this deal: {'; '.join(reasons)}.", hint=hint)


def _parts(deal: Deal) -> Iterator[str]:
    if deal.accounts[0].name != COLLECT:
        yield f"its first account is not {COLLECT}"
    if {fee.name for fee in deal.fees} != FEES:
        yield f"its fees are not {' and '.join(sorted(FEES))}"
    if not {tranche.name for tranche in deal.tranches} <= HOLDERS_OF.keys():
        yield f"it has tranches other than {', '.join(HOLDERS_OF)}"
    try:
        check_measures(deal)
    except Refused as unknown:
        yield unknown.message.rstrip(".")


def _calendar(program: Program, week: Period) -> Iterator[str]:
    for number, day in enumerate(week.steps(DAY_US)):
        if period_bounds(program.code, number) != (day.start_us // SECOND_US, day.stop_us // SECOND_US):
            yield f"its period {number + 1} is not day {number + 1} of {week}"
            return
