"""What the connectors' tests share: a sink in memory, a clock that is told, and a local web server that plays roles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from penstock.connect.ports import Arrived, Samples
from penstock.errors import Unavailable

START_US = 1_780_272_000_000_000  # 2026-06-01T00:00:00Z
MINUTE_US = 60_000_000


@dataclass
class MemorySink:
    """Keeps what it takes; `full` makes it refuse."""

    taken: list[Arrived | Samples] = field(default_factory=list)
    full: bool = False

    def take(self, arrived: Sequence[Arrived | Samples]) -> None:
        if self.full:
            raise Unavailable("connect.full", "No more just now.")
        self.taken.extend(arrived)

    def samples(self) -> list[Samples]:
        return [one for one in self.taken if isinstance(one, Samples)]

    def signed(self) -> list[bytes]:
        return [one.raw for one in self.taken if isinstance(one, Arrived)]


@dataclass
class Clock:
    """A clock that stands until it is told."""

    us: int = START_US

    def __call__(self) -> int:
        return self.us


@dataclass(frozen=True)
class Request:
    """What a client asked: ``path`` with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def web_server(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """A web server on a free port of the loopback for as long as the block runs; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            reply = answer(asked)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
