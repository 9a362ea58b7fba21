"""A forward as it stands: its terms, its sales in order, and how far each was delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from penstock.journal.cutting import Ints, ratio_down
from penstock.journal.kinds.forward import Form, ForwardOffered, ForwardSold, Remedy
from penstock.journal.segment import Column, Columns

WHOLE: Final = 10_000


def promised_register(forward: str) -> str:
    """The register of what a forward promises."""
    return f"{forward}/promised"


def escrow_account(forward: str) -> str:
    """Where buyers' dollars wait until output is delivered."""
    return f"{forward}/escrow"


def collateral_account(forward: str) -> str:
    """Where the seller's collateral lies until the forward is settled."""
    return f"{forward}/collateral"


@dataclass(slots=True)
class Sale:
    """One sale: its span of the promise begins at ``start``; what of it was delivered, and earned."""

    sold: ForwardSold
    start: int
    delivered_wh: int = 0
    released_usdc_micro: int = 0

    @property
    def stop(self) -> int:
        """Where its span of the promise ends."""
        return self.start + self.sold.quantity_wh


@dataclass(slots=True, eq=False)
class Promise:
    """A forward. ``roots`` are the first epochs of its plant's registers; ``reached`` how far each was looked at.

    ``output_wh`` is all output of the window so far, ``given`` what each sale got in each period of a shape.
    """

    number: int
    offered: ForwardOffered
    periods: Columns
    roots: frozenset[int]
    seller: int
    register: int
    sales: list[Sale] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)
    output_wh: int = 0
    given: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    settled: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.offered.forward

    @property
    def offered_wh(self) -> int:
        """All that is on offer."""
        return int(self.periods["energy_wh"].sum())

    @property
    def sold_wh(self) -> int:
        """What was promised to buyers."""
        return sum(one.sold.quantity_wh for one in self.sales)

    @property
    def sold_basis_points(self) -> int:
        """Of a share, how much was sold."""
        return sum(one.sold.share_basis_points for one in self.sales)

    @property
    def delivered_wh(self) -> int:
        """What buyers got."""
        return sum(one.delivered_wh for one in self.sales)

    @property
    def makes_up(self) -> bool:
        """Whether later output makes up for what did not come."""
        return self.offered.remedy is Remedy.MAKE_UP

    @property
    def until_us(self) -> int:
        """The end of the last interval that could be delivered [us]."""
        return self.offered.make_up_until_us if self.makes_up else self.offered.stop_us

    @property
    def ranks(self) -> Column:
        """The rank of each sale."""
        return np.array([one.sold.rank for one in self.sales], dtype=np.int64)

    @property
    def sizes(self) -> Column:
        """What each sale was promised [Wh]."""
        return np.array([one.sold.quantity_wh for one in self.sales], dtype=np.int64)

    @property
    def delivered(self) -> Column:
        """What each sale got [Wh]."""
        return np.array([one.delivered_wh for one in self.sales], dtype=np.int64)

    @property
    def shares(self) -> Column:
        """The share that each sale bought [basis points]."""
        return np.array([one.sold.share_basis_points for one in self.sales], dtype=np.int64)

    def due(self, output_wh: int) -> Column:
        """What is due to each sale by the end of the window, at so much output in it [Wh]."""
        if self.offered.form is not Form.SHARE:
            return self.sizes
        return np.minimum(ratio_down(output_wh, self.shares, WHOLE), self.sizes)

    @property
    def missing(self) -> Column:
        """What is due to each sale and did not come [Wh]; a share's buyer bears how much there is."""
        return self.due(self.output_wh) - self.delivered

    @property
    def wants(self) -> bool:
        """Whether more output can be due."""
        if self.settled or not self.sales:
            return False
        return bool((self.sizes > self.delivered).any())


def share_wh(promise: Promise, basis_points: int) -> int:
    """What the next so many basis points of a share promise, of P50: floors of all that was sold [Wh]."""
    sold, p50 = promise.sold_basis_points, promise.offered.p50_wh
    return (sold + basis_points) * p50 // WHOLE - sold * p50 // WHOLE
