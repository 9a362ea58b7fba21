"""Field: connectors at work over a workspace - what has to be enrolled, where chains stand, round after round."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from penstock.errors import NotFound, PenstockError, Unavailable
from penstock.usecases.gateway import Sent
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PAUSE_MAX_S: Final = 900.0
LOOK_S: Final = 0.5
Visit = Callable[[], Sequence[PenstockError]]
"""One round of a connector: what went wrong, place by place."""


def sent_before(workspace: Workspace) -> Callable[[str], Sent | None]:
    """Where each device's chain stands in the workspace, for a gateway whose spool is new."""

    def look(device: str, world: World) -> Sent | None:
        devices = world.energy
        number = devices.number(device)
        if number < 0 or devices.head_sequence[number] < 0:
            return None
        return int(devices.head_sequence[number]), devices.head_hash[number].tobytes()

    return lambda device: workspace.read(lambda world: look(device, world))


def check_enrolled(workspace: Workspace, devices: Iterable[str]) -> None:
    """Raises NotFound ``connect.not_enrolled`` for the first device that is not enrolled here."""
    names = sorted(set(devices))
    numbers = workspace.read(lambda world: [world.energy.number(name) for name in names])
    for name, number in zip(names, numbers, strict=True):
        if number < 0:
            hint = "Enrol it first: penstock device enrol."
            raise NotFound("connect.not_enrolled", "A device of the settings is not enrolled.", hint=hint, device=name)


def keep_visiting(
    visit: Visit,
    every_s: float,
    tell: Callable[[PenstockError], None],
    failure: Callable[[], PenstockError | None],
    stop: threading.Event,
) -> None:
    """Visit until told to stop, ``every_s`` apart, and more patiently where whole visits fail.

    Raises:
        What no patience mends: what ``visit`` raises but Unavailable, and what ``failure`` finds beside it.
    """
    pause_s = every_s
    while not stop.is_set():
        try:
            for error in visit():
                tell(error)
            pause_s = every_s
        except Unavailable as error:
            tell(error)
            pause_s = min(2 * pause_s, max(PAUSE_MAX_S, every_s))
        watch(failure, stop, pause_s)


def watch(failure: Callable[[], PenstockError | None], stop: threading.Event, for_s: float) -> None:
    """Wait ``for_s``, or until told to stop. Raises what ``failure`` finds meanwhile."""
    left_s = for_s
    while not stop.is_set() and left_s > 0:
        error = failure()
        if error is not None:
            raise error
        stop.wait(min(LOOK_S, left_s))
        left_s -= LOOK_S
