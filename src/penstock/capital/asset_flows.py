"""The base case: what assets pay if all goes as agreed, in columns, exact to the micro-dollar.

Assets lie side by side, longest first, and time runs down: those still paying are always the first ones, so a period is
a few operations on whole columns. Level payments follow from distinct terms, due dates from distinct first dates. The
readable twin, one contract at a time, is `loan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.asset_fields import COUNTS, REPAYMENTS, Repayment
from penstock.capital.asset_table import AssetTable, days_after, last_price_usdc_micro
from penstock.capital.loan import FACTOR_ONE, RATE_ONE, level_factor_e18
from penstock.errors import Invalid
from penstock.period import DAY_US
from penstock.rates.day_count import BASIS_DAYS

Ints = NDArray[Any]
BLOCK: Final = 4_096
"""Assets at a time: what a period touches of them stays in the processor's cache."""
SUM_MAX: Final = 2**62
_BASES: Final = np.array([BASIS_DAYS[count] for count in COUNTS], dtype=np.int64)
_THIRTY: Final = COUNTS.index("30/360")
_LEVEL, _STRAIGHT, _BULLET, _FIXED = (REPAYMENTS.index(one) for one in Repayment)
_LOW: Final = 16  # bits


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Payments in columns: row k is each asset's payment k, 0 after its last; (payments, assets) int64.

    Attributes:
        due_days: when [days since 1970, UTC].
        interest, principal, revenue: of it [micro-dollars]; revenue is a fixed price.
    """

    due_days: Ints
    interest: Ints
    principal: Ints
    revenue: Ints


@dataclass(frozen=True, slots=True, eq=False)
class BaseCase:
    """The base case of a pool over a deal's periods [micro-dollars].

    Attributes:
        interest, principal, revenue: what all assets pay in each period, (periods,) int64.
        balance: what is outstanding after each period.
        later: what falls due after the last period: interest, principal, revenue.
        asset_interest, asset_principal, asset_revenue: what each asset pays in all, (assets,) int64.
    """

    interest: Ints
    principal: Ints
    revenue: Ints
    balance: Ints
    later: tuple[int, int, int]
    asset_interest: Ints
    asset_principal: Ints
    asset_revenue: Ints

    @property
    def cash(self) -> Ints:
        """Everything paid in each period."""
        return self.interest + self.principal + self.revenue


def base_case(assets: AssetTable, starts_us: int, ends_us: Ints) -> BaseCase:
    """Every asset's agreed payments, summed over periods and over assets.

    Args:
        assets: the table.
        starts_us: the deal's start [us since 1970].
        ends_us: the end of each of its periods, rising; a payment counts in the period it is due in.

    Raises:
        Invalid: ``assets.due_before_deal`` where a payment is due before the deal starts, ``assets.too_large`` where
            all payments might come to 4.6 trillion dollars.
    """
    _check_size(assets)
    early = np.flatnonzero(assets.first_due_us < starts_us)
    if len(early):
        name = assets.named["asset"].of(int(early[0]))
        hint = "Move `first_due` on to the first payment after the start, and the balance with it."
        message = f"{len(early):,} assets have a payment due before the deal starts."
        raise Invalid("assets.due_before_deal", message, hint=hint, first=name)
    by_period = np.zeros((3, len(ends_us) + 1), dtype=np.int64)
    by_asset = np.zeros((3, len(assets)), dtype=np.int64)
    for rows in _blocks(assets):
        lanes, sums = _Lanes(assets, rows), np.zeros((3, len(rows)), dtype=np.int64)
        periods = np.searchsorted(ends_us, lanes.dates * DAY_US, side="right")
        for k, paid in enumerate(lanes.run()):
            live = paid.shape[1]
            falls_in = periods[k + 1][lanes.which[:live]]
            sums[:, :live] += paid
            for which in lanes.kinds:
                np.add.at(by_period[which], falls_in, paid[which])
        by_asset[:, rows] = sums
    return _case(assets, by_period, by_asset)


def _check_size(assets: AssetTable) -> None:
    """That no sum can leave 64 bits: bounded in floats, from above."""
    years = assets.every_months * assets.term_periods / 12
    lent = assets.balance_usdc_micro * (1 + assets.rate_e8 / 1e8 * (years + 1))
    fixed = np.where(assets.repays == _FIXED, last_price_usdc_micro(assets) * assets.term_periods, 0)
    if float(lent.sum() + fixed.sum()) >= SUM_MAX:
        hint = "Look for amounts written in cents, or split the table."
        raise Invalid("assets.too_large", "All payments might come to 4.6 trillion dollars.", hint=hint)


def _case(assets: AssetTable, by_period: Ints, by_asset: Ints) -> BaseCase:
    (interest, principal, revenue), later = by_period[:, :-1], by_period[:, -1].tolist()
    balance = int(assets.balance_usdc_micro[assets.repays != _FIXED].sum()) - np.cumsum(principal)
    asset_interest, asset_principal, asset_revenue = by_asset
    beyond = (later[0], later[1], later[2])
    return BaseCase(interest, principal, revenue, balance, beyond, asset_interest, asset_principal, asset_revenue)


def _blocks(assets: AssetTable) -> list[Ints]:
    """Rows of assets, longest first, so that a block's assets end at about the same time."""
    order = np.argsort(-assets.term_periods, kind="stable")
    return [order[at : at + BLOCK] for at in range(0, len(order), BLOCK)]


def flows_of(assets: AssetTable, rows: Ints) -> Flows:
    """The payments of the assets in ``rows``, in that order."""
    order = np.argsort(-assets.term_periods[rows], kind="stable")
    lanes = _Lanes(assets, rows[order])
    found = np.zeros((3, int(lanes.term[0]), len(rows)), dtype=np.int64)
    for k, paid in enumerate(lanes.run()):
        found[:, k, order[: paid.shape[1]]] = paid
    due_days = np.empty_like(found[0])
    due_days[:, order] = lanes.dates[1:][:, lanes.which]
    return Flows(due_days, *found)


class _Lanes:
    """Assets side by side, longest first."""

    def __init__(self, assets: AssetTable, rows: Ints) -> None:
        self.term = assets.term_periods[rows].astype(np.int64)
        self.repays, self.every = assets.repays[rows], assets.every_months[rows]
        self.count, self.rate = assets.count[rows], assets.rate_e8[rows]
        self.opening = assets.balance_usdc_micro[rows]
        self.agreed = assets.payment_usdc_micro[rows]
        self.payment = self._payments()
        self.rises, self.wears = assets.escalation_e8[rows], assets.degradation_e8[rows]
        self.dates, self.which = self._dates(assets.first_due_us[rows] // DAY_US)
        self.kinds = [0, 1] if (self.repays != _FIXED).all() else [0, 1, 2]
        self.cuts, self.moves = (self.repays == _STRAIGHT).any(), (self.rises + self.wears).any()

    def _payments(self) -> Ints:
        terms, which = np.unique(np.stack([self.rate, self.every, self.term]), axis=1, return_inverse=True)
        factors = np.array([_factor(*column) for column in terms.T.tolist()], dtype=object)
        amounts = -(-self.opening.astype(object) * factors[which.reshape(-1)] // FACTOR_ONE)
        wanted = (self.repays == _LEVEL) & (self.agreed == 0)
        return np.where(wanted, amounts, self.agreed.astype(object)).astype(np.int64)

    def _dates(self, first: Ints) -> tuple[Ints, Ints]:
        """Due dates from one before the first on, (payments + 1, distinct first dates), and which is each lane's."""
        starts, which = np.unique(np.stack([first, self.every]), axis=1, return_inverse=True)
        steps = np.arange(-1, int(self.term[0]), dtype=np.int64)[:, None]
        first_days = np.broadcast_to(starts[0], (len(steps), starts.shape[1]))
        return days_after(first_days, steps * starts[1]), which.reshape(-1)

    def run(self) -> Iterator[Ints]:
        """Payment by payment: interest, principal and revenue of the lanes that still pay, (3, lanes)."""
        balance, price = self.opening.copy(), self.payment.copy()
        lends, basis = self.repays != _FIXED, _BASES[self.count] * RATE_ONE
        balance[~lends] = 0
        ends = np.searchsorted(-self.term, -np.arange(1, int(self.term[0]) + 1), "right")
        for k, live in enumerate(ends.tolist()):
            owed, paid = balance[:live], np.zeros((3, live), dtype=np.int64)
            paid[0] = _scaled(owed, self.rate[:live] * self._days(k, live), basis[:live])
            paid[1] = np.where(self.term[:live] == k + 1, owed, self._principal(k, live, owed, paid[0]))
            owed -= paid[1]
            if 2 in self.kinds:
                self._reprice(price, k, live)
                paid[2] = np.where(lends[:live], 0, price[:live])
            yield paid

    def _days(self, k: int, live: int) -> Ints:
        actual = (self.dates[k + 1] - self.dates[k])[self.which[:live]]
        return np.where(self.count[:live] == _THIRTY, 30 * self.every[:live], actual)

    def _principal(self, k: int, live: int, owed: Ints, interest: Ints) -> Ints:
        repays = self.repays[:live]
        level = np.minimum(np.maximum(self.payment[:live] - interest, 0), owed)
        parts = np.where(repays == _LEVEL, level, 0)
        if not self.cuts:
            return parts
        term, agreed = self.term[:live], self.agreed[:live]
        cut = _cut(self.opening[:live], k + 1, term) - _cut(self.opening[:live], k, term)
        return np.where(repays == _STRAIGHT, np.where(agreed > 0, np.minimum(agreed, owed), cut), parts)

    def _reprice(self, price: Ints, k: int, live: int) -> None:
        """Each year a fixed price rises, then wears off; both rounded down."""
        if not self.moves:
            return
        every, one = self.every[:live], np.full(live, RATE_ONE, dtype=np.int64)
        turns = (k * every // 12) > (max(k - 1, 0) * every // 12)
        risen = _scaled(price[:live], one + self.rises[:live], one)
        worn = _scaled(risen, one - self.wears[:live], one)
        price[:live] = np.where(turns, worn, price[:live])


@lru_cache(maxsize=65_536)
def _factor(rate_e8: int, every_months: int, payments: int) -> int:
    return level_factor_e18(rate_e8, every_months, payments)


def _cut(amount: Ints, k: int, term: Ints) -> Ints:
    """``floor(amount x k / term)`` without leaving 64 bits."""
    whole, rest = np.divmod(amount, term)
    cut: Ints = whole * k + rest * k // term
    return cut


def _scaled(amount: Ints, num: Ints, den: Ints) -> Ints:
    """``floor(amount x num / den)`` by two digits; amounts are below 2^53, ``num`` and ``den`` below 2^36."""
    whole, rest = np.divmod(amount, den)
    high, low = num >> _LOW, num & ((1 << _LOW) - 1)
    upper, left = np.divmod(rest * high, den)
    scaled: Ints = whole * num + (upper << _LOW) + ((left << _LOW) + rest * low) // den
    return scaled
