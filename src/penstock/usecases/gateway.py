"""Our own gateway: signs what unsigned field buses say, keeps it in the spool, and goes on where it stopped.

A device behind the gateway is enrolled with the gateway's key and the assurance level gateway_signed. Its chain of
packets is written in the same durable step as the packets themselves, so a gateway killed at any instant signs neither
two packets of one number nor one reading twice. What a vendor's cloud or a file says was not measured here: it is
carried as it came, unsigned, at its own level.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from penstock.connect.ports import Arrived, Samples
from penstock.connect.spool import Head, Spool
from penstock.energy.forms.carried import Carried, messages_of, origin_of
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.errors import Invalid, Refused
from penstock.journal.words import Assurance, Form
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
                messages += [one] if isinstance(one, Arrived) else self._written(one, heads)
            return self._spool.put(messages, token, list(heads.values()))

    def _written(self, samples: Samples, heads: dict[str, Head]) -> Iterable[Arrived]:
        if not len(samples.at_us) == len(samples.position_wh) == len(samples.power_mw):
            raise Invalid(
                "connect.ragged_samples", "Samples have as many instants as positions.", device=samples.device
            )
        assurance = _carried_at(samples.source)
        if assurance is not None:
            return _carried(samples, assurance)
        if self._key is None:
            hint = "Start the connector with a gateway key; enrol the device with its public part."
            raise Refused("connect.no_gateway_key", "Unsigned samples need a gateway that signs.", hint=hint)
        head = heads.get(samples.device) or self._head(samples.device)
        messages, heads[samples.device] = _signed(samples, head, self._key)
        return messages

    def _head(self, device: str) -> Head:
        known = self._spool.head(device)
        if known is None:
            sequence, previous = self._sent(device) or (-1, FIRST)
            known = Head(device, sequence, previous, b"{}")
        return known


def _signed(samples: Samples, head: Head, key: SigningKey) -> tuple[list[Arrived], Head]:
    """Packets that go on from ``head`` with what it does not know yet, and the head behind them."""
    last_us, made = _channels(head).get(str(samples.channel), -1), []
    rows = [row for row in zip(samples.at_us, samples.position_wh, samples.power_mw, strict=True) if row[0] > last_us]
    for first in range(0, len(rows), READINGS_PER_PACKET):
        at_us, position_wh, power_mw = zip(*rows[first : first + READINGS_PER_PACKET], strict=True)
        channel = (samples.channel,) * len(at_us)
        packet = Packet(samples.device, head.sequence + 1, head.hash, at_us, position_wh, channel, power_mw)
        raw = sign(packet, key)
        channels = _channels(head) | {str(samples.channel): at_us[-1]}
        head = Head(samples.device, packet.sequence, packet_hash(raw), json.dumps(channels).encode())
        made.append(Arrived(Form.COSE, raw))
    return made, head


def _carried(samples: Samples, assurance: Assurance) -> list[Arrived]:
    """Unsigned messages; what the source now says otherwise goes along, to be judged as revised."""
    said = Carried(
        source=samples.source,
        device=samples.device,
        channel=samples.channel,
        assurance=assurance,
        origin=samples.origin or origin_of(b""),
        at_us=samples.at_us,
        position_wh=samples.position_wh,
        power_mw=samples.power_mw,
    )
    return [Arrived(Form.CARRIED, raw) for raw in messages_of(said)]


def _carried_at(source: str) -> Assurance | None:
    """At what level a source's word is carried; None where we read the meter ourselves, and sign."""
    if source.startswith("vendor/"):
        return Assurance.VENDOR_ATTESTED
    return Assurance.DECLARED if source.startswith("file/") else None


def _channels(head: Head) -> dict[str, int]:
    found: dict[str, int] = json.loads(head.channels)
    return found
