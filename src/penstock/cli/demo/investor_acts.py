"""The stage where investors get their report of a day, and one of them looks through to roofs and readings."""

from __future__ import annotations

import json
from typing import Any, Final

from penstock.capital.language import load_deal
from penstock.cli.demo.play import DEAL, Stagehand
from penstock.cli.demo.report_acts import write_whole
from penstock.usecases.investor_report.build import check_report, deal_report
from penstock.usecases.investor_report.page import write_report
from penstock.usecases.look_through.build import check_look_through, holder_positions, look_through

FOLDER: Final = "investor-report"
LOOK_THROUGH: Final = "look-through.json"
BY: Final = ("kind", "region", "assurance")
SHOWN: Final = 4


def investor(hand: Stagehand) -> dict[str, Any]:
    """The report of the day on which a covenant asked for most, else of the last; the first holder's look-through."""
    period = _worst(hand)
    told = deal_report(hand.workspace, DEAL, period).told
    files = write_report(told, hand.settings.workspace / FOLDER)
    return {
        "number": period + 1,
        "state": told["state"],
        "tests": [{name: one[name] for name in ("name", "ratio_millionths", "state")} for one in told["tests"]],
        "files": len(files),
        "page": str(files[0]),
        "data": str(files[1]),
        "facts_proven": check_report(told)["facts_proven"],
        "holding": _look_through(hand),
    }


def _worst(hand: Stagehand) -> int:
    """The first day in the worst state the week saw; the last where all were normal."""
    deal = hand.workspace.read(lambda world: world.capital.deal(DEAL))
    states = [one.state for one in deal.closed]
    order = load_deal(hand.settings.deal_text).states
    worst = max(states, key=order.index)
    return states.index(worst) if worst != order[0] else len(states) - 1


def _look_through(hand: Stagehand) -> dict[str, Any]:
    """What stands behind the first holder: its part of every asset, and of what each meter counted."""
    holder = hand.holders[0].name
    told = look_through(hand.workspace, DEAL, holder_positions(hand.workspace, DEAL, holder)).told
    file = hand.settings.workspace / LOOK_THROUGH
    write_whole(file, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    held = told["holding"]
    return {
        "holder": holder,
        "tranches": [one["tranche"] for one in held["tranches"]],
        "claim_usdc_micro": held["claim_usdc_micro"],
        "part_usdc_micro": told["part_usdc_micro"],
        "assets": told["assets_total"],
        "by": {name: told["by"][name] for name in BY},
        "largest": told["assets"][:SHOWN],
        "readings": [one for one in told["readings"] if one["part"]][:SHOWN],
        "readings_total": len(told["readings"]),
        "readings_part_wh": sum(one["part"] for one in told["readings"]),
        "file": str(file),
        "facts_proven": check_look_through(told)["facts_proven"],
    }
