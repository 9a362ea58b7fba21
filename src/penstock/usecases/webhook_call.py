"""One message to an address somebody else named: only to where it may go, signed, in time, followed nowhere.

The name is resolved here, every address it has is judged, and the one judged is the one connected to: a name that
changes its mind between the two gains nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from penstock.errors import Invalid, Unavailable
from penstock.period import SECOND_US

TIMEOUT_S: Final = 5.0
WHOLE_S: Final = 10.0
"""Longest that a message takes, however slowly its answer drips in."""
URL_CHARS_MAX: Final = 2_048
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that is routed; beyond it lie addresses of a site, and IPv4 in other forms (RFC 4291, 6052, 8215)."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(NamedTuple):
    """Where a message goes: parts of its address, read once."""

    secure: bool
    host: str
    port: int
    path: str


def target_of(url: str, *, loopback: bool) -> Target:
    """Read an address: https, or - only where ``loopback`` is allowed - http to this machine.

    Raises:
        Invalid: ``webhook.url``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _unfit("It is no address.") from None
    printable = url.isascii() and url.isprintable() and " " not in url and len(url) <= URL_CHARS_MAX
    if not host or not printable or parts.username is not None or parts.password is not None or parts.fragment:
        raise _unfit("It is https://HOST/PATH, without a user or a fragment.")
    secure = parts.scheme == "https"
    if not secure and not (loopback and parts.scheme == "http" and _is_loopback_name(host)):
        raise _unfit("Only https is spoken to others.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, host, port or (443 if secure else 80), path)


def check_address(target: Target, *, loopback: bool) -> str:
    """The address to connect to: every address of the name is public, or this machine where that is allowed.

    Raises:
        Invalid: ``webhook.private``. Unavailable: ``webhook.unresolved``.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable("webhook.unresolved", "This name has no address just now.", host=target.host) from None
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    if not addresses or not all(_may(one, loopback) for one in addresses):
        raise Invalid("webhook.private", "Messages go to public addresses only.", host=target.host)
    return addresses[0]


def send(url: str, secret: bytes, message: str, body: bytes, at_us: int, *, loopback: bool) -> int:
    """Post one signed message; the status answered. What is answered besides is not read.

    Raises:
        Invalid: as `target_of`, `check_address`. Unavailable: ``webhook.unresolved``, ``webhook.unreachable``.
    """
    target = target_of(url, loopback=loopback)
    connection = _connection(target, check_address(target, loopback=loopback))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "penstock",
        "Penstock-Message": message,
        "Penstock-Signature": signature(secret, body, at_us),
        "Connection": "close",
    }
    late = threading.Event()
    watch = threading.Timer(WHOLE_S, _hang_up, (connection, late))
    try:
        watch.start()
        connection.request("POST", target.path, body, headers)
        status = connection.getresponse().status
        if late.is_set():
            raise TimeoutError  # what was cut off says nothing, though it may read as a status
        return status
    except (OSError, HTTPException):
        raise Unavailable("webhook.unreachable", "Nobody takes messages there just now.", host=target.host) from None
    finally:
        watch.cancel()
        connection.close()


def _hang_up(connection: HTTPConnection, late: threading.Event) -> None:
    """End a call from outside: said before it is done, so that whoever waits for its next byte knows why none came."""
    late.set()
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def signature(secret: bytes, body: bytes, at_us: int) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 over ``SECONDS.BODY``, so that an old message cannot be played again."""
    at_s = str(at_us // SECOND_US)
    return f"t={at_s},v1={hmac.new(secret, at_s.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


class _Pinned(HTTPSConnection):
    """TLS to one address, certified for another name."""

    def __init__(self, address: str, target: Target) -> None:
        self._context_of_name = ssl.create_default_context()
        super().__init__(target.host, target.port, timeout=TIMEOUT_S, context=self._context_of_name)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), TIMEOUT_S)
        self.sock = self._context_of_name.wrap_socket(plain, server_hostname=self.host)


class _PinnedPlain(HTTPConnection):
    """No TLS: to this machine only."""

    def __init__(self, address: str, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), TIMEOUT_S)


def _connection(target: Target, address: str) -> HTTPConnection:
    return _Pinned(address, target) if target.secure else _PinnedPlain(address, target)


def _may(text: str, loopback: bool) -> bool:
    address: Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _may(str(address.ipv4_mapped), loopback)
        if address.sixtofour or address.teredo:
            return False  # another address is hidden in these
        if address not in _UNICAST and not address.is_loopback:
            return False
    return (loopback and address.is_loopback) or (address.is_global and not address.is_multicast)


def _is_loopback_name(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unfit(sentence: str) -> Invalid:
    return Invalid("webhook.url", sentence, hint="For example https://example.org/penstock.")
