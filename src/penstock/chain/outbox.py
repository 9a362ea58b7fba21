"""The outbox: transactions on their way to a chain, each sent once however often the process dies.

    planned -> signed -> sent -> mined -> final
                           |       `-> reorged -> sent (the same bytes again)
                           |-> reverted (mined and failed, or sure to fail)
                           `-> replaced (another transaction took its nonce)

A row is signed before it is sent, and its nonce and bytes are kept before the chain sees them; after a crash the very
same bytes go out again, which a chain takes at most once. `next_state` is the machine, pure; `Outbox` drives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from penstock.chain.client import ChainClient, Receipt
from penstock.errors import Invalid, Refused
from penstock.keys import ChainKey

OPEN: Final = ("planned", "signed", "sent", "mined", "reverted", "reorged")
_SETTLED: Final = "settled"  # in the note of a reverted row too deep to change any more


class OutboxRow(Protocol):
    """A row as the store keeps it; ``value`` in wei, addresses of 20 bytes, ``target`` None for a creation."""

    @property
    def id(self) -> str: ...
    @property
    def sender(self) -> bytes: ...
    @property
    def target(self) -> bytes | None: ...
    @property
    def data(self) -> bytes: ...
    @property
    def value(self) -> int: ...
    @property
    def nonce(self) -> int | None: ...
    @property
    def raw(self) -> bytes | None: ...
    @property
    def tx_hash(self) -> bytes | None: ...
    @property
    def state(self) -> str: ...
    @property
    def note(self) -> str: ...


Row_co = TypeVar("Row_co", bound=OutboxRow, covariant=True)


class OutboxTable(Protocol[Row_co]):
    """Where rows are kept. Each call is durable when it returns."""

    def rows(self, state: str | None = None) -> Sequence[Row_co]:
        """Rows in ``state``, or all, in the order they were planned."""

    def change(self, outbox_id: str, values: dict[str, Any]) -> None:
        """Set columns of one row."""


@dataclass(frozen=True, slots=True)
class PlannedTx:
    """A row in memory; also the form in which to plan one."""

    id: str
    sender: bytes
    target: bytes | None
    data: bytes
    value: int = 0
    nonce: int | None = None
    raw: bytes | None = None
    tx_hash: bytes | None = None
    state: str = "planned"
    note: str = ""


class MemoryOutbox:
    """An `OutboxTable` in memory, for tests and short-lived tools."""

    def __init__(self, rows: Iterable[PlannedTx] = ()) -> None:
        self._rows: dict[str, PlannedTx] = {}
        self.add(rows)

    def add(self, rows: Iterable[PlannedTx]) -> int:
        """Insert those whose id is not there yet; returns how many."""
        before = len(self._rows)
        for row in rows:
            self._rows.setdefault(row.id, row)
        return len(self._rows) - before

    def rows(self, state: str | None = None) -> Sequence[PlannedTx]:
        return [row for row in self._rows.values() if state in (None, row.state)]

    def change(self, outbox_id: str, values: dict[str, Any]) -> None:
        self._rows[outbox_id] = replace(self._rows[outbox_id], **values)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chain shows about a signed row: its receipt, and the sender's nonce in the newest final block."""

    receipt: Receipt | None
    head: int
    finality: int
    final_nonce: int


def next_state(row: OutboxRow, seen: Seen) -> dict[str, Any]:
    """The columns to change in a row that was sent; empty where nothing is new."""
    receipt = seen.receipt
    if receipt is None:
        if row.state in ("mined", "reverted"):
            return {"state": "reorged", "note": "its block is gone"}
        replaced = row.nonce is not None and seen.final_nonce > row.nonce
        return {"state": "replaced", "note": "another transaction took its nonce"} if replaced else {}
    deep = seen.head - receipt.block_number >= seen.finality
    state = ("final" if deep else "mined") if receipt.succeeded else "reverted"
    note = f"block {receipt.block_number} {receipt.block_hash.hex()}"
    note += f" {_SETTLED}" if deep and not receipt.succeeded else ""
    return {} if (row.state, row.note) == (state, note) else {"state": state, "note": note}


class Outbox:
    """Drives the rows of ``table`` over ``client``.

    Args:
        keys: the signing keys by sender address.
        finality: how many blocks on top make a block final; 0 on the embedded chain.
        gas: the limit of every transaction; None estimates each, which costs a chain of ours two more executions.
    """

    def __init__(
        self,
        table: OutboxTable[OutboxRow],
        client: ChainClient,
        keys: Mapping[bytes, ChainKey],
        finality: int = 0,
        gas: int | None = None,
    ) -> None:
        self._table = table
        self._client = client
        self._keys = keys
        self._finality = finality
        self._gas = gas

    def pump(self) -> list[str]:
        """Bring every row as far as it goes now; the ids of those that could not move, to be tried again.

        Raises:
            Unavailable: ``chain.unreachable``; what was done until then is kept.
            Invalid: ``outbox.no_key`` for a sender whose key is not here.
        """
        for row in sorted(self._rows("signed", "reorged"), key=lambda row: row.nonce or 0):
            self._send(row.id, row.raw)
        self._follow()
        blocked = {row.sender: row.id for row in self._rows("signed", "reorged")}
        stuck = list(blocked.values())
        for row in self._rows("planned"):
            if row.sender in blocked or not self._sign_and_send(row):
                blocked[row.sender] = row.id
                stuck.append(row.id)
        self._follow()
        return stuck

    def _rows(self, *states: str) -> list[OutboxRow]:
        return [row for state in states for row in self._table.rows(state)]

    def _sign_and_send(self, row: OutboxRow) -> bool:
        """Whether the row left, or is settled; a later row of the sender must wait for it otherwise."""
        key = self._keys.get(row.sender)
        if key is None:
            raise Invalid("outbox.no_key", "No key signs for this sender.", sender=row.sender.hex(), id=row.id)
        nonce = self._next_nonce(row.sender)
        try:
            signed = self._client.sign(key, nonce, row.target, row.data, row.value, self._gas)
        except Refused as refused:
            return self._unsignable(row, refused)
        # Kept before the chain may see it: after a crash the same bytes go out, never another transaction.
        self._table.change(row.id, {"state": "signed", "nonce": nonce, "raw": signed.raw, "tx_hash": signed.tx_hash})
        return self._send(row.id, signed.raw)

    def _unsignable(self, row: OutboxRow, refused: Refused) -> bool:
        """A call that would revert: for good, unless an earlier transaction of the sender is still on its way."""
        underway = any(other.sender == row.sender for other in self._rows("signed", "sent", "reorged"))
        if refused.code != "chain.reverted" or underway:
            self._table.change(row.id, {"note": refused.message})
            return False
        self._table.change(row.id, {"state": "reverted", "note": f"not sent: {refused.message} {_SETTLED}"})
        return True

    def _next_nonce(self, sender: bytes) -> int:
        """After those the chain knows of and those on their way, which it may not have heard of."""
        underway = self._rows("signed", "sent", "mined", "reverted", "reorged")
        ours = [row.nonce + 1 for row in underway if row.sender == sender and row.nonce is not None]
        return max([self._client.nonce(sender, "pending"), *ours])

    def _send(self, outbox_id: str, raw: bytes | None) -> bool:
        """Hand in the kept bytes; whether the chain took them, now or before."""
        if raw is None:
            raise Invalid("outbox.unsigned", "A signed row has no bytes.", id=outbox_id)
        try:
            self._client.send_raw(raw)
        except Refused as refused:
            used_up = "nonce too low" in refused.message  # by itself, mined before a crash, or by another
            self._table.change(outbox_id, {"state": "sent"} if used_up else {"note": refused.message})
            return used_up
        self._table.change(outbox_id, {"state": "sent", "note": ""})
        return True

    def _follow(self) -> None:
        """Look after what is sent and not settled."""
        rows = [row for row in self._rows("sent", "mined", "reverted") if not row.note.endswith(_SETTLED)]
        if not rows:
            return
        head = self._client.head().number
        final = max(head - self._finality, 0)
        nonces = {sender: self._client.nonce(sender, final) for sender in {row.sender for row in rows}}
        for row in rows:
            receipt = self._client.receipt(row.tx_hash) if row.tx_hash else None
            change = next_state(row, Seen(receipt, head, self._finality, nonces[row.sender]))
            if change:
                self._table.change(row.id, change)
            elif receipt is None:
                self._send(row.id, row.raw)  # a node may have forgotten it
