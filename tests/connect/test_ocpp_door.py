"""Who comes in, and how much one who is in may do."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from field_kit import MemorySink
from ocpp.v16 import call
from ocpp_kit import PASSWORD, Wrong, basic, central, charger, plugged, until, websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from penstock.connect.ocpp_central import Bounds
from penstock.connect.ocpp_door import Charger, identity_of, tls_context
from penstock.errors import Invalid, Unavailable
from penstock.journal.nesting import nesting

HEARTBEAT = '[2,"1","Heartbeat",{}]'


@pytest.mark.parametrize(
    ("identity", "headers", "status"),
    [
        ("CP-9", basic("CP-9"), 404),
        ("CP-1", basic("CP-1", "wrong"), 401),
        ("CP-1", basic("CP-2"), 401),
        ("CP-1", {}, 401),
        ("CP-1", {"Authorization": "Bearer x"}, 401),
        ("CP-1", {"Authorization": "Basic !!"}, 401),
        ("", basic(""), 404),
    ],
)
def test_who_is_not_enrolled_or_cannot_prove_it_stays_outside(
    identity: str, headers: dict[str, str], status: int
) -> None:
    async def knock(port: int) -> int:
        with pytest.raises(InvalidStatus) as caught:
            async with websocket(port, identity, headers=headers):
                pass
        return caught.value.response.status_code

    with central(MemorySink()) as system:
        assert asyncio.run(knock(system.port)) == status
        assert system.connected() == []


def test_a_version_we_do_not_speak_is_refused() -> None:
    async def knock(port: int) -> int:
        with pytest.raises(InvalidStatus) as caught:
            async with websocket(port, version="ocpp1.5"):
                pass
        return caught.value.response.status_code

    with central(MemorySink()) as system:
        assert asyncio.run(knock(system.port)) == 400


@pytest.mark.parametrize(
    ("path", "identity"),
    [("/ocpp/CP-1", "CP-1"), ("/CP%2D1?x=/y", "CP-1"), ("/a/b/CP 1", "CP 1"), ("/", ""), ("/" + "x" * 500, "x" * 144)],
)
def test_the_identity_is_the_last_part_of_the_address(path: str, identity: str) -> None:
    assert identity_of(path) == identity


def test_a_charger_that_connects_anew_closes_its_old_connection() -> None:
    async def twice(system: Any) -> int:
        async with websocket(system.port) as old:
            await until(lambda: system.connected() == ["CP-1"])
            async with plugged(system.port) as point:
                with pytest.raises(ConnectionClosed) as caught:
                    await asyncio.wait_for(old.recv(), 10)
                assert (await point.call(call.Heartbeat())).current_time
                assert system.connected() == ["CP-1"]
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code

    with central(MemorySink()) as system:
        assert asyncio.run(twice(system)) == 1001


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{}",
        "[2]",
        "nonsense",
        '[2,"1",["Heartbeat"],{}]',
        '[2,"1","Heartbeat"]',
        '[9,"1","Heartbeat",{}]',
        '[3,"1",{}]',
        '[4,"1","x","y",{}]',
        '[2,"1","Heartbeat",' + '{"a":' * 20 + "1" + "}" * 20 + "]",
        '[2,"1","MeterValues",' + "[" * 50_000,
        '[2,"1","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":5,"sampledValue":{}}]}]',
        '[2,"1","StartTransaction",{"connectorId":1e99,"idTag":"x","meterStart":NaN,"timestamp":"x"}]',
        b"\xff\x00",
        b'[2,"1","Heartbeat",{}]',
    ],
    ids=range(15),
)
def test_a_malformed_message_is_survived(message: str | bytes) -> None:
    sink = MemorySink()

    async def tell(port: int) -> Any:
        async with websocket(port) as connection:
            await connection.send(message)
            await connection.send('[2,"last","Heartbeat",{}]')
            while True:
                answer = json.loads(await asyncio.wait_for(connection.recv(), 10))
                if answer[1] == "last":
                    return answer[0]

    with central(sink) as system:
        assert asyncio.run(tell(system.port)) == 3
    assert sink.taken == []


@pytest.mark.parametrize(
    ("bounds", "message", "code"),
    [
        (Bounds(message_bytes=1_000), "x" * 1_001, 1009),
        (Bounds(messages_per_s=0.001, burst=3), HEARTBEAT, 1008),
        (Bounds(malformed=2), "[[]", 1008),
    ],
    ids=["too large", "too often", "too malformed"],
)
def test_one_who_goes_too_far_is_put_out_and_may_come_again(bounds: Bounds, message: str, code: int) -> None:
    async def flood(port: int) -> int:
        async with websocket(port) as connection:
            with pytest.raises(ConnectionClosed) as caught:
                for _ in range(10):
                    await connection.send(message)
                    if message == HEARTBEAT:
                        await asyncio.wait_for(connection.recv(), 10)
                await asyncio.wait_for(connection.recv(), 10)
        async with plugged(port) as point:
            assert (await point.call(call.Heartbeat())).current_time
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code

    with central(MemorySink(), bounds=bounds) as system:
        assert asyncio.run(flood(system.port)) == code


def test_nesting_is_counted_outside_texts_alone() -> None:
    assert nesting('[2,"[[[[",{"a":["\\"[{"]}]') == 3
    assert nesting("[" * 100_000) == 100_000
    assert nesting("]]]") == 0


def test_nothing_of_a_message_or_password_is_logged_or_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tell(port: int) -> None:
        async with plugged(port) as point:
            await point.call(call.Authorize("04A1SECRET"))

    with caplog.at_level(logging.DEBUG), central(MemorySink()) as system:
        monkeypatch.setattr(logging.getLogger("websockets.client"), "disabled", True)  # the client's own
        asyncio.run(tell(system.port))
    assert "04A1SECRET" not in caplog.text
    assert PASSWORD not in caplog.text
    assert "password" not in repr(charger())


def test_a_port_that_is_taken_is_said_so() -> None:
    with central(MemorySink()) as system, pytest.raises(Unavailable) as caught, central(MemorySink(), port=system.port):
        pass
    assert caught.value.code == "connect.port"


@pytest.mark.parametrize(("identity", "digest"), [("", b""), ("x" * 49, b""), ("a\nb", b""), ("CP-1", b"short")])
def test_a_charger_is_enrolled_whole_or_not_at_all(identity: str, digest: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        Charger(identity, digest, {1: "x"})
    assert caught.value.code == "connect.charger"


def certified(folder: Path, name: str, issuer: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
    """A certificate and its key, self-signed or by ``issuer``, as NAME.pem and NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signer, signing = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    built = (
        x509.CertificateBuilder(signer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(issuer is None, None), True)
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    return built, key


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    root = certified(tmp_path, "authority")
    for name in ("localhost", "CP-1", "CP-2"):
        certified(tmp_path, name, root)
    return tmp_path


def client_tls(folder: Path, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "authority.pem")
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def test_security_profile_2_is_a_password_over_tls(authority: Path) -> None:
    async def come(port: int) -> str:
        async with websocket(port, tls=client_tls(authority)) as connection:
            await connection.send(HEARTBEAT)
            return str(await connection.recv())

    tls = tls_context(authority / "localhost.pem", authority / "localhost.key")
    with central(MemorySink(), tls=tls) as system:
        assert '"currentTime"' in asyncio.run(come(system.port))


@pytest.mark.parametrize(("name", "admitted"), [("CP-1", True), ("CP-2", False), ("", False)])
def test_security_profile_3_is_a_certificate_in_the_chargers_name(authority: Path, name: str, admitted: bool) -> None:
    async def come(port: int) -> bool:
        try:
            async with websocket(port, headers={}, tls=client_tls(authority, name)) as connection:
                await connection.send(HEARTBEAT)
                return '"currentTime"' in str(await connection.recv())
        except (InvalidStatus, ConnectionClosed, OSError, EOFError):
            return False
        except Exception as error:  # a TLS alert comes to the client in several dresses
            assert "handshake" in str(error) or "HTTP" in str(error) or "certificate" in str(error).lower()
            return False

    tls = tls_context(authority / "localhost.pem", authority / "localhost.key", authority / "authority.pem")
    station = Charger("CP-1", b"", {1: "charger-1"})
    with central(MemorySink(), station, tls=tls) as system:
        assert asyncio.run(come(system.port)) is admitted


def test_a_charger_without_password_needs_its_certificate() -> None:
    async def knock(port: int) -> int:
        with pytest.raises(InvalidStatus) as caught:
            async with websocket(port, headers=basic("CP-1", "")):
                pass
        return caught.value.response.status_code

    with central(MemorySink(), Charger("CP-1", b"", {1: "charger-1"})) as system:
        assert asyncio.run(knock(system.port)) == 401


def test_a_certificate_that_is_none_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(Invalid) as caught:
        tls_context(tmp_path / "x.pem", tmp_path / "x.key")
    assert caught.value.code == "connect.tls"


def test_what_is_wrong_is_told_by_charger() -> None:
    wrong = Wrong()

    async def tell(port: int) -> None:
        async with websocket(port) as connection:
            await connection.send('[3,"1",{}]')
            await connection.send(HEARTBEAT)
            await connection.recv()

    with central(MemorySink(), tell=wrong.tell) as system:
        asyncio.run(tell(system.port))
    assert wrong == [("CP-1", "connect.malformed")]
