"""Facts of the chain, recorded at finality: which chain this workspace knows, and what was anchored there.

Transaction hashes, blocks and gas are observations, not facts: a reorg or a
repeated sending never touches the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.kinds.capital import Deployed


@dataclass(frozen=True, slots=True)
class ChainAdopted:
    """The chain of this workspace, known by chain id and genesis hash, and the contracts deployed there."""

    KIND: ClassVar[str] = "chain.adopted"
    VERSION: ClassVar[int] = 1
    chain_id: int
    genesis: bytes
    contracts: tuple[Deployed, ...]


@dataclass(frozen=True, slots=True)
class CheckpointAnchored:
    """A checkpoint stands in ``Anchor``, its consistency with the one before proved on chain."""

    KIND: ClassVar[str] = "checkpoint.anchored"
    VERSION: ClassVar[int] = 1
    size: int
    root: bytes
