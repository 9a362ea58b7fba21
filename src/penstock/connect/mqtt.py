"""The collecting end of MQTT: readings in, acknowledged once kept; commands out, and the devices' answers.

Topics under the broker's root: ``readings/SENDER`` in, ``receipts/SENDER`` out to a sender that asked for them,
``commands/DEVICE`` out, ``answers/DEVICE`` in.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from penstock.connect.command import read_answer, write_command
from penstock.connect.envelope import as_sent
from penstock.connect.mqtt_link import IN_FLIGHT, Broker, acknowledge, connection, payload_of, with_properties
from penstock.connect.ports import Answer, Command, Sink
from penstock.errors import Invalid, PenstockError, Unavailable

ANSWER_S: Final = 10.0
PAUSE_S: Final = 0.2
PAUSE_MAX_S: Final = 30.0
OnAnswer = Callable[[str, Answer], None]


def forget_answer(_device: str, _answer: Answer) -> None:
    """For a connector that asks nothing."""


class MqttConnector:
    """Collects from a broker in a thread of its own while it is entered, and reaches devices through it.

    ``name`` is the client's identity at the broker: the same name goes on with the same session. ``on_answer`` gets
    every answer with its device; it may raise Unavailable, and the answer then comes again.
    """

    def __init__(self, broker: Broker, sink: Sink, name: str, on_answer: OnAnswer = forget_answer) -> None:
        self._broker, self._sink, self._name, self._on_answer = broker, sink, name, on_answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._up, self._stopping = threading.Event(), False
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer]] = {}
        self.failure: PenstockError | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()
        self._loop.close()

    def wait_until_up(self, timeout_s: float) -> bool:
        """Whether the broker was reached, within ``timeout_s``."""
        return self._up.wait(timeout_s)

    def send(self, command: Command) -> Answer:
        """Publish a command and wait for the device's first answer to it.

        A device that is away gets it later, up to its expiry; what it answers then goes to ``on_answer``.

        Raises:
            Unavailable: ``connect.unreachable``.
        """
        try:
            return asyncio.run_coroutine_threadsafe(self._ask(command), self._loop).result(ANSWER_S + 5)
        except (aiomqtt.MqttError, TimeoutError, RuntimeError) as error:
            hint = "It stands in the journal and is sent again until it expires."
            raise Unavailable("connect.unreachable", "The device does not answer.", hint=hint, id=command.id) from error

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._stay_connected())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except PenstockError as error:
            self.failure = error

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    async def _stay_connected(self) -> None:
        pause_s = PAUSE_S
        while not self._stopping:
            try:
                async with connection(self._broker, self._name, keep_session=True) as client:
                    await self._subscribe(client)
                    self._client, pause_s = client, PAUSE_S
                    self._up.set()
                    await self._collect(client)
            except aiomqtt.MqttError:
                self._client = None
                await asyncio.sleep(pause_s * random.random())  # noqa: S311 (jitter, no secret)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        for kind in ("readings", "answers"):
            await client.subscribe(f"{self._broker.root}/{kind}/+", options=once)

    async def _collect(self, client: aiomqtt.Client) -> None:
        """Messages by the handful: as many as came while the last ones were written to disk."""
        while True:
            handful = [await anext(client.messages)]
            while len(client.messages) and len(handful) < IN_FLIGHT:
                handful.append(await anext(client.messages))
            named = [(*self._broker.read_topic(str(one.topic)), one) for one in handful]
            await self._keep(client, [(sender, one) for kind, sender, one in named if kind == "readings"])
            for kind, device, one in named:
                if kind == "answers":
                    await self._answered(device, payload_of(one))
            for one in handful:
                acknowledge(client, one)

    async def _keep(self, client: aiomqtt.Client, received: Sequence[tuple[str, aiomqtt.Message]]) -> None:
        arrived = [as_sent(payload_of(one)) for _, one in received]
        while arrived:
            try:
                await asyncio.to_thread(self._sink.take, arrived)
                break
            except Unavailable:  # not acknowledged, so the broker keeps back what is to come
                await asyncio.sleep(PAUSE_S)
        receipts: defaultdict[str, bytes] = defaultdict(bytes)
        for sender, one in received:
            topic = self._broker.topic("receipts", sender)
            # Nobody may have us write to a topic of his choice: the one asked for must be the sender's own.
            if getattr(one.properties, "ResponseTopic", "") == topic:
                receipts[topic] += hashlib.sha256(payload_of(one)).digest()
        for topic, digests in receipts.items():
            await client.publish(topic, digests, qos=1)

    async def _answered(self, device: str, raw: bytes) -> None:
        try:
            answer = read_answer(raw)
        except Invalid:
            return  # no answer: the command expires, and the journal says so
        while True:
            try:
                await asyncio.to_thread(self._on_answer, device, answer)
                break
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
        waiting = self._waiting.get((device, answer.command))
        if waiting and not waiting.done():
            waiting.set_result(answer)

    async def _ask(self, command: Command) -> Answer:
        if self._client is None:
            raise aiomqtt.MqttError("not connected")
        left_s = (command.expires_us - time.time_ns() // 1_000) // 1_000_000
        expiry_s = max(1, min(left_s, 2**32 - 1))
        properties = with_properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        waiting = self._waiting[command.device, command.id] = self._loop.create_future()
        try:
            topic = self._broker.topic("commands", command.device)
            await self._client.publish(topic, write_command(command), qos=1, properties=properties)
            return await asyncio.wait_for(waiting, ANSWER_S)
        finally:
            self._waiting.pop((command.device, command.id), None)
