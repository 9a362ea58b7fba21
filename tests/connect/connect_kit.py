"""Signed messages of a few devices, and a workspace they are enrolled in."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
PLANT: Any = import_module("small_plant")

from penstock.connect.ports import Arrived  # noqa: E402
from penstock.energy.forms.cose import FIRST  # noqa: E402
from penstock.journal.words import Form  # noqa: E402
from penstock.period import QUARTER_HOUR_US  # noqa: E402
from penstock.usecases import enrol  # noqa: E402
from penstock.usecases.workspace import Workspace  # noqa: E402

START_US: int = PLANT.START_US
DEVICES = ("roof-a", "roof-b", "roof-c")


def chain_of(device: str, packets: int) -> list[Arrived]:
    """A device's first packets of four readings, 50 Wh each quarter of an hour."""
    steps = range(1, 4 * packets + 1)
    raws = PLANT.signed(device, [START_US + n * QUARTER_HOUR_US for n in steps], [50 * n for n in steps], 0, FIRST)
    return [Arrived(Form.COSE, raw) for raw in raws]


def enrolled(path: Path, devices: tuple[str, ...] = DEVICES) -> Workspace:
    """A workspace, open, that knows these devices."""
    workspace = Workspace(path)
    producers = [PLANT.producer(name, 40_000) for name in devices]
    workspace.submit("roofs", b"", START_US, lambda world: enrol.enrol_producers(world, producers))
    return workspace


def reached_wh(workspace: Workspace, device: str) -> int:
    """Where the device's register stands."""
    return int(
        workspace.read(lambda world: world.books.registers.read[world.books.registers.id_of(f"{device}/export")])
    )


def verdicts(workspace: Workspace) -> dict[str, int]:
    """How many messages met which verdict."""
    from penstock.usecases.inspect import metering

    found: dict[str, int] = metering(workspace)["packets"]
    return found


def suicide(point: str, count: int) -> Callable[[str], None]:
    """Kills this process at the ``count``-th passing of ``point``."""
    left = [count]

    def at_point(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    return at_point
