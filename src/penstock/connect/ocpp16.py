"""OCPP 1.6: a charge point as the central system meets it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.datatypes import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod, IdTagInfo
from ocpp.v16.enums import (
    Action,
    AuthorizationStatus,
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingRateUnitType,
    DataTransferStatus,
    RegistrationStatus,
)

from penstock.connect.ocpp_desk import HEARTBEAT_S, QUIET, Desk, answers, first_limit_w
from penstock.connect.ocpp_meter import Told, register_at
from penstock.connect.ocpp_profile import Limit
from penstock.connect.ports import Command
from penstock.errors import Invalid
from penstock.period import iso

_CONNECTOR_BITS: Final = 5


class ChargePoint16(ChargePoint):  # type: ignore[misc]
    """Answers a charge point's calls, and limits its connectors."""

    def __init__(self, desk: Desk, connection: Any, response_timeout_s: float) -> None:
        super().__init__(desk.charger.identity, connection, response_timeout_s, QUIET)
        self._desk = desk

    @answers(Action.boot_notification)
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        """Only enrolled chargers come this far: accepted."""
        return call_result.BootNotification(self._now(), HEARTBEAT_S, RegistrationStatus.accepted)

    @answers(Action.heartbeat)
    def on_heartbeat(self) -> call_result.Heartbeat:
        """The time."""
        return call_result.Heartbeat(self._now())

    @answers(Action.authorize)
    def on_authorize(self, id_tag: str) -> call_result.Authorize:
        """Whether somebody may charge; who it is goes no further."""
        return call_result.Authorize(self._tag(id_tag))

    @answers(Action.start_transaction)
    async def on_start(
        self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **_: Any
    ) -> call_result.StartTransaction:
        """Where the register stood; the number follows from what was said, so a call sent again gets the same."""
        await self._keep_register(timestamp, meter_start, connector_id)
        number = transaction_number(self.id, connector_id, timestamp, meter_start)
        return call_result.StartTransaction(number, self._tag(id_tag))

    @answers(Action.meter_values)
    async def on_meter_values(
        self, connector_id: int, meter_value: Sequence[Told], **_: Any
    ) -> call_result.MeterValues:
        """Signed records or registers, kept before they are acknowledged."""
        await self._desk.keep_values(meter_value, connector_id)
        return call_result.MeterValues()

    @answers(Action.stop_transaction)
    async def on_stop(
        self,
        meter_stop: int,
        timestamp: str,
        transaction_id: int,
        transaction_data: Sequence[Told] = (),
        **_: Any,
    ) -> call_result.StopTransaction:
        """The transaction's values, and where the register stood at its end."""
        connector = connector_of(transaction_id)
        await self._desk.keep_values(transaction_data, connector)
        await self._keep_register(timestamp, meter_stop, connector)
        return call_result.StopTransaction()

    @answers(Action.status_notification)
    def on_status(self, **_: Any) -> call_result.StatusNotification:
        """Acknowledged."""
        return call_result.StatusNotification()

    @answers(Action.data_transfer)
    def on_data_transfer(self, **_: Any) -> call_result.DataTransfer:
        """No maker's own messages are known here."""
        return call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)

    @answers(Action.firmware_status_notification)
    def on_firmware_status(self, **_: Any) -> call_result.FirmwareStatusNotification:
        """Acknowledged."""
        return call_result.FirmwareStatusNotification()

    @answers(Action.diagnostics_status_notification)
    def on_diagnostics_status(self, **_: Any) -> call_result.DiagnosticsStatusNotification:
        """Acknowledged."""
        return call_result.DiagnosticsStatusNotification()

    async def set_limit(self, connector: int, limit: Limit, _: Command) -> str:
        """Hand a limit over; the charger's own word for what became of it."""
        period = ChargingSchedulePeriod(start_period=0, limit=limit.power_w)
        schedule = ChargingSchedule(ChargingRateUnitType.watts, [period], limit.duration_s, limit.start)
        profile = ChargingProfile(
            charging_profile_id=limit.profile_id,
            stack_level=limit.stack_level,
            charging_profile_purpose=ChargingProfilePurposeType.tx_default_profile,
            charging_profile_kind=ChargingProfileKindType.absolute,
            charging_schedule=schedule,
            valid_from=limit.start,
            valid_to=limit.stop,
        )
        answer = await self.call(call.SetChargingProfile(connector, profile), suppress=False)
        return str(answer.status)

    async def limit_in_force_w(self, connector: int) -> float | None:
        """What the charger says it now allows on a connector [W], None where it does not say."""
        asked = call.GetCompositeSchedule(connector, 60, ChargingRateUnitType.watts)
        return first_limit_w((await self.call(asked, suppress=False)).charging_schedule)

    def _tag(self, id_tag: str) -> IdTagInfo:
        admitted = self._desk.hall.admits(id_tag)
        return IdTagInfo(AuthorizationStatus.accepted if admitted else AuthorizationStatus.invalid)

    async def _keep_register(self, timestamp: str, position: int, connector: int) -> None:
        if self._desk.charger.signs:
            return
        try:
            device = self._desk.charger.device(connector)
            samples = register_at(timestamp, position, device, self._desk.source)
        except Invalid as error:
            self._desk.hall.tell(self.id, error)
            return
        await self._desk.keep([samples])

    def _now(self) -> str:
        return iso(self._desk.hall.now_us())


def transaction_number(identity: str, connector: int, timestamp: str, meter_start: int) -> int:
    """A number for a transaction that names its connector, as StopTransaction does not."""
    told = f"{identity}\0{connector}\0{timestamp}\0{meter_start}".encode()
    digest = int.from_bytes(hashlib.sha256(told).digest()[:4], "big") >> 1
    return digest >> _CONNECTOR_BITS << _CONNECTOR_BITS | min(connector, 2**_CONNECTOR_BITS - 1)


def connector_of(transaction: int) -> int:
    """The connector that a transaction's number names."""
    return transaction & (2**_CONNECTOR_BITS - 1)
