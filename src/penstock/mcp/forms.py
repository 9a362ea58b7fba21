"""The schemas of answers: what a model reads to know what it will get. Integers, units in the names."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class Named(Form):
    """A part of a mix [Wh]."""

    name: str
    energy_wh: int


class EnergyMix(Form):
    """What of a rack's energy is matched within its hour, by what generated it; carbon as its certificates state it."""

    rack: str
    drawn_wh: int
    matched_wh: int
    matched_bp: int
    by_technology: list[Named]
    by_zone: list[Named]
    by_assurance: list[Named]
    sources: int
    carbon_mg_per_kwh: int | None
    stated_by: str


class Offer(Form):
    """A class of credits: what one costs [micro-dollars], how many units it is, how many are left."""

    credit_class: str
    provider: str
    model: str
    application: str
    unit: str
    units_per_credit: int
    price_usdc_micro: int
    price_usdc_micro_per_1k_units: int
    capacity_credits: int
    sold_credits: int
    redeemed_credits: int
    left_credits: int
    collateral_usdc_micro: int
    expires: str
    open: bool
    energy_mj_per_1k_tokens: int | None


class WindowOffer(Form):
    """A window: so many accelerators of one kind for whole hours, and what is promised of them; price for all of it."""

    offer: str
    window: str
    provider: str
    sku: str
    memory_mib: int
    interconnect: str
    region: str
    accelerators: int
    start: str
    hours: int
    firmness: str
    availability_bp: int
    pue_max_bp: int
    energy_claim: str
    price_usdc_micro: int
    price_usdc_micro_per_hour: int
    deposit_bp: int
    collateral_usdc_micro: int
    expires: str
    holder: str
    open: bool


class Quote(Form):
    """What can be bought here, the cheapest first, and what `credits` of the cheapest open class would cost."""

    as_of: str
    offers: list[Offer]
    windows: list[WindowOffer]
    cheapest: str | None
    credits: int
    cost_usdc_micro: int | None


class HeldCredits(Form):
    """Credits of a class that are not used up."""

    credit_class: str
    model: str
    unit: str
    credits: int
    units: int


class Portfolio(Form):
    """What an account has."""

    account: str
    organisation: str
    balance_usdc_micro: int
    credits: list[HeldCredits]
    certificates_by_state_wh: dict[str, int]


class End(Form):
    """Where a trace ends: ``ends_at`` is a meter's register, or an account's."""

    ends_at: str
    quantity: int
    unit: str


class Proof(Form):
    """One answer traced back to its meters and forward to what its dollars became.

    ``closes`` says that at every step the parts are the whole; what no link accounts for is among the ``gaps``.
    ``bundle`` is the resource with everything that proves it offline.
    """

    rack: str
    number: int
    tokens: int
    energy_mj: int
    sources: list[End]
    paid_usdc_micro: int
    reached: list[End]
    closes: bool
    gaps: list[End]
    notes: list[str]
    bundle: str


class Done(Form):
    """What an act recorded: the first fact's number, and whether the same was recorded before under this key."""

    act: str
    account: str
    bought: str
    count: int
    cost_usdc_micro: int
    first_seq: int
    facts: int
    repeated: bool
