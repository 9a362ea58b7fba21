"""A standard window: what makes two of them the same, what its terms must be, and what is owed where hours are missing.

A window's identity is the sha256 of what a buyer would compare: accelerator, memory, interconnect, region, how many,
which hours, and what is promised of them. Who sells it, on which rack and at which price is the offer's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from penstock.compute.calendar import whole_hours
from penstock.compute.service import MS_PER_HOUR
from penstock.errors import Invalid, Refused
from penstock.journal.canonical import dump, to_plain
from penstock.journal.kinds.capacity import Firmness, SkuPublished, WindowOffered
from penstock.journal.segment import Column
from penstock.money import share_down, share_up
from penstock.period import HOUR_US

WHOLE_BP: Final = 10_000
STANDARD: Final = (
    *("sku", "memory_mib", "interconnect", "region", "accelerators", "start_us", "hours"),
    *("firmness", "notice_us", "availability_bp", "kernel_share_bp", "pue_max_bp", "energy_claim"),
)
"""The fields that make a window standard, in the words of the offer."""
EDITION: Final = "https://penstock.dev/window/1"


def window_hash(offer: WindowOffered) -> str:
    """What makes a window standard: sha256 (hex) over the canonical JSON of `STANDARD` and the edition of this rule."""
    said: Any = {name: to_plain(getattr(offer, name)) for name in STANDARD}
    return hashlib.sha256(dump({"edition": EDITION, **said})).hexdigest()


def _none() -> Column:
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Window:
    """One offer and what became of it.

    ``start`` and ``stop`` are the positions sold; ``sold`` its number in the order of sales (-1: not sold).
    ``paid_usdc_micro`` came in, ``back_usdc_micro`` of the price is not owed any more, ``returned_usdc_micro`` of what
    came in went back. ``penalty_usdc_micro`` is what collateral paid, or would have, had there been enough.
    Of ``lost_ms`` ``excused_ms`` were taken back with the notice of an interruptible window, which costs no penalty.
    """

    terms: WindowOffered
    register: int
    sold: int = -1
    holder: str = ""
    price_usdc_micro: int = 0
    start: Column = field(default_factory=_none)
    stop: Column = field(default_factory=_none)
    paid_usdc_micro: int = 0
    back_usdc_micro: int = 0
    returned_usdc_micro: int = 0
    penalty_usdc_micro: int = 0
    lost_ms: int = 0
    excused_ms: int = 0
    ended: str = ""

    @property
    def contracted_ms(self) -> int:
        """Accelerator-milliseconds of the whole window."""
        return self.terms.accelerators * self.terms.hours * MS_PER_HOUR

    @property
    def stop_us(self) -> int:
        """When its last hour is over."""
        return self.terms.start_us + self.terms.hours * HOUR_US

    @property
    def unpaid_usdc_micro(self) -> int:
        """What of the price is still to come."""
        came_usdc_micro = self.paid_usdc_micro - self.returned_usdc_micro
        return self.terms.price_usdc_micro - self.back_usdc_micro - came_usdc_micro

    @property
    def escrow_usdc_micro(self) -> int:
        """What of it waits in escrow."""
        return 0 if self.ended else self.paid_usdc_micro - self.returned_usdc_micro

    @property
    def collateral_usdc_micro(self) -> int:
        """What it needs of its provider's collateral."""
        return self.terms.collateral_usdc_micro - self.penalty_usdc_micro if self.live else 0

    @property
    def live(self) -> bool:
        """Whether somebody holds it and it is not over."""
        return self.sold >= 0 and not self.ended

    @property
    def state(self) -> str:
        """In one word."""
        return self.ended or ("sold" if self.live else "offered")

    @property
    def deposit_usdc_micro(self) -> int:
        """What is paid at the sale, rounded up."""
        return share_up(self.terms.price_usdc_micro, self.terms.deposit_bp, WHOLE_BP)

    def excuses(self, ahead_us: int) -> bool:
        """Whether hours may be taken back so long before they begin."""
        return self.terms.firmness is Firmness.INTERRUPTIBLE and ahead_us >= self.terms.notice_us

    def owed(self, missing_ms: int, excused_ms: int) -> tuple[int, int]:
        """What missing milliseconds are worth: of the price, up, and of the penalty, down [micro-dollars].

        Nothing while no more is missing than the promised availability lets; no penalty for what is excused.
        """
        contracted = self.contracted_ms
        if missing_ms <= share_down(contracted, WHOLE_BP - self.terms.availability_bp, WHOLE_BP):
            return 0, 0
        price = self.terms.price_usdc_micro - share_down(
            self.terms.price_usdc_micro, contracted - missing_ms, contracted
        )
        return price, share_down(self.terms.collateral_usdc_micro, missing_ms - excused_ms, contracted)


def check_terms(offer: WindowOffered, sku: SkuPublished, rack_accelerators: int, at_us: int) -> None:
    """That a window may be offered so.

    Raises:
        Invalid: ``window.terms``, ``window.hash``, ``capacity.hours``. Refused: ``window.begun``.
    """
    whole_hours(offer.start_us, offer.start_us + offer.hours * HOUR_US)
    if offer.window != window_hash(offer):
        raise Invalid("window.hash", "The window's name is not the hash of what makes it standard.", offer=offer.offer)
    for sentence in _mistakes(offer, sku, rack_accelerators):
        raise Invalid("window.terms", sentence, offer=offer.offer)
    if offer.start_us <= at_us or offer.expires_us <= at_us:
        raise Refused("window.begun", "A window is offered before it begins.", offer=offer.offer)


def _mistakes(offer: WindowOffered, sku: SkuPublished, rack_accelerators: int) -> list[str]:
    shares = (offer.availability_bp, offer.kernel_share_bp)
    said = {
        "An offer has a name, a region and printable text.": all(
            text.strip() and text.isprintable() for text in (offer.offer, offer.region)
        )
        and offer.energy_claim.isprintable(),
        "A window has one accelerator or more, of those the rack has.": 1 <= offer.accelerators <= rack_accelerators,
        "Memory and interconnect are those of the accelerator's own standard.": (
            (offer.memory_mib, offer.interconnect) == (sku.memory_mib, sku.interconnect)
        ),
        "Availability and the kernel's share are 0 to 10,000 basis points.": all(
            0 <= one <= WHOLE_BP for one in shares
        ),
        "A PUE is at least 10,000 basis points; 0 promises none.": not offer.pue_max_bp or offer.pue_max_bp >= WHOLE_BP,
        "A price is at least 1 micro-dollar; collateral is 0 or more.": offer.price_usdc_micro >= 1
        and offer.collateral_usdc_micro >= 0,
        "A deposit is 1 to 10,000 basis points of the price.": 1 <= offer.deposit_bp <= WHOLE_BP,
        "What is not deposited is due after the offer expires and no later than the window begins.": (
            offer.deposit_bp == WHOLE_BP or offer.expires_us <= offer.balance_due_us <= offer.start_us
        ),
        "An offer expires no later than its window begins.": offer.expires_us <= offer.start_us,
        "Only an interruptible window has a notice.": offer.notice_us >= 0
        and (offer.firmness is Firmness.INTERRUPTIBLE or not offer.notice_us),
    }
    return [sentence for sentence, holds in said.items() if not holds]
