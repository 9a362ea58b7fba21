"""Report: an interval's answers and energy, shared, sealed and signed; with its bill and the meter's own packet.

What is written of an interval is one JSON object: ``work`` and ``bill`` are DSSE envelopes, ``packet`` the import
meter's signed message in hex. The import meter counts whole Wh, each when it begins to be drawn: so whatever was drawn
is within what it shows, and energy bought for it covers it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.compute.attribution import METHOD, Rule, share
from penstock.compute.busy_time import busy_ms
from penstock.compute.energy_fit import fit
from penstock.compute.work import DIGESTS, SALE_BYTES, SALE_WHOLE, Metered, WorkReport, seal_report, subject_of
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, parse, sign
from penstock.errors import Invalid
from penstock.journal.segment import Column, Columns
from penstock.keys import SigningKey
from penstock.keys.dsse import BILL, STATEMENT, Envelope, seal, statement
from penstock.period import Period
from penstock.units import MJ_PER_WH
from penstock.usecases.provider.offer import Offer

SAME: Final = ("number", "arrived_us", "first_us", "done_us", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of a provider: of its statements, and of its rack's import meter."""

    work: SigningKey
    meter: SigningKey


@dataclass(frozen=True, slots=True)
class PowerWords:
    """What a power source says of itself."""

    source: str
    parameters: dict[str, int | str]
    assumptions: tuple[str, ...]
    rule: Rule


def make_report(
    offer: Offer, model: str, period: Period, answers: Columns, samples: Columns, words: PowerWords
) -> WorkReport:
    """The report of ``period`` from the workbook's columns: answers done in it, samples from its start to its stop."""
    spans = _intervals(samples)
    shares = share(answers, spans, words.rule)
    start_mj, stop_mj = (int(samples["position_mj"][place]) for place in (0, -1))
    took_ms = busy_ms(answers["started_us"], answers["done_us"], offer.accelerators)
    rows = {name: answers[name] for name in (*SAME, *DIGESTS)}
    rows |= {"time_ms": took_ms, "energy_mj": shares.request_mj}
    sales = {name: answers[name] for name in (*SALE_WHOLE, *SALE_BYTES)}
    parts = (shares.idle_mj, shares.overhead_mj, shares.unattributed_mj)
    parameters = json.dumps(
        {"power": dict(words.parameters), "rule": json.loads(words.rule.parameters())},
        sort_keys=True,
        separators=(",", ":"),
    )
    assumed = (*words.assumptions, *_assumed(words.rule))
    metered = Metered(start_mj, stop_mj, parts, words.source, METHOD, parameters, assumed)
    return WorkReport(offer.provider, offer.rack, model, period, rows, sales, metered)


def samples_of(samples: Columns, period: Period) -> Columns:
    """The samples from a period's start to its stop; where one was not seen, on the line between its neighbours."""
    ends = np.array([period.start_us, period.stop_us])
    at_us, position = samples["at_us"], samples["position_mj"]
    seen = np.interp(ends - at_us[0], at_us - at_us[0], position - position[0]).astype(np.int64) + position[0]
    within = np.flatnonzero((at_us > ends[0]) & (at_us < ends[1]))
    after = int(np.searchsorted(at_us, ends[1]))
    good = np.concatenate([[True], samples["good"][within], [samples["good"][min(after, len(at_us) - 1)]]])
    return {
        "at_us": np.concatenate([ends[:1], at_us[within], ends[1:]]),
        "position_mj": np.concatenate([seen[:1], position[within], seen[1:]]),
        "good": good,
    }


def fitted(answers: Columns, samples: Columns, stated: Rule) -> Rule:
    """The rule whose weights best explain the interval's samples; as stated where there are too few of them."""
    try:
        return fit(answers, _intervals(samples), stated).rule
    except Invalid:
        return stated


def write_report(report: WorkReport, offer: Offer, keys: Keys, before: bytes | None) -> bytes:
    """The signed report, bill and packet as one text; ``before`` is that of the report before, None for the first."""
    work = seal_report(report, keys.work)
    bill = seal(bill_statement(report, offer, work), STATEMENT, keys.work)
    packet = next_packet(report, keys.meter, before)
    said = {"bill": json.loads(bill.to_json()), "packet": packet.hex(), "work": json.loads(work.to_json())}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def bill_statement(report: WorkReport, offer: Offer, work: Envelope) -> bytes:
    """What was sold in an interval and where the dollars went: a statement about the signed report."""
    said: dict[str, Any] = {
        "provider": report.provider,
        "rack": report.rack,
        "model": report.model,
        "start_us": report.period.start_us,
        "stop_us": report.period.stop_us,
        "answers": int((report.sales["paid_usdc_micro"] > 0).sum()),
        "paid_usdc_micro": report.paid_usdc_micro,
        "tokens": int((report.rows["prompt_tokens"] + report.rows["output_tokens"]).sum()),
        "pay_to": offer.pay_to,
        "asset": offer.asset,
        "network": offer.network,
    }
    return statement(subject_of(report), work.digest.hex(), BILL, said)


def next_packet(report: WorkReport, key: SigningKey, before: bytes | None) -> bytes:
    """The import meter's signed message: where it stood at the interval's stop, chained to the one before."""
    sequence, previous = 0, FIRST
    if before is not None:
        raw = bytes.fromhex(json.loads(before)["packet"])
        sequence, previous = packet_number(raw) + 1, packet_hash(raw)
    position_wh = -(-report.metered.stop_mj // MJ_PER_WH)
    return sign(Packet(report.rack, sequence, previous, (report.period.stop_us,), (position_wh,)), key)


def packet_number(raw: bytes) -> int:
    """The sequence number of one of our own packets."""
    return parse(raw).sequence


def _intervals(samples: Columns) -> dict[str, Column]:
    """What the meter counted between its samples."""
    return {
        "start_us": samples["at_us"][:-1],
        "stop_us": samples["at_us"][1:],
        "meter_mj": np.diff(samples["position_mj"]),
        "good": samples["good"][1:],
    }


def _assumed(rule: Rule) -> tuple[str, ...]:
    found = ["Inside a sample of the meter, energy follows the tokens worked on."]
    if rule.pue_bp != 10_000:
        found.append(f"Overhead is by a stated PUE of {rule.pue_bp / 10_000:.2f}.")
    return tuple(found)
