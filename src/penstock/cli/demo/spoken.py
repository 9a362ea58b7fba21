"""What the demo says on the terminal: a few lines and a small table a stage, and where to go next.

Nothing is wider than 100 columns, so that nothing is cut; names from files are printed as they are, never as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from penstock.cli.demo.play import Settings, Stage
from penstock.cli.demo.waterfall import Paid, days_paid, local_day, payees
from penstock.cli.show import console, kwh, usdc
from penstock.cli.trace import draw
from penstock.period import iso
from penstock.units import MJ_PER_WH

WIDTH: Final = 100
_INDENT: Final = "  "
_WORD: Final = 11


def opening(settings: Settings) -> None:
    """What will be replayed, what is measured and what is modelled."""
    week, cloud = settings.sunshine.week, settings.cloud
    span = f"{local_day(iso(week.start_us))} to {local_day(iso(week.stop_us), -1)} {iso(week.start_us)[:4]}"
    _head("Penstock: from the kilowatt-hour to the AI token", "")
    _pair("replayed", f"{span}, local standard time (UTC-7)")
    _pair("workspace", str(settings.workspace))
    _pair("measured", "the shape of the power: 15-minute AC power of NREL's SERF East array, taken as watts", "green")
    _pair("modelled", "roof sizes and planes, the requests, the rack's draw, all prices", "yellow")
    _pair("seeded", "every key: the signatures are real, the people are not", "yellow")
    if cloud:
        _pair("clouded", f"{cloud.day} keeps {cloud.percent} % of its measured sunshine", "yellow")


def stage(number: int, of: int, done: Stage) -> None:
    """One stage: its title, time and figures."""
    _head(f"{number}/{of} {done.title}", f"{done.seconds:.1f} s")
    _SAYS[done.name](done.figures)


def closing(settings: Settings, stages: list[Stage], added: int, story: Path) -> None:
    """The sums, what was written, and three commands to go on with."""
    figures = {one.name: one.figures for one in stages}
    seconds, folder = sum(one.seconds for one in stages), settings.workspace
    _head(f"Done in {seconds:.0f} s", "")
    _sums(figures)
    again = "run it again and none will be" if added else "all were there already"
    _pair("record", f"{added:,} facts added; {again}")
    _pair("story", f"the same in pictures: {story}")
    _head("Next", "")
    _do(f"penstock trace answer {figures['prove']['answer']} -w {folder}", "the same walk, of any answer")
    _do(f"penstock verify {figures['prove']['bundle']['file']}", "its proof, offline")
    _do(f"penstock serve -w {folder}", "the workspace as a page, an API and a chain")


def _sums(figures: dict[str, dict[str, Any]]) -> None:
    """Dollars in are dollars out and what the accounts hold, and what part of them was energy."""
    paid = _days(figures["pay"])
    held = figures["prove"]["balances_usdc_micro"]
    out = {name: sum(day.by_payee.get(name, 0) for day in paid) for name in payees(paid) if name not in held}
    inflow = sum(day.inflow for day in paid)
    parts = [f"{name} {usdc(micro)}" for name, micro in out.items()]
    parts += [f"held in {name} {usdc(micro)}" for name, micro in held.items() if micro]
    closes = "equal" if inflow == sum(out.values()) + sum(held.values()) else "NOT EQUAL"
    _pair("dollars", f"{usdc(inflow)} in; out: {', '.join(parts)}; {closes} to the micro-dollar")
    energy = figures["income"]["tariff_usdc_micro"]
    if inflow:
        _pair(
            "energy", f"{100 * energy / inflow:.1f} % of what the answers earned; the scarce thing is time until power"
        )


def _chain(figures: dict[str, Any]) -> None:
    _line(
        f"an embedded chain, id {figures['chain_id']}, genesis {figures['genesis'][:16]}..., and its shared contracts:"
    )
    for name, address in figures["contracts"].items():
        _pair(name, address)


def _connect(figures: dict[str, Any]) -> None:
    sizes = (
        f"{figures['smallest_w']:,} to {figures['largest_w']:,} W each, {figures['capacity_w'] / 1000:,.1f} kW in all"
    )
    _line(f"{figures['rooftops']} rooftops of {sizes}; each meter's key is enrolled")
    _line(
        f"a rack of {figures['rack_w'] / 1000:,.0f} kW with {figures['accelerators']} accelerators, its meter enrolled"
    )
    _line(f"a battery of {figures['battery_w'] / 1000:,.0f} kW, one meter for what goes in and what comes out")
    _line(f"{figures['holders']:,} investors")


def _meter(figures: dict[str, Any]) -> None:
    packets, readings, refused = figures["packets"], figures["readings"], figures["refusals"]
    _line(f"{packets['accepted']:,} signed packets with {readings['accepted']:,} readings accepted")
    _line(f"{kwh(figures['counted_wh'])} verified ({figures['counted_wh']:,} Wh)")
    _line(f"{figures['planted']} bad packets were planted, {len(refused)} refused: kept, marked, never counted")
    reasons = Counter((row["verdict"], row["why"]) for row in refused)
    _table(
        ("refused", "", "why"), [(verdict, f"{count:,}", why) for (verdict, why), count in reasons.items()], right=(1,)
    )
    _line("each of them: penstock meter refused -w FOLDER")
    for liar in figures["liars"]:
        _line(f"{liar['device']} signs well and lies: {liar['readings']:,} readings in quarantine, {liar['why']}")


def _certify(figures: dict[str, Any]) -> None:
    issued = f"{figures['titles']:,} hourly certificates over {kwh(figures['issued_wh'])}"
    _line(f"{issued}: every verified Wh of a whole hour, once")


def _store(figures: dict[str, Any]) -> None:
    _line(f"{kwh(figures['charged_wh'])} bought at noon with their certificates, which are claimed for the charge")
    _line(
        f"{kwh(figures['discharged_wh'])} given back after sunset; {kwh(figures['loss_wh'])} lost, unit by unit "
        f"({figures['efficiency']} comes back)"
    )
    _line("its certificates look through to the roofs: sunshine of noon, in evening hours")


def _badge(figures: dict[str, Any]) -> None:
    _line(
        f"{figures['titles']} roofs' certificates of one hour, {kwh(figures['lifted_wh'])} that nobody used, are one "
        "id on chain:"
    )
    _pair("id", figures["certificate"])
    _line("each was minted once, against the journal's anchored root")
    _line(f"{kwh(figures['retired_wh'])} retired there for {figures['purpose']}: badge {figures['badge']}")
    _line("the rest came back; nothing is ever live in both places")
    for name, address in figures["contracts"].items():
        _pair(name, address)


def _serve(figures: dict[str, Any]) -> None:
    heads = ("day", "answers", "tokens", "kWh matched", "no energy", "no capacity")
    rows = [(local_day(one["day"]), *(_number(one, name) for name in _SERVED)) for one in figures["days"]]
    total = {name: sum(one[name] for one in figures["days"]) for name in _SERVED}
    rows.append(("in all", *(_number(total, name) for name in _SERVED)))
    _table(heads, rows, right=range(1, 6))
    _line("the last two were turned away: no certified Wh left in that hour, or every accelerator busy")
    idle_wh = figures["idle_mj"] // MJ_PER_WH
    _line(f"every answer has its share of {kwh(figures['energy_wh'])}; the shares add up to the rack's meter,")
    _line(f"{kwh(idle_wh)} of it idle; each Wh is claimed in the hour it was made")


_SERVED: Final = ("answers", "tokens", "energy_wh", "refused_energy", "refused_capacity")


def _number(one: dict[str, int], name: str) -> str:
    return f"{one[name] / 1000:,.1f}" if name.endswith("_wh") else f"{one[name]:,}"


def _launch(figures: dict[str, Any]) -> None:
    _line(f"{figures['deal']}: {figures['address']}")
    rows = [
        (name, usdc(face) if face else "what is left", f"{figures['holders'][name]:,}")
        for name, face in figures["tranches"].items()
    ]
    _table(("tranche", "face", "holders"), rows, right=(1, 2))
    _line(f"deal's hash    {figures['deal_hash']}")
    _line(f"program's hash {figures['program_hash']} ({figures['program_bytes']} bytes)")


def _pay(figures: dict[str, Any]) -> None:
    pids = ", ".join(f"{name} (process {pid})" for name, pid in figures["attesters"].items())
    _line(f"{len(figures['attesters'])} attesters recomputed each day; {figures['quorum']} signatures suffice: {pids}")
    days = _days(figures)
    names = payees(days)
    rows = [_day_row(one, names) for one in days]
    rows.append(("week", "", "", *(_dollars(sum(column)) for column in _columns(days, names))))
    _table(("day", "state", "DSCR", "in", *names), rows, right=range(2, 4 + len(names)))
    _line("dollars, cents cut off; chain and exact engine agree on every day to the micro-dollar")
    locked = [one.day for one in days if one.state != "normal"]
    if locked:
        floor = f", cover below {figures['floor']:.2f} or not yet cured" if figures["floor"] else ""
        _line(f"lock-up on {', '.join(locked)}{floor}: distributions are held back")
    for one in days:
        for name, micro in one.from_reserves.items():
            _line(f"on {one.day} the reserve paid {name} {usdc(micro)}")


def _days(figures: dict[str, Any]) -> list[Paid]:
    return days_paid(figures["periods"], figures["collect"], figures["senior"])


def _columns(days: list[Paid], names: list[str]) -> list[list[int]]:
    return [[one.inflow for one in days], *([one.by_payee.get(name, 0) for one in days] for name in names)]


def _day_row(one: Paid, names: list[str]) -> tuple[str, ...]:
    cover = f"{one.cover:.2f}" if one.cover is not None else "-"
    return (one.day, one.word, cover, *(_dollars(column[0]) for column in _columns([one], names)))


def _dollars(micro: int) -> str:
    return usdc(micro).replace("$", "")


def _income(figures: dict[str, Any]) -> None:
    taken = figures["coupons_usdc_micro"]
    rows = [(f"holders of {name}", f"{len(one):,}", *_spread(one), _dollars(sum(one))) for name, one in taken.items()]
    rows.append(("roofs", f"{figures['roofs_paid']:,}", "", "", "", _dollars(figures["tariff_usdc_micro"])))
    _table(("who", "how many", "least", "median", "most", "dollars"), rows, right=range(1, 6))
    roof, most = figures["largest_tariff"]
    _line(f"each holder by its own transaction; {roof} earned most of the roofs, {usdc(most)}")


def _spread(taken: Sequence[int]) -> tuple[str, str, str]:
    if not taken:
        return "-", "-", "-"
    return _dollars(min(taken)), _dollars(int(median(taken))), _dollars(max(taken))


def _prove(figures: dict[str, Any]) -> None:
    reading, bundle, audit = figures["reading"], figures["bundle"], figures["audit"]
    draw(f"answer {figures['answer']:,}: where its energy came from", figures["back"])
    draw("where its dollars went", figures["forward"])
    wh = f"Wh {reading['start']:,} to {reading['stop']:,}"
    draw(f"the other way: {wh} of {reading['register']}", figures["reading_forward"])
    checked = ", ".join(f"{count:,} {name}" for name, count in bundle["verified"]["checked"].items())
    _pair("bundle", f"verifies offline, {bundle['bytes']:,} bytes: {checked}")
    laws = "clean" if audit["clean"] else f"{len(audit['findings'])} FINDINGS"
    counts = ", ".join(f"{count:,} {name}" for name, count in audit["checked"].items())
    _pair("audit", f"{laws}: the five laws over {counts}")
    _pair("root", figures["root"])
    _pair("anchored", f"on chain up to fact {figures['anchored']:,} of {figures['facts']:,}")


def _head(title: str, tail: str) -> None:
    from rich.text import Text

    console().print(Text("\n").append(title, "bold").append(f"  {tail}" if tail else "", "dim"))


def _line(said: str) -> None:
    _wrapped(said, _INDENT)


def _pair(word: str, said: str, style: str = "dim") -> None:
    _wrapped(said, f"{_INDENT}{word:<{_WORD}} ", style)


def _do(command: str, why: str) -> None:
    """A command on a line of its own, never broken, so that it can be copied."""
    from rich.text import Text

    console().print(Text(f"{_INDENT}{command}").append(f"  # {why}", "dim"), soft_wrap=True)


def _wrapped(said: str, lead: str, style: str = "") -> None:
    """Lines of at most ``WIDTH`` columns, the later ones indented like the first; a long word is never broken."""
    from textwrap import wrap

    from rich.text import Text

    lines = wrap(said, WIDTH - len(lead), break_long_words=False, break_on_hyphens=False) or [""]
    for place, one in enumerate(lines):
        console().print(Text(lead if not place else " " * len(lead), style).append(one, "default"), soft_wrap=True)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, head in enumerate(heads):
        drawn.add_column(Text(head), justify="right" if place in right else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(Padding(drawn, (0, 0, 0, len(_INDENT)), expand=False))


_SAYS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "chain": _chain,
    "connect": _connect,
    "meter": _meter,
    "certify": _certify,
    "store": _store,
    "badge": _badge,
    "serve": _serve,
    "launch": _launch,
    "pay": _pay,
    "income": _income,
    "prove": _prove,
}
