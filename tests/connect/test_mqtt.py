"""Over a real broker that is killed and comes back: every message once, and commands that are answered."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("aiomqtt", reason="the extra `field` is not installed")

import aiomqtt
from connect_kit import DEVICES, chain_of, enrolled, reached_wh, verdicts
from mosquitto_kit import Mosquitto, needs_mosquitto

from penstock.connect.command import check_command, signed_by
from penstock.connect.mqtt import MqttConnector
from penstock.connect.mqtt_device import CommandReceiver, over_mqtt
from penstock.connect.mqtt_link import Broker, read_address, with_properties
from penstock.connect.ports import Answer, Arrived, Command, Samples
from penstock.connect.spool import Spool, now_us
from penstock.errors import Invalid, PenstockError, Unavailable
from penstock.journal.words import Form
from penstock.keys import SigningKey
from penstock.usecases.collect import Collector, drain, into_workspace
from penstock.usecases.gateway import Gateway
from penstock.usecases.workers import Workers

KEY = SigningKey(bytes(range(32)))
WAIT_S = 60.0


class Kept:
    """A sink in memory that can be told to be full."""

    def __init__(self) -> None:
        self.messages: list[Arrived | Samples] = []
        self.full = False

    def take(self, arrived: Sequence[Arrived | Samples]) -> None:
        if self.full:
            raise Unavailable("connect.full", "Full.")
        self.messages += arrived


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def publish(broker: Broker, topic: str, payloads: list[bytes], response: str = "") -> None:
    async def go() -> None:
        properties = with_properties(3, ResponseTopic=response) if response else None
        async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            for payload in payloads:
                await client.publish(topic, payload, qos=1, properties=properties)

    asyncio.run(go())


def heard(broker: Broker, topic: str, act: Callable[[], None], wait_s: float) -> list[bytes]:
    """What is published on ``topic`` from ``act`` on, for so long."""

    async def go() -> list[bytes]:
        found: list[bytes] = []
        async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            await client.subscribe(topic, qos=1)
            await asyncio.to_thread(act)
            try:
                async with asyncio.timeout(wait_s):
                    async for message in client.messages:
                        found.append(bytes(message.payload))
            except TimeoutError:
                return found
        return found

    return asyncio.run(go())


@needs_mosquitto
def test_a_broker_killed_again_and_again_costs_nothing(tmp_path: Path) -> None:
    """The broker keeps nothing on disk and is killed while devices send; receipts from end to end make up for it."""
    mosquitto, dice = Mosquitto(tmp_path / "broker", keeps=False), random.Random(7)  # noqa: S311
    mosquitto.start()
    chains = {device: chain_of(device, 60) for device in DEVICES}
    over, kills = threading.Event(), 0

    def send(device: str) -> None:
        with Spool(tmp_path / f"{device}.sqlite") as outbox:
            outbox.put(chains[device])
            deliver = over_mqtt(mosquitto.broker, device, receipt_s=2)
            while batch := outbox.cut(messages_max=7):
                try:
                    deliver(batch)
                    outbox.done(batch.number)
                except Unavailable:
                    time.sleep(0.05)

    with enrolled(tmp_path / "ws") as workspace, Spool(tmp_path / "spool.sqlite") as spool:
        sink = Gateway(spool)
        with (
            MqttConnector(mosquitto.broker, sink, "collector") as connector,
            Collector(spool, into_workspace(workspace, Workers())),
        ):
            assert connector.wait_until_up(WAIT_S)
            senders = [threading.Thread(target=send, args=(device,)) for device in DEVICES]
            for sender in senders:
                sender.start()
            while any(sender.is_alive() for sender in senders) and not over.is_set():
                time.sleep(0.15 + 0.3 * dice.random())
                if kills < 6:
                    mosquitto.kill()
                    kills += 1
                    time.sleep(0.1)
                    mosquitto.start()
            for sender in senders:
                sender.join(WAIT_S)
            eventually(lambda: spool.waiting().messages == 0)
        mosquitto.kill()
        assert kills >= 2
        assert verdicts(workspace) == {"accepted": 60 * len(DEVICES)}
        assert [reached_wh(workspace, device) for device in DEVICES] == [60 * 4 * 50] * len(DEVICES)


@needs_mosquitto
def test_a_collector_that_was_away_gets_what_came_meanwhile(mosquitto: Mosquitto) -> None:
    chain, kept = chain_of("roof-a", 20), Kept()
    with MqttConnector(mosquitto.broker, kept, "collector") as connector:
        assert connector.wait_until_up(WAIT_S)
    publish(mosquitto.broker, "penstock/readings/roof-a", [one.raw for one in chain])
    with MqttConnector(mosquitto.broker, kept, "collector"):
        eventually(lambda: len(kept.messages) == len(chain))
    assert kept.messages == chain


@needs_mosquitto
def test_what_is_not_kept_is_not_acknowledged(mosquitto: Mosquitto) -> None:
    """A collector whose disk is full dies; the broker still has everything for the next."""
    chain, full, kept = chain_of("roof-a", 5), Kept(), Kept()
    full.full = True
    with MqttConnector(mosquitto.broker, full, "collector") as connector:
        assert connector.wait_until_up(WAIT_S)
        publish(mosquitto.broker, "penstock/readings/roof-a", [one.raw for one in chain])
        time.sleep(0.5)
    assert full.messages == []
    with MqttConnector(mosquitto.broker, kept, "collector"):
        eventually(lambda: len(kept.messages) == len(chain))


@needs_mosquitto
def test_receipts_go_to_the_sender_s_own_topic_alone(mosquitto: Mosquitto) -> None:
    broker, raw, kept = mosquitto.broker, chain_of("roof-a", 1)[0].raw, Kept()
    with MqttConnector(broker, kept, "collector") as connector:
        assert connector.wait_until_up(WAIT_S)
        own, others = "penstock/receipts/roof-a", "penstock/commands/roof-b"
        assert heard(broker, own, lambda: publish(broker, "penstock/readings/roof-a", [raw], own), 1) == [
            hashlib.sha256(raw).digest()
        ]
        assert heard(broker, others, lambda: publish(broker, "penstock/readings/roof-a", [raw], others), 1) == []
    assert kept.messages == [Arrived(Form.COSE, raw)] * 2


@needs_mosquitto
def test_garbage_is_kept_as_it_came_and_stops_nothing(mosquitto: Mosquitto) -> None:
    kept, good = Kept(), chain_of("roof-a", 1)[0]
    with MqttConnector(mosquitto.broker, kept, "collector") as connector:
        assert connector.wait_until_up(WAIT_S)
        publish(mosquitto.broker, "penstock/readings/x", [b"\x00garbage", b"", good.raw])
        publish(mosquitto.broker, "penstock/answers/roof-a", [b"{", b"[]", b'{"command": 1}'])
        publish(mosquitto.broker, "penstock/readings/x", [b"OCMF|{}|{}"])
        eventually(lambda: len(kept.messages) == 4)
    assert kept.messages[2:] == [good, Arrived(Form.OCMF, b"OCMF|{}|{}")]


def command(device: str = "roof-a", **changed: int) -> Command:
    now = now_us()
    times = {"start_us": now, "stop_us": now + 900_000_000, "expires_us": now + 60_000_000} | changed
    return signed_by(KEY, Command("c-1", device, "shed", 5_000, **times, signature=b""))


def obedient(command: Command) -> list[Answer]:
    """A device that checks before it obeys."""
    try:
        check_command(command, KEY.public, "roof-a", now_us())
    except PenstockError as error:
        return [Answer(command.id, "refused", now_us(), error.code)]
    return [Answer(command.id, "received", now_us()), Answer(command.id, "done", now_us())]


@needs_mosquitto
def test_a_command_is_received_and_done(mosquitto: Mosquitto) -> None:
    heard_answers: list[tuple[str, str]] = []
    connector = MqttConnector(
        mosquitto.broker, Kept(), "collector", lambda device, answer: heard_answers.append((device, answer.state))
    )
    with connector, CommandReceiver(mosquitto.broker, "roof-a", obedient) as device:
        assert connector.wait_until_up(WAIT_S) and device.wait_until_up(WAIT_S)
        assert connector.send(command()).state == "received"
        eventually(lambda: ("roof-a", "done") in heard_answers)
        forged = dataclasses.replace(command(), power_w=9_000)
        answer = connector.send(forged)
        assert (answer.state, answer.note) == ("refused", "command.signature")


@needs_mosquitto
def test_another_device_s_answer_is_no_answer(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.connect.mqtt.ANSWER_S", 1.0)
    with MqttConnector(mosquitto.broker, Kept(), "collector") as connector:
        assert connector.wait_until_up(WAIT_S)
        said = threading.Timer(
            0.3,
            publish,
            (mosquitto.broker, "penstock/answers/attacker", [b'{"command":"c-1","state":"done","at_us":1}']),
        )
        said.start()
        with pytest.raises(Unavailable) as caught:
            connector.send(command())
        said.join()
    assert caught.value.code == "connect.unreachable"


@needs_mosquitto
def test_a_device_that_comes_back_gets_what_has_not_expired(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.connect.mqtt.ANSWER_S", 0.5)
    got: list[str] = []

    def note(command: Command) -> list[Answer]:
        got.append(command.id)
        return []

    with MqttConnector(mosquitto.broker, Kept(), "collector") as connector:
        with CommandReceiver(mosquitto.broker, "roof-a", note) as device:
            assert device.wait_until_up(WAIT_S) and connector.wait_until_up(WAIT_S)
        short = dataclasses.replace(command(expires_us=now_us() + 1_000_000), id="short")
        for asked in (short, command()):
            with pytest.raises(Unavailable):
                connector.send(asked)
        time.sleep(1.2)
        with CommandReceiver(mosquitto.broker, "roof-a", note):
            eventually(lambda: bool(got))
    assert got == ["c-1"]


def test_without_a_broker_nothing_is_lost(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path / "broker")  # never started: a free port
    with Spool(tmp_path / "spool.sqlite") as outbox:
        outbox.put(chain_of("roof-a", 2))
        with pytest.raises(Unavailable) as caught:
            drain(outbox, over_mqtt(mosquitto.broker, "roof-a"))
        assert caught.value.code == "connect.unreachable"
        assert outbox.waiting().messages == 2
        with MqttConnector(mosquitto.broker, Kept(), "collector") as connector, pytest.raises(Unavailable) as asked:
            connector.send(command())
    assert asked.value.code == "connect.unreachable"


def test_addresses_and_topics() -> None:
    broker = read_address("mqtts://meter@example.org/fleet/north", "secret")
    assert (broker.host, broker.port, broker.root, broker.username, broker.tls) == (
        "example.org",
        8883,
        "fleet/north",
        "meter",
        True,
    )
    assert "secret" not in repr(broker)
    for name in ("roof a/b", "+", "#", "ångström", "a%2Fb"):
        topic = broker.topic("readings", name)
        assert not set(topic.removeprefix("fleet/north/readings/")) & set("+#/")
        assert broker.read_topic(topic) == ("readings", name)
    assert broker.read_topic("fleet/north/readings/a/b") == broker.read_topic("other/readings/a") == ("", "")
    for wrong in ("http://host", "mqtt://", "host:1883", "mqtt://user:word@host", "mqtt://host/a+b"):
        with pytest.raises(Invalid) as caught:
            read_address(wrong)
        assert caught.value.code == "connect.address"
