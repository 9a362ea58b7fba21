"""One account at a vendor's cloud: tokens refreshed in time, limits kept, answers of bounded size.

OAuth 2.0, RFC 6749: refreshing (6), the client's proof (2.3.1), errors (5.2). HTTP 429 and Retry-After: RFC 6585, 4,
and RFC 9110, 10.2.3. A refreshed token is on the disk before it is used: the old one may be void by then.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from penstock.connect.field_text import NESTING_MAX
from penstock.connect.notebook import Notebook
from penstock.connect.secret import Secret
from penstock.connect.vendor_dialect import Dialect
from penstock.errors import Invalid, Refused, Unavailable
from penstock.journal.nesting import deeper_than
from penstock.period import SECOND_US, to_us

BODY_MAX: Final = 16 * 2**20
TRIES: Final = 5
WAIT_MAX_S: Final = 900.0
EARLY_S: Final = 60
"""A token is refreshed this long before its end."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Account:
    """Whose data, at which cloud: ``name`` tells accounts apart in the notebook."""

    name: str
    url: str
    client_id: str
    client_secret: Secret
    refresh_token: Secret
    api_key: Secret | None = None

    def __post_init__(self) -> None:
        url = httpx.URL(self.url)
        if url.scheme != "https" and url.host not in LOOPBACK:
            raise Invalid("connect.plain", "Tokens travel over https alone.", account=self.name)


@dataclass(frozen=True, slots=True)
class Body:
    """A cloud's answer: as it came, and read."""

    raw: bytes
    value: Any


class Session:
    """Asks a cloud on an account's behalf. ``pause`` waits so many seconds."""

    def __init__(
        self,
        account: Account,
        dialect: Dialect,
        notebook: Notebook,
        client: httpx.Client,
        now_us: Callable[[], int],
        pause: Callable[[float], None],
    ) -> None:
        self._account, self._dialect, self._notebook, self._client = account, dialect, notebook, client
        self._now_us, self._pause = now_us, pause
        self._last_us = 0

    def get(self, path: str, given: Mapping[str, str]) -> Body:
        """A JSON answer.

        Raises:
            Unavailable: ``connect.unreachable`` after some tries, ``connect.rate_limited`` where the cloud asks for
                more patience than a visit has. Refused: ``connect.consent_lost``, ``connect.not_allowed``.
            Invalid: ``connect.malformed``, ``connect.too_large``.
        """
        request = self._client.build_request("GET", self._account.url.rstrip("/") + path, params=dict(given))
        status, raw = self._ask(request, self._access_token())
        if status == httpx.codes.UNAUTHORIZED:  # withdrawn before its time
            status, raw = self._ask(request, self._refresh())
        if status != httpx.codes.OK:
            hint = "The account may no longer hold this system; ask its owner."
            raise Refused("connect.not_allowed", f"The cloud answered {status}.", hint=hint, account=self._account.name)
        return Body(raw, read_json(raw))

    def _access_token(self) -> str:
        noted = self._noted()
        if noted.get("stop_us", 0) - EARLY_S * SECOND_US > self._now_us():
            return str(noted["access"])
        return self._refresh()

    def _refresh(self) -> str:
        """A new access token, noted with the refresh token that goes on from here."""
        refresh = str(self._noted().get("refresh", self._account.refresh_token.text))
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        status, raw = self._send(self._refresh_request(form))
        if status != httpx.codes.OK:
            hint = "Its owner has to consent again; then put the new refresh token in place."
            raise Refused(
                "connect.consent_lost", "The cloud takes our token no more.", hint=hint, account=self._account.name
            )
        told = read_json(raw)
        access = told.get("access_token") if isinstance(told, dict) else None
        lasts_s = told.get("expires_in", 3_600) if isinstance(told, dict) else 0
        if not (isinstance(access, str) and access and isinstance(lasts_s, int) and 0 < lasts_s < 2**31):
            raise Invalid("connect.malformed", "The cloud's token is none.", account=self._account.name)
        self._note(access, str(told.get("refresh_token") or refresh), lasts_s)
        return access

    def _noted(self) -> dict[str, Any]:
        """The tokens that came of the one we were given; of another, before consent was given anew, none."""
        noted = self._notebook.get(self._entry) or {}
        return noted if noted.get("given") == self._given() else {}

    def _note(self, access: str, refresh: str, lasts_s: int) -> None:
        stop_us = self._now_us() + lasts_s * SECOND_US
        tokens = {"access": access, "refresh": refresh, "stop_us": stop_us, "given": self._given()}
        self._notebook.put({self._entry: tokens})

    def _given(self) -> str:
        return hashlib.sha256(self._account.refresh_token.text.encode()).hexdigest()

    def _refresh_request(self, form: dict[str, str]) -> httpx.Request:
        account, token = self._account, self._dialect.token
        proof = (account.client_id, account.client_secret.text)
        if token.client_in == "form":
            form = form | {"client_id": proof[0], "client_secret": proof[1]}
        request = self._client.build_request("POST", account.url.rstrip("/") + token.path, data=form)
        if token.client_in == "header":
            pair = ":".join(quote(part, safe="") for part in proof)
            request.headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return self._with_key(request) if token.needs_api_key else request

    def _ask(self, request: httpx.Request, token: str) -> tuple[int, bytes]:
        request.headers["Authorization"] = f"Bearer {token}"
        return self._send(self._with_key(request))

    def _with_key(self, request: httpx.Request) -> httpx.Request:
        header = self._dialect.limits.api_key_header
        if header and self._account.api_key:
            request.headers[header] = self._account.api_key.text
        return request

    def _send(self, request: httpx.Request) -> tuple[int, bytes]:
        """Status and body, with patience for a cloud that is busy, limits us or does not answer."""
        for again in range(TRIES):
            self._keep_pace()
            try:
                status, wait_s, raw = self._once(request)
            except httpx.HTTPError:
                status, wait_s, raw = 0, None, b""
            if 0 < status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
                return status, raw
            if (wait_s or 0) > WAIT_MAX_S:
                raise Unavailable("connect.rate_limited", "The cloud has had enough of us for now.", wait_s=wait_s)
            if again + 1 < TRIES:
                self._pause(2.0**again if wait_s is None else wait_s)
        raise Unavailable("connect.unreachable", "The cloud does not answer.", account=self._account.name)

    def _once(self, request: httpx.Request) -> tuple[int, float | None, bytes]:
        body = bytearray()
        response = self._client.send(request, stream=True)
        try:
            for part in response.iter_bytes():
                body += part
                if len(body) > BODY_MAX:
                    raise Invalid("connect.too_large", f"The cloud's answer is over {BODY_MAX:,} bytes.")
        finally:
            response.close()
        return response.status_code, self._wait_s(response.headers.get("Retry-After")), bytes(body)

    def _keep_pace(self) -> None:
        """Not more requests a minute than the dialect allows."""
        apart_us = 60 * SECOND_US // self._dialect.limits.requests_per_minute
        early_us = self._last_us + apart_us - self._now_us()
        if self._last_us and early_us > 0:
            self._pause(early_us / SECOND_US)
        self._last_us = self._now_us()

    def _wait_s(self, header: str | None) -> float | None:
        """Retry-After in seconds, whether told as seconds or as a date; None where it tells nothing."""
        if header is None:
            return None
        if header.strip().isdecimal() and len(header) < 10:
            return float(header)
        try:
            return max((to_us(parsedate_to_datetime(header)) - self._now_us()) / SECOND_US, 0.0)
        except (ValueError, Invalid):
            return None

    @property
    def _entry(self) -> str:
        return f"token {self._account.name}"


def read_json(raw: bytes) -> Any:
    """JSON with exact numbers. Raises Invalid ``connect.malformed``, also for NaN and for nesting without end."""
    try:
        text = raw.decode()
        if deeper_than(text, NESTING_MAX):
            raise ValueError("too deep")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except ValueError:
        raise Invalid("connect.malformed", "The cloud's answer is no JSON we take.") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)
