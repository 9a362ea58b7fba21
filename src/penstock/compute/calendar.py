"""A rack's calendar: accelerator-milliseconds by position, hour after hour, and which of them are free.

An hour of a rack with n accelerators is n x 3,600,000 positions; accelerators are alike, so that one is any whole
3,600,000 of them. Titles are opened hour by hour, hence none reaches over an hour's end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.compute.service import MS_PER_HOUR
from penstock.errors import Invalid, Refused
from penstock.journal.segment import Column, Columns
from penstock.journal.titles import TitleBook
from penstock.journal.words import TITLE_STATES, TitleState
from penstock.period import HOUR_US

HOURS_MAX = 100_000
"""No act is about more hours of a rack, 11 years."""


def origin_us(commissioned_us: int) -> int:
    """The instant at position 0 of a rack's calendar: the first whole hour (UTC) since it was commissioned."""
    return -(-commissioned_us // HOUR_US) * HOUR_US


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where a rack's time lies on its register: counted from ``origin_us``, a whole hour, see `origin_us`."""

    register: int
    origin_us: int
    accelerators: int

    @property
    def hour_ms(self) -> int:
        """Positions of an hour [accelerator-ms]."""
        return self.accelerators * MS_PER_HOUR

    def position(self, at_us: int) -> int:
        """Where an instant lies, rounded down; an hour's begin to the position."""
        return (at_us - self.origin_us) * self.hour_ms // HOUR_US

    def positions(self, hour_us: Column) -> Column:
        """Where each whole hour begins."""
        return (hour_us - self.origin_us) // HOUR_US * self.hour_ms

    def begins(self, start_us: int, hours: int) -> Column:
        """Where consecutive hours begin."""
        return self.position(start_us) + np.arange(hours, dtype=np.int64) * self.hour_ms

    def begin_us(self, hour: int) -> int:
        """When an hour begins, counted from the origin."""
        return self.origin_us + hour * HOUR_US

    def hour_of(self, position: Column) -> Column:
        """Which hour each position is in, counted from the origin."""
        return position // self.hour_ms


def whole_hours(start_us: int, stop_us: int) -> int:
    """How many whole hours (UTC) a period has; raises Invalid ``capacity.hours`` for one that has not just these."""
    if not 0 <= start_us < stop_us or start_us % HOUR_US or stop_us % HOUR_US:
        raise Invalid("capacity.hours", "Capacity comes in whole hours (UTC), at least one.")
    hours = (stop_us - start_us) // HOUR_US
    if hours > HOURS_MAX:
        raise Invalid("capacity.hours", f"An act is about at most {HOURS_MAX:,} hours.", hours=hours)
    return hours


def parts_in(titles: TitleBook, register: int, start: int, stop: int, *states: TitleState) -> dict[str, Column]:
    """The titles in these states between two positions, cut to them, in order."""
    rows = titles.parts(*(np.array([one], dtype=np.int64) for one in (register, start, stop)))
    kept = np.isin(rows["state"], [TITLE_STATES.index(one) for one in states])
    return picked(rows, np.flatnonzero(kept))


def free_parts(titles: TitleBook, calendar: Calendar, provider: int, start_us: int, hours: int) -> dict[str, Column]:
    """What a provider still holds of consecutive hours: neither sold nor promised."""
    start = calendar.position(start_us)
    held = parts_in(titles, calendar.register, start, start + hours * calendar.hour_ms, TitleState.HELD)
    return picked(held, np.flatnonzero(held["holder"] == provider))


def take_of_hours(parts: Columns, calendar: Calendar, begins: Column, accelerators: Column) -> dict[str, Column]:
    """The first so many accelerators of each hour, of parts in their order; ``begins`` says where the hours begin.

    Raises:
        Refused: ``capacity.sold_out`` where an hour has fewer.
    """
    hour, first = calendar.hour_of(parts["start"]), int(calendar.hour_of(begins[:1])[0])
    want = np.asarray(accelerators, dtype=np.int64)[hour - first] * MS_PER_HOUR
    length = parts["stop"] - parts["start"]
    reached = np.cumsum(length)
    fresh = np.r_[True, hour[1:] != hour[:-1]][: len(hour)]
    before = np.maximum.accumulate(np.where(fresh, reached - length, 0)) if len(hour) else reached
    taken = np.clip(want - (reached - length - before), 0, length)
    got = np.zeros(len(begins), dtype=np.int64)
    np.add.at(got, hour - first, taken)
    short = np.flatnonzero(got != np.asarray(accelerators, dtype=np.int64) * MS_PER_HOUR)
    if len(short):
        missing = int(accelerators[short[0]]) - int(got[short[0]]) // MS_PER_HOUR
        at_us = calendar.begin_us(first + int(short[0]))
        hint = "Ask for fewer accelerators, or for other hours."
        sentence = f"{missing} accelerators of those asked for are not free."
        raise Refused("capacity.sold_out", sentence, hint=hint, hour_us=at_us)
    rows = np.flatnonzero(taken)
    return {**picked(parts, rows), "stop": parts["start"][rows] + taken[rows]}


def picked(rows: Columns, which: Column) -> dict[str, Column]:
    """Some rows."""
    return {name: column[which] for name, column in rows.items()}
