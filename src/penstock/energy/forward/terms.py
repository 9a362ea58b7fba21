"""What a forward's terms have to be, whatever the plant."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.errors import Invalid, Refused
from penstock.journal.kinds.forward import Form, ForwardOffered, Remedy
from penstock.journal.segment import Columns
from penstock.period import DAY_US

NAME_CHARS_MAX: Final = 64
TEXT_CHARS_MAX: Final = 500
RANKS_MAX: Final = 10
BASIS_POINTS_MAX: Final = 100_000
ENERGY_WH_MAX: Final = 2**53
"""9 PWh; with it, cut products stay within 128 bits and sums within 63."""
PRICE_MAX: Final = 10**12
"""A million dollars per MWh."""
WINDOW_US_MAX: Final = 50 * 366 * DAY_US


def check_terms(terms: ForwardOffered, periods: Columns) -> None:
    """That terms are whole and hang together.

    Raises:
        Invalid: ``forward.name``, ``forward.window``, ``forward.estimate``, ``forward.price``, ``forward.collateral``,
        ``forward.remedy``, ``forward.shape``, ``forward.share``, ``forward.quantity``.
        Refused: ``forward.oversold`` where more is offered than P50.
    """
    _check_names(terms)
    if not 0 < terms.start_us < terms.stop_us < 2**62 or terms.stop_us - terms.start_us > WINDOW_US_MAX:
        raise Invalid("forward.window", "A window of delivery ends after it begins, at most 50 years later.")
    if not 0 <= terms.p90_wh <= terms.p50_wh <= ENERGY_WH_MAX or terms.p50_wh < 1:
        raise Invalid("forward.estimate", "P50 is 1 Wh or more, and P90 no more than P50.")
    _check_money(terms)
    _check_remedy(terms)
    _check_periods(terms, periods)
    if int(periods["energy_wh"].sum()) > terms.p50_wh:
        raise Refused("forward.oversold", "No more is offered than P50.", p50_wh=terms.p50_wh)


def _check_names(terms: ForwardOffered) -> None:
    name = terms.forward
    if not 0 < len(name) <= NAME_CHARS_MAX or not (name.isascii() and name.isprintable()) or " " in name:
        raise Invalid("forward.name", f"A forward is named in 1 to {NAME_CHARS_MAX} printable characters, no spaces.")
    for text in (terms.method, terms.basis):
        if not text.strip() or len(text) > TEXT_CHARS_MAX or not text.isprintable():
            raise Invalid("forward.estimate", "An estimate names its method and its basis.")


def _check_money(terms: ForwardOffered) -> None:
    prices = terms.prices_usdc_micro_per_mwh
    if not 0 < len(prices) <= RANKS_MAX or not all(0 < price <= PRICE_MAX for price in prices):
        raise Invalid("forward.price", f"Each of 1 to {RANKS_MAX} ranks has a price of 1 micro-dollar per MWh or more.")
    if not 0 <= terms.collateral_basis_points <= terms.collateral_above_basis_points <= BASIS_POINTS_MAX:
        hint = "Of what is sold above P90 as much or more is put up as of the rest."
        raise Invalid("forward.collateral", "Collateral is 0 to 100,000 basis points of the price.", hint=hint)


def _check_remedy(terms: ForwardOffered) -> None:
    remedy, cash, index, until_us = (
        terms.remedy, terms.cash_usdc_micro_per_mwh, terms.index, terms.make_up_until_us,
    )  # fmt: skip
    fits = {
        Remedy.CASH: cash > 0 and not index and not until_us,
        Remedy.INDEX: not cash and 0 < len(index) <= NAME_CHARS_MAX and index.isprintable() and not until_us,
        Remedy.MAKE_UP: not index and terms.stop_us < until_us <= terms.stop_us + WINDOW_US_MAX,
    }[remedy]
    if not fits or not 0 <= cash <= PRICE_MAX or not 0 <= terms.grace_us <= WINDOW_US_MAX:
        hint = "Cash: a price. Index: its name. Make-up: until when, and perhaps a price for what is missing then."
        raise Invalid("forward.remedy", "The remedy is not stated as it has to be.", hint=hint)


def _check_periods(terms: ForwardOffered, periods: Columns) -> None:
    start, stop, energy = (periods[name] for name in ("start_us", "stop_us", "energy_wh"))
    if not len(start) or (energy < 1).any() or int(energy.max()) > ENERGY_WH_MAX:
        raise Invalid("forward.quantity", "What is promised is 1 Wh or more, in each period.")
    tiles = start[0] >= terms.start_us and stop[-1] <= terms.stop_us
    if not tiles or (stop <= start).any() or (start[1:] < stop[:-1]).any():
        raise Invalid("forward.shape", "Periods of a shape come in order, without overlap, within the window.")
    whole = len(start) == 1 and (int(start[0]), int(stop[0])) == (terms.start_us, terms.stop_us)
    if terms.form is not Form.SHAPE and not whole:
        raise Invalid("forward.shape", "A quantity and a share are of the whole window.")
    share = terms.share_basis_points
    if (terms.form is Form.SHARE) != (share != 0) or not 0 <= share <= 10_000:
        raise Invalid("forward.share", "A share is 1 to 10,000 basis points of output.")
    if terms.form is Form.SHARE and int(energy[0]) != share * terms.p50_wh // 10_000:
        raise Invalid("forward.share", "A share promises what it comes to of P50.")


def one_period(start_us: int, stop_us: int, energy_wh: int) -> dict[str, np.ndarray]:
    """The rows of a promise over the whole window."""
    whole = {"start_us": start_us, "stop_us": stop_us, "energy_wh": energy_wh}
    return {name: np.array([value], dtype=np.int64) for name, value in whole.items()}
