"""Push: a stream of messages judged part by part as it comes in, then a verdict for every message and reading.

A part is cut by count and size of messages alone, so the same stream has the same parts, each under a key of its own:
pushed again, whole or after a broken line, nothing is recorded twice and the answer is the first one. What was cut off
before a stream turned bad stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from penstock.connect.envelope import as_sent
from penstock.connect.ports import Arrived
from penstock.connect.sequence import CborItems, Lines, Splitter, Whole
from penstock.energy.verdict import (
    MESSAGE_RULES,
    READING_RULES,
    MessageVerdict,
    ReadingVerdict,
    found_in,
    outcome_of,
)
from penstock.errors import Invalid
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, Outcome
from penstock.usecases.collect import record_messages
from penstock.usecases.intake import Answer, answer, content_of
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PART_MESSAGES: Final = 8_192  # enough to be worth all cores
PART_BYTES: Final = 8 << 20
MESSAGES_MAX: Final = 262_144
"""Of a body: one byte can be a message, and each is recorded and answered."""
_SEVERAL: Final = "Send it in several bodies; what was whole is recorded."
KEY_CHARS_MAX: Final = 128
SPLITTERS: Final[dict[str, Callable[[], Splitter]]] = {
    "application/cbor-seq": CborItems,
    "application/cose": CborItems,
    "text/plain": Lines,
    "application/x-ndjson": Lines,
    "application/json": Whole,
}
"""How the messages of a body are told apart, by its media type."""
Row = dict[str, Any]


class Push:
    """One body on its way in. ``owner`` is who pushes; ``named`` the key it gave, empty for one by content.

    Raises:
        Invalid: ``push.media_type``, ``push.key``.
    """

    def __init__(
        self, workspace: Workspace, workers: Workers, clock: Callable[[], int], owner: str, media_type: str, named: str
    ) -> None:
        make = SPLITTERS.get(media_type.partition(";")[0].strip().lower())
        if make is None:
            raise Invalid("push.media_type", "Bodies of this type are not taken.", hint=f"Send {', '.join(SPLITTERS)}.")
        if len(named) > KEY_CHARS_MAX or not named.isprintable():
            raise Invalid("push.key", f"An idempotency key has at most {KEY_CHARS_MAX} printable characters.")
        self._workspace, self._workers, self._clock = workspace, workers, clock
        self._owner, self._named, self._splitter = owner, named, make()
        self._messages: list[Arrived] = []
        self._bytes = 0
        self.recorded: list[tuple[Receipt, int]] = []

    @property
    def kept(self) -> int:
        """How many messages are recorded."""
        return sum(count for _, count in self.recorded)

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body, and record the parts it completes.

        Raises:
            Invalid: ``connect.not_a_sequence``, ``connect.message_too_long``, ``push.too_large`` for too many
                messages; what came before is recorded.
            Conflict: ``journal.key_reused``. Unavailable: where the store could not take it.
        """
        self._take(lambda: self._splitter.feed(chunk))

    def finish(self) -> None:
        """Record the rest. Raises as `feed`."""
        self._take(self._splitter.finish)
        self._record()

    def _take(self, split: Callable[[], list[bytes]]) -> None:
        try:
            items = split()
        except Invalid:
            self._record()
            raise
        for item in items:
            if self.kept + len(self._messages) >= MESSAGES_MAX:
                self._record()
                raise Invalid("push.too_large", f"A body has at most {MESSAGES_MAX:,} messages.", hint=_SEVERAL)
            self._messages.append(as_sent(item))
            self._bytes += len(item)
            if len(self._messages) == PART_MESSAGES or self._bytes >= PART_BYTES:
                self._record()

    def _record(self) -> None:
        if not self._messages:
            return
        messages, self._messages, self._bytes = self._messages, [], 0
        asked = content_of([(one.form, one.raw) for one in messages])
        what = f"{self._named}\n{len(self.recorded)}".encode() if self._named else asked
        key = f"push:{hashlib.sha256(self._owner.encode() + b'/' + what).hexdigest()[:48]}"
        receipt = record_messages(self._workspace, key, asked, messages, self._clock(), self._workers)
        self.recorded.append((receipt, len(messages)))

    def rows(self) -> Iterator[Row]:
        """Every message in its order: its verdict, and one for each of its readings."""
        number = 0
        for receipt, count in self.recorded:
            for row in answered(self._workspace, receipt, count):
                yield {"number": number} | row
                number += 1


def answered(workspace: Workspace, receipt: Receipt, count: int) -> Iterator[Row]:
    """The first ``count`` messages of a receipt as rows for the doors."""
    found = answer(workspace, receipt)
    devices, registers = workspace.read(lambda world: _names(world, found, count))
    order = np.argsort(found.readings["packet"], kind="stable")
    bounds = np.searchsorted(found.readings["packet"][order], np.arange(count + 1))
    for at in range(count):
        row = _message_row(found.packets, at, devices)
        mine = order[bounds[at] : bounds[at + 1]].tolist()
        yield row | {"readings": [_reading_row(found.readings, one, registers) for one in mine]}


def _names(world: World, found: Answer, count: int) -> tuple[dict[int, str], dict[int, str]]:
    devices = np.unique(found.packets["device"][:count]).tolist()
    registers = np.unique(found.readings["register"]).tolist()
    return (
        {one: world.energy.name(one) for one in devices if one >= 0},
        {one: world.books.registers.urn(one) for one in registers if one >= 0},
    )


def _message_row(packets: Columns, at: int, devices: dict[int, str]) -> Row:
    device = int(packets["device"][at])
    row = {"device": devices.get(device), "sequence": int(packets["sequence"][at]) if device >= 0 else None}
    return row | _judged(MessageVerdict, MESSAGE_RULES, packets, at)


def _reading_row(readings: Columns, at: int, registers: dict[int, str]) -> Row:
    row = {
        "register": registers.get(int(readings["register"][at])),
        "at_us": int(readings["at_us"][at]),
        "position_wh": int(readings["position_wh"][at]),
        "assurance": ASSURANCES[int(readings["assurance"][at])].value if "assurance" in readings else None,
    }
    return row | _judged(ReadingVerdict, READING_RULES, readings, at)


def _judged(kind: type[MessageVerdict] | type[ReadingVerdict], rules: Any, columns: Columns, at: int) -> Row:
    verdict, findings = int(columns["verdict"][at]), int(columns["findings"][at]) if "findings" in columns else 0
    outcome = outcome_of(rules, verdict, findings)
    found = found_in(kind, findings) if findings else []
    sentence = (
        rules[verdict].sentence if verdict else "it counts" if outcome == Outcome.ACCEPTED else "it counts, noted"
    )
    return {
        "verdict": kind(verdict).name.lower(),
        "outcome": outcome.value,
        "sentence": sentence,
        "findings": [one.name.lower() for one in found],
    }
