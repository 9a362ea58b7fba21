"""Providers' signed quotes, read and doubted: late, frozen, unsigned or absurd ones buy nothing.

A quote is a DSSE envelope around an in-toto statement of type ``quote/1`` (`penstock.keys.dsse`), signed with the key
that the mandate pins for the venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import median_low
from typing import Any, Final

from penstock.agent.mandate import Mandate, QuoteRules, Venue
from penstock.errors import Invalid, PenstockError, Unverified
from penstock.keys.dsse import QUOTE, STATEMENT, Envelope, open_sealed, read_statement
from penstock.money import share_up
from penstock.period import SECOND_US, iso

AHEAD_MAX_US: Final = 5 * SECOND_US
"""A clock may run ahead of ours by so much [us]."""
QUOTE_BYTES_MAX: Final = 64 * 1024
FIGURE_MAX: Final = 10**18


@dataclass(frozen=True, slots=True)
class Quote:
    """What a provider offers: price, terms of payment, and the energy of an answer at the load it has.

    ``carbon_mg_per_kwh`` and ``matched_bp`` are of the power behind it; ``digest`` names the signed bytes.
    """

    url: str
    model: str
    price_usdc_micro_per_1k_tokens: int
    minimum_usdc_micro: int
    schemes: tuple[str, ...]
    pay_to: str
    asset: str
    network: str
    energy_mj_per_1k_tokens: int
    carbon_mg_per_kwh: int
    technology: str
    matched_bp: int
    load_bp: int
    sku: str
    as_of_us: int
    valid_until_us: int
    digest: str

    def charge_up(self, tokens: int) -> int:
        """What a call of ``tokens`` costs, rounded up, and never below the minimum [micro-dollars]."""
        return max(self.minimum_usdc_micro, share_up(self.price_usdc_micro_per_1k_tokens, tokens, 1_000))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A quote that is not used, and why."""

    url: str
    code: str
    sentence: str


def read_quote(raw: bytes, venue: Venue) -> Quote:
    """The quote in a signed envelope of ``venue``.

    Raises:
        Invalid: ``quote.malformed``, and as `Envelope.from_json`. Unverified: as `open_sealed` and `read_statement`.
    """
    if len(raw) > QUOTE_BYTES_MAX:
        raise Invalid("quote.malformed", f"The quote is longer than {QUOTE_BYTES_MAX:,} bytes.")
    payload = open_sealed(Envelope.from_json(raw), bytes.fromhex(venue.key), STATEMENT)
    said = read_statement(payload, QUOTE).predicate
    try:
        return _quote(said, venue.url, sha256(raw).hexdigest())
    except (KeyError, TypeError, ValueError):
        raise Invalid("quote.malformed", "The quote lacks a field, or one has another form.", url=venue.url) from None


def _quote(said: Mapping[str, Any], url: str, digest: str) -> Quote:
    source = said["source"]
    return Quote(
        url=url,
        model=_word(said["model"]),
        price_usdc_micro_per_1k_tokens=_figure(said["price_usdc_micro_per_1k_tokens"]),
        minimum_usdc_micro=_figure(said["minimum_usdc_micro"]),
        schemes=tuple(_word(scheme) for scheme in said["schemes"]),
        pay_to=_word(said["pay_to"]),
        asset=_word(said["asset"]),
        network=_word(said["network"]),
        energy_mj_per_1k_tokens=_figure(said["energy_mj_per_1k_tokens"]),
        carbon_mg_per_kwh=_figure(said["carbon_mg_per_kwh"]),
        technology=_word(source["technology"]),
        matched_bp=_figure(source["matched_bp"]),
        load_bp=_figure(said["load_bp"]),
        sku=_word(said["sku"]),
        as_of_us=_figure(said["as_of_us"]),
        valid_until_us=_figure(said["valid_until_us"]),
        digest=digest,
    )


def _figure(value: object) -> int:
    """Whole numbers travel as such, or as decimal strings; 0 or more."""
    whole = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if type(whole) is not int or not 0 <= whole < FIGURE_MAX:
        raise ValueError(value)
    return whole


def _word(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(value)
    return value


def check_time(quote: Quote, rules: QuoteRules, now_us: int) -> None:
    """Nothing, where the quote is of now.

    Raises:
        Unverified: ``quote.ahead`` from the future, ``quote.expired``, ``quote.frozen`` too old whatever it says.
    """
    if quote.as_of_us > now_us + AHEAD_MAX_US:
        raise Unverified("quote.ahead", f"The quote is of {iso(quote.as_of_us)}, which has not come.", url=quote.url)
    if quote.valid_until_us <= now_us:
        raise Unverified("quote.expired", f"The quote held until {iso(quote.valid_until_us)}.", url=quote.url)
    if now_us - quote.as_of_us > rules.age_max_us:
        hint = "A feed that stands still quotes nothing."
        raise Unverified("quote.frozen", f"The quote is of {iso(quote.as_of_us)}: too old.", hint=hint, url=quote.url)


def check_figures(quote: Quote) -> None:
    """Unverified ``quote.absurd`` for a price of nothing, no energy, or shares above the whole."""
    if quote.price_usdc_micro_per_1k_tokens == 0:
        raise Unverified("quote.absurd", "A price of nothing is a mistake or a lure.", url=quote.url)
    if quote.energy_mj_per_1k_tokens == 0 or quote.matched_bp > 10_000 or quote.load_bp > 10_000:
        raise Unverified("quote.absurd", "No answer is made of no energy, nor matched or loaded beyond the whole.")


def believable(
    quotes: Sequence[Quote], mandate: Mandate, known_usdc_micro_per_1k: Sequence[int] = ()
) -> tuple[list[Quote], list[Doubt]]:
    """Quotes whose price is of the order of the others', and doubts on the rest.

    The order is the mandate's reference; else the median (the lower of two) of what was paid before; else of the
    quotes, where three or more say something. Two that contradict each other, with nothing to judge by, are both left.
    """
    rules = mandate.quotes
    prices = [quote.price_usdc_micro_per_1k_tokens for quote in quotes]
    order = _order(rules, prices, known_usdc_micro_per_1k)
    if order is None:
        apart = bool(prices) and max(prices) > min(prices) * rules.ratio_max
        return ([], [_apart(quote) for quote in quotes]) if apart else (list(quotes), [])
    near = [quote for quote in quotes if _near(quote.price_usdc_micro_per_1k_tokens, order, rules.ratio_max)]
    return near, [_far(quote, order) for quote in quotes if quote not in near]


def _order(rules: QuoteRules, prices: Sequence[int], known: Sequence[int]) -> int | None:
    if rules.reference_usdc_micro_per_1k is not None:
        return rules.reference_usdc_micro_per_1k
    if known:
        return median_low(known)
    return median_low(prices) if len(prices) >= 3 else None


def _near(price: int, order: int, ratio_max: int) -> bool:
    return price <= order * ratio_max and order <= price * ratio_max


def _far(quote: Quote, order: int) -> Doubt:
    said = f"{quote.price_usdc_micro_per_1k_tokens:,} µ$ per 1,000 tokens is out of all proportion to {order:,} µ$."
    return Doubt(quote.url, "quote.proportion", said)


def _apart(quote: Quote) -> Doubt:
    said = "The quotes lie too far apart, and nothing says which is right: name a reference price in the mandate."
    return Doubt(quote.url, "quote.proportion", said)


def judge(
    offered: Mapping[Venue, bytes | PenstockError],
    mandate: Mandate,
    model: str,
    now_us: int,
    known_usdc_micro_per_1k: Sequence[int] = (),
) -> tuple[list[Quote], list[Doubt]]:
    """Quotes to be used, of what each venue answered (or failed with), and a doubt for each that is not."""
    quotes, doubts = [], []
    for venue, answer in offered.items():
        try:
            if isinstance(answer, PenstockError):
                raise answer
            quotes.append(_checked(answer, venue, mandate.quotes, model, now_us))
        except PenstockError as error:
            doubts.append(Doubt(venue.url, error.code, error.message))
    kept, far = believable(quotes, mandate, known_usdc_micro_per_1k)
    return kept, doubts + far


def _checked(raw: bytes, venue: Venue, rules: QuoteRules, model: str, now_us: int) -> Quote:
    quote = read_quote(raw, venue)
    if quote.model != model:
        raise Unverified("quote.model", f"The quote is for {quote.model}, not {model}.", url=venue.url)
    if quote.pay_to.lower() != venue.pay_to:
        raise Unverified("quote.payee", f"The quote pays {quote.pay_to}, not {venue.pay_to}.", url=venue.url)
    check_time(quote, rules, now_us)
    check_figures(quote)
    return quote
