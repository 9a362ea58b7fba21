"""Stages of the energy wing: connect, meter, certify."""

from __future__ import annotations

from typing import Any, Final

from penstock.cli.demo import battery, forward_acts
from penstock.cli.demo.demand import RACK as RACK_MODEL
from penstock.cli.demo.demand import RACK_W
from penstock.cli.demo.fleet import CELLS, ZONE
from penstock.cli.demo.play import BUYER, CREDITS, OPERATOR, RACK, SERVICER, TERMS, Stagehand
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.words import Outcome, Right
from penstock.usecases.certify import certify
from penstock.usecases.enrol import Producer, enrol_producers, enrol_rack, open_accounts
from penstock.usecases.ingest import ingest
from penstock.usecases.inspect import metering, refusals
from penstock.usecases.sell import offer
from penstock.usecases.withdraw import WALLETS

_METER_SPARE_W: Final = 8_000


def connect(hand: Stagehand) -> dict[str, Any]:
    """120 rooftops, a battery, a rack and its investors take their addresses."""
    start_us, submit = hand.week.start_us, hand.workspace.submit
    names = [holder.name for holder in hand.holders]
    submit("accounts", b"", start_us, lambda _: open_accounts([SERVICER, *names], [WALLETS, BUYER]))
    producers = [
        Producer(
            roof.name,
            roof.key.public,
            roof.size_w,
            ZONE,
            CELLS[number % len(CELLS)],
            start_us,
            int(roof.plane.tilt_deg),
            int(roof.plane.azimuth_deg),
            roof.key.kind,
        )
        for number, roof in enumerate(hand.roofs)
    ]
    submit("roofs", b"", start_us, lambda world: enrol_producers(world, producers))
    rack_w = RACK_W + _METER_SPARE_W
    key = hand.cast.rack_key.public
    submit(
        "rack",
        b"",
        start_us,
        lambda _: enrol_rack(RACK, OPERATOR, ZONE, key, RACK_MODEL.accelerators, rack_w, start_us),
    )
    battery.enrol(hand)
    submit("offer", b"", start_us, lambda world: offer(world, TERMS))
    sizes = [roof.size_w for roof in hand.roofs]
    return {
        "rooftops": len(sizes),
        "capacity_w": sum(sizes),
        "smallest_w": min(sizes),
        "largest_w": max(sizes),
        "battery_w": battery.POWER_W,
        "rack_w": RACK_W,
        "accelerators": RACK_MODEL.accelerators,
        "holders": len(names),
        "credit_class": CREDITS,
    }


def meter(hand: Stagehand) -> dict[str, Any]:
    """A week of signed packets is judged, day by day; the planted ones have to be found."""
    with hand.bar("verifying signed readings", len(hand.days)) as step:
        for number in range(len(hand.days)):
            if not hand.recorded(f"meter:{number}"):
                _meter_day(hand, number)
            step(1)
    found = metering(hand.workspace, "meter:")
    del found["by_technology_wh"]  # of everything metered so far, the rack too once it has served
    rows = refusals(hand.workspace)
    refused = [row for row in rows if row["outcome"] == Outcome.REFUSED]
    return found | {"planted": len(hand.plan.kinds), "refusals": refused, "liars": _liars(rows)}


def _liars(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Meters in quarantine: how many of their readings wait, and what was found first."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["outcome"] == Outcome.QUARANTINED:
            first = {"device": row["device"], "readings": 0, "verdict": row["verdict"], "why": row["why"]}
            found.setdefault(row["device"], first)["readings"] += 1
    return list(found.values())


def _meter_day(hand: Stagehand, number: int) -> None:
    at_us = hand.days[number].stop_us
    raws = [raw for hour in hand.arrivals[number * 24 : (number + 1) * 24] for raw in hour]
    hand.workspace.submit(f"meter:{number}", b"", at_us, lambda world: ingest(world, raws, at_us))


def certificates(hand: Stagehand) -> dict[str, Any]:
    """Every verified Wh gets its hourly certificate; what a battery gives back is not counted again."""
    with hand.bar("issuing hourly certificates", len(hand.days)) as step:
        for number in range(len(hand.days)):
            if not hand.recorded(f"certify:{number}"):
                _certify_day(hand, number)
            forward_acts.deliver_day(hand, number)
            step(1)
    facts = (row.recorded.fact for row in hand.workspace.facts())
    issued = [one for one in facts if isinstance(one, TitlesIssued) and one.right is Right.ATTRIBUTE and not one.stored]
    return {
        "titles": sum(fact.segment.rows for fact in issued),
        "issued_wh": sum(fact.quantity for fact in issued),
        "forward": forward_acts.delivered(hand),
    }


def _certify_day(hand: Stagehand, number: int) -> None:
    readings = [hand.readings(f"meter:{number}")]
    at_us = hand.days[number].stop_us
    hand.workspace.submit(f"certify:{number}", b"", at_us, lambda world: certify(world, readings, ZONE))
