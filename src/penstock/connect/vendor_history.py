"""History as a vendor tells it, made into a register: rows read, gaps waited for, revisions told apart from news.

What a cloud says of a time already told is a revision. It is told again, on the base its window first had, and the
register goes on from where it stood: whether a revision counts is not for a connector to say.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from penstock.connect.field_text import TEXT_MAX, energy_mj_down, power_mw_down
from penstock.connect.vendor_dialect import Dialect
from penstock.errors import Invalid
from penstock.period import SECOND_US, from_us, to_us

ROWS_MAX: Final = 100_000
EPOCH_S_MAX: Final = 2**35


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the instant [us], the interval's energy or the register [mJ], power [mW]."""

    at_us: int
    energy_mj: int
    power_mw: int


def read_rows(value: Any, dialect: Dialect, zone: ZoneInfo, before_us: int = 0) -> tuple[list[Row], list[Invalid]]:
    """A page's rows, as they stand in it, and what was wrong with the rows that cannot be read.

    A row without a value is none: nothing was measured. ``before_us`` is the last instant of the page before.

    Raises:
        Invalid: ``connect.rows`` for an answer that holds no rows where they should be.
    """
    listed = at_path(value, dialect.rows.list)
    if not isinstance(listed, list) or len(listed) > ROWS_MAX or not all(isinstance(row, dict) for row in listed):
        raise Invalid("connect.rows", "The cloud's answer has no rows where they should be.")
    rows: list[Row] = []
    wrong: list[Invalid] = []
    for told in (told for told in listed if told.get(dialect.rows.energy) is not None):
        try:
            rows.append(_row(told, dialect, zone, rows[-1].at_us if rows else before_us))
        except Invalid as error:
            wrong.append(error)
    return rows, wrong


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows by time; the same row on two pages is one.

    Raises:
        Invalid: ``connect.rows`` where one instant is told in two ways.
    """
    ordered = sorted(set(rows), key=lambda row: row.at_us)
    if any(before.at_us == after.at_us for before, after in itertools.pairwise(ordered)):
        raise Invalid("connect.rows", "The cloud tells one instant in two ways.")
    return ordered


def without_gap(rows: Sequence[Row], after_us: int, dialect: Dialect, now_us: int) -> list[Row]:
    """The rows up to the first missing interval that is still worth waiting for; ``after_us`` 0 where none was told."""
    if dialect.shape == "lifetime" or not dialect.history.wait_gap_s:
        return list(rows)
    step_us, patience_us = dialect.history.step_s * SECOND_US, dialect.history.wait_gap_s * SECOND_US
    taken: list[Row] = []
    for row in rows:
        if after_us and row.at_us > after_us + step_us and row.at_us > now_us - patience_us:
            break
        taken.append(row)
        after_us = row.at_us
    return taken


def positions_mj(rows: Sequence[Row], base_mj: int, dialect: Dialect) -> list[int]:
    """Where the register stood at each row [mJ]: told as it is, or summed up from ``base_mj``."""
    if dialect.shape == "lifetime":
        return [row.energy_mj for row in rows]
    return list(itertools.accumulate((row.energy_mj for row in rows), initial=base_mj))[1:]


def digest_of(rows: Sequence[Row]) -> str:
    """What tells two tellings of a window apart: instants and energies."""
    return hashlib.sha256(repr([(row.at_us, row.energy_mj) for row in rows]).encode()).hexdigest()[:32]


def write_instant(at_us: int, dialect: Dialect, zone: ZoneInfo) -> str:
    """An instant as the dialect asks with it."""
    if dialect.history.instants == "epoch_s":
        return str(at_us // SECOND_US)
    return from_us(at_us).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")


def at_path(value: Any, path: str) -> Any:
    """What lies at a dotted path, None where nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _row(told: Mapping[str, Any], dialect: Dialect, zone: ZoneInfo, before_us: int) -> Row:
    names = dialect.rows
    at_us = _instant_us(told.get(names.at), dialect, zone, before_us)
    power = told.get(names.power) if names.power else None
    return Row(at_us, energy_mj_down(told[names.energy], names.energy_unit), power_mw_down(power, names.power_unit))


def _instant_us(told: Any, dialect: Dialect, zone: ZoneInfo, before_us: int) -> int:
    """A row's instant. In the hour that comes twice in autumn, the row before tells which of the two it is."""
    if dialect.history.instants == "local":
        at = _local(told).replace(tzinfo=zone)
        first_us, again_us = to_us(at), to_us(at.replace(fold=1))
        return again_us if first_us <= before_us < again_us else first_us
    if type(told) is not int or not 0 < told < EPOCH_S_MAX:
        raise Invalid("connect.time", "The cloud's times are no epoch seconds.")
    return told * SECOND_US


def _local(text: Any) -> datetime:
    if isinstance(text, str) and len(text) <= TEXT_MAX:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is not None and at.tzinfo is None:
            return at
    raise Invalid("connect.time", "The cloud's times are not local times without an offset.")
