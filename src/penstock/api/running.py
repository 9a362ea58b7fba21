"""The application in a thread of this process, for an owner that goes on working beside it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

import uvicorn
from fastapi import FastAPI

from penstock.api.impatient import ImpatientProtocol
from penstock.errors import Unavailable

LOOPBACK: Final = "127.0.0.1"
_START_S: Final = 20.0
_CONNECTIONS_MAX: Final = 200


class Running(AbstractContextManager["Running"]):
    """A server that answers at ``url`` until it is stopped."""

    def __init__(self, server: uvicorn.Server, opened: socket.socket) -> None:
        self._server, self._socket = server, opened
        self.url = f"http://{LOOPBACK}:{opened.getsockname()[1]}"
        self._thread = threading.Thread(target=server.run, args=([opened],), name="api", daemon=True)
        self._thread.start()

    def wait_until_up(self) -> Self:
        """Returns once requests are answered. Raises Unavailable ``api.not_started``."""
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("api.not_started", "The API did not start.", url=self.url)
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Finish what is being answered and close; harmless when repeated."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve_in_thread(app: FastAPI, port: int = 0) -> Running:
    """Serve ``app`` on loopback; port 0 takes a free one.

    Raises:
        Unavailable: ``api.port_in_use``, ``api.not_started``.
    """
    # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms an answer, until the client says it has its head.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((LOOPBACK, port))
    except OSError as taken:
        opened.close()
        hint = "Name another with --port."
        raise Unavailable("api.port_in_use", f"Port {port} cannot be opened: {taken}.", hint=hint) from taken
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="on", limit_concurrency=_CONNECTIONS_MAX,
        server_header=False, timeout_graceful_shutdown=2, http=ImpatientProtocol,
    )  # fmt: skip
    return Running(uvicorn.Server(config), opened).wait_until_up()
