"""What a pool of assets looks like before it is pledged: averages, concentrations, and whether it outlives the deal.

Weights are balances, or values where nothing is outstanding. Shares are exact, averages rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.asset_fields import ASSET_KINDS
from penstock.capital.asset_flows import BaseCase, base_case
from penstock.capital.asset_table import AssetTable
from penstock.capital.deal import Calendar, Deal
from penstock.errors import Invalid, Refused
from penstock.journal.words import ASSURANCES, TECHNOLOGIES
from penstock.period import DAY_US, SECOND_US, iso
from penstock.rates.calendar import plain_ends_s

Ints = NDArray[Any]
DAY_S: Final = 86_400
ATTRIBUTES: Final = ("offtaker", "obligor", "contract", "region", "kind", "technology", "assurance")
SAME: Final = {"state": "region"}


@dataclass(frozen=True, slots=True)
class Share:
    """One name's part of a pool: assets, weight [micro-dollars], of the whole."""

    name: str
    assets: int
    usdc_micro: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class Averages:
    """Weighted by balance: rate a year [hundred-millionths], payments' months to go and months since the start."""

    rate_e8: int
    remaining_months: int
    age_months: int
    count: int
    balance_usdc_micro: int
    value_usdc_micro: int


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """What `review` finds.

    Attributes:
        averages: of the whole pool.
        concentrations: by attribute, the largest names first.
        eligible: assets that count by the deal's pool, (assets,) bool; all where the deal names no pool.
        over_caps: names above the deal's caps, by attribute.
        base_case: agreed payments over the deal's periods.
    """

    averages: Averages
    concentrations: dict[str, tuple[Share, ...]]
    eligible: NDArray[np.bool_]
    over_caps: dict[str, tuple[Share, ...]]
    base_case: BaseCase


def review(deal: Deal, assets: AssetTable) -> Review:
    """Check a pool against its deal.

    Raises:
        Refused: ``assets.past_legal_final`` where a contract ends before the last legal final and its tail.
        Invalid: as `base_case`; ``assets.no_periods`` where the deal does not say how many periods it has;
            ``assets.unknown_attribute`` where a cap names what assets do not say.
    """
    starts_us = deal.calendar.start_s * SECOND_US
    check_legal_final(deal, assets)
    counted = eligible(deal, assets)
    caps = deal.pool.caps if deal.pool else ()
    return Review(
        averages(assets, starts_us),
        {attribute: concentration(assets, attribute) for attribute in ATTRIBUTES},
        counted,
        {attribute: over_cap(assets, attribute, cap, counted) for attribute, cap in caps},
        base_case(assets, starts_us, ends_us(deal.calendar)),
    )


def ends_us(calendar: Calendar) -> Ints:
    """The ends of a deal's periods [us since 1970]. Raises Invalid ``assets.no_periods``."""
    if not calendar.periods:
        hint = "Say `periods: 240` in the calendar."
        raise Invalid("assets.no_periods", "The deal does not say how many periods it has.", hint=hint)
    ends = calendar.ends_s or plain_ends_s(calendar.start_s, calendar.months, calendar.step_s, calendar.periods)
    return np.array(ends, dtype=np.int64) * SECOND_US


def weights(assets: AssetTable) -> Ints:
    """What an asset weighs [micro-dollars]: its balance, or its value where nothing is outstanding."""
    return np.where(assets.balance_usdc_micro > 0, assets.balance_usdc_micro, assets.value_usdc_micro)


def averages(assets: AssetTable, at_us: int) -> Averages:
    """Weighted averages at an instant [us since 1970]; 0 for a pool without weight."""
    weight = weights(assets)
    age_days = np.maximum(at_us - assets.start_us, 0) // DAY_US
    left = assets.term_periods.astype(np.int64) * assets.every_months
    return Averages(
        _average(assets.rate_e8, weight),
        _average(left, weight),
        _average(age_days * 12 // 365, weight),
        len(assets),
        int(assets.balance_usdc_micro.sum()),
        int(assets.value_usdc_micro.sum()),
    )


def _average(values: Ints, weight: Ints) -> int:
    """One floor, in unbounded integers: a weight times a rate leaves 64 bits."""
    total = int(weight.sum())
    return int((values.astype(object) * weight.astype(object)).sum()) // total if total else 0


def codes_of(assets: AssetTable, attribute: str) -> tuple[Ints, tuple[str, ...]]:
    """Each asset's code of an attribute, and the names. Raises Invalid ``assets.unknown_attribute``."""
    attribute = SAME.get(attribute, attribute)
    if attribute in assets.named:
        return assets.named[attribute].codes, assets.named[attribute].names
    if attribute == "kind":
        return assets.kind, ASSET_KINDS
    if attribute == "technology":
        return np.minimum(assets.technology, len(TECHNOLOGIES)), (*TECHNOLOGIES, "none")
    if attribute == "assurance":
        return assets.assurance, ASSURANCES
    hint = f"Choose one of: {', '.join(ATTRIBUTES)}."
    raise Invalid("assets.unknown_attribute", f"Assets do not say their `{attribute}`.", hint=hint)


def concentration(assets: AssetTable, attribute: str, counted: Ints | None = None) -> tuple[Share, ...]:
    """Every name of an attribute with its share of the pool (of the assets ``counted``), the largest first."""
    codes, names = codes_of(assets, attribute)
    weight = weights(assets) if counted is None else np.where(counted, weights(assets), 0)
    sums, many = np.zeros(len(names), dtype=np.int64), np.bincount(codes, minlength=len(names))
    np.add.at(sums, codes, weight)
    total = max(int(sums.sum()), 1)
    order = np.lexsort((np.arange(len(names)), -sums))
    return tuple(
        Share(str(names[at]), int(many[at]), int(sums[at]), Fraction(int(sums[at]), total))
        for at in order.tolist()
        if many[at]
    )


def over_cap(assets: AssetTable, attribute: str, cap: Fraction, counted: Ints) -> tuple[Share, ...]:
    """Names above ``cap`` of the uncapped eligible total: a cap of the capped total would be circular."""
    return tuple(share for share in concentration(assets, attribute, counted) if share.share > cap)


def eligible(deal: Deal, assets: AssetTable) -> NDArray[np.bool_]:
    """Which assets count by assurance and relation; a tape adds past-due days later."""
    found = np.ones(len(assets), dtype=np.bool_)
    if deal.pool is None:
        return found
    if deal.pool.assurance_at_least:
        least = [str(one) for one in ASSURANCES].index(deal.pool.assurance_at_least)
        found &= assets.assurance <= least  # the strongest has the lowest code
    return found if deal.pool.related else found & (assets.related == 0)


def check_legal_final(deal: Deal, assets: AssetTable) -> None:
    """That every contract outlives the last legal final by the tail. Raises Refused ``assets.past_legal_final``."""
    final_s = max((tranche.legal_final_s for tranche in deal.tranches), default=0)
    tail_days = deal.pool.tail_days if deal.pool else 0
    if not final_s:
        return
    needed_us = (final_s + tail_days * DAY_S) * SECOND_US
    short = np.flatnonzero(assets.ends_us < needed_us)
    if len(short):
        first = int(short[np.argmin(assets.ends_us[short])])
        raise Refused(
            "assets.past_legal_final",
            f"{len(short):,} contracts end before the legal final and its tail of {tail_days} days.",
            hint="Bring the legal final forward, shorten the tail, or leave these assets out.",
            needed=iso(needed_us),
            earliest=iso(int(assets.ends_us[first])),
            asset=assets.named["asset"].of(first),
        )
