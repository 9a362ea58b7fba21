"""Where work over many parts runs: here, or on the machines of a Ray cluster. The work is the same functions."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from penstock.errors import PenstockError, Unavailable

P = TypeVar("P")
R = TypeVar("R")
KNOCK_S: Final = 10.0


class Machines(Protocol):
    """Whatever runs a function of this package over parts that do not depend on each other."""

    def map(self, work: Callable[[P], R], parts: Sequence[P]) -> list[R]:
        """``work`` of each part, in order; raises what it raises."""


class Here:
    """This process."""

    def map(self, work: Callable[[P], R], parts: Sequence[P]) -> list[R]:
        """``work`` of each part, one after the other."""
        return [work(part) for part in parts]


class RayCluster(AbstractContextManager["RayCluster"]):
    """A Ray cluster that runs already, all of whose machines have this version of the package installed.

    A part that was lost with its machine is run again on another: parts only read. Where the cluster asks for a token,
    Ray takes it from its own environment variables.

    Raises:
        Unavailable: ``cluster.no_driver``, ``cluster.unreachable``.
    """

    def __init__(self, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that it runs
        self._ray = _driver()
        try:
            _knock(address)
            self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            hint = "Is the cluster up? Its address is that of its head node, host:port."
            raise Unavailable(
                "cluster.unreachable", "The cluster does not answer.", hint=hint, address=address
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def map(self, work: Callable[[P], R], parts: Sequence[P]) -> list[R]:
        """``work`` of each part on some machine, in order.

        Raises:
            Unavailable: ``cluster.lost`` where machines failed again and again; whatever ``work`` raises.
        """
        remote = self._ray.remote(work)
        try:
            found: list[R] = self._ray.get([remote.remote(part) for part in parts])
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, PenstockError) else error) from None
        except self._ray.exceptions.RayError as error:
            hint = "Run it again: nothing was changed."
            raise Unavailable("cluster.lost", "The cluster lost a part of the work.", hint=hint) from error
        return found


def _knock(address: str) -> None:
    """Ray itself would wait for ever where nobody listens. Raises OSError, ValueError."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), KNOCK_S).close()


def _driver() -> Any:
    try:
        import ray  # an extra, and slow to load
        import ray.exceptions
    except ModuleNotFoundError as missing:
        hint = "Install penstock[cluster]."
        raise Unavailable("cluster.no_driver", "Ray is not installed.", hint=hint) from missing
    return ray
