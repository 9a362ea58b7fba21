"""Who may write through this door, how many at a time, and how slowly.

Reading the record is free to whoever reaches the door; writing, and reading what is about one account, takes an API key
with the scope for it, or the session of a wallet that signed in.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from penstock.connect.spool import now_us
from penstock.errors import Invalid, Refused, Unavailable
from penstock.usecases.api_keys import OPERATE, READ, WRITE, KeyRing
from penstock.usecases.sign_in import PREFIX as SESSION
from penstock.usecases.sign_in import SignIn
from penstock.usecases.trail import OPERATOR

BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="A key made by `penstock key create`, with its scopes, or the token of a wallet that signed in.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body, one key and all of them together may ask of this door."""

    body_bytes: int = 64 << 20
    at_once: int = 8
    at_once_per_key: int = 2
    silence_s: float = 10.0
    head_start_s: float = 30.0
    bytes_per_second: int = 4_096


class Gate:
    """Checks keys and sessions, and lets so many bodies in at a time."""

    def __init__(self, keys: KeyRing, limits: Limits, sessions: SignIn, clock: Callable[[], int] = now_us) -> None:
        self._keys, self.limits, self.sessions, self.clock = keys, limits, sessions, clock
        self._lock, self._inside = threading.Lock(), Counter[str]()

    def check(self, shown: HTTPAuthorizationCredentials | None, scope: str) -> str:
        """The id of the key that was shown. Raises as `KeyRing.check`."""
        return self._keys.check(shown.credentials if shown else "", scope, self.clock())

    def member(self, shown: HTTPAuthorizationCredentials | None, scope: str) -> str:
        """Who asks, as facts name it in ``by``: a key's id, a wallet's address, or the operator.

        Raises:
            Unverified: ``api.key_missing``, ``api.key_unknown``, ``sign_in.session``. Refused: ``api.key_scope``.
        """
        token = shown.credentials if shown else ""
        if token.startswith(f"{SESSION}_"):
            address = self.sessions.check(token, self.clock())
            if scope not in (READ, WRITE):
                raise Refused("api.key_scope", "A wallet may not do that.", hint=f"It needs the scope {scope}.")
            return address
        row = self._keys.find(token, self.clock())
        if OPERATE in row.scopes:
            return OPERATOR
        if scope in row.scopes or (scope == READ and WRITE in row.scopes):
            return row.id
        hint = f"It needs the scope {scope}."
        raise Refused("api.key_scope", "This API key may not do that.", hint=hint, id=row.id)

    def sign_out(self, shown: HTTPAuthorizationCredentials | None) -> None:
        """The session that was shown ends. Raises Unverified ``api.key_missing``, ``sign_in.session``."""
        if shown is None:
            self._keys.find("", self.clock())
        else:
            self.sessions.sign_out(shown.credentials, self.clock())

    @contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """A place at the door while a body comes in, or a report is made. Raises Unavailable ``push.busy``."""
        with self._lock:
            if self._inside.total() >= self.limits.at_once or self._inside[key] >= self.limits.at_once_per_key:
                hint = "Wait as long as Retry-After says and send the same again."
                raise Unavailable("push.busy", "Too much is asked at once just now.", hint=hint)
            self._inside[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[key] -= 1

    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The pieces of a body as they come; nothing of it is kept here.

        Raises:
            Invalid: ``push.too_large``, ``push.cut_off``.
            Refused: ``push.too_slow``.
        """
        limit, size = self.limits.body_bytes, 0
        stated = request.headers.get("content-length", "0")
        if not stated.isdecimal() or int(stated) > limit:
            raise too_large(limit)
        loop = asyncio.get_running_loop()
        start, stream = loop.time(), aiter(request.stream())
        while True:
            left_s = start + self.limits.head_start_s + size / self.limits.bytes_per_second - loop.time()
            try:
                piece = await asyncio.wait_for(anext(stream), max(0.001, min(self.limits.silence_s, left_s)))
            except StopAsyncIteration:
                return
            except TimeoutError:
                hint = "Send smaller bodies; what was whole is recorded, so send the same again."
                raise Refused("push.too_slow", "The body comes in too slowly.", hint=hint) from None
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            yield piece


def too_large(limit: int) -> Invalid:
    """A body beyond what one may have."""
    hint = "Send it in several bodies; what was whole is recorded."
    return Invalid("push.too_large", f"A body has at most {limit:,} bytes.", hint=hint)
