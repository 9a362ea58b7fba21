"""The last stage: trace an answer both ways, write its bundle, verify it offline, audit the whole workspace."""

from __future__ import annotations

from typing import Any

from penstock.cli.demo.play import DEAL, ORIGIN, RACK, Stagehand
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.audit import audit_workspace
from penstock.usecases.inspect import balances, chain
from penstock.usecases.prove import trace_answer, trace_reading, verify_bundle_file, widest_answer, write_bundle

BUNDLE = "bundle.json"


def proof(hand: Stagehand) -> dict[str, Any]:
    """From one sold answer back to the roofs and the checkpoint on chain; from one reading forward to coupons."""
    checkpoint = sign_checkpoint(hand.workspace, "checkpoint:week", ORIGIN, hand.cast.log_key, hand.week.stop_us)
    anchor_checkpoint(hand.workspace, hand.desk, checkpoint, hand.week.stop_us)
    number = widest_answer(hand.workspace, RACK)
    origin, future = trace_answer(hand.workspace, RACK, number)
    roof, start, stop = _a_reading(hand)
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
    }


def _a_reading(hand: Stagehand) -> tuple[str, int, int]:
    """The Wh that one roof exported in one quarter-hour around the first noon."""
    meter = hand.meters[0]
    noon = 12 * 4
    return f"{meter.device}/export", int(meter.position_wh[noon - 1]), int(meter.position_wh[noon])
