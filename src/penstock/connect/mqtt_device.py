"""The sending end of MQTT, as a device or gateway runs it: batches out until they are receipted, commands in."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from typing import Final, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from penstock.connect.command import read_command, write_answer
from penstock.connect.envelope import seal_envelope
from penstock.connect.mqtt_link import Broker, acknowledge, connection, payload_of, with_properties
from penstock.connect.ports import Answer, Command
from penstock.connect.spool import Batch
from penstock.errors import Invalid, Unavailable

RECEIPT_S: Final = 15.0
WINDOW: Final = 100
_DIGEST: Final = 32
_PAUSE_S: Final = 0.3


def over_mqtt(broker: Broker, sender: str, receipt_s: float = RECEIPT_S) -> Callable[[Batch], None]:
    """Delivers batches through a broker: returns once the collector has receipted every message of a batch.

    Raises:
        Unavailable: ``connect.unreachable``, ``connect.no_receipt``; send the same batch again, the collector keeps
            what it has once.
    """

    def deliver(batch: Batch) -> None:
        try:
            asyncio.run(_send(broker, sender, [seal_envelope(one) for one in batch.messages], receipt_s))
        except aiomqtt.MqttError as error:
            raise Unavailable("connect.unreachable", "The broker does not answer.", reason=error) from error
        except TimeoutError:
            raise Unavailable("connect.no_receipt", "The collector has not receipted everything.") from None

    return deliver


async def _send(broker: Broker, sender: str, payloads: list[bytes], receipt_s: float) -> None:
    receipts = broker.topic("receipts", sender)
    properties = with_properties(PacketTypes.PUBLISH, ResponseTopic=receipts)
    async with connection(broker, f"{broker.root}-{sender}-out", keep_session=False) as client:
        await client.subscribe(receipts, qos=1)
        for first in range(0, len(payloads), WINDOW):
            window = payloads[first : first + WINDOW]
            topic = broker.topic("readings", sender)
            # Tasks start in order, so the messages go out in order.
            await asyncio.gather(*(client.publish(topic, one, qos=1, properties=properties) for one in window))
            await asyncio.wait_for(_receipted(client, {hashlib.sha256(one).digest() for one in window}), receipt_s)


async def _receipted(client: aiomqtt.Client, missing: set[bytes]) -> None:
    while missing:
        message = await anext(client.messages)
        raw = payload_of(message)
        missing -= {raw[at : at + _DIGEST] for at in range(0, len(raw), _DIGEST)}
        acknowledge(client, message)


class CommandReceiver:
    """Takes commands for one device in a thread of its own while it is entered.

    ``obey`` gets each command as it came, unchecked, and returns the answers to send; it may be called again with the
    same command, since the line may repeat itself and an operator asks until it is answered.
    """

    def __init__(self, broker: Broker, device: str, obey: Callable[[Command], list[Answer]]) -> None:
        self._broker, self._device, self._obey = broker, device, obey
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._up = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive() and self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._loop.close()

    def wait_until_up(self, timeout_s: float) -> bool:
        """Whether the broker was reached, within ``timeout_s``."""
        return self._up.wait(timeout_s)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._stay_connected())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            return

    async def _stay_connected(self) -> None:
        while True:
            try:
                name = f"{self._broker.root}-{self._device}-in"
                async with connection(self._broker, name, keep_session=True) as client:
                    await client.subscribe(
                        self._broker.topic("commands", self._device), options=SubscribeOptions(qos=1)
                    )
                    self._up.set()
                    async for message in client.messages:
                        await self._handle(client, payload_of(message))
                        acknowledge(client, message)
            except aiomqtt.MqttError:
                await asyncio.sleep(_PAUSE_S)

    async def _handle(self, client: aiomqtt.Client, raw: bytes) -> None:
        try:
            command = read_command(raw)
        except Invalid:
            return
        for answer in await asyncio.to_thread(self._obey, command):
            await client.publish(self._broker.topic("answers", self._device), write_answer(answer), qos=1)
