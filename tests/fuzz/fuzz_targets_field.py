"""Targets among the connectors: what field protocols, clouds, brokers and chargers send."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

import cbor2
import fuzz_kit as kit
from fuzz_kit import Target, must
from ocpp.v16 import ChargePoint as _Known  # the library itself is loaded before it is measured  # noqa: F401

from penstock.connect import vendor_dialect
from penstock.connect.command import read_answer, read_command, signed_by, write_answer, write_command
from penstock.connect.envelope import as_sent, open_envelope, seal_envelope
from penstock.connect.mqtt_link import Broker
from penstock.connect.ocpp16 import ChargePoint16
from penstock.connect.ocpp201 import ChargePoint201
from penstock.connect.ocpp_central import CentralSystem
from penstock.connect.ocpp_desk import Desk, Hall
from penstock.connect.ocpp_door import Charger
from penstock.connect.ports import Answer, Arrived, Command, Samples
from penstock.connect.prometheus import Target as Rack
from penstock.connect.prometheus import read
from penstock.connect.sequence import CborItems, Lines
from penstock.connect.sunspec import MARKER, Bus, find_models, read_block
from penstock.connect.sunspec_models import MODELS, number
from penstock.connect.vendor_history import digest_of, in_order, positions_mj, read_rows
from penstock.connect.vendor_session import read_json
from penstock.errors import Invalid, PenstockError, Unavailable
from penstock.journal.words import Form
from penstock.keys import SigningKey

METRIC = "kepler_node_cpu_joules_total"


def envelope(raw: bytes) -> bool:
    as_sent(raw)  # never refuses
    try:
        arrived = open_envelope(raw)
    except Invalid as error:
        must(error.code in ("connect.unknown_form", "connect.message_too_long"), error.code)
        return False
    must(open_envelope(seal_envelope(arrived)) == arrived, "an envelope holds what was put in")
    return True


def sequence(raw: bytes) -> bool:
    """However a stream is cut, the same messages come out, and nothing is left out between them."""
    if not raw:
        return False
    cut, stream = raw[0], raw[1:]
    for make in (CborItems, Lines):
        whole, ended = _cut(make, [stream])
        parts = [stream[at : at + cut + 1] for at in range(0, len(stream), cut + 1)]
        must(_cut(make, parts) == (whole, ended), "cuts change nothing")
        if make is CborItems:
            must(stream.startswith(b"".join(whole)), "messages stand one after another")
            must(ended or b"".join(whole) == stream, "nothing is left out")
    return bool(whole)


def _cut(make: type[CborItems] | type[Lines], parts: list[bytes]) -> tuple[list[bytes], str]:
    splitter, items = make(), []
    try:
        for part in parts:
            items += splitter.feed(part)
        while more := splitter.feed(b""):
            items += more
        items += splitter.finish()
    except Invalid as error:
        return items, error.code
    return items, ""


def sequences() -> list[bytes]:
    return [b"\x07" + b"".join(kit.packets()), b"\x03OCMF|{}|{}\r\n\r\nOCMF|a", b"\x00" + cbor2.dumps([3, b"OCMF|"])]


def command(raw: bytes) -> bool:
    try:
        found = read_command(raw)
    except Invalid as error:
        must(error.code == "command.malformed", error.code)
        return False
    must(write_command(found) == raw, "a command has one form")
    return True


def commands() -> list[bytes]:
    asked = Command("c-1", "roof", "shed", 500, kit.NOON_US, kit.NOON_US + 1, kit.NOON_US, b"")
    return [write_command(signed_by(SigningKey(bytes(32)), asked))]


def answer(raw: bytes) -> bool:
    try:
        found = read_answer(raw)
    except Invalid as error:
        must(error.code == "command.answer_malformed", error.code)
        return False
    must(read_answer(write_answer(found)) == found, "an answer survives its bytes")
    must(found.note.isprintable() and -(2**63) <= found.at_us < 2**63, "an answer fits")
    return True


def topic(raw: bytes) -> bool:
    broker = Broker("h", 1883)
    kind, name = broker.read_topic(raw.decode("utf-8", "replace"))
    must(not name or broker.read_topic(broker.topic(kind, name))[1] == name, "a topic names its device")
    return bool(name)


def prometheus(raw: bytes) -> bool:
    try:
        standings, power_mw = read(raw.decode("utf-8", "replace"), Rack("http://r", "rack", METRIC), {})
    except Invalid as error:
        must(error.code in ("connect.malformed", "connect.value", "connect.series", "connect.unit"), error.code)
        return False
    must(all(one.position_mj >= 0 for one in standings.values()) and power_mw >= -1, "a counter counts up")
    return True


shipped = functools.cache(vendor_dialect.shipped)


def vendor(name: str, raw: bytes) -> bool:
    dialect = shipped(name)
    try:
        good, wrong = read_rows(read_json(raw), dialect, ZoneInfo("Europe/Berlin"))
        ordered = in_order(good)
    except Invalid as error:
        must(error.code in ("connect.malformed", "connect.rows"), error.code)
        return False
    must(all(before.at_us < after.at_us for before, after in pairwise(ordered)), "rows are in order")
    must(len(positions_mj(ordered, 5, dialect)) == len(ordered) and digest_of(ordered), "a position a row")
    must(all(isinstance(one, Invalid) for one in wrong), "what is wrong has a code")
    return bool(ordered)


def intervals() -> list[bytes]:
    rows = [{"end_at": 1_767_268_800 + 900 * n, "wh_del": 250 * n, "powr": 1_000} for n in range(3)]
    return [json.dumps({"intervals": [*rows, {"end_at": "x", "wh_del": "1e400"}], "next": ""}).encode()]


def lifetimes() -> list[bytes]:
    rows = [{"time": f"2026-10-25T0{n}:30:00", "total": 17.25 + n} for n in range(1, 4)]
    return [json.dumps({"data": {"readings": rows, "pages": 1}}).encode()]


def dialect(raw: bytes) -> bool:
    try:
        vendor_dialect.parse("x", raw.decode("utf-8", "replace"))
    except Invalid as error:
        must(error.code == "connect.dialect_malformed", error.code)
        return False
    return True


def dialects() -> list[bytes]:
    folder = files("penstock.connect").joinpath("dialects")
    return [folder.joinpath(f"{name}.toml").read_bytes() for name in vendor_dialect.dialects()]


@dataclass
class _Registers:
    """A unit that answers with fuzzed registers from 40,000 on."""

    raw: bytes
    asked: int = 0

    def read(self, address: int, count: int) -> list[int]:
        self.asked += 1
        start = 2 * (address - 40_000)
        part = self.raw[start : start + 2 * count] if start >= 0 else b""
        if len(part) != 2 * count:
            raise Unavailable("connect.unreachable", "No such registers.")
        return [int.from_bytes(part[at : at + 2], "big") for at in range(0, len(part), 2)]


def sunspec(raw: bytes) -> bool:
    unit = _Registers(raw)
    bus, found = cast(Bus, unit), 0
    try:
        for block in find_models(bus):
            if block.model in MODELS:
                found += _points(*read_block(bus, block))
    except PenstockError as error:
        must(error.code in ("connect.sunspec", "connect.unreachable"), error.code)
    must(unit.asked < 200, "a visit ends")
    return found > 0


def _points(layout: Any, registers: list[int]) -> int:
    from penstock.connect.field_text import energy_mj_down

    found = 0
    for name, point in layout.items():
        if point.kind in ("string32", "sunssf"):
            continue
        value = number(layout, registers, name)
        try:
            found += value is not None and energy_mj_down(value[0], "Wh", value[1]) >= 0
        except Invalid as error:
            must(error.code == "connect.value", error.code)
    return found


def units() -> list[bytes]:
    common = [1, 66, *[0x4142] * 66]
    inverter = [103, 50, *[7] * 22, 0, 9_000, 0, *[3] * 25]
    meter = [203, 105, *[9] * 105]
    return [
        b"".join(word.to_bytes(2, "big") for word in [*MARKER, *common, *part, 0xFFFF, 0]) for part in (inverter, meter)
    ]


@dataclass
class _Wire:
    """A connection that keeps what it was given to send, and a sink that keeps all."""

    sent: list[str] = field(default_factory=list)
    taken: list[Arrived | Samples] = field(default_factory=list)

    async def send(self, message: str) -> None:
        self.sent.append(message)

    def take(self, arrived: Any) -> None:
        self.taken.extend(arrived)


class _Charger:
    """A charger of one version, with signed meters or without, at the central system's desk."""

    def __init__(self, version: Callable[..., Any]) -> None:
        self._loop, self._version = asyncio.new_event_loop(), version

    def __call__(self, raw: bytes) -> bool:
        if not raw:
            return False
        wire = _Wire()
        hall = Hall(wire, lambda _tag: True, lambda: kit.NOON_US, lambda _who, _error: None)
        desk = Desk(Charger("CP-1", bytes(32), {1: "charger-1"}, signs=raw[0] % 2 == 0), hall, "ocpp")
        session = self._version(desk, wire, 1)
        routed = self._loop.run_until_complete(CentralSystem._route(session, raw[1:].decode("utf-8", "replace")))
        for one in wire.taken:
            must(one.raw if isinstance(one, Arrived) else _whole(one), "only what can be judged is kept")
        must(not any('"InternalError"' in message[:200] for message in wire.sent), f"a handler failed: {wire.sent}")
        return bool(routed)


def _whole(samples: Samples) -> bool:
    columns = (samples.at_us, samples.position_wh, samples.power_mw)
    return bool(samples.at_us) and len({*map(len, columns)}) == 1 and min(samples.position_wh) >= 0


def charger(version: Callable[..., Any], raw: bytes) -> bool:
    return _charger(version)(raw)


@functools.cache
def _charger(version: Callable[..., Any]) -> _Charger:
    return _Charger(version)


def calls16() -> list[bytes]:
    record = kit.ocmf_records()[0].decode()
    at = "2026-01-01T12:00:00Z"
    signed = {"value": record, "format": "SignedData"}
    plain = {"value": "12.5", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}
    power = {"value": "3600", "unit": "W", "measurand": "Power.Active.Import"}
    values = {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": [signed, plain, power]}]}
    start = {"connectorId": 1, "idTag": "t", "meterStart": 5, "timestamp": at}
    stop = {"meterStop": 9, "timestamp": at, "transactionId": 33, "transactionData": values["meterValue"]}
    told = (("MeterValues", values), ("StartTransaction", start), ("StopTransaction", stop))
    return [kind + json.dumps([2, "1", name, said]).encode() for name, said in told for kind in (b"\x00", b"\x01")]


def calls201() -> list[bytes]:
    record = kit.ocmf_records()[0].decode()
    at = "2026-01-01T12:00:00Z"
    signed = {"signedMeterData": record, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    unit = {"unit": "Wh", "multiplier": 3}
    sampled = [{"value": 12.5, "signedMeterValue": signed}, {"value": 12.5, "unitOfMeasure": unit}]
    values = [{"timestamp": at, "sampledValue": sampled}]
    event = {
        "eventType": "Updated",
        "timestamp": at,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "t"},
        "evse": {"id": 1},
        "meterValue": values,
    }
    told = (("TransactionEvent", event), ("MeterValues", {"evseId": 1, "meterValue": values}))
    return [kind + json.dumps([2, "1", name, said]).encode() for name, said in told for kind in (b"\x00", b"\x01")]


def pairs() -> list[bytes]:
    return [
        *kit.packets()[:3],
        *kit.ocmf_records(),
        *(seal_envelope(Arrived(Form.CARRIED, one)) for one in kit.carried_messages()),
    ]


FIELD: dict[str, Target] = {
    "envelope": Target(pairs, envelope),
    "sequence": Target(sequences, sequence, share=0.25),
    "command": Target(commands, command),
    "answer": Target(lambda: [write_answer(Answer("c-1", "done", kit.NOON_US, "so"))], answer),
    "topic": Target(lambda: [b"penstock/readings/roof%2F1", b"penstock/answers/x"], topic),
    "prometheus": Target(
        lambda: [
            f'# TYPE {METRIC} counter\n{METRIC}{{zone="a",path="b\\"c"}} 1.5e3 1767268800000\n{METRIC} 7\n'.encode()
        ],
        prometheus,
    ),
    "vendor_intervals": Target(intervals, functools.partial(vendor, "intervals"), share=0.5),
    "vendor_lifetime": Target(lifetimes, functools.partial(vendor, "lifetime"), share=0.5),
    "vendor_dialect": Target(dialects, dialect),
    "sunspec": Target(units, sunspec),
    "ocpp16": Target(calls16, functools.partial(charger, ChargePoint16), share=0.25),
    "ocpp201": Target(calls201, functools.partial(charger, ChargePoint201), share=0.25),
}
