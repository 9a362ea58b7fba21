"""Commands as charging profiles: a limit on one connector's power, from a start to an end, by the charger's own clock.

OCPP 1.6, 5.16 (SetChargingProfile) and 3.13 (smart charging); OCPP 2.0.1, part 2, K. Of several limits in force the
highest stack level holds: to shed overrules to charge, which overrules a set point.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from penstock.connect.ports import Command
from penstock.period import iso

STACK_LEVELS: Final = {"set_point": 1, "charge": 2, "shed": 3}
_US: Final = 1_000_000
LIMIT_MAX_W: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A charging profile's figures: whole seconds inside the command's time."""

    profile_id: int
    stack_level: int
    power_w: int
    start: str
    stop: str
    duration_s: int


def limit_of(command: Command) -> Limit:
    """The profile for a command, the same each time it is sent."""
    start_s, stop_s = -(-command.start_us // _US), command.stop_us // _US
    return Limit(
        profile_id=int.from_bytes(hashlib.sha256(command.id.encode()).digest()[:4], "big") >> 1,
        stack_level=STACK_LEVELS[command.verb],
        power_w=command.power_w,
        start=iso(start_s * _US),
        stop=iso(stop_s * _US),
        duration_s=stop_s - start_s,
    )


def refusal(command: Command, now_us: int) -> str:
    """Why no charger can do this, empty where it can."""
    if now_us >= min(command.expires_us, command.stop_us):
        return "The command has expired."
    if command.verb not in STACK_LEVELS:
        return "A charger knows no such command."
    if not 0 <= command.power_w <= LIMIT_MAX_W:
        return f"A limit lies between 0 and {LIMIT_MAX_W:,} W."
    return "" if command.stop_us // _US > -(-command.start_us // _US) else "It lasts less than a second."
