"""A day on which one roof is corrected at noon: its last hour was counted too high, and used in part already."""

from __future__ import annotations

import numpy as np
from small_world import DAY, QUARTERS_US, ROOF_W, ROOFS, SmallWorld, key_of

from penstock.energy.forms.cose import Packet, packet_hash, sign
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Segment
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.usecases.correct import Asked, correct, plan
from penstock.usecases.ingest import ingest

ROOF = "roof-b"
TOO_MUCH_WH, USED_WH = 300, 200


class CorrectedWorld(SmallWorld):
    """As the small world; what the roof counted from noon on covers its debt first."""

    def _roofs_send(self) -> None:
        self._half("morning", slice(0, 48), 0)
        for right in (Right.ATTRIBUTE, Right.ENERGY):
            self._use(right)
        stands_wh = self.positions_wh(ROOF_W[1])[47]
        asked = Asked(ROOF, stands_wh - TOO_MUCH_WH, "operator", "a wrong ratio")
        self._do("correct", lambda world: correct(world, plan(world, asked)))
        self._half("evening", slice(48, 96), TOO_MUCH_WH)

    def _half(self, key: str, rows: slice, lower_wh: int) -> None:
        raws = []
        for name, watts in zip(ROOFS, ROOF_W, strict=True):
            counts = [wh - lower_wh * (name == ROOF) for wh in self.positions_wh(watts)[rows]]
            raws += self._packets(name, QUARTERS_US[rows], counts)
        receipt = self._do(key, lambda world: ingest(world, raws, DAY.stop_us))
        self._certify(f"certify-{key}", receipt.first_seq + 1)

    def _packets(self, name: str, at_us: list[int], position_wh: list[int]) -> list[bytes]:
        devices = self.world.energy
        number, raws = devices.number(name), []
        sequence, previous = int(devices.head_sequence[number]) + 1, devices.head_hash[number].tobytes()
        for first in range(0, len(at_us), 4):
            part = slice(first, first + 4)
            packet = Packet(name, sequence, previous, tuple(at_us[part]), tuple(position_wh[part]))
            raws.append(sign(packet, key_of(name)))
            sequence, previous = sequence + 1, packet_hash(raws[-1])
        return raws

    def _use(self, right: Right) -> None:
        """Somebody claimed the roof's last units of the morning."""
        book, register = self.world.books.titles[right], self._id(f"{ROOF}/export")
        stop = book.head(register)
        rows = book.within(register, stop - USED_WH, stop)
        code = np.full(len(rows["start"]), TITLE_STATES.index(TitleState.CLAIMED), np.uint8)
        start = np.maximum(rows["start"], stop - USED_WH)
        columns = {"register": rows["register"], "start": start, "stop": rows["stop"], "state": code}
        segment = Segment(MOVES, columns | {"source": rows["holder"], "target": rows["holder"]})
        fact = TitlesMoved(segment.ref(), right, TitleState.CLAIMED, "a claim", "somebody", USED_WH)
        self._do(f"use {right}", lambda _: [Entry(fact, segment)])
