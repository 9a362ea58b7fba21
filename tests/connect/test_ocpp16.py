"""OCPP 1.6 with a charge point of the ocpp library on a real websocket."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from field_kit import START_US, MemorySink
from ocpp.exceptions import InternalError
from ocpp.v16 import call
from ocpp_kit import COMMAND, RECORD, SOON, Charger16, Wrong, central, charger, plugged, until, websocket

from penstock.connect.ocpp_meter import signed_records
from penstock.connect.ports import Answer, Command
from penstock.errors import Unavailable


def signed(value: str = RECORD) -> list[dict[str, Any]]:
    sample = {"value": value, "format": "SignedData", "context": "Transaction.End", "measurand": REGISTER}
    return [{"timestamp": SOON, "sampled_value": [sample, {"value": "12500", "unit": "Wh"}]}]


REGISTER = "Energy.Active.Import.Register"


def test_a_charging_session_brings_its_signed_records() -> None:
    sink = MemorySink()

    async def charge(port: int) -> Any:
        async with plugged(port) as point:
            booted = await point.call(call.BootNotification("SC-22", "Sample Works"))
            assert (booted.status, booted.current_time) == ("Accepted", SOON)
            assert (await point.call(call.Heartbeat())).current_time == SOON
            assert (await point.call(call.Authorize("04A1"))).id_tag_info == {"status": "Accepted"}
            await point.call(call.StatusNotification(1, "NoError", "Charging"))
            started = await point.call(call.StartTransaction(1, "04A1", 12_000, SOON))
            await point.call(call.MeterValues(1, signed(), started.transaction_id))
            stopping = call.StopTransaction(13_304, SOON, started.transaction_id, transaction_data=signed())
            await point.call(stopping, suppress=False)
            return started, await point.call(call.StartTransaction(1, "04A1", 12_000, SOON))

    with central(sink) as system:
        started, again = asyncio.run(charge(system.port))
    assert started.transaction_id == again.transaction_id  # a call sent again opens no second transaction
    assert sink.taken == [*sink.taken[:1]] * 2
    assert sink.signed() == [RECORD.encode()] * 2


@pytest.mark.parametrize(
    "wrapped",
    [
        RECORD,
        f"  {RECORD}\n",
        RECORD.encode().hex(),
        base64.b64encode(RECORD.encode()).decode(),
        json.dumps({"signedMeterData": base64.b64encode(RECORD.encode()).decode(), "encodingMethod": "OCMF"}),
    ],
    ids=["plain", "padded", "hex", "base64", "object"],
)
def test_a_record_is_unwrapped_to_the_bytes_that_were_signed(wrapped: str) -> None:
    sink = MemorySink()

    async def tell(port: int) -> None:
        async with plugged(port) as point:
            await point.call(call.MeterValues(1, signed(wrapped)), suppress=False)

    with central(sink) as system:
        asyncio.run(tell(system.port))
    assert sink.signed() == [RECORD.encode()]


@pytest.mark.parametrize(
    "value",
    ["", "zz", "{", '{"a":' * 100_000, '{"signedMeterData": 5}', "1" * 6_000, "OCMF", "{} " + RECORD],
    ids=range(8),
)
def test_what_is_no_record_is_handed_on_to_be_refused_on_record(value: str) -> None:
    arrived = signed_records([{"sampled_value": [{"value": value, "format": "SignedData"}]}])
    assert [bool(one.raw) for one in arrived] == [True] * bool(value)
    assert not any(one.raw.startswith(b"OCMF|") for one in arrived)


def test_an_unsigned_charger_brings_registers_by_connector_and_direction() -> None:
    sink, wrong = MemorySink(), Wrong()
    values = [
        {
            "timestamp": "2026-06-01T00:15:00Z",
            "sampled_value": [
                {"value": "12.5", "unit": "kWh", "measurand": REGISTER},
                {"value": "4", "unit": "kWh", "measurand": REGISTER, "phase": "L1"},
                {"value": "99", "unit": "kWh", "measurand": REGISTER, "location": "Inlet"},
                {"value": "7.36", "unit": "kW", "measurand": "Power.Active.Import"},
                {"value": "300", "measurand": "Energy.Active.Export.Register"},
                {"value": "230.1", "unit": "V", "measurand": "Voltage"},
            ],
        },
        {"timestamp": "2026-06-01T00:10:00Z", "sampled_value": [{"value": "12400"}]},
        {"timestamp": "2026-06-01T00:20:00Z", "sampled_value": [{"value": "NaN"}]},
        {"timestamp": "yesterday", "sampled_value": [{"value": "1"}]},
    ]

    async def tell(port: int) -> None:
        async with plugged(port) as point:
            started = await point.call(call.StartTransaction(2, "04A1", 11_000, SOON), suppress=False)
            await point.call(call.MeterValues(2, values), suppress=False)
            await point.call(call.StopTransaction(13_000, "2026-06-01T01:00:00Z", started.transaction_id))
            await point.call(call.MeterValues(9, values[1:2]), suppress=False)

    station = charger(signs=False, c1="left", c2="right")
    with central(sink, station, tell=wrong.tell) as system:
        asyncio.run(tell(system.port))
    quarter_us = 900_000_000
    assert [(s.source, s.device, s.channel, s.at_us, s.position_wh, s.power_mw) for s in sink.samples()] == [
        ("ocpp1.6", "right", 0, (START_US,), (11_000,), (-1,)),
        ("ocpp1.6", "right", 0, (START_US + 600_000_000, START_US + quarter_us), (12_400, 12_500), (-1, 7_360_000)),
        ("ocpp1.6", "right", 1, (START_US + quarter_us,), (300,), (-1,)),
        ("ocpp1.6", "right", 0, (START_US + 4 * quarter_us,), (13_000,), (-1,)),
    ]
    assert wrong == [("CP-1", "connect.value"), ("CP-1", "connect.time"), ("CP-1", "connect.connector")]


def test_nothing_is_acknowledged_that_the_sink_has_no_room_for() -> None:
    sink, wrong = MemorySink(full=True), Wrong()

    async def tell(port: int) -> None:
        async with plugged(port) as point:
            with pytest.raises(InternalError) as caught:
                await point.call(call.MeterValues(1, signed()), suppress=False)
            assert caught.value.description == "connect.full"
            sink.full = False
            await point.call(call.MeterValues(1, signed()), suppress=False)

    with central(sink, tell=wrong.tell) as system:
        asyncio.run(tell(system.port))
    assert sink.signed() == [RECORD.encode()]
    assert wrong == [("CP-1", "connect.full")]


def test_somebody_who_may_not_charge_is_told_so() -> None:
    async def ask(port: int) -> Any:
        async with plugged(port) as point:
            return (await point.call(call.Authorize("04A1"))).id_tag_info

    with central(MemorySink(), admits=lambda token: token == "other") as system:
        assert asyncio.run(ask(system.port)) == {"status": "Invalid"}


def limited(command: Command = COMMAND, **behaviour: Any) -> tuple[Answer, Charger16]:
    async def serve(system: Any) -> tuple[Answer, Charger16]:
        async with plugged(system.port) as point:
            await point.call(call.Heartbeat())
            for name, value in behaviour.items():
                setattr(point, name, value)
            return await asyncio.to_thread(system.send, command), point

    with central(MemorySink()) as system:
        return asyncio.run(serve(system))


def test_a_command_becomes_a_charging_profile() -> None:
    answer, point = limited()
    assert (answer.command, answer.state, answer.at_us) == ("c-1", "received", START_US)
    (told,) = point.profiles
    profile = told["cs_charging_profiles"]
    assert told["connector_id"] == 1
    assert (profile["stack_level"], profile["charging_profile_purpose"]) == (3, "TxDefaultProfile")
    assert (profile["valid_from"], profile["valid_to"]) == (SOON, "2026-06-01T00:15:00Z")
    schedule = profile["charging_schedule"]
    assert (schedule["charging_rate_unit"], schedule["duration"], schedule["start_schedule"]) == ("W", 900, SOON)
    assert schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 3_680}]


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [
        ({"in_force_w": 3_680.0}, "done"),
        ({"in_force_w": 11_000.0}, "received"),
        ({"says": "Rejected"}, "refused"),
        ({"says": "NotSupported"}, "refused"),
    ],
    ids=str,
)
def test_the_chargers_own_word_is_the_answer(behaviour: dict[str, Any], state: str) -> None:
    assert limited(**behaviour)[0].state == state


@pytest.mark.parametrize(
    "answer",
    ['[4,"%s","NoSuchCode","",{}]', '[4,"%s","InternalError","",{}]', '[3,"%s",{"status":"Maybe"}]', '[3,"%s",[]]'],
)
def test_an_answer_that_is_none_has_failed(answer: str) -> None:
    async def serve(system: Any) -> Answer:
        async with websocket(system.port) as connection:
            await until(lambda: bool(system.connected()))
            sent = asyncio.create_task(asyncio.to_thread(system.send, COMMAND))
            asked = json.loads(await connection.recv())
            await connection.send(answer % asked[1])
            answered: Answer = await sent
            return answered

    with central(MemorySink()) as system:
        assert asyncio.run(serve(system)).state == "failed"


@pytest.mark.parametrize(
    "change",
    [{"expires_us": START_US}, {"verb": "explode"}, {"power_w": -1}, {"power_w": 10**8}, {"stop_us": START_US + 10}],
    ids=str,
)
def test_a_command_that_no_charger_can_do_goes_nowhere(change: dict[str, Any]) -> None:
    answer, point = limited(replace(COMMAND, **change))
    assert answer.state == "refused"
    assert answer.note
    assert point.profiles == []


def test_a_charger_that_is_away_is_unreachable() -> None:
    with central(MemorySink()) as system:
        for command in (COMMAND, replace(COMMAND, device="roof-9")):
            with pytest.raises(Unavailable) as caught:
                system.send(command)
            assert caught.value.code == "connect.unreachable"
