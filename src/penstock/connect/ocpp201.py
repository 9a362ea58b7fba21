"""OCPP 2.0.1: a charging station as the charging station management system meets it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.datatypes import (
    ChargingProfileType,
    ChargingSchedulePeriodType,
    ChargingScheduleType,
    IdTokenInfoType,
)
from ocpp.v201.enums import (
    Action,
    AuthorizationStatusEnumType,
    ChargingProfileKindEnumType,
    ChargingProfilePurposeEnumType,
    ChargingRateUnitEnumType,
    DataTransferStatusEnumType,
    RegistrationStatusEnumType,
)

from penstock.connect.ocpp_desk import HEARTBEAT_S, QUIET, Desk, answers, first_limit_w
from penstock.connect.ocpp_meter import Told
from penstock.connect.ocpp_profile import Limit
from penstock.connect.ports import Command
from penstock.period import iso

TRANSACTIONS_MAX: Final = 64
"""Transactions of a station whose EVSE is remembered: only the first event has to name it (part 2, E.)."""
VENDOR: Final = "org.penstock"


class ChargePoint201(ChargePoint):  # type: ignore[misc]
    """Answers a charging station's calls, and limits its EVSEs."""

    def __init__(self, desk: Desk, connection: Any, response_timeout_s: float) -> None:
        super().__init__(desk.charger.identity, connection, response_timeout_s, QUIET)
        self._desk = desk
        self._evses: OrderedDict[str, int] = OrderedDict()

    @answers(Action.boot_notification)
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        """Only enrolled chargers come this far: accepted."""
        return call_result.BootNotification(self._now(), HEARTBEAT_S, RegistrationStatusEnumType.accepted)

    @answers(Action.heartbeat)
    def on_heartbeat(self, **_: Any) -> call_result.Heartbeat:
        """The time."""
        return call_result.Heartbeat(self._now())

    @answers(Action.authorize)
    def on_authorize(self, id_token: Mapping[str, Any], **_: Any) -> call_result.Authorize:
        """Whether somebody may charge; who it is goes no further."""
        return call_result.Authorize(self._token(id_token))

    @answers(Action.transaction_event)
    async def on_transaction_event(
        self,
        transaction_info: Mapping[str, Any],
        evse: Mapping[str, Any] | None = None,
        meter_value: Sequence[Told] = (),
        id_token: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> call_result.TransactionEvent:
        """Signed records or registers, kept before they are acknowledged."""
        await self._desk.keep_values(meter_value, self._evse(str(transaction_info["transaction_id"]), evse))
        return call_result.TransactionEvent(id_token_info=self._token(id_token) if id_token else None)

    @answers(Action.meter_values)
    async def on_meter_values(self, evse_id: int, meter_value: Sequence[Told], **_: Any) -> call_result.MeterValues:
        """Values outside transactions, kept before they are acknowledged."""
        await self._desk.keep_values(meter_value, evse_id)
        return call_result.MeterValues()

    @answers(Action.status_notification)
    def on_status(self, **_: Any) -> call_result.StatusNotification:
        """Acknowledged."""
        return call_result.StatusNotification()

    @answers(Action.security_event_notification)
    def on_security_event(self, **_: Any) -> call_result.SecurityEventNotification:
        """Acknowledged."""
        return call_result.SecurityEventNotification()

    @answers(Action.notify_event)
    def on_event(self, **_: Any) -> call_result.NotifyEvent:
        """Acknowledged."""
        return call_result.NotifyEvent()

    @answers(Action.notify_report)
    def on_report(self, **_: Any) -> call_result.NotifyReport:
        """Acknowledged."""
        return call_result.NotifyReport()

    @answers(Action.firmware_status_notification)
    def on_firmware_status(self, **_: Any) -> call_result.FirmwareStatusNotification:
        """Acknowledged."""
        return call_result.FirmwareStatusNotification()

    @answers(Action.log_status_notification)
    def on_log_status(self, **_: Any) -> call_result.LogStatusNotification:
        """Acknowledged."""
        return call_result.LogStatusNotification()

    @answers(Action.data_transfer)
    def on_data_transfer(self, **_: Any) -> call_result.DataTransfer:
        """No maker's own messages are known here."""
        return call_result.DataTransfer(DataTransferStatusEnumType.unknown_vendor_id)

    async def set_limit(self, evse: int, limit: Limit, command: Command) -> str:
        """Hand a limit over, the operator's signature with it; the station's own word for what became of it."""
        period = ChargingSchedulePeriodType(start_period=0, limit=limit.power_w)
        schedule = ChargingScheduleType(
            limit.profile_id, ChargingRateUnitEnumType.watts, [period], limit.start, limit.duration_s
        )
        profile = ChargingProfileType(
            id=limit.profile_id,
            stack_level=limit.stack_level,
            charging_profile_purpose=ChargingProfilePurposeEnumType.tx_default_profile,
            charging_profile_kind=ChargingProfileKindEnumType.absolute,
            charging_schedule=[schedule],
            valid_from=limit.start,
            valid_to=limit.stop,
        )
        signed = {"vendor_id": VENDOR, "command": command.id, "signature": command.signature.hex()}
        answer = await self.call(call.SetChargingProfile(evse, profile, custom_data=signed), suppress=False)
        return str(answer.status)

    async def limit_in_force_w(self, evse: int) -> float | None:
        """What the station says it now allows on an EVSE [W], None where it does not say."""
        asked = call.GetCompositeSchedule(60, evse, ChargingRateUnitEnumType.watts)
        return first_limit_w((await self.call(asked, suppress=False)).schedule)

    def _evse(self, transaction: str, evse: Mapping[str, Any] | None) -> int | None:
        if evse is not None:
            self._evses[transaction] = int(evse["id"])
            while len(self._evses) > TRANSACTIONS_MAX:
                self._evses.popitem(last=False)
        return self._evses.get(transaction)

    def _token(self, token: Mapping[str, Any]) -> IdTokenInfoType:
        admitted = self._desk.hall.admits(str(token.get("id_token", "")))
        status = AuthorizationStatusEnumType
        return IdTokenInfoType(status.accepted if admitted else status.invalid)

    def _now(self) -> str:
        return iso(self._desk.hall.now_us())
