"""The outbox: one sender's transactions, each sent once, whatever dies in between.

planned -> signed (nonce and raw bytes kept) -> sent -> mined -> final, or reverted, replaced, reorged.
What is signed is kept before it is sent, so a restart sends the very same bytes again; the chain knows them by
their hash. A reverted transaction has used its nonce and is known as such. A nonce taken by another transaction
makes a row *replaced*; a mined one whose block vanished is *reorged* and sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from penstock.chain.client import Client, Mined
from penstock.errors import Corrupt, Refused, Unavailable
from penstock.keys import ChainKey

OPEN: Final = ("planned", "signed", "sent", "reorged")
ENDED: Final = ("mined", "final", "reverted", "replaced")


class Row(Protocol):
    """A transaction on its way; the store's row has this shape."""

    @property
    def id(self) -> str: ...
    @property
    def sender(self) -> bytes: ...
    @property
    def target(self) -> bytes | None: ...
    @property
    def data(self) -> bytes: ...
    @property
    def nonce(self) -> int | None: ...
    @property
    def raw(self) -> bytes | None: ...
    @property
    def tx_hash(self) -> bytes | None: ...
    @property
    def state(self) -> str: ...


class Table(Protocol):
    """Where rows are kept, each change durable before it returns."""

    def rows(self, state: str | None = None) -> Sequence[Row]: ...

    def update(
        self,
        id: str,
        state: str,
        *,
        nonce: int | None = None,
        raw: bytes | None = None,
        tx_hash: bytes | None = None,
        note: str | None = None,
    ) -> None: ...


class Outbox:
    """Moves the rows of one sender's key; ``finality_blocks`` behind the head a mined row is final."""

    def __init__(self, client: Client, table: Table, key: ChainKey, finality_blocks: int = 0) -> None:
        self._client, self._table, self._key = client, table, key
        self._finality = finality_blocks

    def settle(self) -> None:
        """Bring every row of this sender as far as it will go now, in the order planned.

        Raises:
            Unavailable: the chain does not answer; nothing is lost. Refused: ``chain.refused`` where it takes no
            transaction of this sender.
        """
        for row in self._mine(OPEN):
            self._send(row if row.raw else self._signed(row))
        for row in self._mine(("sent", "mined")):
            self._look(row)

    def result(self, id: str) -> Mined:
        """The receipt of a settled row.

        Raises:
            Refused: ``chain.reverted``, ``chain.replaced``. Unavailable: ``chain.pending`` while it is not mined.
        """
        row = next((row for row in self._mine((*OPEN, *ENDED)) if row.id == id), None)
        receipt = self._client.mined(row.tx_hash) if row and row.tx_hash else None
        if row is not None and row.state == "replaced":
            raise Refused("chain.replaced", "Another transaction took this one's nonce.", id=id)
        if receipt is None:
            raise Unavailable("chain.pending", "The transaction is not mined yet.", hint="Run the same again.", id=id)
        if not receipt.ok:
            raise Refused("chain.reverted", "The contract refused this transaction.", id=id)
        return receipt

    def _mine(self, states: Sequence[str]) -> list[Row]:
        return [row for row in self._table.rows() if row.sender == self._key.address and row.state in states]

    def _signed(self, row: Row) -> Row:
        taken = [one.nonce for one in self._mine((*OPEN, *ENDED)) if one.nonce is not None]
        nonce = max([self._client.nonce(self._key.address), *(used + 1 for used in taken)])
        raw = self._client.sign(self._key, nonce, row.target, row.data)
        self._table.update(row.id, "signed", nonce=nonce, raw=raw)
        return next(one for one in self._mine(("signed",)) if one.id == row.id)

    def _send(self, row: Row) -> None:
        if row.raw is None:
            raise Corrupt("chain.outbox", "A signed row has no bytes.", id=row.id)
        try:
            tx_hash = self._client.send(row.raw)
        except Refused as refused:
            if row.nonce is None or self._client.nonce(self._key.address) <= row.nonce:
                raise
            self._table.update(row.id, "replaced", note=refused.message)
            return
        self._table.update(row.id, "sent", tx_hash=tx_hash)

    def _look(self, row: Row) -> None:
        receipt = self._client.mined(row.tx_hash) if row.tx_hash else None
        if receipt is None:
            if row.state == "mined":
                self._table.update(row.id, "reorged", note="its block is gone")
            return
        if not receipt.ok:
            self._table.update(row.id, "reverted", note=f"block {receipt.block_number}")
            return
        deep = self._client.height() - receipt.block_number >= self._finality
        if deep or row.state != "mined":
            self._table.update(row.id, "final" if deep else "mined", note=f"block {receipt.block_number}")
