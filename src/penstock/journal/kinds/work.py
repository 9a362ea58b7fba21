"""Facts of work done and how it was shown: statements, sealed energy, challenges, sales.

A provider states its work of an interval and is bound by it before anyone draws which rows are done again elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef


class ChallengeKind(StrEnum):
    """What a challenge tests."""

    WORK = "work"  # drawn answers done again: a smaller model, a cheaper precision, an invented answer
    SPEED = "speed"  # the reference kernel on every accelerator at once: a wrong SKU, one sold twice
    PRESENCE = "presence"  # no answer within the time


@dataclass(frozen=True, slots=True)
class WorkStated:
    """A provider's signed statement of an interval (segment ``work/1``), one row an answer in order of number.

    ``root`` is the Merkle root of the rows; ``envelope`` the sha256 of the signed DSSE envelope over the statement.
    """

    KIND: ClassVar[str] = "work.stated"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    provider: str
    rack: str
    model: str
    start_us: int
    stop_us: int
    first_number: int
    root: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True)
class EnergySealed:
    """A rack's metered energy of an interval, shared out and sealed: the Merkle-sum root and what its parts add up to.

    ``answers_mj + idle_mj + overhead_mj + unattributed_mj == meter_mj``, always. ``method`` names the rule and its
    version; ``parameters`` its figures as canonical JSON; ``source`` where the power figure came from (a signed meter,
    ``rapl``, ``nvml``, ``model:...``).
    """

    KIND: ClassVar[str] = "energy.sealed"
    VERSION: ClassVar[int] = 1
    rack: str
    start_us: int
    stop_us: int
    meter_mj: int
    answers_mj: int
    idle_mj: int
    overhead_mj: int
    unattributed_mj: int
    answers: int
    root: bytes
    method: str
    parameters: str
    source: str


@dataclass(frozen=True, slots=True)
class ChallengeCommitted:
    """A challenger binds itself to a secret before the work it will test is stated."""

    KIND: ClassVar[str] = "challenge.committed"
    VERSION: ClassVar[int] = 1
    provider: str
    challenger: str
    commitment: bytes
    opens_after_us: int


@dataclass(frozen=True, slots=True)
class ChallengeJudged:
    """What a challenge found: the secrets revealed, the rows drawn, how many failed, and the evidence's digest.

    ``seed`` = sha256 of all secrets in order of commitment and the root of the work stated after them.
    """

    KIND: ClassVar[str] = "challenge.judged"
    VERSION: ClassVar[int] = 1
    provider: str
    rack: str
    challenge: ChallengeKind
    secrets: tuple[bytes, ...]
    seed: bytes
    work_root: bytes
    rows: tuple[int, ...]
    failed: tuple[int, ...]
    evidence: bytes
    judge: str


@dataclass(frozen=True, slots=True)
class SalesCollected:
    """Answers that were paid for in an interval (segment ``sale/1``), and where the dollars are.

    ``bill`` is the sha256 of the provider's signed bill, ``signed`` the bill itself as written (a DSSE envelope), so
    that anyone can check it against the provider's work key. The transfers bring the dollars in from the chain (x402),
    or release them from escrow (credits).
    """

    KIND: ClassVar[str] = "sales.collected"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    provider: str
    rack: str
    model: str
    start_us: int
    stop_us: int
    answers: int
    paid_usdc_micro: int
    bill: bytes
    transfers: tuple[Transfer, ...]
    signed: bytes = b""
