"""What the demo says on the terminal: a few lines and a small table a stage, and where to go next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from penstock.cli.demo import spoken_deal, spoken_market
from penstock.cli.demo.lines import do, head, line, pair, table
from penstock.cli.demo.play import Settings, Stage
from penstock.cli.demo.waterfall import local_day, payees, tripped
from penstock.cli.show import kwh, usdc
from penstock.cli.trace import draw
from penstock.period import iso
from penstock.units import MJ_PER_WH
from penstock.usecases.report_247.words import per_cent, tonnes, tonnes_down


def opening(settings: Settings) -> None:
    """What will be replayed, what is measured and what is modelled."""
    week, cloud = settings.sunshine.week, settings.cloud
    span = f"{local_day(iso(week.start_us))} to {local_day(iso(week.stop_us), -1)} {iso(week.start_us)[:4]}"
    head("Penstock: from the kilowatt-hour to the AI token", "")
    pair("replayed", f"{span}, local standard time (UTC-7)")
    pair("workspace", str(settings.workspace))
    pair("measured", "the shape of the power: 15-minute AC power of NREL's SERF East array, taken as watts", "green")
    pair("", "the answers an agent buys and their processor time", "green")
    pair("modelled", "roof sizes and planes, the battery, the requests, the rack's draw, all prices,", "yellow")
    pair("", "the rents of accelerators, the roofs' loans, the grid's carbon")
    pair("seeded", "every key: the signatures are real, the people are not", "yellow")
    pair("rents", f"{settings.rents}, of accelerators", "yellow")
    if cloud:
        pair("clouded", f"{cloud.day} keeps {cloud.percent} % of its measured sunshine", "yellow")


def stage(number: int, of: int, done: Stage) -> None:
    """One stage: its title, time and figures."""
    head(f"{number}/{of} {done.title}", f"{done.seconds:.1f} s")
    _SAYS[done.name](done.figures)


def closing(settings: Settings, stages: list[Stage], added: int, story: Path) -> None:
    """The sums, what was written, and three commands to go on with."""
    figures = {one.name: one.figures for one in stages}
    seconds, folder = sum(one.seconds for one in stages), settings.workspace
    head(f"Done in {seconds:.0f} s", "")
    _sums(figures)
    again = "run it again and none will be" if added else "all were there already"
    pair("covenants", tripped(figures["pay"]))
    pair("record", f"{added:,} facts added; {again}")
    pair("story", f"the same in pictures: {story}")
    head("Next", "")
    do(f"penstock trace answer {figures['prove']['answer']} -w {folder}", "the same walk, of any answer")
    do(f"penstock verify {figures['prove']['bundle']['file']}", "its proof, offline")
    sold = figures["prove"]["sold"]
    do(f"penstock trace answer {sold['rack']}:{sold['answer']} -w {folder}", "one that the agent bought")
    do(f"penstock compute sales -w {folder}", "what was sold, and whom it paid")
    do(f"penstock deal verify {figures['investor']['data']} --against {folder}", "the investors' report, again")
    do(f"penstock certificate carbon check {figures['report']['data']} --against {folder}", "the report, again")
    do(f"penstock serve -w {folder}", "the workspace as a page, an API and a chain")


def _sums(figures: dict[str, dict[str, Any]]) -> None:
    """Dollars in are dollars out and what the accounts hold, and what part of them was energy."""
    paid = spoken_deal.days_of(figures["pay"])
    held = figures["prove"]["balances_usdc_micro"]
    out = {name: sum(day.by_payee.get(name, 0) for day in paid) for name in payees(paid) if name not in held}
    inflow = sum(day.inflow for day in paid)
    parts = [f"{name} {usdc(micro)}" for name, micro in out.items()]
    parts += [f"held in {name} {usdc(micro)}" for name, micro in held.items() if micro]
    closes = "equal" if inflow == sum(out.values()) + sum(held.values()) else "NOT EQUAL"
    pair("dollars", f"{usdc(inflow)} in; out: {', '.join(parts)}; {closes} to the micro-dollar")
    energy = figures["income"]["tariff_usdc_micro"]
    if inflow:
        pair("energy", f"{100 * energy / inflow:.1f} % of what came in; the scarce thing is time until power")


def _chain(figures: dict[str, Any]) -> None:
    line(
        f"an embedded chain, id {figures['chain_id']}, genesis {figures['genesis'][:16]}..., and its shared contracts:"
    )
    for name, address in figures["contracts"].items():
        pair(name, address)


def _connect(figures: dict[str, Any]) -> None:
    sizes = (
        f"{figures['smallest_w']:,} to {figures['largest_w']:,} W each, {figures['capacity_w'] / 1000:,.1f} kW in all"
    )
    line(f"{figures['rooftops']} rooftops of {sizes}; each meter's key is enrolled")
    line(
        f"a rack of {figures['rack_w'] / 1000:,.0f} kW with {figures['accelerators']} accelerators, its meter enrolled"
    )
    line(f"a battery of {figures['battery_w'] / 1000:,.0f} kW, one meter for what goes in and what comes out")
    line(f"{figures['holders']:,} investors")


def _forward(figures: dict[str, Any]) -> None:
    share, promised = per_cent(figures["share_basis_points"]), kwh(figures["promised_wh"])
    line(
        f"{figures['seller']} sells {share} of its week to an {figures['buyer']}: {promised} at P50, "
        f"for {usdc(figures['price_usdc_micro_per_mwh'])} a MWh"
    )
    price, stake = usdc(figures["cost_usdc_micro"]), usdc(figures["collateral_usdc_micro"])
    line(f"its price, {price}, waits in escrow, beside {stake} of the seller's collateral")
    likely, sure = kwh(figures["p50_wh"]), kwh(figures["p90_wh"])
    line(f"expected of the whole roof (modelled): {likely} as likely as not (P50), {sure} nine times of ten (P90)")


def _meter(figures: dict[str, Any]) -> None:
    packets, readings, refused = figures["packets"], figures["readings"], figures["refusals"]
    line(f"{packets['accepted']:,} signed packets with {readings['accepted']:,} readings accepted")
    line(f"{kwh(figures['counted_wh'])} verified ({figures['counted_wh']:,} Wh)")
    line(f"{figures['planted']} bad packets were planted, {len(refused)} refused: kept, marked, never counted")
    reasons = Counter((row["verdict"], row["why"]) for row in refused)
    table(
        ("refused", "", "why"), [(verdict, f"{count:,}", why) for (verdict, why), count in reasons.items()], right=(1,)
    )
    line("each of them: penstock meter refused -w FOLDER")
    for liar in figures["liars"]:
        line(f"{liar['device']} signs well and lies: {liar['readings']:,} readings in quarantine, {liar['why']}")


def _certify(figures: dict[str, Any]) -> None:
    issued = f"{figures['titles']:,} hourly certificates over {kwh(figures['issued_wh'])}"
    line(f"{issued}: every verified Wh of a whole hour, once")
    sold = figures["forward"]
    line(
        f"{kwh(sold['delivered_wh'])} of them were sold ahead and went to their buyer in {sold['deliveries']} "
        f"deliveries, which earned {usdc(sold['earned_usdc_micro'])}"
    )
    line(
        f"settled: {sold['missing_wh']:,} Wh missing, {usdc(sold['price_back_usdc_micro'])} of the price back to the "
        f"buyer, {usdc(sold['collateral_back_usdc_micro'])} of collateral back to the seller"
    )


def _store(figures: dict[str, Any]) -> None:
    line(f"{kwh(figures['charged_wh'])} bought at noon with their certificates, which are claimed for the charge")
    line(
        f"{kwh(figures['discharged_wh'])} given back after sunset; {kwh(figures['loss_wh'])} lost, unit by unit "
        f"({figures['efficiency']} comes back)"
    )
    line("its certificates look through to the roofs: sunshine of noon, in evening hours")


def _badge(figures: dict[str, Any]) -> None:
    line(
        f"{figures['titles']} roofs' certificates of one hour, {kwh(figures['lifted_wh'])} that nobody used, are one "
        "id on chain:"
    )
    pair("id", figures["certificate"])
    line("each was minted once, against the journal's anchored root")
    line(f"{kwh(figures['retired_wh'])} retired there for {figures['purpose']}: badge {figures['badge']}")
    line("the rest came back; nothing is ever live in both places")
    for name, address in figures["contracts"].items():
        pair(name, address)


def _report(figures: dict[str, Any]) -> None:
    line(
        f"{per_cent(figures['matched_share_bp'])} of {kwh(figures['drawn_wh'])} matched hour by hour, "
        f"{per_cent(figures['carbon_free_share_bp'])} carbon-free"
    )
    rows = [
        ("location-based", tonnes(figures["location_ug"]), "what the grid's mix emitted for the same energy"),
        ("market-based, annual", tonnes(figures["market_annual_ug"]), "certificates of any hour count"),
        ("market-based, hourly", tonnes(figures["market_hourly_ug"]), "only certificates of the very hour count"),
        ("avoided, apart", tonnes_down(figures["avoided_ug"]), "never netted with the others"),
    ]
    table(("scope 2", "CO2e", ""), rows, right=(1,))
    for one in figures["missing"]:
        line(f"missing: {one['count']:,} {one['sentence']}")
    line("the grid's factors are modelled: nobody published them")
    pair("page", figures["page"])
    tree = "anchored tree" if figures["anchored"] else "tree"
    pair("proofs", f"{figures['data']}: {figures['facts_proven']:,} facts, each in the {tree}")


def _serve(figures: dict[str, Any]) -> None:
    heads = ("day", "answers", "tokens", "kWh matched", "no energy", "no capacity")
    rows = [(local_day(one["day"]), *(_number(one, name) for name in _SERVED)) for one in figures["days"]]
    total = {name: sum(one[name] for one in figures["days"]) for name in _SERVED}
    rows.append(("in all", *(_number(total, name) for name in _SERVED)))
    table(heads, rows, right=range(1, 6))
    line("the last two were turned away: no certified Wh left in that hour, or every accelerator busy")
    idle_wh = figures["idle_mj"] // MJ_PER_WH
    line(f"every answer has its share of {kwh(figures['energy_wh'])}; the shares add up to the rack's meter,")
    line(f"{kwh(idle_wh)} of it idle; each Wh is claimed in the hour it was made")


_SERVED: Final = ("answers", "tokens", "energy_wh", "refused_energy", "refused_capacity")


def _number(one: dict[str, int], name: str) -> str:
    return f"{one[name] / 1000:,.1f}" if name.endswith("_wh") else f"{one[name]:,}"


def _prove(figures: dict[str, Any]) -> None:
    reading, bundle, audit = figures["reading"], figures["bundle"], figures["audit"]
    draw(f"answer {figures['answer']:,}: where its energy came from", figures["back"])
    draw("where its dollars went", figures["forward"])
    if figures["evening"]:
        late = figures["evening"]
        draw(f"answer {late['answer']:,}, given after sunset: through the battery, back to the roofs", late["back"])
    sold = figures["sold"]
    draw(f"answer {sold['answer']:,} of {sold['rack']}, which the agent bought: back to a roof", sold["back"])
    draw("and where its dollars went", sold["forward"])
    wh = f"Wh {reading['start']:,} to {reading['stop']:,}"
    draw(f"the other way: {wh} of {reading['register']}", figures["reading_forward"])
    pair("bundle", _proved(bundle))
    if figures["evening"]:
        pair("by night", _proved(figures["evening"]["bundle"]))
    pair("sold", _proved(sold["bundle"]))
    laws = "clean" if audit["clean"] else f"{len(audit['findings'])} FINDINGS"
    counts = ", ".join(f"{count:,} {name}" for name, count in audit["checked"].items())
    pair("audit", f"{laws}: the five laws over {counts}")
    pair("root", figures["root"])
    pair("anchored", f"on chain up to fact {figures['anchored']:,} of {figures['facts']:,}")


def _proved(bundle: dict[str, Any]) -> str:
    checked = ", ".join(f"{count:,} {name}" for name, count in bundle["verified"]["checked"].items())
    return f"verifies offline, {bundle['bytes']:,} bytes: {checked}"


_SAYS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "chain": _chain,
    "connect": _connect,
    "meter": _meter,
    "certify": _certify,
    "store": _store,
    "forward": _forward,
    "badge": _badge,
    "report": _report,
    "serve": _serve,
    "launch": spoken_deal.launch,
    "days": spoken_deal.days,
    "agent": spoken_market.agent,
    "challenge": spoken_market.challenge,
    "pay": spoken_deal.pay,
    "income": spoken_deal.income,
    "vote": spoken_deal.vote,
    "investor": spoken_deal.investor,
    "prove": _prove,
}
