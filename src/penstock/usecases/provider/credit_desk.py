"""Credits of the chain at a provider's till: what holders ask for is taken in, stated as delivered, and settled.

A request is spent here call by call. It is stated as delivered once the holder used it up and a report tells of the
work; or shortly before its grace ends, for a holder that lets it lie: the balance stays spendable at this till, and
nobody gains collateral by asking and not coming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from penstock.chain.client import ChainClient
from penstock.connect.x402.asking import CreditClass
from penstock.connect.x402.till import Till
from penstock.keys import ChainKey
from penstock.usecases.take_credits import RequestOnChain, collect_requests, deliver, request_of, settle

BLOCKS_AT_ONCE: Final = 5_000
LAST_SHARE: Final = 4
"""A request that lies idle is stated as delivered in the last quarter of what was left of its grace when first seen."""


@dataclass(frozen=True, slots=True)
class Told:
    """The newest report: its number (-1 where there is none) and the Merkle root of its work."""

    number: int
    root: bytes


@dataclass(slots=True)
class CreditDesk:
    """Requests of ``classes`` on ``contract``; without ``key`` they are taken in, and stated by nobody."""

    client: ChainClient
    contract: bytes
    provider: bytes
    till: Till
    classes: Sequence[CreditClass]
    key: ChainKey | None = None
    next_block: int = 0
    _used_up: dict[tuple[bytes, bytes, int], int] = field(default_factory=dict)
    _seen_s: dict[tuple[bytes, bytes, int], int] = field(default_factory=dict)

    async def collect(self) -> int:
        """Bring what was asked for or refunded since the last look into the till; how many events counted.

        Raises:
            Unavailable: ``chain.unreachable``; what was looked at before it stands.
        """
        head, counted = self.client.head().number, 0
        while self.next_block <= head:
            last = min(head, self.next_block + BLOCKS_AT_ONCE - 1)
            counted += await collect_requests(
                self.client, self.contract, self.provider, self.till, self.next_block, last
            )
            self.next_block = last + 1
        return counted

    async def state(self, told: Told) -> tuple[int, int]:
        """State what is delivered and settle what stood its grace: how many of each.

        Raises:
            Refused, Unavailable: as `ChainClient.transact`; the next call goes on from there.
        """
        delivered = settled = 0
        if self.key is None:
            return 0, 0
        now_s, ours = self.client.head().at_s, {one.id for one in self.classes}
        for holder, class_id in await self.till.holders():
            if class_id not in ours:
                continue
            asked = request_of(self.client, self.contract, class_id, holder)
            if asked.credits and asked.work_root and now_s >= asked.due_s:
                settle(self.client, self.key, self.contract, class_id, holder)
                settled += 1
            elif asked.credits and not asked.work_root and await self._is_due(asked, class_id, holder, told, now_s):
                deliver(self.client, self.key, self.contract, class_id, holder, told.root)
                delivered += 1
        return delivered, settled

    async def _is_due(self, asked: RequestOnChain, class_id: bytes, holder: bytes, told: Told, now_s: int) -> bool:
        """Whether it is to be stated now, by the newest report's root."""
        this = (class_id, holder, asked.due_s)
        seen_s = self._seen_s.setdefault(this, now_s)
        used_up = not await self.till.balance(holder, class_id)
        reported = used_up and told.number > self._used_up.setdefault(this, told.number)
        idle = now_s >= asked.due_s - (asked.due_s - seen_s) // LAST_SHARE
        return bool(told.root) and now_s < asked.due_s and (reported or idle)
