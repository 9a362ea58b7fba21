"""A line: a spool that connectors put into, and the collector that empties it, open together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.connect.spool import Spool
from penstock.errors import PenstockError
from penstock.usecases.collect import Collector, Deliver, into_workspace
from penstock.usecases.gateway import Gateway
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace

FOLDER: Final = "connect"


@dataclass(frozen=True, slots=True)
class Line:
    """Where signed messages are put (``gateway``), and what carries them on."""

    spool: Spool
    gateway: Gateway
    collector: Collector

    @property
    def failure(self) -> PenstockError | None:
        """What stopped the line, where it was not told to stop."""
        return self.collector.failure


def silently(_messages: int) -> None:
    """Tell nobody how much was delivered."""


@contextmanager
def line_into(
    workspace: Workspace, name: str, workers: Workers, on_delivered: Callable[[int], None] = silently
) -> Iterator[Line]:
    """A line into the workspace that this process owns. Raises as `Spool`."""
    with line_to(workspace.path, name, into_workspace(workspace, workers), on_delivered) as line:
        yield line


@contextmanager
def line_to(
    folder: Path, name: str, deliver: Deliver, on_delivered: Callable[[int], None] = silently
) -> Iterator[Line]:
    """A line to wherever ``deliver`` brings it; what waits lies in ``folder``. Raises as `Spool`."""
    path = folder / FOLDER / f"{name}.spool"
    with Spool(path) as spool, Collector(spool, deliver, on_delivered) as collector:
        yield Line(spool, Gateway(spool), collector)
