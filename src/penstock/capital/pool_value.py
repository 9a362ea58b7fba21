"""A deal's pool as of a tape: what performs, what is late, what it is worth, and what may be lent on it.

All integers, so that everybody who recomputes a figure comes to the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from penstock.capital.asset_fields import NO_TECHNOLOGY
from penstock.capital.deal import Deal, Pool
from penstock.capital.marks import E8, OPTIONAL, Marks
from penstock.capital.pooled import PARTIES, Ints, Pooled
from penstock.capital.serviced import Tape
from penstock.errors import Refused
from penstock.journal.segment import Column
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance
from penstock.money import share_down
from penstock.period import DAY_US, SECOND_US

DELINQUENT_DAYS: Final = 30
"""An asset whose oldest payment is due for longer is delinquent [days]."""
DEFAULTED_DAYS: Final = 120
"""One whose oldest payment is due for longer, or of which anything was written off, is in default [days]."""
_WORDS: Final = {"state": "region"}


@dataclass(frozen=True, slots=True, eq=False)
class PoolView:
    """A deal's assets as of a tape."""

    assets: Pooled
    marks: Marks
    tape: Tape

    @property
    def in_default(self) -> Column:
        """Which assets are in default."""
        found: Column = (self.tape.past_due_days > DEFAULTED_DAYS) | (self.tape.written_off_usdc_micro > 0)
        return found

    @property
    def performing_usdc_micro(self) -> int:
        """Balances of all assets not in default, without what is disputed [micro-dollars]."""
        return int(self._undisputed()[~self.in_default].sum())

    @property
    def delinquent_usdc_micro(self) -> int:
        """Balances of assets more than `DELINQUENT_DAYS` past due and not in default [micro-dollars]."""
        late = (self.tape.past_due_days > DELINQUENT_DAYS) & ~self.in_default
        return int(self.tape.balance_usdc_micro[late].sum())

    @property
    def defaulted_usdc_micro(self) -> int:
        """Balances of assets in default, less what was written off [micro-dollars]."""
        return int(self.tape.balance_usdc_micro[self.in_default].sum())

    def value_usdc_micro(self) -> int:
        """What all assets not in default are worth, marked [micro-dollars]. Raises as `Marks.latest`."""
        return int(self.marked()[~self.in_default].sum())

    def marked(self) -> Ints:
        """The value of each asset as stated, times its technology's mark where there is one, rounded down."""
        value = self.assets["value_usdc_micro"][self.tape.asset].astype(np.int64)
        technology = self.assets["technology"][self.tape.asset]
        for code in np.unique(technology[technology != NO_TECHNOLOGY]).tolist():
            name = OPTIONAL + TECHNOLOGIES[code]
            if self.marks.known(name, self.tape.as_of_us):
                mark_e8 = max(0, self.marks.latest(name, self.tape.as_of_us).value_e8)
                rows = technology == code
                value[rows] = [share_down(one, mark_e8, E8) for one in value[rows].tolist()]
        return value

    def borrowing_base_usdc_micro(self, deal: Deal) -> int:
        """What may be lent on the pool by the deal's own rules [micro-dollars].

        Of each eligible asset its advance rate, rounded down; less, for every cap, what a group has beyond its share of
        the uncapped eligible total. What is beyond two caps is taken off twice: never is too much lent.

        Raises:
            Refused: ``measure.no_pool``. As `Marks.latest`.
        """
        if deal.pool is None:
            raise Refused("measure.no_pool", "A borrowing base needs the deal's pool section.", deal=deal.name)
        eligible = self.eligible(deal, deal.pool)
        worth = np.where(eligible, self.worth(), 0)
        rates = _advance(deal.pool, self.assets["assurance"][self.tape.asset])
        lent = np.array(
            [
                share_down(one, rate.numerator, rate.denominator)
                for one, rate in zip(worth.tolist(), rates, strict=True)
            ],
            dtype=np.int64,
        )
        base = int(lent.sum())
        for attribute, share in deal.pool.caps:
            cap = share_down(int(worth.sum()), share.numerator, share.denominator)
            group = self.column(attribute)
            sums = np.zeros(int(group.max(initial=0)) + 1, dtype=np.int64)
            np.add.at(sums, group, lent)
            base -= int(np.maximum(sums - cap, 0).sum())
        return max(0, base)

    def worth(self) -> Ints:
        """What each asset counts for: the lower of marked value and balance, or the one of them that is stated."""
        value, balance = self.marked(), self.tape.balance_usdc_micro
        stated = self.assets["value_usdc_micro"][self.tape.asset] > 0
        found: Ints = np.where(~stated, balance, np.where(balance > 0, np.minimum(value, balance), value))
        return found

    def eligible(self, deal: Deal, pool: Pool) -> Column:
        """Which assets count: not in default or dispute, vouched for, on time, not related, outliving the notes."""
        at = self.tape.asset
        bad = self.in_default | (self.tape.disputed_usdc_micro > 0)
        if pool.past_due_days_max >= 0:
            bad |= self.tape.past_due_days > pool.past_due_days_max
        if pool.assurance_at_least:
            bad |= self.assets["assurance"][at] > ASSURANCES.index(Assurance(pool.assurance_at_least))
        if not pool.related:
            bad |= self.assets["related"][at] == 1
        final_us = max((one.legal_final_s for one in deal.tranches), default=0) * SECOND_US
        bad |= self.assets["ends_us"][at] < (final_us + pool.tail_days * DAY_US if final_us else self.tape.as_of_us)
        found: Column = ~bad
        return found

    def column(self, attribute: str) -> Ints:
        """A group number by asset. Raises Refused ``measure.attribute``."""
        name = _WORDS.get(attribute, attribute)
        if name not in (*PARTIES, "technology", "kind", "assurance"):
            known = ", ".join((*PARTIES, "technology", "kind", "assurance"))
            raise Refused("measure.attribute", f"Assets have no {attribute}.", hint=f"They have: {known}.")
        found: Ints = self.assets[name][self.tape.asset].astype(np.int64)
        return found

    def _undisputed(self) -> Ints:
        found: Ints = np.maximum(self.tape.balance_usdc_micro - self.tape.disputed_usdc_micro, 0)
        return found


def _advance(pool: Pool, assurance: Column) -> list[Fraction]:
    """The advance rate of each asset; all of its worth where the pool states none."""
    rates = dict(pool.advance)
    other = rates.get("", rates.get("other", Fraction(0 if rates else 1)))
    table = [rates.get(level.value, other) for level in ASSURANCES]
    return [table[code] for code in assurance.tolist()]
