"""HTTP/1.1 as uvicorn speaks it, but with a time by which a request's head has to be there, and an answer read.

Without it, a client that sends a byte of its head now and then, or never reads what it asked for, keeps its connection
for ever, and a few hundred of them keep everybody else out.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0
UNREAD_S: Final = 30.0


class ImpatientProtocol(H11Protocol):
    """Closes a connection where no head has become complete for `HEAD_S`, or nothing was read for `UNREAD_S`."""

    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: its first head is due."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Bytes came; whether a head is still due, the parser knows."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._stop_waiting()
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        if self._unread is None:
            self._expect_progress()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stop_unread()

    def _expect_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _expect_progress(self) -> None:
        left_bytes = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(UNREAD_S, self._check_progress, left_bytes)

    def _check_progress(self, left_bytes: int) -> None:
        """A slow reader is as welcome as any; one that reads nothing at all is not."""
        if self.transport.get_write_buffer_size() >= left_bytes:
            self.transport.abort()
        else:
            self._expect_progress()
