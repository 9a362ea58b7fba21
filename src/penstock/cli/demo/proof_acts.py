"""The last stage: trace answers both ways, write its bundle, verify it offline, audit the whole workspace."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from penstock.cli.demo.battery import DISCHARGE, EVENING
from penstock.cli.demo.by_hour import energy_by_hour, hours_behind, hours_of, nodes_of, planted_at
from penstock.cli.demo.play import DEAL, RACK, Stagehand
from penstock.cli.demo.sold_work import RACKS, SUN
from penstock.journal.kinds.compute import AnswersServed
from penstock.journal.words import LinkKind
from penstock.period import HOUR_US
from penstock.trace.lineage import Node
from penstock.trace.totals import flows
from penstock.usecases.audit import audit_workspace
from penstock.usecases.inspect import balances, chain
from penstock.usecases.prove import trace_answer, trace_reading, verify_bundle_file, widest_answers, write_bundle

BUNDLE, EVENING_BUNDLE, SOLD_BUNDLE = "bundle.json", "bundle-evening.json", "bundle-sold.json"
_TRIED: Final = 8


def proof(hand: Stagehand) -> dict[str, Any]:
    """From sold answers back to the roofs, by day and by night; from one reading forward to coupons."""
    number, origin, future = _an_answer(hand)
    roof, start, stop = _a_reading(hand, origin)
    became = trace_reading(hand.workspace, roof, start, stop)
    audit = audit_workspace(hand.settings.workspace)
    return {
        "answer": number,
        "back": origin,
        "forward": future,
        "reading": {"register": roof, "start": start, "stop": stop},
        "reading_forward": became,
        "bundle": _bundle(hand, number, BUNDLE),
        "audit": audit.to_json(),
        "anchored": chain(hand.workspace)["anchored"],
        "balances_usdc_micro": balances(hand.workspace, DEAL),
        "facts": audit.checked["facts"],
        "root": audit.root.hex(),
        "answer_hours": hours_behind(hand, origin),
        "evening": _evening(hand),
        "sold": _sold(hand),
        "hours": energy_by_hour(hand),
        "planted_at": planted_at(hand),
        "flows": hand.workspace.read(lambda world: [asdict(flow) for flow in flows(world.books)]),
        "log_key": hand.cast.log_key.public.hex(),
    }


def _bundle(hand: Stagehand, number: int, name: str, rack: str = RACK) -> dict[str, Any]:
    """An answer's bundle, written and verified as anybody would."""
    file = hand.settings.workspace / name
    size = write_bundle(hand.workspace, rack, number, file)
    return {"file": str(file), "bytes": size, "verified": verify_bundle_file(file, hand.cast.log_key.public.hex())}


def _an_answer(hand: Stagehand) -> tuple[int, Node, Node]:
    """A large answer whose dollars reached tranche A, since the first of a day all go to the roofs; with its trace."""
    numbers = widest_answers(hand.workspace, RACK)
    for number in numbers[:_TRIED]:
        origin, future = trace_answer(hand.workspace, RACK, number)
        if _reaches(future, f"{DEAL}/paid/A"):
            return number, origin, future
    return numbers[0], *trace_answer(hand.workspace, RACK, numbers[0])


def _sold(hand: Stagehand) -> dict[str, Any]:
    """The agent's last answer of the first provider: from its roofs to whom its dollars reached; its bundle checked."""
    rack = RACKS[SUN]
    number = hand.workspace.read(lambda world: world.compute.answers_served[rack]) - 1
    origin, future = trace_answer(hand.workspace, rack, number)
    return {
        "rack": rack,
        "answer": number,
        "back": origin,
        "forward": future,
        "bundle": _bundle(hand, number, SOLD_BUNDLE, rack),
    }


def _evening(hand: Stagehand) -> dict[str, Any] | None:
    """A large answer after sunset whose whole energy came out of the battery, with its trace; None without one."""
    for number in _evening_numbers(hand)[:_TRIED]:
        origin, future = trace_answer(hand.workspace, RACK, number)
        given = [node for node in nodes_of(origin) if node.link is LinkKind.ALLOCATE and node.register == DISCHARGE]
        bought = [node for node in nodes_of(origin) if node.link is LinkKind.CONVERT]
        if given and sum(node.part for node in given) == sum(node.quantity for node in bought):
            hours = {"answer_hours": hours_behind(hand, origin), "used_hours": hours_of(hand, given)}
            proved = _bundle(hand, number, EVENING_BUNDLE)
            return {"answer": number, "back": origin, "forward": future, "bundle": proved, **hours}
    return None


def _evening_numbers(hand: Stagehand) -> list[int]:
    """Answers to requests of the evening, those of the most tokens first."""
    found = []
    for row in hand.workspace.facts():
        columns = hand.workspace.columns(row) if isinstance(row.recorded.fact, AnswersServed) else None
        if columns is not None:
            local = (columns["arrived_us"] - hand.week.start_us) // HOUR_US % 24
            late = np.isin(local, EVENING)
            found.append((columns["number"][late], columns["tokens"][late]))
    numbers, tokens = (np.concatenate(column) for column in zip(*found, strict=True))
    return [int(number) for number in numbers[np.argsort(-tokens, kind="stable")]]


def _reaches(node: Node, register: str) -> bool:
    return node.register == register or any(_reaches(child, register) for child in node.children)


def _a_reading(hand: Stagehand, origin: Node) -> tuple[str, int, int]:
    """The Wh of the quarter-hour, and the roof, with which the traced answer's energy begins."""
    leaf = _first_leaf(origin)
    meter = next(meter for meter in hand.meters if f"{meter.device}/export" == leaf.register)
    row = int(np.searchsorted(meter.position_wh, leaf.start, side="right"))
    return leaf.register, int(meter.position_wh[row - 1]) if row else 0, int(meter.position_wh[row])


def _first_leaf(node: Node) -> Node:
    return _first_leaf(node.children[0]) if node.children else node
