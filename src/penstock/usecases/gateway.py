"""Our own gateway: signs what unsigned field buses say, keeps it in the spool, and goes on where it stopped.

A device behind the gateway is enrolled with the gateway's key and the assurance level gateway_signed. Its chain of
packets is written in the same durable step as the packets themselves, so a gateway killed at any instant signs neither
two packets of one number nor one reading twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from penstock.connect.ports import Arrived, Samples
from penstock.connect.spool import Head, Spool
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.errors import Invalid, Refused
from penstock.journal.words import Form
from penstock.keys import SigningKey

READINGS_PER_PACKET: Final = 96
Sent = tuple[int, bytes]
"""Number and sha256 of the last message a device is known to have sent."""


def nothing_sent(_device: str) -> Sent | None:
    """The memory of a gateway that is the only one to write its devices' chains."""
    return None


class Gateway:
    """A `Sink` that keeps signed messages as they are and signs samples with its own key.

    ``sent`` says where a device's chain stands elsewhere (in the workspace), for a gateway whose spool is new.
    """

    def __init__(
        self, spool: Spool, key: SigningKey | None = None, sent: Callable[[str], Sent | None] = nothing_sent
    ) -> None:
        self._spool, self._key, self._sent = spool, key, sent
        self._lock = threading.Lock()  # two connectors must not continue one chain from one head

    def take(self, arrived: Sequence[Arrived | Samples]) -> None:
        """Keep these, in one durable step.

        Samples not newer than the last signed one of their register were polled before and are left out.

        Raises:
            Unavailable: ``connect.full``, ``connect.spool_failed``.
            Refused: ``connect.no_gateway_key`` for samples where there is no key to sign them.
            Invalid: ``connect.ragged_samples``.
        """
        self.take_once("", arrived)

    def take_once(self, token: str, arrived: Sequence[Arrived | Samples]) -> int:
        """As `take`, but what came under ``token`` before is left out; returns how many messages were new."""
        with self._lock:
            messages: list[Arrived] = []
            heads: dict[str, Head] = {}
            for one in arrived:
                messages += [one] if isinstance(one, Arrived) else self._signed(one, heads)
            return self._spool.put(messages, token, list(heads.values()))

    def _signed(self, samples: Samples, heads: dict[str, Head]) -> Iterable[Arrived]:
        if self._key is None:
            hint = "Start the connector with a gateway key; enrol the device with its public part."
            raise Refused("connect.no_gateway_key", "Unsigned samples need a gateway that signs.", hint=hint)
        if not len(samples.at_us) == len(samples.position_wh) == len(samples.power_mw):
            raise Invalid(
                "connect.ragged_samples", "Samples have as many instants as positions.", device=samples.device
            )
        head = heads.get(samples.device) or self._head(samples.device)
        last_us = _channels(head).get(str(samples.channel), -1)
        rows = [row for row in zip(samples.at_us, samples.position_wh, strict=True) if row[0] > last_us]
        made = []
        for first in range(0, len(rows), READINGS_PER_PACKET):
            part = rows[first : first + READINGS_PER_PACKET]
            raw = _packet(samples.device, head, part, self._key)
            channels = _channels(head) | {str(samples.channel): part[-1][0]}
            head = Head(samples.device, head.sequence + 1, packet_hash(raw), json.dumps(channels).encode())
            made.append(Arrived(Form.COSE, raw))
        heads[samples.device] = head
        return made

    def _head(self, device: str) -> Head:
        known = self._spool.head(device)
        if known is None:
            sequence, previous = self._sent(device) or (-1, FIRST)
            known = Head(device, sequence, previous, b"{}")
        return known


def _packet(device: str, head: Head, rows: Sequence[tuple[int, int]], key: SigningKey) -> bytes:
    at_us, position_wh = zip(*rows, strict=True)
    return sign(Packet(device, head.sequence + 1, head.hash, at_us, position_wh), key)


def _channels(head: Head) -> dict[str, int]:
    found: dict[str, int] = json.loads(head.channels)
    return found
