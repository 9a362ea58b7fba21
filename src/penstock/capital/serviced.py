"""One deal as its servicer keeps it: what came in by period, its tapes, its disputes, who acts for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from penstock.capital.deal import Deal
from penstock.capital.marks import OPTIONAL
from penstock.capital.periods import Periods
from penstock.capital.pooled import Ints
from penstock.journal.asset_rows import key_of
from penstock.journal.kinds.servicing import AssetDisputed, CollectionKind, DealRole, Flag
from penstock.journal.segment import Column, Columns

COLLECTION_KINDS: Final = tuple(CollectionKind)
FLAGS: Final = tuple(Flag)
"""Order of the uint8 codes in columns."""
RECYCLED_PERIODS: Final = 1
"""A payment by somebody whom the deal paid in its own period, or so many before, is recycled."""


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A deal's assets as of a period's end: the lower of what the servicer says and what collections lead to.

    ``asset`` their numbers; ``differs`` how many the servicer stated otherwise; the other columns by asset.
    """

    period: int
    as_of_us: int
    differs: int
    asset: Ints
    balance_usdc_micro: Ints
    past_due_days: Ints
    disputed_usdc_micro: Ints
    written_off_usdc_micro: Ints


@dataclass(slots=True)
class Serviced:
    """The running state of a deal. Amounts by period are in micro-dollars.

    Attributes:
        terms: its text, read, and its calendar; asked only when needed.
        period_open: the first period whose data are not complete; what comes late counts there.
        closed: how many periods were closed.
        came_in: collections by period, code of kind, code of flag.
        principal: principal received and not yet on a tape: period, assets, amounts.
        reported: periods whose report a quorum signed.
        paid: the last period in which the deal paid somebody, by name.
    """

    terms: Callable[[], tuple[Deal, Periods]]
    period_open: int = 0
    closed: int = 0
    came_in: dict[tuple[int, int, int], int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    purchased: dict[int, int] = field(default_factory=dict)
    earned: dict[int, int] = field(default_factory=dict)
    principal: list[tuple[Ints, Column, Column]] = field(default_factory=list)
    tapes: dict[int, Tape] = field(default_factory=dict)
    references: set[str] = field(default_factory=set)
    disputes: dict[str, AssetDisputed] = field(default_factory=dict)
    disputes_ended: set[str] = field(default_factory=set)
    roles: dict[DealRole, tuple[str, ...]] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)
    reported: set[int] = field(default_factory=set)

    @property
    def deal(self) -> Deal:
        """What its text says."""
        return self.terms()[0]

    @property
    def periods(self) -> Periods:
        """Its calendar."""
        return self.terms()[1]

    def counted_in(self, at_us: Column) -> Ints:
        """The period each payment counts in: its own, or the first whose data are not complete yet."""
        return np.maximum(self.periods.at(np.asarray(at_us, dtype=np.int64)), self.period_open)

    def carry_on(self, period: int) -> None:
        """Losses, purchases and milestones of a period that closed without a report belong to the next: each changes
        what is owed, and no waterfall has seen it yet. Cash was there and was paid out; it is not told twice.
        """
        for amounts in (self.lost, self.purchased, self.earned):
            if period in amounts:
                amounts[period + 1] = amounts.get(period + 1, 0) + amounts.pop(period)

    def complete(self, period: int) -> None:
        """The data of a period, and of those before, are complete."""
        self.period_open = max(self.period_open, period + 1)

    def reads(self, mark: str) -> bool:
        """Whether a mark of this name enters what the deal reports."""
        return mark.startswith(OPTIONAL) or mark in {
            one.of or one.name for one in self.deal.measures if one.unit == "rate"
        }

    def complete_since(self, at_us: int) -> Iterator[int]:
        """The ends of periods whose data are complete, from an instant on, newest first."""
        for number in range(self.period_open - 1, -1, -1):
            stop_us = self.periods.of(number).stop_us
            if stop_us < at_us:
                return
            yield stop_us

    def flags(self, payers: list[str], related: Column, period: Ints) -> Column:
        """The flag of each payment: by who paid (however spelled), whether its asset is related, and its period."""
        sponsors = self.roles.get(DealRole.SPONSOR, ())
        codes = {one: index for index, one in enumerate(FLAGS)}
        flag = np.where(related == 1, codes[Flag.RELATED], codes[Flag.NONE]).astype(np.uint8)
        keys = {one: key_of(one) for one in {*payers, *sponsors, *self.paid}}
        of_sponsors = {keys[one] for one in sponsors}
        paid: dict[str, int] = {}
        for name, last in self.paid.items():
            paid[keys[name]] = max(last, paid.get(keys[name], 0))
        for payer in {keys[one] for one in payers} & {*of_sponsors, *paid}:
            rows = np.array([keys[one] == payer for one in payers])
            recycled = payer in paid and period - paid[payer] <= RECYCLED_PERIODS
            flag[rows] = codes[Flag.RELATED] if payer in of_sponsors else flag[rows]
            flag[rows & recycled] = codes[Flag.RECYCLED]
        return flag

    def take_in(self, rows: Columns, period: Ints) -> None:
        """Add payments to their periods."""
        keys = np.stack([period, rows["kind"].astype(np.int64), rows["flag"].astype(np.int64)])
        cells, place = np.unique(keys, axis=1, return_inverse=True)
        sums = np.zeros(cells.shape[1], dtype=np.int64)
        np.add.at(sums, place.ravel(), rows["usdc_micro"])
        for (when, kind, flag), micro in zip(cells.T.tolist(), sums.tolist(), strict=True):
            key = (when, kind, flag)
            self.came_in[key] = self.came_in.get(key, 0) + micro
        principal = rows["kind"] == COLLECTION_KINDS.index(CollectionKind.PRINCIPAL)
        if principal.any():
            self.principal.append((period[principal], rows["asset"][principal], rows["usdc_micro"][principal]))

    def awaited(self, assets: int, through: int | None = None) -> Ints:
        """Principal received and on no tape yet, by asset number [micro-dollars]; all, or up to a period's."""
        found = np.zeros(assets, dtype=np.int64)
        for period, asset, micro in self.principal:
            rows = slice(None) if through is None else period <= through
            np.add.at(found, asset[rows], micro[rows])
        return found

    def forget_principal(self, through: int) -> None:
        """What a tape has taken in is awaited no more."""
        later = [tuple(column[period > through] for column in (period, asset, micro))
                 for period, asset, micro in self.principal]  # fmt: skip
        self.principal = [(period, asset, micro) for period, asset, micro in later if len(period)]

    def collected(self, period: int, kinds: tuple[CollectionKind, ...], related: bool) -> int:
        """Payments of these kinds that count in a period; flagged ones only where the deal counts related parties."""
        wanted = {COLLECTION_KINDS.index(one) for one in kinds}
        none = FLAGS.index(Flag.NONE)
        rows = self.came_in.items()
        return sum(micro for (when, kind, flag), micro in rows if when == period and kind in wanted
                   and (related or flag == none))  # fmt: skip


def plain(amounts: Mapping[int, int], period: int) -> int:
    """The amount of a period, 0 where there is none."""
    return amounts.get(period, 0)
