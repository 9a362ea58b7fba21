"""Facts of certificates on chain: which titles were lifted there, and what came back of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.kinds.capital import Deployed
from penstock.journal.segment import SegmentRef


class ReturnCause(StrEnum):
    """Why titles that were lifted are the journal's again."""

    LOWERED = "lowered"  # burned on chain, held here
    RETIRED = "retired"  # burned on chain for a badge
    CLAIMED = "claimed"  # burned on chain for a consumption
    LAPSED = "lapsed"  # never minted before the deadline


@dataclass(frozen=True, slots=True)
class ContractsDeployed:
    """More contracts of this workspace stand on the chain it knows."""

    KIND: ClassVar[str] = "contracts.deployed"
    VERSION: ClassVar[int] = 1
    chain_id: int
    contracts: tuple[Deployed, ...]


@dataclass(frozen=True, slots=True)
class TitlesLifted:
    """Certificates leave for the chain (segment ``lift/1``), all of one id; the titles' own move follows.

    ``certificate`` is the id on chain, ``quantity`` how many Wh; what is not minted by ``deadline_s`` [s] lapses. The
    contract ``Certificate`` writes this very fact anew to look for it in an anchored checkpoint, so it says no more.
    """

    KIND: ClassVar[str] = "titles.lifted"
    VERSION: ClassVar[int] = 1
    certificate: bytes
    deadline_s: int
    quantity: int
    segment: SegmentRef


@dataclass(frozen=True, slots=True)
class TitlesReturned:
    """Certificates come back from the chain, from the head of their id's vault; the titles' own move follows.

    ``number`` counts what was burned on chain, -1 for what lapsed: that comes from the vault's tail, ``batch`` is the
    number of the fact that lifted it, ``unminted`` a bit for each of its rows, first row in the highest bit. ``holder``
    burned them; ``badge`` is the badge's number, -1 for none.
    """

    KIND: ClassVar[str] = "titles.returned"
    VERSION: ClassVar[int] = 1
    cause: ReturnCause
    certificate: bytes
    quantity: int
    number: int
    holder: bytes
    account: str
    badge: int
    beneficiary: str
    purpose: str
    batch: int
    unminted: bytes
