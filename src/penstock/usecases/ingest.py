"""Ingest: a batch of messages becomes judged messages and readings, the refused kept beside the accepted.

Parsing and checking signatures needs no order, so it is done outside the sequencer (`prepare`); what is done inside
works on columns. Whatever came is recorded; what waits for a message before it comes again with that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import IntEnum

import numpy as np

from penstock.energy.first_rules import FIRST_RULES, as_first_judged, unknown_then
from penstock.energy.judge import Judged, judge
from penstock.energy.message import joined
from penstock.energy.parsed import Messages
from penstock.energy.signers import signers_of
from penstock.energy.verdict import RULES, MessageVerdict, ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.formats import MESSAGES, PACKETS, READINGS, VERDICTS
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, Tally
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import ASSURANCES, Assurance, Form
from penstock.usecases.workers import Prepared, prepare_here
from penstock.usecases.world import World


def ingest(world: World, messages: Sequence[bytes] | Messages | Prepared, received_us: int) -> list[Entry]:
    """Judge messages in order of arrival; two facts, each with its segment. Nothing is lost, whatever came.

    Plain bytes are of our own form. Messages that waited for one of these come again, behind them.
    """
    prepared = _current(world, messages)
    judged = _judged(world, prepared, received_us)
    late = _no_longer_waiting(world, prepared, judged)
    if late:
        more = _prepared(world, late)
        prepared = Prepared([*prepared.messages, *late], joined([prepared.batch, more.batch]), prepared.known)
        judged = _judged(world, prepared, received_us)
    return recorded(world, judged)


def rejudged(world: World, packets: Columns, received_us: int, rules: str = RULES) -> list[Entry]:
    """The facts that ``rules`` make of the messages in a segment of packets, those that had waited among them."""
    prepared = _prepared(world, messages_of(packets))
    if rules != FIRST_RULES:
        return recorded(world, _judged(world, prepared, received_us))
    batch = prepared.batch
    reached = np.where(unknown_then(batch), MessageVerdict.MALFORMED, batch.reached).astype(np.uint8)
    judged = _judged(world, prepared._replace(batch=replace(batch, reached=reached)), received_us)
    return recorded(world, as_first_judged(judged, received_us, world.energy), FIRST_RULES)


def counts_unsigned(world: World, packets: Columns) -> bool:
    """Whether a packet counts, of those that were not erased, that its device's key did not sign."""
    rows = np.flatnonzero(packets["verdict"] == 0)
    batch = _prepared(world, messages_of({name: column[rows] for name, column in packets.items()})).batch
    return bool((batch.reached != 0).any())


def messages_of(packets: Columns) -> Messages:
    """The messages that a segment of packets holds; all of packet/1 are of our own form."""
    forms = packets["form"].tolist() if "form" in packets else [Form.COSE] * len(packets["packet"])
    return [(Form(form), bytes(raw)) for form, raw in zip(forms, packets["packet"], strict=True)]


def recorded(world: World, judged: Judged, rules: str = RULES) -> list[Entry]:
    """The two facts of a judged batch."""
    formats = (PACKETS, READINGS) if rules == FIRST_RULES else (MESSAGES, VERDICTS)
    packets, readings = (Segment(*each) for each in zip(formats, (judged.packets, judged.readings), strict=True))
    received = PacketsReceived(packets.ref(), rules, tally(MessageVerdict, judged.packets["verdict"]))
    return [Entry(received, packets), Entry(verified(world, readings, received.segment.root, rules), readings)]


def verified(world: World, readings: Segment, packets_root: bytes, rules: str = RULES) -> ReadingsVerified:
    """The fact of judged readings of the packets with this root."""
    columns = readings.columns
    return ReadingsVerified(
        segment=readings.ref(),
        packets_root=packets_root,
        rules=rules,
        assurance=weakest(columns),
        counted_wh=counted_wh(world, columns),
        verdicts=tally(ReadingVerdict, columns["verdict"]),
    )


def tally(kind: type[IntEnum], verdicts: Column) -> tuple[Tally, ...]:
    """How many of each verdict, by name, in order of code."""
    counts = np.bincount(verdicts, minlength=1)
    return tuple(Tally(kind(code).name.lower(), int(counts[code])) for code in np.flatnonzero(counts).tolist())


def weakest(columns: Columns) -> Assurance:
    """The weakest level among readings that count."""
    if "assurance" not in columns:
        return Assurance.METER_SIGNED
    levels = columns["assurance"][columns["verdict"] == 0]
    return ASSURANCES[int(levels.max())] if len(levels) else Assurance.METER_SIGNED


def counted_wh(world: World, readings: Columns) -> int:
    """How far the accepted readings move their registers, in all [Wh]."""
    taken = readings["verdict"] == 0
    registers, place = np.unique(readings["register"][taken], return_inverse=True)
    before = world.books.registers.read[registers]
    reached = before.copy()
    np.maximum.at(reached, place, readings["position_wh"][taken])
    return int(np.sum(reached - before))


def _current(world: World, messages: Sequence[bytes] | Messages | Prepared) -> Prepared:
    """Messages prepared for the devices as they now stand: prepared again where a key changed meanwhile."""
    if isinstance(messages, Prepared):
        as_then = all(signers_of(names, world.energy).are(signers) for names, signers in messages.known)
        return messages if as_then else _prepared(world, messages.messages)
    return _prepared(world, [(Form.COSE, one) if isinstance(one, bytes) else one for one in messages])


def _prepared(world: World, messages: Messages) -> Prepared:
    return prepare_here(messages, lambda lists: [signers_of(names, world.energy) for names in lists])


def _judged(world: World, prepared: Prepared, received_us: int) -> Judged:
    return judge(
        prepared.batch, [raw for _, raw in prepared.messages], received_us, world.energy, world.sky, world.revisable
    )


def _no_longer_waiting(world: World, prepared: Prepared, judged: Judged) -> list[tuple[Form, bytes]]:
    """Messages that waited, before or in this batch, for one that this batch brought."""
    verdict, device = judged.packets["verdict"], judged.packets["device"]
    waited = np.array(world.quarantine.devices, dtype=device.dtype)
    waits = np.isin(device, np.r_[waited, device[verdict == MessageVerdict.GAP]])
    rows = np.flatnonzero(waits & (device >= 0) & np.isin(verdict, (0, MessageVerdict.GAP)))
    rows = rows[np.argsort(device[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(device[rows])) + 1
    return [late for one in np.split(rows, starts) if len(one) for late in _following(world, prepared, judged, one)]


def _following(world: World, prepared: Prepared, judged: Judged, rows: Column) -> Iterator[tuple[Form, bytes]]:
    """The waiting messages of one device (whose ``rows`` are accepted or wait) that its chain now goes on with."""
    device, accepted = int(judged.packets["device"][rows[0]]), judged.packets["verdict"][rows] == 0
    sequence = judged.packets["sequence"][rows]
    head = max([int(world.energy.head_sequence[device]), *sequence[accepted].tolist()])
    waiting = {number: (kept.form, kept.raw) for number, kept in world.quarantine.messages(device).items()}
    for number, row in zip(sequence[~accepted].tolist(), rows[~accepted].tolist(), strict=True):
        waiting.setdefault(number, prepared.messages[row])
    while (head := head + 1) in waiting:
        yield waiting[head]
