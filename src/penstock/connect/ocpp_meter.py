"""What a charger's meter values carry: signed records as they are, unsigned registers as samples.

OCPP 1.6, 7.28-7.38 (MeterValue, SampledValue) and the alliance's note on signed values in 1.6; OCPP 2.0.1, part 2,
2.41-2.50 (MeterValueType, SampledValueType, SignedMeterValueType).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from penstock.connect.field_text import NESTING_MAX, energy_mj_down, instant_us, power_mw_down, wh_down
from penstock.connect.ports import NO_POWER, Arrived, Samples
from penstock.errors import Invalid
from penstock.journal.nesting import deeper_than
from penstock.journal.words import Form

CHANNELS: Final = {"Energy.Active.Import.Register": 0, "Energy.Active.Export.Register": 1}
"""The registers counted, and the channel of each; import is what a value means that does not say."""
POWERS: Final = {"Power.Active.Import": 0, "Power.Active.Export": 1}

Told = Mapping[str, Any]
Row = tuple[int, int, int, int]  # channel, at_us, position_wh, power_mw


def signed_records(values: Iterable[Told]) -> list[Arrived]:
    """Every signed record in these meter values, in order; the same one twice in a message is one.

    A record in an encoding we do not read is handed on all the same: it is refused on record, not lost.
    """
    samples = [sample for value in values for sample in value.get("sampled_value", ())]
    found = [raw for raw in map(_signed, samples) if raw]
    return [Arrived(Form.OCMF, raw) for raw in dict.fromkeys(found)]


def unsigned_samples(values: Iterable[Told], device: str, source: str) -> tuple[list[Samples], list[Invalid]]:
    """The registers these meter values tell without signature, by channel, and what could not be read of them."""
    rows: list[Row] = []
    wrong: list[Invalid] = []
    for value in values:
        try:
            rows += _rows(value)
        except Invalid as error:
            wrong.append(error)
    return [_by_channel(rows, channel, device, source) for channel in sorted({row[0] for row in rows})], wrong


def register_at(at: object, position: object, device: str, source: str) -> Samples:
    """The register at the start or stop of a transaction [Wh], as OCPP 1.6 tells it.

    Raises:
        Invalid: ``connect.time``, ``connect.value``.
    """
    position_wh = wh_down(energy_mj_down(position, "Wh"))
    return Samples(source, device, 0, (instant_us(at),), (position_wh,), (NO_POWER,))


def _rows(value: Told) -> list[Row]:
    """The registers of one meter value, each with the power told beside it."""
    at_us = instant_us(value.get("timestamp"))
    whole = [sample for sample in value.get("sampled_value", ()) if _is_whole(sample)]
    powers = {POWERS[name]: _power_mw(sample) for sample in whole if (name := _measurand(sample)) in POWERS}
    rows = []
    for sample in whole:
        channel = CHANNELS.get(_measurand(sample))
        if channel is not None and sample.get("format") != "SignedData":
            position_wh = wh_down(_in_unit(energy_mj_down, sample, "Wh"))
            rows.append((channel, at_us, position_wh, powers.get(channel, NO_POWER)))
    return rows


def _by_channel(rows: Sequence[Row], channel: int, device: str, source: str) -> Samples:
    """One channel's rows, oldest first; of several at one instant the first told."""
    first: dict[int, Row] = {}
    for row in rows:
        if row[0] == channel:
            first.setdefault(row[1], row)
    ordered = sorted(first.values())
    times, positions, powers = zip(*((row[1], row[2], row[3]) for row in ordered), strict=True)
    return Samples(source, device, channel, times, positions, powers)


def _is_whole(sample: Told) -> bool:
    """Whether a value is of all phases together, at the outlet: the others are parts of it, or other meters."""
    return sample.get("phase") is None and sample.get("location") in (None, "Outlet")


def _measurand(sample: Told) -> str:
    return str(sample.get("measurand") or "Energy.Active.Import.Register")


def _power_mw(sample: Told) -> int:
    return _in_unit(power_mw_down, sample, "W")


def _in_unit(read: Callable[[object, str, int], int], sample: Told, default: str) -> int:
    """A value with its unit: a text in 1.6, a unit and a power of ten in 2.0.1."""
    unit = sample.get("unit_of_measure") or {"unit": sample.get("unit")}
    return read(sample.get("value"), str(unit.get("unit") or default), int(unit.get("multiplier") or 0))


def _signed(sample: Told) -> bytes | None:
    """The signed record in a sampled value, None where there is none."""
    signed = sample.get("signed_meter_value")
    if isinstance(signed, Mapping):
        return _record(str(signed.get("signed_meter_data", "")))
    if sample.get("format") == "SignedData":
        return _record(str(sample.get("value", "")))
    return None


def _record(text: str) -> bytes:
    """The record behind the ways it is wrapped: as it is, in base64 or hex, in the object of 2.0.1 written as text."""
    raw = text.strip().encode()
    for unwrap in (_from_object, _from_code):
        if not raw.startswith(b"OCMF|"):
            raw = unwrap(raw)
    return raw


def _from_object(raw: bytes) -> bytes:
    if not raw.startswith(b"{") or deeper_than(raw.decode(), NESTING_MAX):
        return raw
    try:
        inside = json.loads(raw)
    except ValueError:
        return raw
    data = inside.get("signedMeterData")
    return data.strip().encode() if isinstance(data, str) else raw


def _from_code(raw: bytes) -> bytes:
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            return decode(raw.decode())
        except (ValueError, binascii.Error):
            continue
    return raw
