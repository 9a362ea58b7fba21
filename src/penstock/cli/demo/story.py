"""The story page: one self-contained HTML file that tells a run in pictures. The same run writes the same bytes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock.capital.language import load_deal
from penstock.cli.demo import look_through
from penstock.cli.demo.pictures import coupons, days, purchases, sankey, walk, week
from penstock.cli.demo.pictures.svg import clock
from penstock.cli.demo.play import Settings, Stage
from penstock.cli.demo.sold_work import GRID, SUN
from penstock.cli.demo.waterfall import (
    Paid,
    by_state,
    days_paid,
    history_rows,
    local_day,
    paid_at_all,
    payees,
    tripped,
    word_of,
)
from penstock.cli.show import kwh, usdc
from penstock.journal.words import LinkKind
from penstock.period import iso, parse_iso
from penstock.trace.tree_text import tree_lines
from penstock.units import MJ_PER_WH
from penstock.usecases.report_247.words import per_cent, tonnes, tonnes_down

Figures = dict[str, dict[str, Any]]
_TEMPLATES: Final = "penstock.cli.demo"
_TITLES: Final = {"dscr": "Debt service cover ratio", "cover": "Borrowing base over what is lent"}
_USES: Final = ("certified_wh", "claimed_wh", "stored_wh", "retired_wh", "forward_wh", "returned_wh", "evening_wh")

_USED: Final = ("claimed_wh", "stored_wh", "retired_wh", "forward_wh")
"""Of the roofs' own certificates; a sum over the week of each hour's."""


def write_story(file: Path, settings: Settings, stages: list[Stage]) -> None:
    """Write the page; it appears whole or not at all, and a page that says the same already stays as it is."""
    page = render(settings, {stage.name: stage.figures for stage in stages})
    if file.is_file() and file.read_text("utf-8") == page:
        return
    draft = file.with_name(file.name + ".new")
    draft.write_text(page, "utf-8")
    draft.replace(file)


def render(settings: Settings, figures: Figures) -> str:
    """The page as HTML, from the figures of the stages alone."""
    environment = Environment(loader=PackageLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"usdc": usdc, "kwh": kwh, "count": _count, "local": _local}
    environment.filters |= {"word": word_of}
    environment.filters |= {"per_cent": per_cent, "tonnes": tonnes, "tonnes_down": tonnes_down}
    source, _, _ = PackageLoader(_TEMPLATES).get_source(environment, "story.css")
    style = Markup(source)  # noqa: S704 - our own style sheet, shipped in the package
    return environment.get_template("story.html").render(style=style, **view(settings, figures))


def view(settings: Settings, figures: Figures) -> dict[str, Any]:
    """Everything the page shows: the figures themselves, what follows from them, and the pictures."""
    deal, pay = load_deal(settings.deal_text), figures["pay"]
    paid = days_paid(pay["periods"], pay["collect"])
    facts = _derived(figures, paid)
    return {
        **figures,
        **facts,
        "span_word": "one week" if len(paid) == 7 else f"{len(paid)} day{'s' if len(paid) > 1 else ''}",
        "weekdays": f"{local_day(iso(settings.sunshine.week.start_us))} to {_last_day(settings)}",
        "year": iso(settings.sunshine.week.start_us)[:4],
        "cloud": settings.cloud,
        "floors": pay["floors"],
        "rents": settings.rents,
        "by_state": by_state(paid),
        "tripped": tripped(pay),
        "history": history_rows(pay, paid),
        "cure": max((test.cure for test in deal.tests), default=0),
        "paid": paid,
        "payees": payees(paid),
        "shown_payees": paid_at_all(paid),
        "pictures": _pictures(settings, figures, paid, facts),
        "hop_rows": look_through.rows(figures["prove"]),
        "evening_rows": look_through.rows(figures["prove"]["evening"]) if figures["prove"]["evening"] else [],
        "reading_lines": list(tree_lines(figures["prove"]["reading_forward"])),
    }


def _derived(figures: Figures, paid: list[Paid]) -> dict[str, Any]:
    """Sums and shares over the stages' figures."""
    hours, income = figures["prove"]["hours"], figures["income"]
    uses = {name: sum(row[name] for row in hours) for name in _USES}
    inflow = sum(day.inflow for day in paid)
    return {
        "inflow_usdc_micro": inflow,
        "uses": uses,
        "matched_wh": uses["claimed_wh"] + uses["evening_wh"],
        "unused_wh": uses["certified_wh"] - sum(uses[name] for name in _USED),
        "short_hours": sum(1 for row in hours if row["drawn_wh"] > row["claimed_wh"] + row["evening_wh"]),
        "coupons_usdc_micro": sum(income["withdrawn_usdc_micro"].values()),
        "coupon_rows": [_coupon_row(name, taken) for name, taken in income["coupons_usdc_micro"].items()],
        "energy_percent": 100 * income["tariff_usdc_micro"] / inflow if inflow else 0.0,
        "refused_rows": _refused_rows(figures["meter"]["refusals"]),
        "no_energy": sum(day["refused_energy"] for day in figures["serve"]["days"]),
        "no_capacity": sum(day["refused_capacity"] for day in figures["serve"]["days"]),
        "agent_receipts": sum(one["checked"] for one in figures["agent"]["receipts"].values()),
        "lockups": [day for day in paid if day.state != "normal"],
        "from_reserves": sum(sum(day.from_reserves.values()) for day in paid),
    }


def _coupon_row(name: str, taken: list[int]) -> dict[str, Any]:
    middle = int(median(taken)) if taken else 0
    ends = (taken[0], taken[-1]) if taken else (0, 0)
    return {"name": name, "holders": len(taken), "sum": sum(taken), "least": ends[0], "middle": middle, "most": ends[1]}


def _refused_rows(refusals: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    found = Counter((row["verdict"], row["why"]) for row in refusals)
    return [(verdict, count, why) for (verdict, why), count in found.items()]


def _pictures(settings: Settings, figures: Figures, paid: list[Paid], facts: dict[str, Any]) -> dict[str, Any]:
    sun, proof = settings.sunshine, figures["prove"]
    factor = settings.cloud.factor(sun.start_us) if settings.cloud else np.ones(len(sun.start_us))
    quorum = f"on a report {figures['pay']['quorum']} of {len(figures['pay']['attesters'])} attesters signed"
    hops = look_through.hops(proof, quorum, figures["income"]["holders"])
    return {
        "sunshine": week.sunshine(sun, factor.tolist(), proof["planted_at"]),
        "hours": week.hours(sun.week, proof["hours"]),
        "answers": days.answers(figures["serve"]["days"]),
        "sankey": sankey.sankey(_stream(figures, facts)),
        "waterfall": days.waterfall(paid, paid_at_all(paid)),
        "cover": [
            days.cover(paid, name, bound, _TITLES.get(name, name))
            for name, (bound, _) in figures["pay"]["floors"].items()
        ],
        "purchases": purchases.purchases(figures["agent"]["calls"], (SUN, GRID), figures["agent"]["budget_usdc_micro"]),
        "coupons": [coupons.coupons(taken, name) for name, taken in figures["income"]["coupons_usdc_micro"].items()],
        "walk": walk.look_through(hops, f"Answer {proof['answer']}, from its roofs to its coupons"),
        "evening": _evening(proof["evening"], quorum, figures["income"]["holders"]),
    }


def _evening(traced: dict[str, Any] | None, quorum: str, holders: dict[str, int]) -> Markup:
    """The walk of an answer whose energy came out of the battery, where one was found."""
    if traced is None:
        return Markup("")
    label = f"Answer {traced['answer']}, from its roofs through the battery to its coupons"
    return walk.look_through(look_through.hops(traced, quorum, holders), label)


def _stream(figures: Figures, facts: dict[str, Any]) -> sankey.Stream:
    work = [flow for flow in figures["prove"]["flows"] if flow["link"] == LinkKind.WORK]
    answers_mj, idle_mj = (sum(f["quantity_in"] for f in work if f["is_loss"] == lost) for lost in (False, True))
    return sankey.Stream(
        certified_wh=facts["uses"]["certified_wh"],
        direct_wh=facts["uses"]["claimed_wh"],
        charged_wh=facts["uses"]["stored_wh"],
        returned_wh=facts["uses"]["returned_wh"],
        evening_wh=facts["uses"]["evening_wh"],
        retired_wh=facts["uses"]["retired_wh"],
        forward_wh=facts["uses"]["forward_wh"],
        answers_wh=answers_mj // MJ_PER_WH,
        idle_wh=idle_mj // MJ_PER_WH,
        roofs=figures["connect"]["rooftops"],
        answers=figures["serve"]["answers"],
        tokens=figures["serve"]["tokens"],
        billed=usdc(facts["inflow_usdc_micro"]),
    )


def _last_day(settings: Settings) -> str:
    return local_day(iso(settings.sunshine.week.stop_us), -1)


def _count(value: int) -> str:
    return f"{value:,}"


def _local(text: str) -> str:
    return clock(parse_iso(text))
