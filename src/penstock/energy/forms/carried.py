"""Carried messages: readings of a source that signs nothing - files, vendors' clouds - in one canonical CBOR form.

An array: source (protocol or dialect, and where from), device, its register, assurance level (``vendor_attested`` or
``declared``), sha256 of the bytes they were read from, the readings' instants [us], ascending, positions [Wh] and,
only where some are known, power [mW] (-1 where not said). One encoding, so that the same readings from the same
source are the same message. There is no signature: who let it in answers for it.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace
from typing import Any, Final

import cbor2

from penstock.energy.forms.cbor import read
from penstock.energy.message import NO_POWER, NO_SEQUENCE, Clock, MeterState, Said
from penstock.errors import Invalid
from penstock.journal.words import Assurance
from penstock.keys import Scheme
from penstock.units import INT64_MAX

READINGS_MAX: Final = 4_096
MESSAGE_BYTES_MAX: Final = 131_072
NAME_BYTES_MAX: Final = 256
CHANNEL_MAX: Final = 255
LEVELS: Final = (Assurance.VENDOR_ATTESTED, Assurance.DECLARED)
_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Carried:
    """What a source said of one register of a device, oldest first; ``power_mw`` is empty where nothing is known."""

    source: str
    device: str
    channel: int
    assurance: Assurance
    origin: bytes
    at_us: tuple[int, ...]
    position_wh: tuple[int, ...]
    power_mw: tuple[int, ...] = ()


def origin_of(raw: bytes) -> bytes:
    """What a message names as its origin: sha256 of the file or answer that it was read from."""
    return hashlib.sha256(raw).digest()


def messages_of(carried: Carried) -> list[bytes]:
    """Messages of at most `READINGS_MAX` readings each, in order of time.

    Raises:
        Invalid: ``carried.malformed`` where the readings are none that such a message can hold.
    """
    parts = [
        replace(
            carried,
            at_us=carried.at_us[start : start + READINGS_MAX],
            position_wh=carried.position_wh[start : start + READINGS_MAX],
            power_mw=carried.power_mw[start : start + READINGS_MAX],
        )
        for start in range(0, len(carried.at_us), READINGS_MAX)
    ]
    raws = [write(part) for part in parts]
    for raw in raws:
        parse(raw)
    return raws


def write(carried: Carried) -> bytes:
    """The message's bytes; a column of power that says nothing is left out."""
    fields: list[Any] = [
        carried.source,
        carried.device,
        carried.channel,
        carried.assurance.value,
        carried.origin,
        list(carried.at_us),
        list(carried.position_wh),
    ]
    if set(carried.power_mw) - {NO_POWER}:
        fields.append(list(carried.power_mw))
    return cbor2.dumps(fields, canonical=True)


def parse(raw: bytes) -> Said:
    """Read a message without believing it.

    Raises:
        Invalid: ``carried.malformed`` for anything but such a message in its one encoding.
    """
    try:
        return _said(_carried(raw))
    except (ValueError, TypeError):
        raise Invalid("carried.malformed", "This is not a message of carried readings.") from None


def _carried(raw: bytes) -> Carried:
    if len(raw) > MESSAGE_BYTES_MAX:
        raise ValueError("too long")
    fields = read(raw)
    if type(fields) is not list or len(fields) not in (7, 8):
        raise ValueError("not a message")
    source, device, channel, level, origin, at_us, position_wh, *power_mw = fields
    if type(origin) is not bytes or len(origin) != _HASH_BYTES:
        raise ValueError("not a hash")
    if type(at_us) is not list or not 0 < len(at_us) <= READINGS_MAX:
        raise ValueError("no readings, or too many")
    return Carried(
        source=_name(source),
        device=_name(device),
        channel=_numbers([channel], 1, 0, CHANNEL_MAX)[0],
        assurance=_level(level),
        origin=origin,
        at_us=_ascending(_numbers(at_us, len(at_us), 0, INT64_MAX)),
        position_wh=_numbers(position_wh, len(at_us), 0, INT64_MAX),
        power_mw=_power(_numbers(power_mw[0], len(at_us), NO_POWER, INT64_MAX)) if power_mw else (),
    )


def _said(carried: Carried) -> Said:
    count = len(carried.at_us)
    return Said(
        device=carried.device,
        sequence=NO_SEQUENCE,
        previous=b"",
        channel=(carried.channel,) * count,
        at_us=carried.at_us,
        position_wh=carried.position_wh,
        power_mw=carried.power_mw or (NO_POWER,) * count,
        clock=(Clock.SYNCHRONISED,) * count,
        meter=(MeterState.GOOD,) * count,
        scheme=Scheme.NONE,
        signed=b"",
        signature=b"",
        assurance=carried.assurance,
    )


def is_name(text: Any) -> bool:
    """Whether a text can name a source or a device: printable, and of a length we take."""
    return type(text) is str and text.isprintable() and 0 < len(text.encode()) <= NAME_BYTES_MAX


def _name(text: Any) -> str:
    if not is_name(text):
        raise ValueError("not a name")
    return str(text)


def _level(text: Any) -> Assurance:
    level = Assurance(text)
    if level not in LEVELS:
        raise ValueError("nobody signed it")
    return level


def _numbers(values: Any, count: int, least: int, most: int) -> tuple[int, ...]:
    if type(values) is not list or len(values) != count:
        raise ValueError("not a column")
    if any(type(value) is not int or not least <= value <= most for value in values):
        raise ValueError("not a number in its bounds")
    return tuple(values)


def _ascending(at_us: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= at for at, later in itertools.pairwise(at_us)):
        raise ValueError("not oldest first, each instant once")
    return at_us


def _power(power_mw: tuple[int, ...]) -> tuple[int, ...]:
    if set(power_mw) == {NO_POWER}:
        raise ValueError("a column that says nothing")
    return power_mw
