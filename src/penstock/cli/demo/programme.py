"""The programme: reads what the demo needs, runs the stages in order, says what each did, writes the story."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.cli.demo import (
    agent_acts,
    badge_acts,
    battery,
    capital_acts,
    compute_acts,
    energy_acts,
    forward_acts,
    income_acts,
    investor_acts,
    liar_acts,
    proof_acts,
    report_acts,
    spoken,
    vote_acts,
)
from penstock.cli.demo.fleet import Cloud
from penstock.cli.demo.play import Settings, Size, Stage, Stagehand, perform, stagehand
from penstock.cli.demo.rents import Rents
from penstock.cli.demo.story import write_story
from penstock.cli.demo.suited import check_suited, read_deal
from penstock.cli.demo.sunshine import find_file, read_week, week_of
from penstock.cli.demo.weather import MONDAYS, Weather
from penstock.cli.trace import plain
from penstock.errors import Invalid, NotFound
from penstock.period import DAY_US, Period, iso
from penstock.store.disk import disk_errors
from penstock.trace.lineage import Node

Act = tuple[str, str, Callable[[Stagehand], dict[str, Any]]]
ACTS: Final[list[Act]] = [
    ("chain", "A chain starts", capital_acts.chain),
    ("connect", "Rooftops, a rack and investors connect", energy_acts.connect),
    ("forward", "A roof sells a share of its week ahead", forward_acts.ahead),
    ("meter", "A week of signed readings is verified", energy_acts.meter),
    ("certify", "Every verified Wh gets its hourly certificate", energy_acts.certificates),
    ("store", "A battery keeps noon for the evening", battery.store),
    ("serve", "The rack answers, only in hours it can match", compute_acts.answers),
    ("launch", "The deal goes on chain", capital_acts.capital),
    ("days", "Answers are sold; each day the waterfall pays", capital_acts.first_days),
    ("vote", "Holders vote for another servicer", vote_acts.vote),
    ("agent", "An agent with five dollars buys real answers", agent_acts.buy_answers),
    ("challenge", "A provider that lies loses its collateral", liar_acts.challenge),
    ("pay", "The last day is paid, and the week is told", capital_acts.last_day),
    ("income", "Holders withdraw; servicers and roofs are paid", income_acts.income),
    ("badge", "Certificates go on chain; some are retired for a badge", badge_acts.badge),
    ("report", "The rack's operator gets a 24/7 report", report_acts.report),
    ("investor", "Investors get their report, and look through it", investor_acts.investor),
    ("prove", "Answers are traced, proved and audited", proof_acts.proof),
]
STORY: Final = "story.html"
DEAL_FILE: Final = Path("examples/deals/mixed_pool.yaml")
MONDAY: Final = MONDAYS[Weather.CLOUDY]
"""The day on which the project's own deal starts."""
LAST_START: Final = 28


@dataclass(frozen=True, slots=True)
class Request:
    """What the command was asked for."""

    workspace: Path
    week: str
    seed: str
    cloud: str
    deal: Path | None
    data: Path | None
    size: Size
    days: int
    weather: Weather = Weather.CLOUDY
    rents: Rents = Rents.CHEAP


def run(request: Request, as_json: bool) -> None:
    """Run the demo and say what it did. Everything acknowledged survives an interruption; a repeat goes on."""
    settings = _settings(request, quiet=as_json)
    stages: list[Stage] = []
    if not as_json:
        spoken.opening(settings)
    with stagehand(settings) as hand:
        before = hand.workspace.store.size()
        for number, stage in enumerate(perform(hand, ACTS), 1):
            stages.append(stage)
            if not as_json:
                spoken.stage(number, len(ACTS), stage)
        added = hand.workspace.store.size() - before
        story = settings.workspace / STORY
        with disk_errors():
            write_story(story, settings, stages)
    if as_json:
        sys.stdout.write(json.dumps(_object(settings, stages, added, story), default=_plain) + "\n")
    else:
        spoken.closing(settings, stages, added, story)


def _settings(request: Request, quiet: bool) -> Settings:
    folders = (request.data,) if request.data else (Path(".data"), _project() / ".data")
    week = week_of(request.week or MONDAYS[request.weather], request.days)
    return Settings(
        workspace=request.workspace,
        sunshine=read_week(find_file(folders), week),
        seed=hashlib.sha256(request.seed.encode()).digest(),
        deal_text=read_deal(request.deal, week) if request.deal else _own_deal(week),
        cloud=_cloud(request.cloud, week),
        rents=request.rents,
        quiet=quiet,
        size=request.size,
    )


def _own_deal(week: Period) -> str:
    """The deal that comes with the project, its calendar moved to the week that is played."""
    monday = iso(week.start_us)[:10]
    if int(monday[8:]) > LAST_START:
        raise Invalid("demo.week", f"A deal starts on a day up to the {LAST_START}th.", hint="Name an earlier Monday.")
    own = _first([DEAL_FILE, _project() / DEAL_FILE]).read_text()
    text = own.replace(f"starts: {MONDAY}T", f"starts: {monday}T")
    check_suited(text, week)
    return text


def _project() -> Path:
    return Path(__file__).resolve().parents[4]


def _first(files: list[Path]) -> Path:
    for file in files:
        if file.is_file():
            return file
    raise NotFound("demo.no_deal", "The demo's deal file is not here.", hint="Name one: --deal FILE")


def _cloud(text: str, week: Period) -> Cloud | None:
    if not text:
        return None
    day, _, percent = text.partition("=")
    if not percent.isdecimal() or int(percent) > 100:
        raise Invalid("demo.cloud", "A cloud is a day and a percentage.", hint="Write: --cloud 2016-08-26=30")
    if week_of(day).start_us not in {one.start_us for one in week.steps(DAY_US)}:
        raise Invalid("demo.cloud", f"{day} is not a day of the week that is played.", hint=f"It plays {week}.")
    return Cloud(day, int(percent))


def _object(settings: Settings, stages: list[Stage], added: int, story: Path) -> dict[str, Any]:
    return {
        "week": str(settings.sunshine.week),
        "workspace": str(settings.workspace),
        "facts_added": added,
        "story": str(story),
        "measured": "shape of AC power, NREL SERF East array (pvanalytics, MIT); processor time of the agent's answers",
        "modelled": ["roof sizes and planes", "the battery", "requests", "the rack's draw", "prices", "grid factors"],
        "stages": {stage.name: {"seconds": round(stage.seconds, 3), **stage.figures} for stage in stages},
    }


def _plain(value: object) -> Any:
    return plain(value) if isinstance(value, Node) else str(value)
