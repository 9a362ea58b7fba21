"""What both ends of MQTT share: the broker's address, the topics, and a connection that loses nothing.

MQTT 5, quality of service 1, a session that outlives the connection, and messages acknowledged only once they are
kept (OASIS MQTT 5.0, 4.3.2 and 4.4). A broker killed before it wrote to its own disk may still lose what it had
acknowledged; hence receipts from end to end: who sends asks for one by naming its receipt topic as response topic.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import aiomqtt
from paho.mqtt.client import CleanStartOption
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from penstock.connect.envelope import MESSAGE_BYTES_MAX
from penstock.errors import Invalid

SESSION_S: Final = 7 * 86_400
IN_FLIGHT: Final = 500
"""Messages the broker may have sent us that we have not acknowledged: its cue to slow down."""
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and who we are there. The password never shows in ``repr``."""

    host: str
    port: int
    root: str = "penstock"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    authority: Path | None = None

    def topic(self, kind: str, name: str) -> str:
        """``root/kind/name``; what MQTT gives a meaning to in a name is percent-encoded."""
        return f"{self.root}/{kind}/{quote(name, safe='')}"

    def read_topic(self, topic: str) -> tuple[str, str]:
        """Kind and name of a topic of ours; two empty strings for any other."""
        kind, _, name = topic.removeprefix(f"{self.root}/").partition("/")
        if not topic.startswith(f"{self.root}/") or "/" in name:
            return "", ""
        return kind, unquote(name)


def read_address(address: str, password: str | None = None, authority: Path | None = None) -> Broker:
    """The broker at ``mqtt://[user@]host[:port][/root]``; ``mqtts`` for TLS, ``authority`` its own certificate's.

    Raises:
        Invalid: ``connect.address``.
    """
    parts = urlsplit(address)
    root = parts.path.strip("/") or "penstock"
    if parts.scheme not in PORTS or not parts.hostname or parts.password or set(root) & set("+#"):
        hint = "Write mqtt://host:1883 or mqtts://user@host:8883/root; the password goes into the environment."
        raise Invalid("connect.address", "This is not a broker's address.", hint=hint)
    port = parts.port or PORTS[parts.scheme]
    return Broker(parts.hostname, port, root, parts.username, password, parts.scheme == "mqtts", authority)


@asynccontextmanager
async def connection(broker: Broker, name: str, *, keep_session: bool) -> AsyncIterator[aiomqtt.Client]:
    """A client named ``name``, connected, that acknowledges nothing by itself. Raises `aiomqtt.MqttError`."""
    client = _client(broker, name, keep_session)
    try:
        async with client:
            yield client
    finally:
        lost = client._disconnected
        if lost.done() and not lost.cancelled():
            lost.exception()  # seen: else the loop prints it when the client is collected


def _client(broker: Broker, name: str, keep_session: bool) -> aiomqtt.Client:
    stays = SESSION_S if keep_session else 0
    properties = with_properties(
        PacketTypes.CONNECT,
        ReceiveMaximum=IN_FLIGHT,
        MaximumPacketSize=2 * MESSAGE_BYTES_MAX,
        SessionExpiryInterval=stays,
    )
    context = ssl.create_default_context(cafile=broker.authority) if broker.tls else None
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        identifier=name,
        username=broker.username,
        password=broker.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=_clean_start(not keep_session),
        properties=properties,
        max_queued_incoming_messages=20 * IN_FLIGHT,
        tls_context=context,
        keepalive=20,
    )
    client._client.manual_ack_set(True)  # aiomqtt has no door to it
    client.pending_calls_threshold = 10 * IN_FLIGHT
    return client


def with_properties(packet: int, **values: int | str) -> Properties:
    """MQTT 5 properties of one kind of packet (OASIS MQTT 5.0, 2.2.2)."""
    made = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def acknowledge(client: aiomqtt.Client, message: aiomqtt.Message) -> None:
    """Tell the broker that it may forget ``message``."""
    client._client.ack(message.mid, message.qos)


def payload_of(message: aiomqtt.Message) -> bytes:
    """The message's bytes."""
    return message.payload if isinstance(message.payload, bytes) else b""


def _clean_start(clean: bool) -> CleanStartOption:
    return clean
