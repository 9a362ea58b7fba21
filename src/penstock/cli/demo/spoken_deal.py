"""What the demo says of the deal: its launch, each day's pay, who took income, the vote, the investors' report."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from penstock.cli.demo.lines import line, pair, table
from penstock.cli.demo.waterfall import Paid, by_state, days_paid, payees, tripped, word_of
from penstock.cli.show import usdc
from penstock.usecases.report_247.words import per_cent

_HEADS: Final = {"dscr": "DSCR"}
_WHAT: Final = {
    "lockup": "distributions were held back",
    "sweep": "all that was left repaid the senior notes first",
}


def launch(figures: dict[str, Any]) -> None:
    """The deal as it stands on chain, and its pool."""
    line(f"{figures['deal']}: {figures['address']}")
    rows = [
        (name, usdc(face) if face else "what is left", f"{figures['holders'][name]:,}")
        for name, face in figures["tranches"].items()
    ]
    table(("tranche", "face", "holders"), rows, right=(1, 2))
    pool = figures["pool"]
    line(
        f"its pool: {pool['assets']} assets pledged to it alone, {usdc(pool['balance_usdc_micro'])} outstanding: "
        f"a loan a roof, and the rack's contract, {usdc(pool['rack_usdc_micro'])} of it"
    )
    if pool["doubted"]:
        line(f"nothing is lent on {' and '.join(pool['doubted'])}: their readings wait in quarantine")
    line(f"deal's hash    {figures['deal_hash']}")
    line(f"program's hash {figures['program_hash']} ({figures['program_bytes']} bytes)")


def days(figures: dict[str, Any]) -> None:
    """Who attests the days, and how many are paid by now."""
    pids = ", ".join(f"{name} (process {pid})" for name, pid in figures["attesters"].items())
    line(f"{len(figures['attesters'])} attesters recompute each day; {figures['quorum']} signatures suffice: {pids}")
    line(f"days paid, all but the last: {figures['days']}; then comes a table of them all")


def pay(figures: dict[str, Any]) -> None:
    """Each day's dollars by payee; what was matched, marked and tripped."""
    days = days_of(figures)
    names = payees(days)
    tests = [_HEADS.get(name, name) for name in figures["floors"]]
    rows = [_day_row(one, names) for one in days]
    rows.append(("week", "", *("" for _ in tests), *(_dollars(sum(column)) for column in _columns(days, names))))
    table(("day", "state", *tests, "in", *names), rows, right=range(2, 3 + len(tests) + len(names)))
    line("dollars, cents cut off; chain and exact engine agree on every day to the micro-dollar")
    matched = figures["collected"]
    came = usdc(sum(one["usdc_micro"] for one in matched))
    line(
        f"of what came in, {came} are {sum(one['payments'] for one in matched):,} payments the servicer matched to "
        "asset, contract and bill; the rest are answers"
    )
    marks = ", ".join(f"{one['mark_e8'] / 10**6:.0f}" for one in matched)
    line(f"accelerators were marked at {marks} % of new")
    for state, held in by_state(days).items():
        line(f"{word_of(state)} on {', '.join(held)}: {_WHAT.get(state, 'another waterfall ran')}")
    line(tripped(figures))
    for one in days:
        for name, micro in one.from_reserves.items():
            line(f"on {one.day} the reserve paid {name} {usdc(micro)}")


def days_of(figures: dict[str, Any]) -> list[Paid]:
    """The closed days of the stage that pays."""
    return days_paid(figures["periods"], figures["collect"])


def _columns(days: list[Paid], names: list[str]) -> list[list[int]]:
    return [[one.inflow for one in days], *([one.by_payee.get(name, 0) for one in days] for name in names)]


def _day_row(one: Paid, names: list[str]) -> tuple[str, ...]:
    covers = ("-" if cover is None else f"{cover:.2f}" for cover in one.covers.values())
    return (one.day, one.word, *covers, *(_dollars(column[0]) for column in _columns([one], names)))


def _dollars(micro: int) -> str:
    return usdc(micro).replace("$", "")


def income(figures: dict[str, Any]) -> None:
    """Who took how much."""
    taken = figures["coupons_usdc_micro"]
    rows = [(f"holders of {name}", f"{len(one):,}", *_spread(one), _dollars(sum(one))) for name, one in taken.items()]
    rows.append(("roofs", f"{figures['roofs_paid']:,}", "", "", "", _dollars(figures["tariff_usdc_micro"])))
    table(("who", "how many", "least", "median", "most", "dollars"), rows, right=range(1, 6))
    roof, most = figures["largest_tariff"]
    fees = ", ".join(f"{name} {usdc(micro)}" for name, micro in figures["servicers_paid"].items())
    line(f"fees, each under its own key: {fees}")
    line(f"each holder by its own transaction; {roof} earned most of the roofs, {usdc(most)}")


def _spread(taken: Sequence[int]) -> tuple[str, str, str]:
    if not taken:
        return "-", "-", "-"
    return _dollars(min(taken)), _dollars(int(median(taken))), _dollars(max(taken))


def vote(figures: dict[str, Any]) -> None:
    """What holders voted, and what came of it."""
    if not figures["voters"]:
        line("this deal lets nobody vote: its terms can never be changed")
        return
    share = 100 * figures["yes_shares"] / figures["supply_shares"]
    line(
        f"{figures['voters']:,} of {figures['holders']:,} holders of {figures['class']} said yes, each by its own "
        f"transaction: {share:.2f} % of all its shares, {per_cent(figures['needed_bp'])} were needed"
    )
    line(f"{figures['delay_hours']} hours later anyone may carry it out; the demo's clock had waited for that")
    line(f"from the next close on {figures['successor']} is paid what the {figures['payee']} was: {figures['account']}")
    pair("ballot", f"{figures['ballot']}, vote {figures['proposal']}: {figures['state']}")


def investor(figures: dict[str, Any]) -> None:
    """The report, and what stands behind one holder."""
    held = figures["holding"]
    ratios = [(one["name"], one["ratio_millionths"]) for one in figures["tests"]]
    told = ", ".join(f"{name} {ratio / 10**6:.2f}" for name, ratio in ratios if ratio is not None)
    line(f"day {figures['number']}, {word_of(figures['state'])}: {told}")
    line("sources and uses, each test with its headroom, what bound each step")
    pair("report", f"{figures['page']}, and as JSON and CSV: {figures['facts_proven']} facts proved")
    claim, part = usdc(held["claim_usdc_micro"]), usdc(held["part_usdc_micro"])
    line(
        f"{held['holder']} holds {', '.join(held['tranches'])}, a claim of {claim}; "
        f"behind it {held['assets']} assets, {part} of them its part"
    )
    rows = [
        (what, one["name"], f"{one['assets']:,}", usdc(one["usdc_micro"]), usdc(one["part_usdc_micro"]))
        for what in ("kind", "assurance")
        for one in held["by"][what]
    ]
    table(("by", "", "assets", "all", "its part"), rows, right=(2, 3, 4))
    for one in held["readings"][:2]:
        line(f"{one['register']}: {one['part']:,} of {one['stop'] - one['start']:,} {one['unit']} of the last day")
    pair("look", f"{held['file']}: {held['facts_proven']} facts proved")
