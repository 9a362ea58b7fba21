"""OCPP 2.0.1 with a charging station of the ocpp library on a real websocket."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from field_kit import START_US, MemorySink
from ocpp.exceptions import InternalError
from ocpp.v201 import call
from ocpp_kit import COMMAND, RECORD, SOON, Charger201, Wrong, central, charger, plugged

from penstock.connect.ports import Answer

V = "ocpp2.0.1"
TOKEN = {"id_token": "04A1", "type": "ISO14443"}


def signed(data: str, encoding: str = "OCMF") -> list[dict[str, Any]]:
    wrapped = {
        "signed_meter_data": base64.b64encode(data.encode()).decode(),
        "signing_method": "ECDSA-secp256r1-SHA256",
        "encoding_method": encoding,
        "public_key": "",
    }
    return [{"timestamp": SOON, "sampled_value": [{"value": 12500, "signed_meter_value": wrapped}]}]


def event(kind: str, values: list[dict[str, Any]], transaction: str = "T-1", **more: Any) -> call.TransactionEvent:
    return call.TransactionEvent(kind, SOON, "MeterValuePeriodic", 0, {"transaction_id": transaction}, values, **more)


def test_a_transactions_signed_records_are_kept_and_its_people_are_not() -> None:
    sink = MemorySink()

    async def charge(port: int) -> Any:
        async with plugged(port, version=V) as point:
            booted = await point.call(call.BootNotification({"model": "S", "vendor_name": "W"}, "PowerUp"))
            assert (booted.status, booted.current_time) == ("Accepted", SOON)
            assert (await point.call(call.Authorize(TOKEN))).id_token_info == {"status": "Accepted"}
            begun = await point.call(event("Started", signed(RECORD), evse={"id": 1}, id_token=TOKEN))
            assert begun.id_token_info == {"status": "Accepted"}
            await point.call(event("Ended", signed(RECORD + " ") + signed("EDL|x", "EDL")), suppress=False)
            await point.call(call.StatusNotification(SOON, "Occupied", 1, 1), suppress=False)

    with central(sink) as system:
        asyncio.run(charge(system.port))
    assert sink.signed() == [RECORD.encode(), RECORD.encode() + b" ", b"EDL|x"]
    assert sink.samples() == []
    assert b"04A1" not in b"".join(sink.signed())


def test_unsigned_registers_take_their_multiplier_and_their_evse() -> None:
    sink, wrong = MemorySink(), Wrong()

    def values(value: float, **unit: Any) -> list[dict[str, Any]]:
        return [{"timestamp": SOON, "sampled_value": [{"value": value, **({"unit_of_measure": unit} if unit else {})}]}]

    async def charge(port: int) -> None:
        async with plugged(port, version=V) as point:
            await point.call(event("Started", values(11_000), evse={"id": 2}), suppress=False)
            await point.call(event("Updated", values(11.25, unit="kWh")), suppress=False)  # EVSE known from before
            await point.call(event("Updated", values(115, unit="Wh", multiplier=2)), suppress=False)
            await point.call(event("Updated", values(1), transaction="T-unheard"), suppress=False)
            await point.call(event("Updated", values(-5)), suppress=False)
            await point.call(call.MeterValues(1, values(70)), suppress=False)

    station = charger(signs=False, c1="left", c2="right")
    with central(sink, station, tell=wrong.tell) as system:
        asyncio.run(charge(system.port))
    assert [(s.source, s.device, s.at_us, s.position_wh) for s in sink.samples()] == [
        (V, "right", (START_US,), (11_000,)),
        (V, "right", (START_US,), (11_250,)),
        (V, "right", (START_US,), (11_500,)),
        (V, "left", (START_US,), (70,)),
    ]
    assert wrong == [("CP-1", "connect.connector"), ("CP-1", "connect.value")]


def test_nothing_is_acknowledged_that_the_sink_has_no_room_for() -> None:
    async def tell(port: int) -> None:
        async with plugged(port, version=V) as point:
            with pytest.raises(InternalError):
                await point.call(event("Updated", signed(RECORD)), suppress=False)

    with central(MemorySink(full=True)) as system:
        asyncio.run(tell(system.port))


@pytest.mark.parametrize(
    ("says", "in_force_w", "state"),
    [("Accepted", None, "received"), ("Accepted", 3_680.0, "done"), ("Rejected", None, "refused")],
)
def test_a_command_becomes_a_charging_profile_with_its_signature(says: str, in_force_w: float, state: str) -> None:
    async def serve(system: Any) -> tuple[Answer, Charger201]:
        async with plugged(system.port, version=V) as point:
            await point.call(call.Heartbeat())
            point.says, point.in_force_w = says, in_force_w
            return await asyncio.to_thread(system.send, COMMAND), point

    with central(MemorySink()) as system:
        answer, point = asyncio.run(serve(system))
    (told,) = point.profiles
    (schedule,) = told["charging_profile"]["charging_schedule"]
    assert answer.state == state
    assert told["evse_id"] == 1
    assert (schedule["charging_rate_unit"], schedule["duration"]) == ("W", 900)
    assert schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 3_680}]
    assert told["custom_data"] == {"vendor_id": "org.penstock", "command": "c-1", "signature": "00" * 64}
