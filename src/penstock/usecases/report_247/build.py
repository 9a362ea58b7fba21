"""Build a report: extract, reckon, prove - and all of it again, to check one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from penstock.energy.carbon.factors import FactorName, Factors
from penstock.energy.carbon.inventory import FORMULAS, METHOD, Inventory
from penstock.errors import Invalid, PenstockError, Unverified
from penstock.journal.kinds import KINDS
from penstock.journal.nesting import deeper_than
from penstock.journal.segment import Column
from penstock.period import HOUR_US, Period, from_us, parse_iso
from penstock.usecases.replay import replay
from penstock.usecases.report_247 import told
from penstock.usecases.report_247.claims import Used, claim_facts, claims_of, hour_of, retired_for
from penstock.usecases.report_247.evidence import check_evidence, evidence, seqs_of
from penstock.usecases.report_247.figures import Certificates, Figures, avoided, inventories, tally
from penstock.usecases.report_247.readings import Read, read_borders, reading_batches
from penstock.usecases.report_247.request import Request, Scope, scope_of
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

REPORT: Final = "penstock-247/1"
DEPTH_MAX: Final = 32
Told = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a report takes from the world at one moment: the first ``size`` facts."""

    size: int
    registers: int
    scope: Scope
    claims: dict[str, Column]
    grid: list[Factors]
    year: list[Factors]
    held: Column


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A report with the columns it was made from: as JSON in ``told``, hours and claims as columns."""

    told: Told
    request: Request
    known: Known
    read: Read
    used: Used
    figures: Figures
    links: dict[str, Column]


def report_247(workspace: Workspace, asked: Request) -> Report:
    """The report of a consumption, hour by hour, as of the facts that are there.

    Raises:
        Invalid, NotFound, Refused: as `Request.check`, `scope_of`, `FactorBook.check_known`.
    """
    asked.check()
    known = workspace.read(lambda world: _known(world, asked))
    facts = [(row.recorded.seq, row.recorded.fact) for row in workspace.facts(0, known.size)]
    links = workspace.read(lambda world: claim_facts(facts, world))
    read = read_borders(known.scope, asked.period, reading_batches(workspace, known.size), known.registers)
    retired = retired_for(workspace, known.size, known.scope.names, asked.period)
    used = Used(known.claims, retired)
    hour = hour_of(known.claims, asked.period)
    figures = tally(known.scope, read.borders, known.claims, hour, known.grid)
    lots = workspace.read(told.lots_of)
    _reckon(figures, known, used, hour, asked.period, lots)
    made = Report({}, asked, known, read, used, figures, links)
    made.told.update(_told(workspace, made, hour, lots))
    return made


def _known(world: World, asked: Request) -> Known:
    scope = scope_of(world, asked)
    hours = np.arange(asked.period.start_us, asked.period.stop_us, HOUR_US)
    factors = world.carbon.factors
    for name in {asked.factors, asked.annual or asked.factors}:
        factors.check_known(name)
    grid = [factors.at(asked.factors, zone, hours, HOUR_US) for zone in scope.zones]
    annual = asked.annual or asked.factors
    year = grid if annual == asked.factors else [factors.at(annual, zone, hours, HOUR_US) for zone in scope.zones]
    held = scope.register[world.energy.held_from_us(scope.register) < asked.period.stop_us]
    return Known(world.books.size, len(world.books.registers), scope, claims_of(world, scope), grid, year, held)


def _reckon(figures: Figures, known: Known, used: Used, hour: Column, period: Period, lots: told.Lots) -> None:
    """Inventories of all zones, what was avoided among them."""
    hours = (period.stop_us - period.start_us) // HOUR_US
    claim_zone = known.scope.zone[used.claims["row"]]
    inside = (hour >= 0) & (hour < hours)
    claim_wh = np.where(inside, used.claims["stop"] - used.claims["start"], 0)
    claim_carbon = lots.carbon[used.claims["lot"]]
    retired_wh, retired_zone = used.retired["stop"] - used.retired["start"], lots.zone[used.retired["lot"]]
    year_wh, year_own = [], []
    for zone, name in enumerate(known.scope.zones):
        mine, theirs = (
            claim_zone == zone,
            np.array([lots.zones[one] == name for one in retired_zone.tolist()], dtype=bool),
        )
        year_wh.append(int(claim_wh[mine].sum()) + int(retired_wh[theirs].sum()))
        own = int((claim_wh * claim_carbon)[mine].sum())
        year_own.append(own + int((retired_wh * lots.carbon[used.retired["lot"]])[theirs].sum()))
    certificates = Certificates(claim_zone, claim_carbon, year_wh, year_own)
    figures.zones = inventories(figures, certificates, known.grid, known.year)
    _avoid(figures, known, used, hour, claim_zone, lots)


def _avoid(figures: Figures, known: Known, used: Used, hour: Column, claim_zone: Column, lots: told.Lots) -> None:
    """What matched certificates avoided, by the marginal factor of where and when each was generated."""
    place = {name: number for number, name in enumerate(known.scope.zones)}
    source = np.array([place.get(name, -1) for name in lots.zones], dtype=np.int64)[lots.zone[used.claims["lot"]]]
    marginal = np.full(len(hour), -1, dtype=np.int64)
    for zone in range(len(known.scope.zones)):
        mine = np.flatnonzero((source == zone) & (figures.counted > 0))
        marginal[mine] = known.grid[zone].marginal[hour[mine]]
    for zone in range(len(known.scope.zones)):
        mine = claim_zone == zone
        ug, without_wh = avoided(figures.counted[mine], marginal[mine])
        figures.zones[zone] += Inventory(avoided_ug=ug, without_marginal_wh=without_wh)


def _told(workspace: Workspace, made: Report, hour: Column, lots: told.Lots) -> Told:
    known, asked = made.known, made.request
    local = [from_us(int(at)).astimezone(ZoneInfo(asked.time_zone)) for at in _hours(asked.period)]
    urns = workspace.read(lambda world: [world.books.registers.urn(int(one)) for one in known.scope.register])
    factors = seqs_of(*(one.seq for one in (*known.grid, *known.year)))
    groups = {
        "readings": list(made.read.used),
        "claims": seqs_of(made.links["seq"][made.used.claims["link"]]),
        "certificates": [
            int(lots.seq[one]) for one in np.unique(np.r_[made.used.claims["lot"], made.used.retired["lot"]])
        ],
        "retirements": seqs_of(made.used.retired["seq"]),
        "factors": factors,
    }
    return {
        "report": REPORT,
        "method": METHOD,
        "formulas": FORMULAS,
        "request": asked.to_json(),
        "facts": known.size,
        "scope": {"sites": len(known.scope.sites), "registers": len(known.scope), "zones": known.scope.zones},
        "figures": told.figures(made.figures.total),
        "zones": [
            {"zone": name, **told.figures(one)} for name, one in zip(known.scope.zones, made.figures.zones, strict=True)
        ],
        "sites": told.sites(known.scope, made.figures, urns),
        "months": told.months(local, made.figures),
        "heat": told.heat(local, made.figures),
        "certificates": told.certificates(made.used, made.figures, hour, len(local), lots),
        "missing": told.missing(made.figures, made.used, hour, known.held, len(local)),
        "evidence": evidence(workspace, known.size, groups),
    }


def _hours(period: Period) -> range:
    return range(period.start_us, period.stop_us, HOUR_US)


def read_report(text: str) -> Told:
    """A report from its JSON, unchecked. Raises Invalid ``report.malformed``."""
    try:
        said = None if deeper_than(text, DEPTH_MAX) else json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Invalid("report.malformed", "This is not a 24/7 report.")
    return said


def request_of(said: Mapping[str, Any]) -> Request:
    """The request that a report says it answers. Raises Invalid ``report.malformed``."""
    try:
        annual = FactorName(**said["annual"]) if said["annual"] else None
        period = Period(parse_iso(said["start"]), parse_iso(said["stop"]))
        return Request(
            period, FactorName(**said["factors"]), said["account"], tuple(said["sites"]), annual, said["time_zone"]
        )
    except (KeyError, TypeError, PenstockError) as error:
        raise Invalid("report.malformed", "This is not a 24/7 report.") from error


def check_report(said: Mapping[str, Any], workspace: Workspace | None = None) -> Told:
    """Check a report (its JSON): the proofs offline; with the workspace, every figure by making it again as of then.

    Raises:
        Invalid: ``report.malformed``. Unverified: ``report.evidence``; ``report.differs`` where a figure comes out
        otherwise.
    """
    if said.get("report") != REPORT or not isinstance(said.get("evidence"), Mapping):
        raise Invalid("report.malformed", "This is not a 24/7 report.")
    asked = request_of(said.get("request", {}))
    proven = check_evidence(said["evidence"])
    answer: Told = {"facts_proven": proven, "root": said["evidence"]["root"], "reckoned_again": False}
    if workspace is None:
        return answer
    size = said.get("facts")
    if type(size) is not int or not 0 < size <= workspace.store.size():
        raise Invalid("report.malformed", "The report says it is of facts that this workspace does not have.")
    again = report_247(as_of(workspace, size), asked).told
    wrong = [name for name in again if again[name] != said.get(name)]
    if wrong:
        sentence = f"Made again, the report differs in: {', '.join(wrong)}."
        raise Unverified("report.differs", sentence, hint="Do not rely on this report.")
    return answer | {"reckoned_again": True}


def as_of(workspace: Workspace, size: int) -> Workspace:
    """The workspace as its first ``size`` facts alone make it."""
    world = World()
    replay(workspace.store, KINDS, world, 0, size)
    return PastWorkspace(workspace, world)


class PastWorkspace(Workspace):
    """A workspace as it was: an earlier world over the same record."""

    def __init__(self, workspace: Workspace, world: World) -> None:
        self.path, self.store, self.sequencer = workspace.path, workspace.store, workspace.sequencer
        self._world = world

    def read(self, look: Any) -> Any:
        """What ``look`` finds in the earlier world."""
        return look(self._world)
