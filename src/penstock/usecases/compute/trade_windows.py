"""Windows: offered, sold, passed on, paid for, lapsed, settled."""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock.compute.window import window_hash
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import WindowOffered
from penstock.usecases.compute.entries import entries_of
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Buy:
    """A buyer takes an offered window from its provider."""

    offer: str
    buyer: str


@dataclass(frozen=True, slots=True)
class Resell:
    """A holder passes a window on at a price [micro-dollars]."""

    offer: str
    seller: str
    buyer: str
    price_usdc_micro: int


@dataclass(frozen=True, slots=True)
class Pay:
    """The rest of a window's price comes, or (``lapsed``) did not."""

    offer: str
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Settle:
    """A window is over: so much was delivered [accelerator-ms], shown by what has this sha256."""

    offer: str
    delivered_ms: int
    proof: bytes = b""


def standard(offer: WindowOffered) -> WindowOffered:
    """The offer under the name that its own terms give the window."""
    return replace(offer, window=window_hash(offer))


def offer_window(world: World, fact: WindowOffered, at_us: int) -> list[Entry]:
    """The fact of an offer; raises as `Capacity.check_offer`."""
    world.capacity.check_offer(fact, at_us)
    return [Entry(fact)]


def sell_window(world: World, asked: Buy, at_us: int) -> list[Entry]:
    """The facts of a sale; raises as `Windows.reckon_sale`, and Refused ``ledger.overdrawn``."""
    return entries_of(world, world.capacity.reckon_window_sale(asked.offer, asked.buyer, at_us))


def resell_window(world: World, asked: Resell, at_us: int) -> list[Entry]:
    """The facts of a resale; raises as `Windows.reckon_resale`, and Refused ``ledger.overdrawn``."""
    act = world.capacity.windows.reckon_resale(asked.offer, asked.seller, asked.buyer, asked.price_usdc_micro, at_us)
    return entries_of(world, act)


def pay_window(world: World, asked: Pay, at_us: int) -> list[Entry]:
    """The facts of the rest of a price, or of its want; raises as `Windows.reckon_payment`."""
    return entries_of(world, world.capacity.windows.reckon_payment(asked.offer, at_us, asked.lapsed))


def settle_window(world: World, asked: Settle, at_us: int) -> list[Entry]:
    """The facts of a settlement; raises as `Windows.reckon_settlement`."""
    act = world.capacity.windows.reckon_settlement(asked.offer, asked.delivered_ms, asked.proof, at_us)
    return entries_of(world, act)
