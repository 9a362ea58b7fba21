"""The fleet: which devices report, which are silent or held in quarantine, what was not counted and why."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.verdict import MESSAGE_RULES, READING_RULES, MessageVerdict, ReadingVerdict, found_in
from penstock.errors import Corrupt, Invalid
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES
from penstock.period import HOUR_US, iso
from penstock.physics.cell import parse_cell
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
SILENT_US: Final = 6 * HOUR_US
"""A device that has said nothing for so long before the newest reading of the fleet counts as silent [us]."""
_REPORTING, _SILENT, _HELD = range(3)
STATES: Final = ("reporting", "silent", "quarantined")


def segment_of(workspace: Workspace, row: FactRow) -> Columns:
    """The columns a fact sealed. Raises Corrupt ``store.segment_missing``."""
    columns = workspace.columns(row)
    if columns is None:
        raise Corrupt("store.segment_missing", "A fact names bulk that its row does not.", seq=row.recorded.seq)
    return columns


def fleet(workspace: Workspace, silent_us: int = SILENT_US, limit: int = 50) -> Row:
    """How the fleet stands as of its newest reading; ``limit`` bounds each list of devices."""
    found = workspace.read(lambda world: _devices(world, silent_us, limit))
    return found | {"not_counted": not_counted(workspace)}


def not_counted(workspace: Workspace) -> Row:
    """How many messages and readings came, and how many did not count, by reason."""
    messages: Counter[str] = Counter()
    readings: Counter[str] = Counter()
    for row in workspace.facts():
        match row.recorded.fact:
            case PacketsReceived() as received:
                messages.update({tally.name: tally.count for tally in received.verdicts})
            case ReadingsVerified() as verified:
                readings.update({tally.name: tally.count for tally in verified.verdicts})
    said = [
        {"of": of, "verdict": name, "count": count, **_reason(kind, rules, name)}
        for of, kind, rules, counts in (
            ("messages", MessageVerdict, MESSAGE_RULES, messages),
            ("readings", ReadingVerdict, READING_RULES, readings),
        )
        for name, count in counts.most_common()
        if kind[name.upper()] != 0
    ]
    return {
        "messages": sum(messages.values()),
        "readings": sum(readings.values()),
        "counted_readings": readings["accepted"],
        "reasons": said,
    }


def _reason(kind: Any, rules: Any, name: str) -> Row:
    rule = rules[kind[name.upper()]]
    return {"outcome": rule.outcome.value, "why": rule.sentence, "rule": rule.basis}


def _devices(world: World, silent_us: int, limit: int) -> Row:
    energy = world.energy
    register = energy.register_of(np.arange(len(energy), dtype=np.int32), np.zeros(len(energy), dtype=np.uint8))
    last_us = energy.last_at_us[register]
    as_of_us = int(last_us.max(initial=0))
    held_us = energy.held_since_us[register]
    state = np.where(held_us > 0, _HELD, np.where(last_us < as_of_us - silent_us, _SILENT, _REPORTING))
    return {
        "as_of": iso(as_of_us),
        "devices": len(energy),
        "capacity_w": int(energy.capacity_w.sum()),
        "states": {name: int(np.sum(state == code)) for code, name in enumerate(STATES)},
        "technologies": _counted(energy.technology, [one.value for one in TECHNOLOGIES]),
        "assurance": _counted(energy.assurance, [one.value for one in ASSURANCES]),
        "cells": _cells(energy, state),
        "silent": [
            _row(world, number, last_us)
            for number in _first(state == _SILENT, np.argsort(last_us, kind="stable"), limit)
        ],
        "quarantined": [
            _row(world, number, last_us)
            | {"since": iso(int(held_us[number])), "found": names_of(int(energy.doubts[register[number]]))}
            for number in _first(state == _HELD, np.argsort(held_us, kind="stable"), limit)
        ],
    }


def _counted(codes: NDArray[Any], names: list[str]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}


def _cells(energy: Any, state: NDArray[Any]) -> list[Row]:
    """Devices by place: how many, their capacity, how many in each state."""
    count = len(energy.cells)
    by_state = [np.bincount(energy.cell[state == code], minlength=count) for code in range(len(STATES))]
    capacity_w = np.bincount(energy.cell, weights=energy.capacity_w, minlength=count)
    return [
        {
            "cell": energy.cells[cell],
            **_place(energy.cells[cell]),
            "devices": int(sum(counts[cell] for counts in by_state)),
            "capacity_w": int(capacity_w[cell]),
            **{name: int(by_state[code][cell]) for code, name in enumerate(STATES)},
        }
        for cell in range(count)
        if sum(counts[cell] for counts in by_state)
    ]


def _place(geohash: str) -> Row:
    """The middle of a cell; nowhere for what is no geohash, for a site may name none."""
    try:
        cell = parse_cell(geohash)
    except Invalid:
        return {"latitude_deg": None, "longitude_deg": None}
    return {"latitude_deg": cell.latitude_deg, "longitude_deg": cell.longitude_deg}


def names_of(findings: int) -> list[str]:
    """The names of findings of readings, in order of code."""
    return [code.name.lower() for code in found_in(ReadingVerdict, findings)]


def _first(chosen: NDArray[Any], order: NDArray[Any], limit: int) -> list[int]:
    picked: list[int] = order[chosen[order]][:limit].tolist()
    return picked


def _row(world: World, number: int, last_us: NDArray[Any]) -> Row:
    energy = world.energy
    return {
        "device": energy.name(number),
        "technology": TECHNOLOGIES[int(energy.technology[number])].value,
        "capacity_w": int(energy.capacity_w[number]),
        "last": iso(int(last_us[number])),
    }
