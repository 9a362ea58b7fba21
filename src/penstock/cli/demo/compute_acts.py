"""The stage of the compute wing: serve, in hours that certified energy covers, and share each hour's energy out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.demand import RACK as RACK_MODEL
from penstock.cli.demo.planted import READINGS_PER_PACKET
from penstock.cli.demo.play import BUYER, DEAL, OPERATOR, RACK, TERMS, Stagehand
from penstock.compute.service import Service, serve
from penstock.energy.forms.cose import Packet, packet_hash, sign
from penstock.journal.kinds.compute import AnswersServed
from penstock.journal.words import Right, TitleState
from penstock.period import HOUR_US, QUARTER_HOUR_US, Period, iso
from penstock.usecases.ingest import ingest
from penstock.usecases.match import Draw, available_wh, match
from penstock.usecases.serve import Answers, bill_answers, record_answers
from penstock.usecases.world import World


def answers(hand: Stagehand) -> dict[str, Any]:
    """Day by day: the rack serves, its meter signs, hours are matched and claimed, answers get energy and price."""
    with hand.bar("serving inside matched hours", len(hand.days)) as step:
        for number in range(len(hand.days)):
            if not hand.recorded(f"bill:{number}"):
                _serve_day(hand, number)
            step(1)
    return _figures(hand)


def _serve_day(hand: Stagehand, number: int) -> None:
    day, requests, rack = hand.days[number], hand.requests(number), hand.rack
    service = _service(hand, number)
    ran = service.import_wh > 0
    raws = _meter_packets(hand, day, service)
    draw = Draw(rack, service.hour_us[ran], service.import_wh[ran])
    rows = np.flatnonzero(service.answered)
    served = Answers(day, requests.arrived_us[rows], requests.tokens[rows], service, BUYER)
    submit = hand.workspace.submit
    submit(f"rack:{number}", b"", day.stop_us, lambda world: ingest(world, raws, day.stop_us))
    submit(f"match:{number}", b"", day.stop_us, lambda world: match(world, draw, day, DEAL))
    submit(f"serve:{number}", b"", day.stop_us, lambda world: record_answers(world, rack, served, RACK_MODEL))
    submit(f"bill:{number}", b"", day.stop_us, lambda world: bill_answers(world, rack, TERMS, day))


def _service(hand: Stagehand, number: int) -> Service:
    """What the rack does on a day: a function of what was certified for it, whether or not it is matched already."""
    day, requests = hand.days[number], hand.requests(number)
    hours, energy_wh = hand.workspace.read(lambda world: _certified_wh(world, day))
    return serve(requests.arrived_us, requests.tokens, hours, energy_wh, RACK_MODEL)


def _certified_wh(world: World, day: Period) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hours of a day, and what the rack can draw in each [Wh]: what is for sale, and what it bought already."""
    titles = world.books.titles[Right.ENERGY].begun(day.start_us, day.stop_us, tuple(TitleState))
    mine = titles["holder"] == world.books.accounts.id_of(OPERATOR)
    bought_us, bought_wh = titles["interval_us"][mine], (titles["stop"] - titles["start"])[mine]
    sold_us, sold_wh = available_wh(world, day)
    hours, slot = np.unique(np.r_[sold_us, bought_us], return_inverse=True)
    energy_wh = np.zeros(len(hours), dtype=np.int64)
    np.add.at(energy_wh, slot, np.r_[sold_wh, bought_wh])
    return hours, energy_wh


def _meter_packets(hand: Stagehand, day: Period, service: Service) -> list[bytes]:
    """The rack's own signed packets of a day: modelled draw, really signed, a packet an hour."""
    start_wh, sequence, previous = hand.workspace.read(_rack_head)
    at_us, position_wh = _rack_readings(day, service, start_wh)
    raws: list[bytes] = []
    for first in range(0, len(at_us), READINGS_PER_PACKET):
        rows = slice(first, first + READINGS_PER_PACKET)
        packet = Packet(RACK, sequence, previous, tuple(at_us[rows].tolist()), tuple(position_wh[rows].tolist()))
        raws.append(sign(packet, hand.cast.rack_key))
        sequence, previous = sequence + 1, packet_hash(raws[-1])
    return raws


def _rack_head(world: World) -> tuple[int, int, bytes]:
    """Where the rack's register stands [Wh], its next packet's number, and the hash of the one before."""
    energy = world.energy
    device = energy.number(RACK)
    start_wh = int(world.books.registers.read[energy.main_register()[device]])
    return start_wh, int(energy.head_sequence[device]) + 1, energy.head_hash[device].tobytes()


def _rack_readings(day: Period, service: Service, start_wh: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the rack's register stands each quarter-hour of a day: an hour's draw in four even parts."""
    hours = np.arange(day.start_us, day.stop_us, HOUR_US)
    drawn = np.zeros(len(hours), dtype=np.int64)
    drawn[np.searchsorted(hours, service.hour_us)] = service.import_wh
    reached = start_wh + np.cumsum(drawn) - drawn
    quarters = np.arange(1, READINGS_PER_PACKET + 1)
    position_wh = reached[:, None] + drawn[:, None] * quarters // READINGS_PER_PACKET
    at_us = hours[:, None] + quarters * QUARTER_HOUR_US
    return at_us.ravel(), position_wh.ravel()


def _figures(hand: Stagehand) -> dict[str, Any]:
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    served = [fact for fact in facts if isinstance(fact, AnswersServed) and fact.rack == RACK]
    days = [
        {
            "day": iso(fact.start_us),
            "answers": fact.answers,
            "tokens": fact.tokens,
            "energy_wh": fact.energy_mj // 3_600_000,
            "refused_energy": fact.refused_energy,
            "refused_capacity": fact.refused_capacity,
        }
        for fact in served
    ]
    return {
        "answers": sum(fact.answers for fact in served),
        "tokens": sum(fact.tokens for fact in served),
        "energy_wh": sum(fact.energy_mj for fact in served) // 3_600_000,
        "turned_away": sum(fact.refused_energy + fact.refused_capacity for fact in served),
        "days": days,
        "idle_mj": _idle_mj(hand),
        "modelled": True,
    }


def _idle_mj(hand: Stagehand) -> int:
    register = hand.rack.idle_register
    return hand.workspace.read(lambda world: int(world.books.registers.read[world.books.registers.id_of(register)]))
