"""Enrol a fleet: many devices on one site, one fact and one segment."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from penstock.errors import Conflict, Invalid, PenstockError
from penstock.journal.device_rows import start_counts, write_identities
from penstock.journal.fact import Entry
from penstock.journal.formats import DEVICES
from penstock.journal.kinds.energy import DevicesEnrolled
from penstock.journal.segment import Column, Segment
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Right, Technology
from penstock.keys import KEY_KINDS, KeyKind, is_public_key
from penstock.period import parse_iso
from penstock.units import INT64_MAX
from penstock.usecases.enrol import COARSE_DIGITS, ISSUES, check_apart, check_starts, coarsened, named
from penstock.usecases.world import World

T = TypeVar("T")
CHANNELS: Final = ("export",)
COLUMNS: Final = ("device", "technology", "public_key", "capacity_w", "commissioned")
MORE_COLUMNS: Final = (
    "key_kind",
    "assurance",
    "tilt_deg",
    "azimuth_deg",
    "rolls_over_wh",
    "start_counts_wh",
    "cell",
)
"""Of a fleet's CSV file: the first five are needed, the others may be missing or empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Devices to enrol, row by row; ``columns`` are those of ``device/1`` without ``identity``.

    ``start_counts_wh`` is what each channel of each device showed at commissioning, empty where all began at 0.
    """

    names: Sequence[str]
    public_keys: Sequence[bytes]
    cells: Sequence[str]
    columns: dict[str, Column]
    start_counts_wh: Sequence[Sequence[int]] = ()


def enrol_fleet(
    world: World,
    site: str,
    fleet: Fleet,
    channels: tuple[str, ...] = CHANNELS,
    issues: tuple[Right, ...] = ISSUES,
    *,
    new_site: bool = False,
) -> list[Entry]:
    """The one fact that takes all devices of ``fleet`` in, or nothing; ``new_site``: the site comes just before.

    Raises:
        NotFound: ``site.unknown``. Invalid: ``device.name``, ``device.channels``, ``device.key``, ``device.capacity``,
        ``device.angle``, ``device.width``, ``device.start_count``. Conflict: ``device.known``,
        ``device.enrolled_twice``, ``device.key_taken``, ``register.known``.
    """
    signed = np.flatnonzero(fleet.columns["assurance"] == ASSURANCES.index(Assurance.METER_SIGNED)).tolist()
    own_keys = [fleet.public_keys[row] for row in signed]
    check_apart(fleet.names, own_keys)
    _check_columns(fleet)
    if fleet.start_counts_wh:
        starts_wh = start_counts(fleet.start_counts_wh, len(channels))
        check_starts(starts_wh, fleet.columns["rolls_over_wh"], fleet.names)
    taken = world.energy.key_book.holders(own_keys)
    if taken.any():
        row = signed[int(np.argmax(taken))]
        raise Conflict("device.key_taken", "Another device has this key.", device=fleet.names[row])
    identity = write_identities(fleet.names, fleet.public_keys, fleet.cells, fleet.start_counts_wh)
    segment = Segment(DEVICES, fleet.columns | {"identity": identity})
    fact = DevicesEnrolled(segment.ref(), site, channels, issues)
    world.books.enrolled.check_many(fact, fleet.names, new_site=new_site)
    return [Entry(fact, segment)]


def _check_columns(fleet: Fleet) -> None:
    columns, kinds = fleet.columns, fleet.columns["key_kind"].tolist()
    keys = [is_public_key(KEY_KINDS[kind], key) for kind, key in zip(kinds, fleet.public_keys, strict=True)]
    angles = _within(columns["tilt_deg"], 90) & _within(columns["azimuth_deg"], 359)
    _refuse_first(fleet, np.array(keys, np.bool_), "device.key", "This is no public key of its kind.")
    _refuse_first(fleet, columns["capacity_w"] >= 1, "device.capacity", "A device's capacity is at least 1 W.")
    _refuse_first(fleet, angles, "device.angle", "A plane is tilted by 0 to 90 degrees and faces 0 to 359.")
    _refuse_first(fleet, columns["rolls_over_wh"] >= 0, "device.width", "A register's width is not negative.")


def _refuse_first(fleet: Fleet, good: Column, code: str, sentence: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise Invalid(code, sentence, device=fleet.names[row], row=row, bad=int((~good).sum()))


def _within(angle: Column, most: int) -> Column:
    inside: Column = (angle >= -1) & (angle <= most)
    return inside


def fleet_of_csv(text: str, digits: int = COARSE_DIGITS) -> Fleet:
    """A fleet as a CSV file lists it (RFC 4180, columns as in `COLUMNS` and `MORE_COLUMNS`; keys in hex).

    Cells are cut to ``digits`` geohash digits.

    Raises:
        Invalid: ``fleet.columns`` for another header, ``fleet.row`` with the line's number for a row that is none.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    header = _header(reader)
    if not set(COLUMNS) <= header <= {*COLUMNS, *MORE_COLUMNS}:
        raise Invalid("fleet.columns", f"The file has the columns {', '.join((*COLUMNS, *MORE_COLUMNS))}.")
    rows = [_row(reader.line_num, row, digits) for row in _lines(reader)]
    nothing: tuple[tuple[Any, ...], ...] = ((),) * (4 + len(DEVICES.fixed))
    names, keys, cells, starts, *numbers = zip(*rows, strict=True) if rows else nothing
    columns = {
        name: np.array(column, dtype=dtype) for (name, dtype), column in zip(DEVICES.fixed, numbers, strict=True)
    }
    return Fleet(names, keys, cells, columns, starts if any(starts) else ())


def _header(reader: csv.DictReader[str]) -> set[str]:
    try:
        return set(reader.fieldnames or ())
    except csv.Error as error:
        raise Invalid("fleet.row", f"Line 1: {error}.") from None


def _lines(reader: csv.DictReader[str]) -> Iterable[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise Invalid("fleet.row", f"Line {reader.line_num + 1}: {error}.") from None


def _row(line: int, row: dict[str, str], digits: int) -> tuple[Any, ...]:
    """A line's name, key, cell, start counts, and the fixed columns of ``device/1``."""
    try:
        if None in row or None in row.values():
            raise ValueError("it has another number of fields than the header")
        kind, key = _or(row.get("key_kind"), KeyKind, KeyKind.ED25519), bytes.fromhex(row["public_key"])
        return (
            named(row["device"], kind, key),
            key,
            coarsened(row.get("cell") or "", digits),
            tuple(_whole(one, INT64_MAX) for one in (row.get("start_counts_wh") or "").split()),
            TECHNOLOGIES.index(Technology(row["technology"])),
            KEY_KINDS.index(kind),
            ASSURANCES.index(_or(row.get("assurance"), Assurance, Assurance.METER_SIGNED)),
            _whole(row["capacity_w"], INT64_MAX),
            parse_iso(row["commissioned"]),
            _or(row.get("tilt_deg"), lambda text: _whole(text, 359), -1),
            _or(row.get("azimuth_deg"), lambda text: _whole(text, 359), -1),
            _or(row.get("rolls_over_wh"), lambda text: _whole(text, INT64_MAX), 0),
        )
    except (ValueError, TypeError, AttributeError, PenstockError) as error:
        raise Invalid("fleet.row", f"Line {line} does not describe a device: {error}.", line=line) from None


def _or(text: str | None, read: Callable[[str], T], otherwise: T) -> T:
    return read(text) if text else otherwise


def _whole(text: str, most: int) -> int:
    value = int(text)
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not between 0 and {most}")
    return value
