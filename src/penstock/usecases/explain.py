"""Explain: why a reading of a device counted or not, from the journal alone, in words anyone can follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.verdict import MESSAGE_RULES, READING_RULES, MessageVerdict, ReadingVerdict, found_in, outcome_of
from penstock.errors import NotFound
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, TITLE_STATES, Form, Outcome, Right
from penstock.period import SECOND_US, iso
from penstock.usecases.fleet import names_of, segment_of
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
_SECONDS_PER_HOUR: Final = 3_600
_NEWEST: Final = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact with a segment, as far as it concerns the question."""

    seq: int
    at_us: int
    fact: PacketsReceived | ReadingsVerified
    columns: Columns


def explain(workspace: Workspace, device: str, at_us: int) -> Row:
    """Every time the journal judged the reading of ``device`` at ``at_us`` [us], with all that was found.

    Raises:
        NotFound: ``device.unknown``; ``reading.unknown`` where the device never sent a reading of that instant.
    """
    number = workspace.read(lambda world: world.energy.number(device))
    if number < 0:
        raise NotFound("device.unknown", f"There is no device {device}.", hint="See: penstock device list")
    registers = workspace.read(lambda world: np.flatnonzero(world.energy.device_of == number))
    judged = list(_judgements(workspace, registers, at_us))
    if not judged:
        hint = f"Its messages that did not count: penstock meter refused --device {device}"
        raise NotFound("reading.unknown", f"No reading of {device} at {iso(at_us)} is recorded.", hint=hint)
    last = judged[-1]
    doubt = workspace.read(lambda world: _doubt(world, last["register"], at_us))
    return {
        "device": device,
        "at": iso(at_us),
        "outcome": last["outcome"],
        "summary": _summary(device, at_us, last) + doubt,
        "judged": judged,
        "certificates": workspace.read(lambda world: _titles(world, last)),
    }


def _judgements(workspace: Workspace, registers: NDArray[Any], at_us: int) -> Iterator[Row]:
    """The reading's rows in every fact that judged it, in the journal's order."""
    messages: dict[bytes, Seen] = {}
    before: dict[int, tuple[int, int]] = {}
    for seen in _metering(workspace):
        if isinstance(seen.fact, PacketsReceived):
            messages = {seen.fact.segment.root: seen} | dict(list(messages.items())[:_NEWEST])
            continue
        ours = np.isin(seen.columns["register"], registers)
        for row in np.flatnonzero(ours & (seen.columns["at_us"] == at_us)).tolist():
            register = int(seen.columns["register"][row])
            early = np.flatnonzero(ours[:row] & (seen.columns["verdict"][:row] == 0))
            standing = before.get(register)
            if len(early):
                standing = int(seen.columns["at_us"][early[-1]]), int(seen.columns["position_wh"][early[-1]])
            yield _judgement(workspace, seen, row, messages.get(seen.fact.packets_root), standing)
        for row in np.flatnonzero(ours & (seen.columns["verdict"] == 0)).tolist():
            before[int(seen.columns["register"][row])] = (
                int(seen.columns["at_us"][row]),
                int(seen.columns["position_wh"][row]),
            )


def _metering(workspace: Workspace) -> Iterator[Seen]:
    for row in workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, (PacketsReceived, ReadingsVerified)):
            yield Seen(row.recorded.seq, row.recorded.at_us, fact, segment_of(workspace, row))


def _judgement(
    workspace: Workspace, seen: Seen, row: int, messages: Seen | None, standing: tuple[int, int] | None
) -> Row:
    columns = seen.columns
    verdict = int(columns["verdict"][row])
    findings = int(columns["findings"][row]) if "findings" in columns else (1 << verdict if verdict else 0)
    register = int(columns["register"][row])
    found: Row = {
        "fact": seen.seq,
        "rules": seen.fact.rules,
        "register": workspace.read(lambda world: world.books.registers.urn(register)),
        "position_wh": int(columns["position_wh"][row]),
        "outcome": outcome_of(READING_RULES, verdict, findings).value,
        "verdict": ReadingVerdict(verdict).name.lower(),
        "findings": [_finding(ReadingVerdict(code)) for code in found_in(ReadingVerdict, findings)],
    }
    if "assurance" in columns:
        found["assurance"] = ASSURANCES[int(columns["assurance"][row])].value
    if standing is not None:
        found |= _step(workspace, register, columns, row, standing)
    if messages is not None:
        found["message"] = message_row(messages, int(columns["packet"][row]))
    return found


def _finding(code: ReadingVerdict) -> Row:
    rule = READING_RULES[code]
    return {"finding": code.name.lower(), "does": rule.outcome.value, "why": rule.sentence, "rule": rule.basis}


def _step(workspace: Workspace, register: int, columns: Columns, row: int, standing: tuple[int, int]) -> Row:
    """What the capacity allowed since the last reading that counted."""
    at_us, position_wh = standing
    elapsed_s = (int(columns["at_us"][row]) - at_us) // SECOND_US
    capacity_w = workspace.read(lambda world: int(world.energy.capacity_w[world.energy.device_of[register]]))
    return {
        "counted_before": iso(at_us),
        "position_before_wh": position_wh,
        "step_wh": int(columns["position_wh"][row]) - position_wh,
        "capacity_allows_wh": capacity_w * max(elapsed_s, 0) // _SECONDS_PER_HOUR,
    }


def message_row(messages: Seen, row: int) -> Row:
    """One message as people read it: when, in what form, its number, what became of it."""
    columns = messages.columns
    verdict = int(columns["verdict"][row])
    findings = int(columns["findings"][row]) if "findings" in columns else 0
    return {
        "fact": messages.seq,
        "row": row,
        "received": iso(int(columns["received_us"][row])),
        "form": Form(int(columns["form"][row])).name.lower() if "form" in columns else Form.COSE.name.lower(),
        "sequence": int(columns["sequence"][row]),
        "outcome": outcome_of(MESSAGE_RULES, verdict, findings).value,
        "verdict": MessageVerdict(verdict).name.lower(),
    }


def _summary(device: str, at_us: int, judged: Row) -> str:
    said = f"{device} at {iso(at_us)} said {judged['position_wh']:,} Wh"
    reasons = "; ".join(one["why"] for one in judged["findings"])
    match Outcome(judged["outcome"]):
        case Outcome.ACCEPTED:
            return f"{said}: it counts. Every check passed."
        case Outcome.NOTED:
            return f"{said}: it counts, with a note: {reasons}."
        case Outcome.QUARANTINED:
            return f"{said}: it waits in quarantine and does not count: {reasons}."
        case Outcome.REFUSED:
            return f"{said}: it does not count: {reasons}."


def _doubt(world: World, urn: str, at_us: int) -> str:
    """What the review of a day holds against its register from before that instant on; empty where nothing."""
    register = np.array([world.books.registers.id_of(urn)])
    since_us = int(world.energy.held_from_us(register)[0])
    found = names_of(int(world.energy.doubts[register[0]])) if at_us >= since_us else []
    if not found:
        return ""
    words = ", ".join(found).replace("_", " ")
    return f" The review of a day found: {words}. Nothing from {iso(since_us)} on is certified until somebody decides."


def _titles(world: World, judged: Row) -> list[Row]:
    """The certificates that hold the last Wh this reading counted."""
    if judged["outcome"] not in (Outcome.ACCEPTED, Outcome.NOTED) or not judged["position_wh"]:
        return []
    titles = world.books.titles[Right.ATTRIBUTE].columns()
    register, last = world.books.registers.id_of(judged["register"]), judged["position_wh"] - 1
    inside = (titles["register"] == register) & (titles["start"] <= last) & (titles["stop"] > last)
    return [
        {
            "start": int(titles["start"][row]),
            "stop": int(titles["stop"][row]),
            "hour": iso(int(titles["interval_us"][row])),
            "holder": world.books.accounts.name(int(titles["holder"][row])),
            "state": TITLE_STATES[int(titles["state"][row])].value,
        }
        for row in np.flatnonzero(inside).tolist()
    ]
