"""Income of a tranche's holders, as the contract `Tranche` keeps it: one accumulator for all, no loop over holders.

The accumulator is micro-dollars a share times 2**64 and only grows. What does not divide by the supply is carried to
the next accrual, so that nothing is lost; a holder's own floor leaves less than a micro-dollar a settlement behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, Refused

SCALE_BITS: Final = 64
SHARES_MAX: Final = 2**96 - 1
ACCUMULATOR_MAX: Final = 2**152 - 1
_LOW: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Income:
    """A tranche's income so far: supply [shares], accumulator [micro-dollars a share * 2**64], dust carried.

    Raises:
        Invalid: ``tranche.supply`` unless there is from 1 to 2**96 - 1 shares.
    """

    supply: int
    accumulator: int = 0
    dust: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.supply <= SHARES_MAX:
            raise Invalid("tranche.supply", "A tranche has from 1 to 2**96 - 1 shares.", supply=self.supply)

    def accrue(self, income_usdc_micro: int) -> Income:
        """The income after ``income_usdc_micro`` reached all shares at once.

        Raises:
            Invalid: ``money.negative`` for a negative income.
            Refused: ``tranche.overflow`` past 152 bits a share.
        """
        if income_usdc_micro < 0:
            raise Invalid("money.negative", "Income is not negative.", income=income_usdc_micro)
        grown, dust = divmod((income_usdc_micro << SCALE_BITS) + self.dust, self.supply)
        if self.accumulator + grown > ACCUMULATOR_MAX:
            raise Refused(
                "tranche.overflow", "The income of a share outgrows the chain's numbers.", hint="Split shares."
            )
        return Income(self.supply, self.accumulator + grown, dust)


def earned_down(shares: int, now: int, before: int) -> int:
    """What ``shares`` earned between two values of the accumulator [micro-dollars], rounded down."""
    return shares * (now - before) >> SCALE_BITS


def earned_column_down(shares: NDArray[np.int64], now: int, before: int) -> NDArray[np.int64]:
    """`earned_down` for a column of holders with equal ``before``: 64 x 128 bits in three products, no loop.

    Raises:
        Refused: ``tranche.column_overflow`` where the accumulator grew by 2**96 or a holder earned 2**63.
    """
    grown = now - before
    if grown >> 96 or int(shares.max(initial=0)) * grown >> (SCALE_BITS + 63):
        raise Refused("tranche.column_overflow", "The income does not fit a column.", hint="Settle holder by holder.")
    held = shares.astype(np.uint64)
    low, high = held & np.uint64(_LOW), held >> np.uint64(32)
    # shares * grown / 2**64, with grown = g0 + g1 2**32 + g2 2**64 and shares = low + high 2**32
    g0, g1, g2 = (np.uint64(grown >> (32 * i) & _LOW) for i in range(3))
    carry = (low * g0) >> np.uint64(32)
    middle = low * g1 + carry
    other = high * g0 + (middle & np.uint64(_LOW))
    total: NDArray[np.uint64] = held * g2 + high * g1 + (middle >> np.uint64(32)) + (other >> np.uint64(32))
    return total.astype(np.int64)
