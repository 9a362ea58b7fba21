"""Looking round: every venue's quote, doubted, held against the mandate, ranked by what a useful unit costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from penstock.agent.admission import Ask, Breach, Spent, breaches
from penstock.agent.mandate import CREDIT, Mandate, Venue
from penstock.agent.quotes import QUOTE_BYTES_MAX, Doubt, Quote, judge
from penstock.agent.standing import Standing
from penstock.agent.unit_price import UnitPrice, ranked
from penstock.errors import PenstockError, Unavailable

ROOM: frozenset[str] = frozenset({"mandate.per_call", "mandate.per_hour", "mandate.total", "mandate.approval"})
"""Rules on money, which are asked of each payment; the others are of the provider."""


@dataclass(frozen=True, slots=True)
class Market:
    """What there is to buy at an instant, best first; and why the rest is not."""

    ranked: tuple[UnitPrice, ...]
    doubts: tuple[Doubt, ...]
    at_us: int

    def holds(self, now_us: int) -> bool:
        """Whether all of it still holds."""
        return bool(self.ranked) and all(now_us < one.quote.valid_until_us for one in self.ranked)

    def said(self) -> dict[str, Any]:
        """For the log: each candidate on one scale, each refusal with its reason."""
        return {
            "candidates": [_said(one) for one in self.ranked],
            "refused": [{"url": doubt.url, "code": doubt.code, "why": doubt.sentence} for doubt in self.doubts],
        }


@dataclass(frozen=True, slots=True)
class Shop:
    """Where quotes come from. ``carbon_usdc_micro_per_kg`` is what the buyer holds carbon to cost."""

    mandate: Mandate
    http: httpx.Client
    model: str
    call_tokens: int
    carbon_usdc_micro_per_kg: int = 0
    below_mg_per_kwh: int | None = None
    prices_paid: Sequence[int] = field(default=())

    def look(self, standings: Mapping[str, Standing], now_us: int) -> Market:
        """The market now. Raises nothing: a venue that fails is a doubt."""
        offered = {venue: self._offered(venue) for venue in self.mandate.venues}
        quotes, doubts = judge(offered, self.mandate, self.model, now_us, self.prices_paid)
        unfit = {quote.url: self._unfit(quote, standings, now_us) for quote in quotes}
        kept = [quote for quote in quotes if unfit[quote.url] is None]
        arrived = {url: standing.arrived_bp for url, standing in standings.items()}
        priced = ranked(kept, self.call_tokens, self.carbon_usdc_micro_per_kg, arrived)
        return Market(tuple(priced), (*doubts, *(why for why in unfit.values() if why)), now_us)

    def _offered(self, venue: Venue) -> bytes | PenstockError:
        try:
            heard = self.http.get(f"{venue.url}/v1/quote", params={"model": self.model}, follow_redirects=False)
        except httpx.HTTPError as error:
            return Unavailable("provider.silent", f"It does not answer ({type(error).__name__}).")
        if heard.status_code != httpx.codes.OK or len(heard.content) > QUOTE_BYTES_MAX:
            return Unavailable("provider.failed", f"It answered {heard.status_code} for its quote.")
        return heard.content

    def _unfit(self, quote: Quote, standings: Mapping[str, Standing], now_us: int) -> Doubt | None:
        standing = standings.get(quote.url, Standing())
        if not standing.allows(now_us):
            return Doubt(quote.url, "provider.left_alone", "It was late, wrong or silent; it is left alone for now.")
        if self.below_mg_per_kwh is not None and quote.carbon_mg_per_kwh > self.below_mg_per_kwh:
            said = f"{quote.carbon_mg_per_kwh:,} mg/kWh is above the goal's {self.below_mg_per_kwh:,}."
            return Doubt(quote.url, "goal.carbon", said)
        found = self.barred(quote, now_us)
        return Doubt(quote.url, found[0].code, found[0].sentence) if found else None

    def barred(self, quote: Quote, now_us: int) -> list[Breach]:
        """Rules of the mandate, other than those on money, that nothing bought at this quote would keep."""
        return min((self._barred_by(quote, scheme, now_us) for scheme in quote.schemes), key=len, default=[])

    def _barred_by(self, quote: Quote, scheme: str, now_us: int) -> list[Breach]:
        asked = Ask(
            url=quote.url,
            pay_to=quote.pay_to.lower(),
            network=quote.network,
            asset=self._asset(quote, scheme),
            scheme=scheme,
            amount_usdc_micro=quote.charge_up(self.call_tokens),
            tokens=self.call_tokens,
            carbon_mg_per_kwh=quote.carbon_mg_per_kwh,
            technology=quote.technology,
            matched_bp=quote.matched_bp,
            energy_mj_per_1k_tokens=quote.energy_mj_per_1k_tokens,
        )
        found = breaches(self.mandate, asked, Spent(0, 0), now_us, approved=True)
        return [breach for breach in found if breach.code not in ROOM]

    def _asset(self, quote: Quote, scheme: str) -> str:
        """What one would pay in: of credits the first class that the mandate names, else the quote's token."""
        classes = (rail.asset for rail in self.mandate.rails if rail.is_credit and rail.network == quote.network)
        return next(classes, "") if scheme == CREDIT else quote.asset.lower()


def _said(one: UnitPrice) -> dict[str, Any]:
    return {
        "url": one.quote.url,
        "quote": one.quote.digest,
        "usdc_micro_per_1k": one.usdc_micro_per_1k,
        "all_in_usdc_micro_per_1k": one.all_in_usdc_micro,
        "energy_mj_per_1k": one.energy_mj_per_1k,
        "carbon_ug_per_1k": one.carbon_ug_per_1k,
        "load_bp": one.quote.load_bp,
    }
