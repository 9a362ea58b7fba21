"""Quotes on one scale: what a useful unit costs, in dollars, energy and carbon, at the load and the size of a call.

Useful is what arrives: a provider that fails one call in ten costs a tenth more time, and whatever it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.agent.quotes import Quote
from penstock.money import share_up
from penstock.units import MJ_PER_WH

WH_PER_KWH: Final = 1_000
WHOLE_BP: Final = 10_000


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What 1,000 useful tokens come to; ``all_in_usdc_micro`` is with carbon at the buyer's own price of it."""

    quote: Quote
    call_tokens: int
    call_usdc_micro: int
    usdc_micro_per_1k: int
    energy_mj_per_1k: int
    carbon_ug_per_1k: int
    all_in_usdc_micro: int


def unit_price(
    quote: Quote, call_tokens: int, carbon_usdc_micro_per_kg: int = 0, arrived_bp: int = WHOLE_BP
) -> UnitPrice:
    """The price of 1,000 useful tokens in calls of ``call_tokens``.

    The minimum of a call weighs on small ones; certificates take their share off the carbon; ``arrived_bp`` of what was
    paid for arrived so far. All rounded up: no provider looks better than it is.
    """
    call = quote.charge_up(call_tokens)
    per_1k = share_up(share_up(call, 1_000, max(1, call_tokens)), WHOLE_BP, max(1, arrived_bp))
    carbon = carbon_ug_up(quote)
    return UnitPrice(
        quote=quote,
        call_tokens=call_tokens,
        call_usdc_micro=call,
        usdc_micro_per_1k=per_1k,
        energy_mj_per_1k=quote.energy_mj_per_1k_tokens,
        carbon_ug_per_1k=carbon,
        all_in_usdc_micro=per_1k + share_up(carbon, carbon_usdc_micro_per_kg, 10**9),
    )


def carbon_ug_up(quote: Quote) -> int:
    """Carbon of 1,000 tokens that no certificate covers [micrograms], rounded up.

    mJ * mg/kWh * 1,000 ug/mg / (3,600,000 mJ/Wh * 1,000 Wh/kWh), times the part not matched.
    """
    mj_per_kwh = MJ_PER_WH * WH_PER_KWH
    bare_bp = WHOLE_BP - quote.matched_bp
    return share_up(quote.energy_mj_per_1k_tokens * quote.carbon_mg_per_kwh * 1_000, bare_bp, WHOLE_BP * mj_per_kwh)


def ranked(
    quotes: Sequence[Quote],
    call_tokens: int,
    carbon_usdc_micro_per_kg: int = 0,
    arrived_bp: Mapping[str, int] | None = None,
) -> list[UnitPrice]:
    """The quotes by all-in price of a useful unit; of equals the less carbon, then the address."""
    arrived = arrived_bp or {}
    priced = [unit_price(q, call_tokens, carbon_usdc_micro_per_kg, arrived.get(q.url, WHOLE_BP)) for q in quotes]
    return sorted(priced, key=lambda one: (one.all_in_usdc_micro, one.carbon_ug_per_1k, one.quote.url))
