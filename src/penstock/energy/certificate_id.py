"""Certificate ids: what of a certificate moves its price, hashed as the contract ``Certificate`` hashes it.

``uint256(keccak256(abi.encode(...)))`` over `Properties` in their order. Certificates of one id are alike on chain.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal.lots import Lots
from penstock.journal.words import ASSURANCES
from penstock.period import SECOND_US

TYPES: Final = ("bytes32", "uint64", "uint32", "bytes32", "uint8", "uint32", "uint64", "bytes32", "bool")
WORD_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Properties:
    """What an id stands for; words are ascii, right-padded with zeros to 32 bytes.

    ``interval_start_s`` [s] and ``interval_s`` say when it was generated, ``assurance`` is 0 for the strongest level,
    ``commissioned_month`` is yyyymm, 0 where it is not known.
    """

    zone: bytes
    interval_start_s: int
    interval_s: int
    technology: bytes
    assurance: int
    commissioned_month: int
    carbon_mg_per_kwh: int
    support: bytes
    stored: bool

    def certificate(self) -> bytes:
        """The id [32 bytes]."""
        return bytes(keccak(encode(TYPES, astuple(self))))


def word(text: str) -> bytes:
    """A word as the chain holds it; raises Refused ``lift.word`` for one that does not fit."""
    if not text.isascii() or len(text) > WORD_BYTES:
        raise Refused("lift.word", f"{text!r} has no place on chain: at most {WORD_BYTES} ascii characters do.")
    return text.encode().ljust(WORD_BYTES, b"\x00")


def month_of(at_us: int) -> int:
    """The month of an instant as yyyymm; 0 for 0."""
    if not at_us:
        return 0
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return at.year * 100 + at.month


def properties_of(
    lots: Lots, lot: NDArray[Any], interval_us: NDArray[Any], commissioned_us: NDArray[Any]
) -> tuple[list[Properties], NDArray[np.intp]]:
    """What titles are, by lot, start of the interval and commissioning of their device [us]: each kind once, and which
    each title is of.

    Raises:
        Refused: ``lift.word``.
    """
    months, of_month = np.unique(commissioned_us, return_inverse=True)
    month = np.array([month_of(at_us) for at_us in months.tolist()], dtype=np.int64)[of_month]
    kinds, slot = np.unique(np.column_stack([lot, interval_us, month]), axis=0, return_inverse=True)
    return [_properties(lots, *kind) for kind in kinds.tolist()], slot.ravel()


def _properties(lots: Lots, number: int, interval_us: int, month: int) -> Properties:
    lot = lots[number]
    return Properties(
        zone=word(lot.zone),
        interval_start_s=interval_us // SECOND_US,
        interval_s=lot.interval_us // SECOND_US,
        technology=word(lot.technology.value),
        assurance=ASSURANCES.index(lot.assurance),
        commissioned_month=month,
        carbon_mg_per_kwh=lot.carbon_mg_per_kwh,
        support=word(lot.support),
        stored=lot.stored,
    )
