"""Build an investor report: run the periods again, tell them, prove them - and all of it again, to check one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.capital.periods import Periods
from penstock.errors import Invalid, Unverified
from penstock.journal.kinds.capital import IncomePulled
from penstock.journal.nesting import deeper_than
from penstock.period import SECOND_US, iso
from penstock.usecases.close import payments
from penstock.usecases.investor_report import collected
from penstock.usecases.investor_report.again import Again, History, history_of
from penstock.usecases.investor_report.covenants import call_rows, covenant_rows
from penstock.usecases.investor_report.movements import (
    account_rows,
    fee_rows,
    sources,
    step_rows,
    tranche_rows,
    uses,
)
from penstock.usecases.look_through.collateral import Collateral, asset_facts, collateral_of
from penstock.usecases.report_247.build import as_of
from penstock.usecases.report_247.evidence import check_evidence, evidence
from penstock.usecases.workspace import Workspace

REPORT: Final = "investor-report/1"
DEPTH_MAX: Final = 16
RESTS_ON: Final = {
    "cash": ("deal", "close"),
    "tests": ("deal", "report", "close"),
    "tranches": ("deal", "before", "close", "pulls"),
    "collections": ("servicing", "assets"),
    "pool": ("assets",),
    "history": ("deal", "before", "close"),
}
"""Which groups of facts each part needs."""
Told = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A report: ``told`` as JSON, the history and the assets it was made from."""

    told: Told
    history: History
    assets: Collateral


def deal_report(workspace: Workspace, deal: str, period: int, size: int | None = None) -> Made:
    """The report of a closed period of a deal (counted from 0), from the first ``size`` facts (all of them).

    The same facts make the same report. Raises as `history_of`.
    """
    size = workspace.store.size() if size is None else size
    history = history_of(workspace, deal, size, period)
    again = history.last
    pulls = history.pulls.get(period, [])
    assets = workspace.read(lambda world: collateral_of(world, deal, period))
    told = _period(history, again) | _moved(again)
    periods = Periods(again.deal, again.program.code)
    told["servicing"] = collected.servicing(workspace, deal, size, period, periods)
    told["pool"] = _pool(assets)
    told["pulled"] = [_pulled(seq, one) for seq, one in pulls]
    told["history"] = [_past(one) for one in history.periods]
    told["facts"] = size
    groups = _groups(history, pulls, told["servicing"]["facts"], asset_facts(workspace, deal, size, period))
    told["evidence"] = evidence(workspace, size, groups, RESTS_ON)
    return Made(told, history, assets)


def _pulled(seq: int, pulled: IncomePulled) -> Told:
    """What a payee took over of the deal's dollars, for how many holders."""
    amount = sum(one.usdc_micro for one in pulled.transfers)
    return {"fact": seq, "payee": pulled.payee, "holders": pulled.holders, "usdc_micro": amount}


def _groups(
    history: History, pulls: Sequence[tuple[int, IncomePulled]], servicing: Sequence[int], assets: Sequence[int]
) -> dict[str, list[int]]:
    again = history.last
    report = history.reports.get(again.closed.period)
    return {
        "deal": history.founding,
        "before": [one.seq for one in history.periods[:-1]],
        "close": [again.seq],
        "report": [report[0]] if report else [],
        "pulls": [seq for seq, _ in pulls],
        "servicing": list(servicing),
        "assets": list(assets),
    }


def _period(history: History, again: Again) -> Told:
    """What the report is of."""
    launched = history.launched
    deal, period = again.deal, again.closed.period
    return {
        "report": REPORT,
        "deal": history.name,
        "title": deal.name,
        "period": period,
        "number": period + 1,
        "of_periods": deal.calendar.periods,
        "start": iso(again.closing.start_s * SECOND_US),
        "stop": iso(again.closed.stop_us),
        "state_before": again.program.state_name(again.before.flags),
        "state": again.closed.state,
        "states": list(deal.states),
        "fresh": again.closing.fresh,
        "inflow_usdc_micro": again.closing.inflow,
        "edition": {
            "deal_hash": again.program.deal_hash.hex(),
            "program_hash": again.program.program_hash.hex(),
            "compiler": again.compiler,
            "chain_id": launched.chain_id if launched else 0,
            "contracts": {one.name: "0x" + one.address.hex() for one in launched.contracts} if launched else {},
        },
        "measures": _measures(again),
        "attested": _attested(history, again),
    }


def _measures(again: Again) -> list[Told]:
    values = again.report.measures if again.report else ()
    return [
        {"name": one.name, "unit": one.unit, "of": one.of or one.name, "over": one.over, "value": value}
        for one, value in zip(again.deal.measures, [*values, *[None] * len(again.deal.measures)], strict=False)
    ]


def _attested(history: History, again: Again) -> Told | None:
    """Who signed the measures, over which tree; None for a close without a fresh report."""
    if again.report is None:
        return None
    report = again.report
    return {
        "fact": history.reports[report.period][0],
        "quorum": report.quorum,
        "attesters": ["0x" + one.hex() for one in report.attesters],
        "definition": report.definition.hex(),
        "log_size": report.log_size,
        "log_root": report.log_root.hex(),
    }


def _moved(again: Again) -> Told:
    """The period's cash, tests, tranches."""
    steps = step_rows(again)
    accounts = account_rows(again, steps)
    moved = sum(one.paid_usdc_micro for one in payments("", again.program, again.closing.steps))
    recorded = sum(one.usdc_micro for one in again.closed.transfers)
    if moved != recorded or sum(row["paid_usdc_micro"] for row in steps) != recorded:
        sentence = "The steps run again move other dollars than the record's transfers."
        raise Unverified("deal.steps_differ", sentence, hint="Do not rely on this record.", seq=again.seq)
    return {
        "fact": again.seq,
        "sources": sources(accounts),
        "uses": uses(steps, accounts),
        "steps": steps,
        "accounts": accounts,
        "tranches": tranche_rows(again, steps),
        "fees": fee_rows(again, steps),
        "tests": covenant_rows(again),
        "calls": call_rows(again),
    }


def _pool(assets: Collateral) -> Told:
    return {
        "assets": len(assets),
        "balance_usdc_micro": int(assets.balance.sum()),
        "value_usdc_micro": int(assets.value.sum()),
        "delinquency": collected.delinquency(assets),
        "concentrations": collected.concentrations(assets),
        "related_assets": int(assets.related.sum()),
        "tape": assets.period + 1,
    }


def _past(again: Again) -> Told:
    """One period of the history."""
    notes = [one.name for one in again.deal.tranches]
    return {
        "period": again.closed.period,
        "number": again.closed.period + 1,
        "stop": iso(again.closed.stop_us),
        "fact": again.seq,
        "state": again.closed.state,
        "fresh": again.closing.fresh,
        "inflow_usdc_micro": again.closing.inflow,
        "balances_usdc_micro": {name: again.lane(f"{name}.balance") for name in notes},
        "paid_usdc_micro": {
            name: again.lane(f"{name}.paid") - again.lane(f"{name}.paid", after=False) for name in again.deal.payees
        },
        "accounts_usdc_micro": {one.name: again.lane(one.name) for one in again.deal.accounts},
        "ratios_millionths": {one["name"]: one["ratio_millionths"] for one in covenant_rows(again)},
    }


def read_report(text: str) -> Told:
    """A report from its JSON, unchecked. Raises Invalid ``deal.report_malformed``."""
    try:
        said = None if deeper_than(text, DEPTH_MAX) else json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _malformed()
    return said


def check_report(said: Mapping[str, Any], workspace: Workspace | None = None) -> Told:
    """Check a report (its JSON): its proofs offline; with the workspace, every figure by making it again as of then.

    Raises:
        Invalid: ``deal.report_malformed``. Unverified: ``report.evidence``; ``deal.report_differs`` where a figure
            comes out otherwise. As `deal_report`.
    """
    if said.get("report") != REPORT or not isinstance(said.get("evidence"), Mapping):
        raise _malformed()
    answer: Told = {"facts_proven": check_evidence(said["evidence"]), "root": said["evidence"].get("root")}
    if workspace is None:
        return answer | {"made_again": False}
    size, deal, period = said.get("facts"), said.get("deal"), said.get("period")
    if type(size) is not int or type(period) is not int or not isinstance(deal, str):
        raise _malformed()
    if not 0 < size <= workspace.store.size() or period < 0:
        raise _malformed()
    again = deal_report(as_of(workspace, size), deal, period, size).told
    wrong = sorted(name for name in again.keys() | said.keys() if again.get(name) != said.get(name))
    if wrong:
        sentence = f"Made again, the report differs in: {', '.join(wrong)}."
        raise Unverified("deal.report_differs", sentence, hint="Do not rely on this report.")
    return answer | {"made_again": True}


def _malformed() -> Invalid:
    return Invalid("deal.report_malformed", "This is not an investor report of this workspace.")
