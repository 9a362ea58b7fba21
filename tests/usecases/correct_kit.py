"""A yard for corrections: a roof whose readings are certified, titles that change state, and what stands of them."""

from __future__ import annotations

import numpy as np
from device_kit import Yard, hours, key_of

from penstock.energy.verdict import ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import ReadingsVerified, TitlesMoved
from penstock.journal.segment import Columns, Segment
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.usecases.certify import certify
from penstock.usecases.correct import Asked, correct, debts, plan
from penstock.usecases.ingest import ingest

KEY = key_of("roof")


class Field(Yard):
    """A yard whose readings are certified as they come."""

    def counted(self, *readings: tuple[float, int], certified: bool = True) -> list[ReadingVerdict]:
        columns = self.taken(*readings)
        if certified:
            self.certified(columns)
        return [ReadingVerdict(int(one)) for one in columns["verdict"]]

    def taken(self, *readings: tuple[float, int]) -> Columns:
        """Readings taken in, as they were judged."""
        raw = self.next_packet(KEY, readings)
        at_us = hours(readings[-1][0] + 0.01)
        entries = ingest(self.world, [raw], at_us)
        self.tell(entries, at_us)
        (columns,) = [one.segment.columns for one in entries if one.segment and isinstance(one.fact, ReadingsVerified)]
        return columns

    def certified(self, *columns: Columns) -> list[Entry]:
        entries = certify(self.world, columns, "XX")
        self.tell(entries)
        return entries

    def moved(self, right: Right, start: int, stop: int, state: TitleState, register: int = 0) -> None:
        """Titles of whole spans change state; a transfer keeps the owner."""
        rows = self.world.books.titles[right].within(register, start, stop)
        low, high = np.maximum(rows["start"], start), np.minimum(rows["stop"], stop)
        code = np.full(len(low), TITLE_STATES.index(state), np.uint8)
        columns = {"register": rows["register"], "start": low, "stop": high}
        columns |= {"source": rows["holder"], "target": rows["holder"], "state": code}
        segment = Segment(MOVES, columns)
        fact = TitlesMoved(segment.ref(), right, state, "a test", "somebody", int((high - low).sum()))
        self.tell([Entry(fact, segment)])

    def corrected(self, true_wh: int, shown_wh: int | None = None) -> list[Entry]:
        asked = Asked("roof", true_wh, "operator", "a wrong ratio", shown_wh)
        entries = correct(self.world, plan(self.world, asked))
        self.tell(entries)
        return entries

    def spans(self, right: Right, register: int = 0) -> list[tuple[int, int, str]]:
        rows = self.world.books.titles[right].columns()
        listed = zip(*(rows[name].tolist() for name in ("register", "start", "stop", "state")), strict=True)
        return [(a, b, TITLE_STATES[code].value) for one, a, b, code in listed if one == register]

    def standing_wh(self, right: Right) -> int:
        """What was issued and not withdrawn."""
        rows = self.world.books.titles[right].columns()
        stands = rows["state"] != TITLE_STATES.index(TitleState.WITHDRAWN)
        return int((rows["stop"] - rows["start"])[stands].sum())

    def owed_wh(self) -> int:
        return sum(row["owed_wh"] for row in debts(self.world))
