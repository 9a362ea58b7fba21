"""CSV files of meter readings (RFC 4180, UTF-8, a header line): each row one device, instant and position.

Columns: ``device``; ``at`` (ISO 8601 with zone) or ``at_us``; ``position_wh`` or ``position_kwh``, the register's
count; and where there is more to say ``channel``, ``power_w`` or ``power_mw``. Others are left aside.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from penstock.energy.forms.amount import instant_us, whole_down
from penstock.energy.forms.rows import Fault, FileRead, Row, check_size, gathered
from penstock.energy.message import NO_POWER
from penstock.errors import Invalid
from penstock.journal.words import Assurance

SOURCE: Final = "csv"
POSITIONS: Final = {"position_wh": 0, "position_kwh": 3}
POWERS: Final = {"power_mw": 0, "power_w": 3}
"""Power of ten that makes [Wh] and [mW] of a column."""


def read_csv(raw: bytes, assurance: Assurance = Assurance.DECLARED, source: str = SOURCE) -> FileRead:
    """Carried messages of a CSV file.

    Raises:
        Invalid: ``csv.malformed`` where the bytes are not such a file, ``file.too_long``, ``file.too_many_rows``.
    """
    check_size(raw)
    try:
        lines = raw.decode("utf-8-sig").split("\n")
        reader = csv.reader(line + "\n" for line in lines)
        header = [name.strip().lower() for name in next(reader)]
    except (UnicodeDecodeError, csv.Error, StopIteration):
        raise Invalid("csv.malformed", "This is not a CSV file in UTF-8.") from None
    check_columns(header)
    return gathered(source, raw, assurance, _rows(reader, header))


def check_columns(names: list[str]) -> None:
    """That a file has a column of each kind, each once; raises Invalid ``csv.malformed``."""
    for choice in (("device",), ("at", "at_us"), tuple(POSITIONS)):
        if sum(names.count(name) for name in choice) != 1:
            raise Invalid("csv.malformed", f"The file needs one column named {' or '.join(choice)}.")
    if any(names.count(name) > 1 for name in ("channel", *POWERS)) or all(name in names for name in POWERS):
        raise Invalid("csv.malformed", "The file has a column twice.")


def _rows(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row | Fault]:
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Fault(number, "quotes")
            continue
        if cells:
            yield _row(cells, header, number)
        else:
            number -= 1


def _row(cells: list[str], header: list[str], number: int) -> Row | Fault:
    if len(cells) != len(header):
        return Fault(number, "columns")
    said = dict(zip(header, cells, strict=True))
    try:
        return row_of(said)
    except (ValueError, ArithmeticError, OverflowError) as error:
        return Fault(number, "time" if isinstance(error, _TimeError) else "value")


class _TimeError(ValueError):
    """An instant that is none."""


def row_of(said: dict[str, str]) -> Row:
    """A reading from its cells by column name; ValueError where one is malformed."""
    position = next(name for name in POSITIONS if name in said)
    power = next((name for name in POWERS if said.get(name, "").strip()), None)
    return Row(
        device=said["device"].strip(),
        channel=whole_down(said.get("channel", "").strip() or "0", 0),
        at_us=_instant(said),
        position_wh=whole_down(said[position], POSITIONS[position]),
        power_mw=whole_down(said[power], POWERS[power]) if power else NO_POWER,
    )


def _instant(said: dict[str, str]) -> int:
    try:
        if "at_us" in said:
            return whole_down(said["at_us"], 0)
        return instant_us(datetime.fromisoformat(said["at"].strip()))
    except (ValueError, OverflowError):
        raise _TimeError("not an instant") from None
