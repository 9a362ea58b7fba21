"""The last stage: trace an answer both ways, write its bundle, verify it offline, audit the whole workspace."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from penstock.cli.demo.by_hour import energy_by_hour, hours_behind, planted_at
from penstock.cli.demo.play import DEAL, ORIGIN, RACK, Stagehand
from penstock.trace.lineage import Node
from penstock.trace.totals import flows
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.audit import audit_workspace
from penstock.usecases.inspect import balances, chain
from penstock.usecases.prove import trace_answer, trace_reading, verify_bundle_file, widest_answers, write_bundle

BUNDLE = "bundle.json"
_TRIED: Final = 8


def proof(hand: Stagehand) -> dict[str, Any]:
    """From one sold answer back to the roofs and the checkpoint on chain; from one reading forward to coupons."""
    checkpoint = sign_checkpoint(hand.workspace, "checkpoint:week", ORIGIN, hand.cast.log_key, hand.week.stop_us)
    anchor_checkpoint(hand.workspace, hand.desk, checkpoint, hand.week.stop_us)
    number, origin, future = _an_answer(hand)
    roof, start, stop = _a_reading(hand, origin)
    became = trace_reading(hand.workspace, roof, start, stop)
    file = hand.settings.workspace / BUNDLE
    size = write_bundle(hand.workspace, RACK, number, file)
    verified = verify_bundle_file(file, hand.cast.log_key.public.hex())
    audit = audit_workspace(hand.settings.workspace)
    return {
        "answer": number,
        "back": origin,
        "forward": future,
        "reading": {"register": roof, "start": start, "stop": stop},
        "reading_forward": became,
        "bundle": {"file": str(file), "bytes": size, "verified": verified},
        "audit": audit.to_json(),
        "anchored": chain(hand.workspace)["anchored"],
        "balances_usdc_micro": balances(hand.workspace, DEAL),
        "facts": audit.checked["facts"],
        "root": audit.root.hex(),
        "answer_hours": hours_behind(hand, origin),
        "hours": energy_by_hour(hand),
        "planted_at": planted_at(hand),
        "flows": hand.workspace.read(lambda world: [asdict(flow) for flow in flows(world.books)]),
        "log_key": hand.cast.log_key.public.hex(),
    }


def _an_answer(hand: Stagehand) -> tuple[int, Node, Node]:
    """A large answer whose dollars reached tranche A, since the first of a day all go to the roofs; with its trace."""
    numbers = widest_answers(hand.workspace, RACK)
    for number in numbers[:_TRIED]:
        origin, future = trace_answer(hand.workspace, RACK, number)
        if _reaches(future, f"{DEAL}/paid/A"):
            return number, origin, future
    return numbers[0], *trace_answer(hand.workspace, RACK, numbers[0])


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
