"""Chargers of the ocpp library that connect to the central system over real websockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from field_kit import START_US, Clock, MemorySink
from ocpp.v16 import ChargePoint as ChargePointOf16
from ocpp.v16 import call_result as result16
from ocpp.v16.enums import Action as Action16
from ocpp.v201 import ChargePoint as ChargePointOf201
from ocpp.v201 import call_result as result201
from ocpp.v201.enums import Action as Action201
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from penstock.connect.ocpp_central import CentralSystem
from penstock.connect.ocpp_desk import answers
from penstock.connect.ocpp_door import Charger
from penstock.connect.ports import Command
from penstock.errors import PenstockError

PASSWORD = "b5a2c07e9f1d4c36a8e0"
RECORD = (
    'OCMF|{"FV":"1.0","GI":"GW","GS":"7","PG":"T1","MS":"M-881","RD":[{"TM":"2026-06-01T00:00:00,000+0000 S",'
    '"TX":"E","RV":12.5,"RI":"1-b:1.8.0","RU":"kWh","ST":"G"}]}|{"SD":"3045"}'
)
SOON = "2026-06-01T00:00:00Z"
COMMAND = Command("c-1", "charger-1", "shed", 3_680, START_US, START_US + 900_000_000, START_US + 60_000_000, bytes(64))


def charger(identity: str = "CP-1", signs: bool = True, **devices: str) -> Charger:
    """A charger with the kit's password, and one device unless others are named (``c1="..."``)."""
    places = {int(name[1:]): device for name, device in devices.items()} or {1: "charger-1"}
    return Charger(identity, hashlib.sha256(PASSWORD.encode()).digest(), places, signs)


class Wrong(list[tuple[str, str]]):
    """What the central system heard that was wrong: identity and code."""

    def tell(self, identity: str, error: PenstockError) -> None:
        self.append((identity, error.code))


def central(sink: MemorySink, *chargers: Charger, **given: Any) -> CentralSystem:
    return CentralSystem(chargers or (charger(),), sink, Clock(), **given)


class Limited:
    """What a charger does when its power is limited: keeps the profile, and answers as the test says."""

    profiles: list[Any]
    says = "Accepted"
    in_force_w: float | None = None


class Charger16(ChargePointOf16, Limited):  # type: ignore[misc]
    @answers(Action16.set_charging_profile)
    def on_set(self, **told: Any) -> Any:
        self.profiles.append(told)
        return result16.SetChargingProfile(self.says)

    @answers(Action16.get_composite_schedule)
    def on_get(self, connector_id: int, **_: Any) -> Any:
        if self.in_force_w is None:
            return result16.GetCompositeSchedule("Rejected")
        periods = [{"start_period": 0, "limit": self.in_force_w}]
        schedule = {"charging_rate_unit": "W", "charging_schedule_period": periods}
        return result16.GetCompositeSchedule("Accepted", connector_id, SOON, schedule)


class Charger201(ChargePointOf201, Limited):  # type: ignore[misc]
    @answers(Action201.set_charging_profile)
    def on_set(self, **told: Any) -> Any:
        self.profiles.append(told)
        return result201.SetChargingProfile(self.says)

    @answers(Action201.get_composite_schedule)
    def on_get(self, evse_id: int, **_: Any) -> Any:
        if self.in_force_w is None:
            return result201.GetCompositeSchedule("Rejected")
        schedule = {
            "charging_schedule_period": [{"start_period": 0, "limit": self.in_force_w}],
            "evse_id": evse_id,
            "duration": 60,
            "schedule_start": SOON,
            "charging_rate_unit": "W",
        }
        return result201.GetCompositeSchedule("Accepted", schedule=schedule)


def basic(identity: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode()}


@asynccontextmanager
async def websocket(
    port: int,
    identity: str = "CP-1",
    version: str = "ocpp1.6",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ClientConnection]:
    """An open websocket to the central system."""
    url = f"{'wss' if tls else 'ws'}://localhost:{port}/ocpp/{identity}"
    given = basic(identity) if headers is None else headers
    offered = [Subprotocol(version)]
    async with connect(url, subprotocols=offered, additional_headers=given, ssl=tls, proxy=None) as connection:
        yield connection


@asynccontextmanager
async def plugged(port: int, identity: str = "CP-1", version: str = "ocpp1.6") -> AsyncIterator[Any]:
    """A charger of the library, connected and listening."""
    kind = Charger16 if version == "ocpp1.6" else Charger201
    async with websocket(port, identity, version) as connection:
        point = kind(identity, connection, response_timeout=10, logger=logging.Logger("charger"))
        point.profiles = []
        listening = asyncio.create_task(point.start())
        try:
            yield point
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
