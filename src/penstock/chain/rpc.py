"""The node's JSON-RPC over HTTP, on this machine only.

The standard library's threaded server: requests are answered one at a time under the node's lock anyway, so an event
loop would add parts and no speed. It listens on loopback, refuses foreign ``Host`` names (DNS rebinding) and browsers'
cross-origin requests unless their origin is allowed, and bounds the size of a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Event, Thread
from typing import Final
from urllib.parse import urlsplit

from penstock.chain.dispatch import Dispatch
from penstock.chain.methods import Methods
from penstock.chain.node import Node
from penstock.errors import Unavailable

BODY_BYTES_MAX: Final = 5 * 1024 * 1024
CONNECTIONS_MAX: Final = 64
IDLE_S: Final = 30
LOOPBACK: Final = "127.0.0.1"
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, port: int, dispatch: Dispatch, origins: frozenset[str]) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.dispatch = dispatch
        self.origins = origins
        self.places = BoundedSemaphore(CONNECTIONS_MAX)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 (the base class names it)
        return self.places.acquire(blocking=False)

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self.places.release()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    wbufsize = -1  # head and body leave in one packet
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        status, reason = self._refusal()
        if status:
            self._reply(status, reason, "text/plain", close=True)
            return
        answer = self.server.dispatch.answer_text(self.rfile.read(int(self.headers["Content-Length"])))
        self._reply(200 if answer else 204, answer, "application/json")

    def do_OPTIONS(self) -> None:
        """A browser's preflight: allowed origins only."""
        allowed = self._host_is_ours() and self.headers.get("Origin") in self.server.origins
        self._reply(204 if allowed else 403, b"", "text/plain", close=not allowed)

    def _refusal(self) -> tuple[int, bytes]:
        length = self.headers.get("Content-Length", "")
        origin = self.headers.get("Origin")
        if not self._host_is_ours():
            return 403, b"The Host header names another machine."
        if origin is not None and origin not in self.server.origins:
            return 403, b"This origin is not allowed."
        if self.headers.get_content_type() != "application/json":
            return 415, b"JSON-RPC comes as application/json."
        if not length.isdecimal() or len(length) > 9:
            return 411, b"Content-Length is needed."
        if int(length) > BODY_BYTES_MAX:
            return 413, b"The request is too large."
        return 0, b""

    def _host_is_ours(self) -> bool:
        try:
            return urlsplit("//" + self.headers.get("Host", "")).hostname in _HOSTS
        except ValueError:
            return False

    def _reply(self, status: int, body: bytes, kind: str, *, close: bool = False) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        if self.headers.get("Origin") in self.server.origins:
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Access-Control-Allow-Headers", "content-type")
            self.send_header("Vary", "Origin")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: requests may carry what people did."""


@contextmanager
def serve(node: Node, port: int = 0, *, may_mine: bool = False, origins: frozenset[str] = frozenset()) -> Iterator[str]:
    """Answer at the yielded address until the block ends. ``port`` 0 takes a free one.

    Raises:
        Unavailable: ``chain.port_in_use``.
    """
    try:
        server = _Server(port, Dispatch(Methods(node, may_mine=may_mine)), origins)
    except OSError as taken:
        raise Unavailable("chain.port_in_use", f"Port {port} cannot be opened: {taken}.", port=port) from taken
    thread = Thread(target=server.serve_forever, args=(0.05,), name="json-rpc", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mine_every(node: Node, seconds: float) -> Iterator[None]:
    """Build a block every ``seconds`` while the block runs, empty if nothing waits; for a node without automine."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(seconds):
            node.mine()

    thread = Thread(target=beat, name="miner", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
