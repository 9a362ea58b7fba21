"""The desk behind both versions of OCPP: takes what a charger tells, answers it only once the sink has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from ocpp.exceptions import InternalError
from ocpp.routing import on

from penstock.connect.ocpp_door import Charger
from penstock.connect.ocpp_meter import Told, signed_records, unsigned_samples
from penstock.connect.ports import Arrived, Samples, Sink
from penstock.errors import Invalid, PenstockError, Unavailable

HEARTBEAT_S: Final = 300

QUIET: Final = logging.Logger("penstock.connect.ocpp", logging.CRITICAL + 1)
"""For the library, which would log whole messages: they hold what people identify themselves with."""


_Handler = TypeVar("_Handler", bound=Callable[..., Any])


def answers(action: object) -> Callable[[_Handler], _Handler]:
    """Marks the method that answers a call; the library's own mark, with its type kept."""
    return cast(Callable[[_Handler], _Handler], on(action))


@dataclass(frozen=True, slots=True)
class Hall:
    """What all chargers' desks share: the sink, who may charge, the clock, and whom to tell what was wrong."""

    sink: Sink
    admits: Callable[[str], bool]
    now_us: Callable[[], int]
    tell: Callable[[str, PenstockError], None]


class Desk:
    """One charger's desk. ``source`` names the protocol in its samples."""

    def __init__(self, charger: Charger, hall: Hall, source: str) -> None:
        self.charger, self.hall, self.source = charger, hall, source

    async def keep_values(self, values: Sequence[Told], connector: int | None) -> None:
        """Hand a message's meter values to the sink; the good ones are kept where others cannot be read.

        Raises:
            InternalError: the sink has no room; by OCPP the charger sends its transaction's messages again.
        """
        await self.keep(signed_records(values) if self.charger.signs else self._unsigned(values, connector))

    def _unsigned(self, values: Sequence[Told], connector: int | None) -> list[Samples]:
        try:
            samples, wrong = unsigned_samples(values, self.charger.device(connector), self.source)
        except Invalid as error:
            samples, wrong = [], [error]
        for one in wrong:
            self.hall.tell(self.charger.identity, one)
        return samples

    async def keep(self, arrived: Sequence[Arrived | Samples]) -> None:
        """Hand over, and return once it is durable. Raises InternalError as `keep_values` does."""
        if not arrived:
            return
        try:
            await asyncio.to_thread(self.hall.sink.take, list(arrived))
        except Unavailable as error:
            self.hall.tell(self.charger.identity, error)
            raise InternalError(description=error.code) from None


class Pace:
    """How much one charger may still send: so many messages at once, and so many a second."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst, self._left, self._seen_s = per_s, burst, float(burst), 0.0

    def keeps(self, now_s: float) -> bool:
        """Whether a message that comes now is within it."""
        self._left = min(self._left + (now_s - self._seen_s) * self._per_s, self._burst) - 1
        self._seen_s = now_s
        return self._left >= 0


def first_limit_w(schedule: Any) -> float | None:
    """What a composite schedule allows just now [W], None where it does not say in watts."""
    try:
        periods = schedule["charging_schedule_period"]
        return float(periods[0]["limit"]) if schedule["charging_rate_unit"] == "W" else None
    except (KeyError, IndexError, TypeError, ValueError):
        return None
