"""The stage where whoever runs the rack gets a 24/7 report: energy and carbon of the week, hour by hour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from penstock.cli.demo.fleet import ZONE
from penstock.cli.demo.play import OPERATOR, ORIGIN, Stagehand
from penstock.energy.carbon.factors import FactorName
from penstock.journal.segment import Column
from penstock.period import HOUR_US
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.registry.factors import publish
from penstock.usecases.report_247.build import check_report, report_247
from penstock.usecases.report_247.page import html_of
from penstock.usecases.report_247.request import Request

REPORT: Final = "report247"
GRID: Final = FactorName("modelled grid", "demo-1")
BASIS: Final = "modelled: the shape of a grid with coal, gas, wind and sun; nobody published it"
TIME_ZONE: Final = "MST"
"""Golden's standard time, without daylight saving."""
_AVERAGE_G: Final = (540,) * 6 + (520, 490, 460, 430, 410, 400, 400, 410, 430, 460, 500, 540) + (580,) * 6
_FREE_BP: Final = (
    (3_200,) * 6 + (3_300, 3_600, 4_000, 4_300, 4_500) + (4_600,) * 2 + (4_400, 4_000, 3_500) + (2_800,) * 8
)
"""Of the grid by local hour: average grams of CO2e a kWh, and the carbon-free share of its mix."""
_RESIDUAL_PERCENT: Final = 112
_MARGINAL_G: Final = 470


def report(hand: Stagehand) -> dict[str, Any]:
    """Grid factors are published, the week's checkpoint is signed and anchored, and the report rests on both."""
    at_us, workspace = hand.week.stop_us, hand.workspace
    workspace.submit("factors", b"", at_us, lambda world: publish(world, GRID, BASIS, (ZONE,), _factors(hand)))
    checkpoint = sign_checkpoint(workspace, "checkpoint:week", ORIGIN, hand.cast.log_key, at_us)
    anchor_checkpoint(workspace, hand.desk, checkpoint, at_us)
    told = report_247(workspace, Request(hand.week, GRID, account=OPERATOR, time_zone=TIME_ZONE)).told
    page, data = (hand.settings.workspace / f"{REPORT}.{form}" for form in ("html", "json"))
    write_whole(page, html_of(told))
    write_whole(data, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return {
        **told["figures"],
        "missing": told["missing"],
        "factors": str(GRID),
        "facts_proven": check_report(told)["facts_proven"],
        "anchored": told["evidence"]["anchored"],
        "page": str(page),
        "data": str(data),
        "modelled": True,
    }


def _factors(hand: Stagehand) -> dict[str, Column]:
    """Rows of ``factor/1``, an hour each."""
    start_us = np.arange(hand.week.start_us, hand.week.stop_us, HOUR_US)
    local = np.arange(len(start_us)) % 24
    average = np.array(_AVERAGE_G, dtype=np.int64)[local] * 1_000
    return {
        "zone": np.zeros(len(start_us), dtype=np.int64),
        "start_us": start_us,
        "stop_us": start_us + HOUR_US,
        "average": average,
        "residual": average * _RESIDUAL_PERCENT // 100,
        "marginal": np.full(len(start_us), _MARGINAL_G * 1_000),
        "carbon_free_bp": np.array(_FREE_BP, dtype=np.int64)[local],
    }


def write_whole(file: Path, text: str) -> None:
    """The file appears whole or not at all."""
    draft = file.with_name(file.name + ".new")
    draft.write_text(text, "utf-8")
    draft.replace(file)
