"""Ingest: a batch of raw packets becomes judged packets and readings, the refused kept beside the accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from penstock.energy.judge import RULES, PacketVerdict, judge
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.formats import PACKETS, READINGS
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, Tally
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Assurance
from penstock.usecases.world import World


def ingest(world: World, raws: Sequence[bytes], received_us: int) -> list[Entry]:
    """Judge ``raws`` in order of arrival; two facts, each with its segment. Nothing is lost, whatever came."""
    judged = judge(raws, received_us, world.energy)
    packets, readings = Segment(PACKETS, judged.packets), Segment(READINGS, judged.readings)
    received = PacketsReceived(packets.ref(), RULES, tally(PacketVerdict, judged.packets["verdict"]))
    verified = ReadingsVerified(
        segment=readings.ref(),
        packets_root=received.segment.root,
        rules=RULES,
        assurance=Assurance.METER_SIGNED,
        counted_wh=counted_wh(world, judged.readings),
        verdicts=tally(ReadingVerdict, judged.readings["verdict"]),
    )
    return [Entry(received, packets), Entry(verified, readings)]


def tally(kind: type[IntEnum], verdicts: Column) -> tuple[Tally, ...]:
    """How many of each verdict, by name, in order of code."""
    counts = Counter(verdicts.tolist())
    return tuple(Tally(kind(code).name.lower(), counts[code]) for code in sorted(counts))


def counted_wh(world: World, readings: Columns) -> int:
    """How far the accepted readings move their registers, in all [Wh]."""
    taken = readings["verdict"] == 0
    registers = readings["register"][taken]
    reached = np.zeros(len(world.books.registers), dtype=np.int64)
    np.maximum.at(reached, registers, readings["position_wh"][taken])
    touched = np.unique(registers)
    return int(np.sum(np.maximum(reached[touched] - world.books.registers.read[touched], 0)))
