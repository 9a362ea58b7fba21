"""Who may come in: chargers known by identity, over plain or encrypted websockets, with password or certificate.

Security profiles of the OCPP security whitepaper (1.6) and of OCPP 2.0.1, part 2, A: 1 password over a trusted network,
2 password over TLS, 3 TLS with a certificate of the charger's own. Profile 0, nothing at all, is not offered.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.headers import parse_authorization_basic
from websockets.http11 import Request, Response

from penstock.errors import Invalid

IDENTITY_MAX: Final = 48
_NOBODY = hashlib.sha256(b"nobody").digest()


@dataclass(frozen=True, slots=True)
class Charger:
    """A charger that may connect.

    Attributes:
        identity: its name in the address it connects to. password_sha256: sha256 of its password, which has at least
            16 random bytes, so that nothing slower is needed; empty where it comes with a certificate.
        devices: by connector (OCPP 2.0.1: EVSE), the device enrolled for its meter.
        signs: whether its meters sign; then unsigned values of energy are not taken from it.
    """

    identity: str
    password_sha256: bytes = field(repr=False)
    devices: Mapping[int, str]
    signs: bool = True

    def __post_init__(self) -> None:
        if not (0 < len(self.identity) <= IDENTITY_MAX and self.identity.isascii() and self.identity.isprintable()):
            raise Invalid("connect.charger", "A charger's identity has 1 to 48 printable characters.")
        if len(self.password_sha256) not in (0, 32):
            raise Invalid("connect.charger", "A password is given as its sha256.", charger=self.identity)

    def device(self, connector: int | None) -> str:
        """The device behind a connector; a charger with one device need not say which.

        Raises:
            Invalid: ``connect.connector`` where it is none we know.
        """
        if connector is not None and connector in self.devices:
            return self.devices[connector]
        if not connector and len(self.devices) == 1:
            return next(iter(self.devices.values()))
        raise Invalid("connect.connector", "No device is enrolled for this connector.", charger=self.identity)


class Door:
    """Decides before a websocket opens: 404 for an unknown identity, 401 for one that does not prove itself."""

    def __init__(self, chargers: Mapping[str, Charger]) -> None:
        self._chargers = chargers

    def knock(self, connection: ServerConnection, request: Request) -> Response | None:
        """The refusal, or None to let in."""
        identity = identity_of(request.path)
        charger = self._chargers.get(identity)
        proven = proves(charger, request.headers, certificate_name(connection))
        if charger is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        return None if proven else _refusal(HTTPStatus.UNAUTHORIZED)

    def charger(self, connection: ServerConnection) -> Charger:
        """The charger behind a connection that was let in."""
        request = connection.request
        assert request is not None  # noqa: S101 (the websocket is open)
        return self._chargers[identity_of(request.path)]


def identity_of(path: str) -> str:
    """The last part of the address (OCPP-J 1.6, 3.1.1)."""
    return unquote(path.split("?")[0].rsplit("/", 1)[-1][: 3 * IDENTITY_MAX])


def proves(charger: Charger | None, headers: Headers, certificate: str) -> bool:
    """Whether password or certificate are this charger's, in a time that does not tell how close they came."""
    name, password = _credentials(headers)
    known = charger.password_sha256 if charger and charger.password_sha256 else _NOBODY
    right = hmac.compare_digest(hashlib.sha256(password.encode()).digest(), known)
    if charger is None:
        return False
    if not charger.password_sha256:
        return bool(certificate) and hmac.compare_digest(certificate.encode(), charger.identity.encode())
    return right and hmac.compare_digest(name.encode(), charger.identity.encode())


def certificate_name(connection: ServerConnection) -> str:
    """The common name of the certificate that the connection came with; TLS has verified it."""
    found: dict[str, Any] = connection.transport.get_extra_info("peercert") or {}
    names = [value for part in found.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if len(names) == 1 else ""


def tls_context(certificate: Path, key: Path, chargers_ca: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later for profile 2; with the authority of the chargers' certificates for profile 3.

    Raises:
        Invalid: ``connect.tls`` for files that are no certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if chargers_ca is not None:
            context.load_verify_locations(chargers_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError):
        raise Invalid("connect.tls", "Certificate or key cannot be read.", file=certificate.name) from None
    return context


def _credentials(headers: Headers) -> tuple[str, str]:
    try:
        return parse_authorization_basic(headers.get("Authorization", ""))
    except (InvalidHeader, UnicodeDecodeError, KeyError, LookupError):
        return "", ""


def _refusal(status: HTTPStatus) -> Response:
    headers = Headers({"Content-Length": "0", "Connection": "close"})
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="charger"'
    return Response(status.value, status.phrase, headers, b"")
