"""May this be paid? Every rule of a mandate held against one payment, before anything is signed.

The same question is asked twice more: by the wallet of the very bytes it signs (`wallet`), and by the spending contract
on chain. Each alone keeps the budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock.agent.mandate import Mandate
from penstock.errors import Refused
from penstock.period import iso
from penstock.units import Usdc


@dataclass(frozen=True, slots=True)
class Ask:
    """One payment that an agent would make: to whom, in what, how much at most, and for what.

    ``units`` are of credits, which ``asset`` then is the class of: they are signed for, and the amount is their worth.
    """

    url: str
    pay_to: str
    network: str
    asset: str
    scheme: str
    amount_usdc_micro: int
    tokens: int
    carbon_mg_per_kwh: int
    technology: str
    matched_bp: int
    energy_mj_per_1k_tokens: int
    kind: str = "spot"
    units: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts against the budget: signed or paid within the hour before, and in all."""

    hour_usdc_micro: int
    total_usdc_micro: int


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that a payment would break, with figures."""

    code: str
    sentence: str
    hint: str = field(default="")


def admit(mandate: Mandate, ask: Ask, spent: Spent, now_us: int, approved: bool = False) -> None:
    """Nothing, where every rule allows the payment.

    Raises:
        Refused: the first breach, ``mandate.<rule>``; the ids name all of them.
    """
    found = breaches(mandate, ask, spent, now_us, approved)
    if found:
        every = " ".join(breach.code for breach in found)
        raise Refused(found[0].code, found[0].sentence, hint=found[0].hint, all=every, provider=ask.url)


def breaches(mandate: Mandate, ask: Ask, spent: Spent, now_us: int, approved: bool = False) -> tuple[Breach, ...]:
    """Every rule that the payment would break, gravest first; none where it may be made."""
    return (
        *_of_time(mandate, now_us),
        *_of_venue(mandate, ask),
        *_of_price(mandate, ask),
        *_of_energy(mandate, ask),
        *_of_budget(mandate, ask, spent, approved),
    )


def _of_time(mandate: Mandate, now_us: int) -> Iterator[Breach]:
    if now_us < mandate.from_us:
        yield Breach("mandate.not_yet", f"The mandate begins {iso(mandate.from_us)}.")
    if now_us >= mandate.until_us:
        yield Breach("mandate.expired", f"The mandate ended {iso(mandate.until_us)}.", "Ask its owner for another.")


def _of_venue(mandate: Mandate, ask: Ask) -> Iterator[Breach]:
    venue = mandate.venue(ask.url)
    if venue is None:
        yield Breach("mandate.venue", f"{ask.url} is not among the venues.")
    elif venue.pay_to != ask.pay_to.lower():
        yield Breach("mandate.payee", f"{ask.pay_to} is not who is paid at {ask.url}.", "Buy elsewhere, and find out.")
    rail = mandate.rail(ask.network, ask.asset)
    if rail is None:
        yield Breach("mandate.token", f"Token {ask.asset} of {ask.network} is not one to pay with.")
    elif ask.scheme not in rail.schemes:
        yield Breach("mandate.scheme", f"Payment by {ask.scheme} is not allowed; {', '.join(rail.schemes)} is.")
    if ask.kind not in mandate.trade.kinds:
        yield Breach("mandate.kind", f"Buying {ask.kind} is not allowed; {', '.join(mandate.trade.kinds)} is.")


def _of_price(mandate: Mandate, ask: Ask) -> Iterator[Breach]:
    ceiling = mandate.ceilings.per_1k_tokens_usdc_micro
    if ask.amount_usdc_micro * 1_000 > ceiling * ask.tokens:
        paid = f"{Usdc(ask.amount_usdc_micro)} for {ask.tokens:,} tokens"
        yield Breach("mandate.price", f"{paid} is above {Usdc(ceiling)} per 1,000.", "Send more in one call.")


def _of_energy(mandate: Mandate, ask: Ask) -> Iterator[Breach]:
    rules = mandate.energy
    carbon, energy = rules.carbon_max_mg_per_kwh, rules.max_mj_per_1k_tokens
    if carbon is not None and ask.carbon_mg_per_kwh > carbon:
        yield Breach("mandate.carbon", f"{ask.carbon_mg_per_kwh:,} mg/kWh is above {carbon:,} mg/kWh.")
    if ask.technology in rules.technologies_refused or (
        rules.technologies and ask.technology not in rules.technologies
    ):
        yield Breach("mandate.source", f"Energy from {ask.technology} is not allowed.")
    if ask.matched_bp < rules.matched_min_bp:
        yield Breach("mandate.matched", f"{ask.matched_bp} bp are matched by certificates, not {rules.matched_min_bp}.")
    if energy is not None and ask.energy_mj_per_1k_tokens > energy:
        yield Breach("mandate.energy", f"{ask.energy_mj_per_1k_tokens:,} mJ per 1,000 tokens is above {energy:,}.")


def _of_budget(mandate: Mandate, ask: Ask, spent: Spent, approved: bool) -> Iterator[Breach]:
    budget, amount = mandate.budget, ask.amount_usdc_micro
    if amount > budget.call_usdc_micro:
        yield Breach("mandate.per_call", f"{Usdc(amount)} is above {Usdc(budget.call_usdc_micro)} a call.")
    if spent.hour_usdc_micro + amount > budget.hour_usdc_micro:
        left = Usdc(max(0, budget.hour_usdc_micro - spent.hour_usdc_micro))
        yield Breach("mandate.per_hour", f"{Usdc(amount)} is more than the {left} left of this hour.", "Wait.")
    if spent.total_usdc_micro + amount > budget.total_usdc_micro:
        left = Usdc(max(0, budget.total_usdc_micro - spent.total_usdc_micro))
        yield Breach("mandate.total", f"{Usdc(amount)} is more than the {left} left of the budget.")
    if amount > budget.ask_above_usdc_micro and not approved:
        limit = Usdc(budget.ask_above_usdc_micro)
        hint = "Its owner says yes by `penstock agent approve`."
        yield Breach("mandate.approval", f"{Usdc(amount)} is above {limit}, for which the owner is asked.", hint)
