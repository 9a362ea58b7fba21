"""A chain that may forget its last blocks: the twin of ``Certificate`` after every block, final behind a few more.

A reorganisation takes blocks back as far as the newest final one. What they held waits again, and the fork may take it
in another order, later, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from certificate_twin import CertificateTwin
from lifting import BatchTuple
from on_boa import Refusal

Act = Callable[["Contract", int], None]
FINAL_BEHIND = 2
"""A block is final once so many are on it."""


@dataclass
class Contract:
    """The twin, and the events of its burns, in order."""

    twin: CertificateTwin
    burns: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def burn(self, event: str, said: dict[str, Any]) -> None:
        self.burns.append((event, {"number": len(self.burns), **said}))

    def taking(self, acts: list[Act], at_s: int) -> Contract:
        """The state after transactions; a refused one changes nothing."""
        after = deepcopy(self)
        for act in acts:
            tried = deepcopy(after)
            try:
                act(tried, at_s)
            except Refusal:
                continue
            after = tried
        return after


@dataclass
class Block:
    """Its time [s], the transactions that it took (refused ones too), and the state after it."""

    at_s: int
    acts: list[Act]
    state: Contract


@dataclass
class Chain:
    """Blocks from the first on; the last is the head."""

    at_s: int
    blocks: list[Block] = field(default_factory=list)
    waiting: list[Act] = field(default_factory=list)
    final_height: int = 0

    def __post_init__(self) -> None:
        self.blocks.append(Block(self.at_s, [], Contract(CertificateTwin("guardian"))))

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        return self.blocks[self.final_height]

    def send(self, act: Act) -> None:
        self.waiting.append(act)

    def mine(self, at_s: int, taken: list[Act] | None = None) -> None:
        """A block with what waits, or with these of it; its time is never before its parent's."""
        acts = self.waiting if taken is None else taken
        self.waiting = [act for act in self.waiting if act not in acts]
        at_s = max(at_s, self.head.at_s)
        self.blocks.append(Block(at_s, acts, self.head.state.taking(acts, at_s)))
        self.final_height = max(self.final_height, len(self.blocks) - 1 - FINAL_BEHIND)

    def forget(self, depth: int) -> int:
        """The last blocks are gone, none of the final ones; what they held waits again."""
        kept = max(len(self.blocks) - depth, self.final_height + 1)
        gone = [act for block in self.blocks[kept:] for act in block.acts]
        del self.blocks[kept:]
        self.waiting = gone + self.waiting
        return len(gone)


def minted_rows(twin: CertificateTwin, batch: BatchTuple) -> Iterator[bool]:
    """Which rows of a batch are minted."""
    opened = twin.batches.get(batch)
    done = {row for word in opened.words.values() for row in word.rows} if opened else set()
    return (row in done for row in range(batch[5]))
