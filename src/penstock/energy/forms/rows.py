"""Rows of files - a device, an instant, a position each - gathered by register into carried messages.

A row that cannot be read is a fault with its number and costs no other row its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from penstock.energy.forms.carried import CHANNEL_MAX, Carried, is_name, messages_of, origin_of
from penstock.energy.message import NO_POWER
from penstock.errors import Invalid
from penstock.journal.words import Assurance
from penstock.units import INT64_MAX

FAULTS_MAX: Final = 100
ROWS_MAX: Final = 1_000_000
FILE_BYTES_MAX: Final = 134_217_728


class Row(NamedTuple):
    """One reading of a file: [us], [Wh], [mW]."""

    device: str
    channel: int
    at_us: int
    position_wh: int
    power_mw: int = NO_POWER


class Fault(NamedTuple):
    """Why a row was not taken: its number, from 1, and a word."""

    row: int
    code: str


def check_size(raw: bytes) -> None:
    """Raises Invalid ``file.too_long``."""
    if len(raw) > FILE_BYTES_MAX:
        raise Invalid("file.too_long", "The file has more than 128 MiB.", hint="Split it.")


class FileRead(NamedTuple):
    """What a file holds: carried messages, how many rows were not taken, and the first of those."""

    messages: list[bytes]
    refused: int
    faults: tuple[Fault, ...]


def gathered(source: str, raw: bytes, assurance: Assurance, rows: Iterable[Row | Fault]) -> FileRead:
    """Messages of the rows, a register at a time in order of time; an instant said twice keeps its first row.

    Raises:
        Invalid: ``file.too_many_rows``.
    """
    by_register: dict[tuple[str, int], dict[int, tuple[Row, int]]] = {}
    faults: list[Fault] = []
    refused = 0
    for number, row in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise Invalid("file.too_many_rows", "The file has more than 1,000,000 rows.", hint="Split it.")
        fault = row if isinstance(row, Fault) else _taken(row, number, by_register)
        if fault is not None:
            refused += 1
            faults += [fault] if len(faults) < FAULTS_MAX else []
    messages = []
    for (device, channel), instants in sorted(by_register.items()):
        messages += _messages(source, origin_of(raw), assurance, device, channel, instants)
    return FileRead(messages, refused, tuple(faults))


def _taken(row: Row, number: int, by_register: dict[tuple[str, int], dict[int, tuple[Row, int]]]) -> Fault | None:
    if not is_name(row.device) or not 0 <= row.channel <= CHANNEL_MAX:
        return Fault(number, "device")
    if not (0 <= row.at_us <= INT64_MAX and 0 <= row.position_wh <= INT64_MAX and row.power_mw <= INT64_MAX):
        return Fault(number, "bounds")
    instants = by_register.setdefault((row.device, row.channel), {})
    first, _ = instants.setdefault(row.at_us, (row, number))
    return None if first == row else Fault(number, "other_value_at_this_instant")


def _messages(
    source: str, origin: bytes, assurance: Assurance, device: str, channel: int, instants: dict[int, tuple[Row, int]]
) -> list[bytes]:
    rows = [instants[at_us][0] for at_us in sorted(instants)]
    return messages_of(
        Carried(
            source,
            device,
            channel,
            assurance,
            origin,
            at_us=tuple(row.at_us for row in rows),
            position_wh=tuple(row.position_wh for row in rows),
            power_mw=tuple(row.power_mw for row in rows),
        )
    )
