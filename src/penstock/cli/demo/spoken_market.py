"""What the demo says of the agent and of whom it bought."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from penstock.cli.demo.lines import do, line, pair, table
from penstock.cli.demo.sold_work import GRID, SUN
from penstock.cli.show import usdc


def agent(figures: dict[str, Any]) -> None:
    """What was bought of whom, why the agent went elsewhere, what stopped it, what is proved."""
    prices, carbon = figures["prices_usdc_micro"], figures["carbon_g"]
    line(
        f"{figures['model']} really answers, in a process for each of two providers; every call is paid on chain "
        f"(x402), {figures['by_mcp']} of them by MCP; prices are for show"
    )
    rows = [
        (name, f"{len(calls):,}", usdc(sum(calls)), f"{_joules(figures, name):,.1f}", _source(figures, name))
        for name, calls in by_provider(figures).items()
    ]
    table(("bought of", "calls", "dollars", "J by receipts", "power"), rows, right=range(1, 4))
    first, second = _stretches(figures)[:2]
    line(f"call {first + 1}: {SUN} asks {usdc(prices['dearer'])} instead of {usdc(prices[SUN])}: {GRID} is cheaper now")
    line(
        f"call {first + second + 1}: {GRID} says {carbon['dirtier']} g a kWh, the mandate allows {carbon['most']}: "
        f"back to {SUN}"
    )
    line(f"it stops at {usdc(figures['paid_usdc_micro'])} of {usdc(figures['budget_usdc_micro'])}: {figures['why']}")
    line(f"one call more: the agent does not sign ({figures['refused']['client']});")
    line(f"whoever stole its key: the account on chain refuses ({figures['refused']['chain']})")
    proved = sum(one["checked"] for one in figures["receipts"].values())
    line(f"{proved} energy receipts checked offline, each inside its sealed interval and the meter")
    pair("power", figures["power"], "yellow")
    pair("Spender", figures["spender"])
    kept = figures["receipts"][SUN]
    do(f"penstock compute receipt verify FOLDER/{kept['file']} --key {kept['key']}", "the last of them")


def by_provider(figures: dict[str, Any]) -> dict[str, list[int]]:
    """What each call cost [micro-dollars], by provider."""
    found: dict[str, list[int]] = {}
    for name, micro in figures["calls"]:
        found.setdefault(name, []).append(micro)
    return found


def _stretches(figures: dict[str, Any]) -> list[int]:
    """How many calls in a row went to one provider."""
    return [len(list(run)) for _, run in groupby([name for name, _ in figures["calls"]])]


def _joules(figures: dict[str, Any], name: str) -> float:
    return float(figures["receipts"][name]["energy_mj"]) / 1_000


def _source(figures: dict[str, Any], name: str) -> str:
    rack = figures["sold"][name]["rack"]
    return f"the roofs', by {rack}'s meter" if name == SUN else "the grid's, nobody certified it"


def challenge(figures: dict[str, Any]) -> None:
    """Who lied, how it was found out, what it lost."""
    drawn, failed = figures["drawn"], figures["failed"]
    line(
        f"{figures['provider']} sells {figures['credits']} credits and answers {figures['answers']} times with the "
        f"first {figures['layers']} of six layers, in the whole model's name"
    )
    line(f"two attesters had bound themselves to secrets before; they draw {drawn} answers, {failed} differ")
    line(
        f"each does them again itself; their quorum closes the class: its holder gets its price and "
        f"{usdc(figures['collateral_usdc_micro'])} of collateral, {usdc(figures['refunded_usdc_micro'])} in all"
    )
    line(f"who is false in one answer of ten is caught with {figures['tenth']:.1%} when 44 of 1,000 are drawn")
    pair("evidence", f"FOLDER/{figures['evidence']}")
