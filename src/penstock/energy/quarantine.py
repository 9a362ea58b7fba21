"""What waits: messages for one that is missing before them, readings for somebody who decides about their register.

Folded from facts like any book. Memory is bounded: of messages that wait, `DEVICE_BYTES_MAX` a device and
`BYTES_MAX` in all are kept at hand; the journal keeps the others, and their device may send them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.energy.verdict import READING_RULES, MessageVerdict
from penstock.journal.fact import Recorded
from penstock.journal.kinds.device import EpochOpened
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.register import Registers
from penstock.journal.segment import Columns
from penstock.journal.words import Form, Outcome

DEVICE_BYTES_MAX: Final = 1 << 20
BYTES_MAX: Final = 1 << 26
_WAITS: Final = np.array(
    [code in READING_RULES and READING_RULES[code].outcome is Outcome.QUARANTINED for code in range(256)]  # type: ignore[index]
)


class Waiting(NamedTuple):
    """A message in quarantine: its form, its bytes, and the fact (``seq``) and row that hold it."""

    form: Form
    raw: bytes
    seq: int
    row: int


class Quarantine:
    """Messages by device and sequence number; readings (columns of reading/2) by the root of their packets."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._messages: dict[int, dict[int, Waiting]] = {}
        self._held: dict[int, int] = {}
        self._bytes = 0
        self._readings: dict[bytes, Columns] = {}

    @property
    def devices(self) -> list[int]:
        """Devices that have messages waiting."""
        return list(self._messages)

    def messages(self, device: int) -> dict[int, Waiting]:
        """Messages of a device that wait, by sequence number."""
        return dict(sorted(self._messages.get(device, {}).items()))

    def readings(self, registers: NDArray[Any] | None = None) -> Iterator[tuple[bytes, Columns]]:
        """Readings that wait, by the root of the packets they came in, oldest first; of some registers or of all."""
        for root, columns in self._readings.items():
            rows = slice(None) if registers is None else np.flatnonzero(np.isin(columns["register"], registers))
            chosen = {name: column[rows] for name, column in columns.items()}
            if len(chosen["register"]):
                yield root, chosen

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact: what it puts into quarantine, and what of its devices and registers waits no longer."""
        match recorded.fact:
            case PacketsReceived() if columns is not None:
                self._receive(recorded.seq, columns)
            case ReadingsVerified() as verified if columns is not None:
                self._verify(verified.packets_root, columns)
            case EpochOpened() as epoch:
                self._end(self._registers.id_of(epoch.predecessor))

    def _receive(self, seq: int, columns: Columns) -> None:
        self._settle(columns)
        for row in np.flatnonzero(columns["verdict"] == MessageVerdict.GAP).tolist():
            device, raw = int(columns["device"][row]), bytes(columns["packet"][row])
            form = Form(int(columns["form"][row])) if "form" in columns else Form.COSE  # packet/1 had one form
            self._keep(device, int(columns["sequence"][row]), Waiting(form, raw, seq, row))

    def _keep(self, device: int, sequence: int, message: Waiting) -> None:
        size, held = len(message.raw), self._held.get(device, 0)
        if held + size > DEVICE_BYTES_MAX or self._bytes + size > BYTES_MAX:
            return
        if sequence not in self._messages.setdefault(device, {}):
            self._messages[device][sequence] = message
            self._held[device], self._bytes = held + size, self._bytes + size

    def _settle(self, columns: Columns) -> None:
        """Messages at or before the last accepted one of their device wait no longer."""
        if not self._messages:
            return
        accepted = np.flatnonzero((columns["verdict"] == 0) & np.isin(columns["device"], self.devices))
        for row in accepted.tolist():
            self._drop(int(columns["device"][row]), int(columns["sequence"][row]))

    def _drop(self, device: int, head: int) -> None:
        waiting = self._messages.get(device, {})
        gone = sum(len(waiting.pop(number).raw) for number in [one for one in waiting if one <= head])
        self._held[device], self._bytes = self._held.get(device, 0) - gone, self._bytes - gone
        if not waiting:
            self._messages.pop(device, None)
            self._held.pop(device, None)

    def _end(self, register: int) -> None:
        """What waits of a register that ended can count no more: the next reading, in the new one, carries it."""
        for root, columns in list(self._readings.items()):
            rest = columns["register"] != register
            self._readings[root] = {name: column[rest] for name, column in columns.items()}
            if not rest.any():
                del self._readings[root]

    def _verify(self, root: bytes, columns: Columns) -> None:
        """Readings judged again replace what waited of their registers."""
        waits = _WAITS[columns["verdict"]]
        before = self._readings.get(root)
        if before is None and not waits.any():
            return
        parts: list[Columns] = [{name: column[waits] for name, column in columns.items()}]
        if before is not None:
            rest = ~np.isin(before["register"], columns["register"])
            parts.insert(0, {name: column[rest] for name, column in before.items()})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in columns}
        self._readings[root] = joined
        if not len(joined["register"]):
            del self._readings[root]
