"""What the demo says on the terminal: a few lines and a small table a stage, and where to go next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from penstock.cli.demo.play import Settings, Stage
from penstock.cli.show import console, kwh, table, usdc
from penstock.cli.trace import draw

_REFUSED_SHOWN: Final = 14


def opening(settings: Settings) -> None:
    """What will be replayed, what is measured and what is modelled."""
    say = console().print
    say("[bold]Penstock[/bold]: from the kilowatt-hour to the AI token, one week.")
    say(f"Week {settings.sunshine.week} - workspace {settings.workspace}")
    say("[green]measured[/green]  the shape of the power: 15-minute AC power of NREL's SERF East array (taken as W)")
    say(
        "[yellow]modelled[/yellow]  roof sizes and planes, the requests, the rack's draw, prices; keys come from the seed"
    )
    if settings.cloud:
        say(f"[yellow]clouded[/yellow]   {settings.cloud.day} has {settings.cloud.percent} % of its measured sunshine")


def stage(number: int, of: int, done: Stage) -> None:
    """One stage: its title, time and figures."""
    console().print(f"\n[bold]{number}/{of} {done.title}[/bold] [dim]{done.seconds:.1f} s[/dim]")
    _SAYS[done.name](done.figures)


def closing(settings: Settings, stages: list[Stage], added: int, story: Path) -> None:
    """What was written, and three commands to go on with."""
    say = console().print
    seconds = sum(one.seconds for one in stages)
    say(f"\n[bold]Done in {seconds:.0f} s.[/bold] {added:,} facts were added; run it again and none will be.")
    say(f"The story in pictures: {story}")
    say("Next:")
    folder = settings.workspace
    answer = stages[-1].figures["answer"]
    say(f"  penstock trace answer {answer} -w {folder}")
    say(f"  penstock verify {stages[-1].figures['bundle']['file']}")
    say(f"  penstock serve -w {folder}")


def _chain(figures: dict[str, Any]) -> None:
    names = ", ".join(f"{name} {address[:10]}..." for name, address in figures["contracts"].items())
    console().print(
        f"chain {figures['chain_id']}, genesis {figures['genesis'][:16]}..., block {figures['block']}: {names}"
    )


def _connect(figures: dict[str, Any]) -> None:
    console().print(
        f"{figures['rooftops']} rooftops of {figures['smallest_w']:,} to {figures['largest_w']:,} W "
        f"({figures['capacity_w'] / 1000:,.1f} kW in all), a rack of {figures['rack_w'] / 1000:,.0f} kW with "
        f"{figures['accelerators']} accelerators, {figures['holders']:,} holders"
    )


def _meter(figures: dict[str, Any]) -> None:
    packets, readings = figures["packets"], figures["readings"]
    refused = figures["refusals"]
    console().print(
        f"{packets['accepted']:,} packets and {readings['accepted']:,} readings accepted, "
        f"{kwh(figures['counted_wh'])} verified; {len(refused)} refused of {figures['planted']} planted"
    )
    reasons: dict[tuple[str, str], int] = {}
    for row in refused:
        reasons[row["verdict"], row["why"]] = reasons.get((row["verdict"], row["why"]), 0) + 1
    rows = [(verdict, count, why) for (verdict, why), count in reasons.items()]
    table("refused, kept and never counted", ("verdict", "how many", "why"), rows, right=(1,))
    names = ", ".join(f"{row['device']} {row['at'][5:16]}" for row in refused[:_REFUSED_SHOWN])
    console().print(f"[dim]{names}, ... all: penstock meter refused[/dim]")


def _certify(figures: dict[str, Any]) -> None:
    console().print(f"{figures['titles']:,} hourly certificates over {kwh(figures['issued_wh'])}")


def _serve(figures: dict[str, Any]) -> None:
    rows = [
        (
            day["day"][:10],
            f"{day['answers']:,}",
            f"{day['tokens']:,}",
            kwh(day["energy_wh"]),
            f"{day['refused_energy']:,}",
            f"{day['refused_capacity']:,}",
        )
        for day in figures["days"]
    ]
    heads = ("day", "answers", "tokens", "matched energy", "no energy", "no capacity")
    table("answers, in matched hours only (requests are modelled)", heads, rows, right=(1, 2, 3, 4, 5))
    idle_wh = figures["idle_mj"] // 3_600_000
    console().print(
        f"{figures['answers']:,} answers of {figures['tokens']:,} tokens; each one's share of {kwh(figures['energy_wh'])} "
        f"adds up to the meter, {kwh(idle_wh)} of it idle"
    )


def _launch(figures: dict[str, Any]) -> None:
    tranches = ", ".join(
        f"{name} {usdc(face) if face else 'residual'} ({figures['holders'][name]:,} holders)"
        for name, face in figures["tranches"].items()
    )
    console().print(f"{figures['deal']} at {figures['address']}: {tranches}")
    console().print(
        f"program of {figures['program_bytes']} bytes, hash {figures['program_hash'][:16]}...; "
        f"deal hash {figures['deal_hash'][:16]}..."
    )


def _pay(figures: dict[str, Any]) -> None:
    periods = figures["periods"]
    pids = ", ".join(f"{name} (pid {pid})" for name, pid in figures["attesters"].items())
    console().print(f"{pids}: {figures['quorum']} of {len(figures['attesters'])} signatures suffice")
    names = list(dict.fromkeys(step["target"].rsplit("/", 1)[-1] for one in periods for step in one["steps"]))
    rows = [_period_row(one, names) for one in periods]
    table(
        "dollars through the waterfall, equal on chain and in the exact engine",
        ("day", "state", "in", "DSCR cash", *names),
        rows,
        right=range(2, 4 + len(names)),
    )


def _period_row(one: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    paid = dict.fromkeys(names, 0)
    for step in one["steps"]:
        paid[step["target"].rsplit("/", 1)[-1]] += step["paid_usdc_micro"]
    cfads = usdc(one["measures"][1]) if one["measures"] else "-"
    return (
        one["stop"][:10],
        one["state"],
        usdc(one["inflow_usdc_micro"]),
        cfads,
        *(usdc(paid[name]) for name in names),
    )


def _income(figures: dict[str, Any]) -> None:
    rows = [
        (name, f"{count:,}", usdc(figures["withdrawn_usdc_micro"][name])) for name, count in figures["holders"].items()
    ]
    roof, most = figures["largest_tariff"]
    rows.append(("roofs", f"{figures['roofs_paid']:,}", usdc(figures["tariff_usdc_micro"])))
    table("income taken", ("who", "how many", "dollars"), rows, right=(1, 2))
    console().print(f"the roof that earned most is {roof}: {usdc(most)}")


def _prove(figures: dict[str, Any]) -> None:
    draw(f"answer {figures['answer']}: where its energy came from", figures["back"])
    draw("where its dollars went", figures["forward"])
    reading = figures["reading"]
    draw(
        f"one reading: Wh {reading['start']:,} to {reading['stop']:,} of {reading['register']}, forward",
        figures["reading_forward"],
    )
    bundle, audit = figures["bundle"], figures["audit"]
    checked = ", ".join(f"{count} {name}" for name, count in bundle["verified"]["checked"].items())
    console().print(f"bundle {bundle['file']} ({bundle['bytes']:,} bytes) verifies offline: {checked}")
    laws = "clean" if audit["clean"] else f"{len(audit['findings'])} findings"
    counts = ", ".join(f"{count:,} {name}" for name, count in audit["checked"].items())
    console().print(
        f"audit: {laws} ({counts}); root {figures['root'][:24]}..., anchored up to fact {figures['anchored']:,}"
    )


_SAYS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "chain": _chain,
    "connect": _connect,
    "meter": _meter,
    "certify": _certify,
    "serve": _serve,
    "launch": _launch,
    "pay": _pay,
    "income": _income,
    "prove": _prove,
}
