"""Down to inverters: the active-power limit of SunSpec model 123, written, timed by the device itself, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from penstock.connect.ports import Answer, Command
from penstock.connect.sunspec import Block, Bus, Station, bus_to, check_serial, find_models, read_block
from penstock.connect.sunspec_models import CONTROLS, number
from penstock.errors import Invalid, Unavailable

LASTS_MAX_S: Final = 0xFFFE
_US: Final = 1_000_000


class SunSpecOutlet:
    """Limits the power of inverters until a command's end, when the device reverts by its own clock."""

    def __init__(self, stations: Iterable[Station], now_us: Callable[[], int]) -> None:
        self._stations = {station.device: station for station in stations}
        self._now_us = now_us

    def send(self, command: Command) -> Answer:
        """Write the limit and read it back: ``done``, or ``refused`` or ``failed`` and why.

        Raises:
            Unavailable: ``connect.unreachable`` for a device that does not answer or is not ours.
        """
        if command.device not in self._stations:
            raise Unavailable("connect.unreachable", "This device is not behind SunSpec.", device=command.device)
        station = self._stations[command.device]
        why = refusal(command, self._now_us())
        if why:
            return self._answer(command, "refused", why)
        try:
            with bus_to(station) as bus:
                blocks = find_models(bus)
                check_serial(bus, blocks, station.serial)
                state, note = limit(bus, blocks, command, self._now_us())
        except Invalid as error:
            state, note = "refused", error.message
        return self._answer(command, state, note)

    def _answer(self, command: Command, state: str, note: str) -> Answer:
        return Answer(command.id, state, self._now_us(), note)


def refusal(command: Command, now_us: int) -> str:
    """Why an inverter cannot do this, empty where it can."""
    if now_us >= min(command.expires_us, command.stop_us):
        return "The command has expired."
    if command.verb != "set_point":
        return "An inverter takes set points only."
    if command.start_us > now_us:
        return "The device cannot wait; send it when it starts."
    if command.stop_us - now_us > LASTS_MAX_S * _US:
        return f"A limit lasts at most {LASTS_MAX_S:,} seconds."
    return "" if command.power_w >= 0 else "A limit is not below zero."


def limit(bus: Bus, blocks: Sequence[Block], command: Command, now_us: int) -> tuple[str, str]:
    """Write the limit [% of the device's greatest power, rounded down] in one request and read it back."""
    controls = next((block for block in blocks if block.model == 123), None)
    power_max_w = _power_max_w(bus, blocks)
    if controls is None or power_max_w < 1:
        return "refused", "The device has no control of its power."
    _, registers = read_block(bus, controls)
    scale = number(CONTROLS, registers, "limit")
    if scale is None or scale[1] > 0:
        return "refused", "The device does not say how it counts per cent."
    wanted = limit_down(command.power_w, power_max_w, scale[1])
    lasts_s = max((command.stop_us - now_us) // _US, 1)
    start = CONTROLS["limit"].offset
    written = [wanted, 0, lasts_s, registers[CONTROLS["ramp_s"].offset], 1]
    if not bus.write(controls.address + start, written):
        return "refused", "The device refused the write."
    after = bus.read(controls.address + start, len(written))
    held = (after[0], after[-1]) == (wanted, 1)
    return ("done", "") if held else ("failed", "The device does not hold what was written.")


def limit_down(power_w: int, power_max_w: int, power_of_ten: int) -> int:
    """``power_w`` as a share of ``power_max_w`` [``10 ** power_of_ten`` per cent, rounded down], at most all of it."""
    whole: int = 100 * 10**-power_of_ten
    return min(power_w * whole // power_max_w, whole)


def _power_max_w(bus: Bus, blocks: Sequence[Block]) -> int:
    """The power that 100 % stands for: as set (model 121), else as on the nameplate (120); 0 where neither says."""
    for model in (121, 120):
        for block in (block for block in blocks if block.model == model):
            layout, registers = read_block(bus, block)
            found = number(layout, registers, "power_max")
            if found:
                return int(found[0] * 10 ** found[1])
    return 0
