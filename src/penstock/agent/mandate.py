"""What an agent may do: budgets, ceilings, sources, venues, and until when. Says it once, refuses to say it twice.

A mandate is given by whoever owns the money. Everything here is a limit; none is a wish. Dollars are micro-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SPOT, CREDIT, FORWARD = "spot", "credit", "forward"
KINDS: Final = (SPOT, CREDIT, FORWARD)
EXACT, UPTO = "exact", "upto"
SCHEMES: Final = (EXACT, UPTO, CREDIT)
"""Schemes of payment: x402's exact and upto, and prepaid credits."""

CLASS_CHARS: Final = 66
"""A class of credits in hex, with its 0x."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Most that may be spent in one call, in any hour, and in all; above ``ask_above`` somebody is asked first."""

    call_usdc_micro: int
    hour_usdc_micro: int
    total_usdc_micro: int
    ask_above_usdc_micro: int


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Highest prices; None where there is no ceiling of that kind."""

    per_1k_tokens_usdc_micro: int
    per_accelerator_hour_usdc_micro: int | None = None
    per_mwh_usdc_micro: int | None = None


@dataclass(frozen=True, slots=True)
class EnergyRules:
    """Carbon at most so much [mg per kWh], sources allowed (none named: all), matched by certificates at least [bp]."""

    carbon_max_mg_per_kwh: int | None = None
    technologies: tuple[str, ...] = ()
    technologies_refused: tuple[str, ...] = ()
    matched_min_bp: int = 0
    max_mj_per_1k_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Venue:
    """A provider one may buy from: its address, who is paid there, the key it signs quotes with [hex, 32 bytes]."""

    url: str
    pay_to: str
    key: str


@dataclass(frozen=True, slots=True)
class Rail:
    """What one may pay with: a token of a network (CAIP-2), by these schemes; or credits of a class (32 bytes)."""

    network: str
    asset: str
    schemes: tuple[str, ...]

    @property
    def is_credit(self) -> bool:
        """Credits of a class at the payee's till, no token."""
        return len(self.asset) == CLASS_CHARS


@dataclass(frozen=True, slots=True)
class QuoteRules:
    """How old a quote may be [us], how far it may lie from the others, and a price known beforehand, where there is."""

    age_max_us: int
    ratio_max: int
    reference_usdc_micro_per_1k: int | None = None


@dataclass(frozen=True, slots=True)
class TradeRules:
    """What may be traded, at how much exposure at once, for at least what edge after costs [bp]."""

    kinds: tuple[str, ...] = (SPOT,)
    exposure_max_usdc_micro: int = 0
    edge_min_bp: int = 0


@dataclass(frozen=True, slots=True)
class Mandate:
    """An agent's limits. ``spender`` is the contract account that pays; empty: the agent's own account does."""

    name: str
    from_us: int
    until_us: int
    budget: Budget
    ceilings: Ceilings
    energy: EnergyRules
    venues: tuple[Venue, ...]
    rails: tuple[Rail, ...]
    quotes: QuoteRules
    trade: TradeRules = TradeRules()
    spender: str = ""

    def venue(self, url: str) -> Venue | None:
        """The venue at ``url``, if one may buy there."""
        return next((venue for venue in self.venues if venue.url == url), None)

    def rail(self, network: str, asset: str) -> Rail | None:
        """How one may pay in ``asset`` of ``network``, if at all."""
        wanted = (network, asset.lower())
        return next((rail for rail in self.rails if (rail.network, rail.asset.lower()) == wanted), None)


def contradictions(mandate: Mandate) -> tuple[str, ...]:
    """Every way in which the mandate says two things; none where it says one."""
    return (*_of_time(mandate), *_of_money(mandate), *_of_energy(mandate), *_of_venues(mandate), *_of_trade(mandate))


def _of_time(mandate: Mandate) -> Iterator[str]:
    if mandate.until_us <= mandate.from_us:
        yield "valid: it ends before it begins, so nothing may ever be bought."


def _of_money(mandate: Mandate) -> Iterator[str]:
    budget = mandate.budget
    if budget.call_usdc_micro > budget.hour_usdc_micro:
        yield "budget_usd: one call may cost more than an hour."
    if budget.hour_usdc_micro > budget.total_usdc_micro:
        yield "budget_usd: one hour may cost more than all together."
    if budget.ask_above_usdc_micro > budget.call_usdc_micro:
        yield "ask_above_usd: nobody would ever be asked, as no call may cost so much."
    if budget.call_usdc_micro == 0:
        yield "budget_usd: a call that may cost nothing buys nothing."


def _of_energy(mandate: Mandate) -> Iterator[str]:
    energy = mandate.energy
    both = sorted(set(energy.technologies) & set(energy.technologies_refused))
    if both:
        yield f"energy: {', '.join(both)} is both allowed and refused."
    if energy.matched_min_bp > 0 and energy.technologies and set(energy.technologies) <= {"generator"}:
        yield "energy: certificates are asked for, and only a source that gets none is allowed."


def _of_venues(mandate: Mandate) -> Iterator[str]:
    urls = [venue.url for venue in mandate.venues]
    if not urls:
        yield "venues: none is named, so nothing may be bought."
    yield from (f"venues: {url} stands there twice." for url in sorted({url for url in urls if urls.count(url) > 1}))
    rails = mandate.rails
    tokens = [(rail.network, rail.asset.lower()) for rail in rails]
    if not tokens:
        yield "payments: none is named, so nothing can be paid."
    if any(rail.is_credit != (CREDIT in rail.schemes) or (rail.is_credit and len(rail.schemes) > 1) for rail in rails):
        yield "payments: credits are of a class (32 bytes) and nothing else is, or the other way round."
    if len(set(tokens)) < len(tokens):
        yield "payments: one token stands there twice."


def _of_trade(mandate: Mandate) -> Iterator[str]:
    trade = mandate.trade
    if trade.exposure_max_usdc_micro > mandate.budget.total_usdc_micro:
        yield "trade: the exposure is above the total budget."
    if trade.exposure_max_usdc_micro and trade.kinds == (SPOT,):
        yield "trade: an exposure is allowed, and nothing that could have one."
