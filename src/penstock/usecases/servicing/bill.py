"""Bill: what obligors owe on a deal's assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.capital.bills import write_words
from penstock.journal.fact import Entry
from penstock.journal.formats import BILLS
from penstock.journal.kinds.servicing import BillsIssued
from penstock.journal.segment import Column, Segment
from penstock.period import Period
from penstock.usecases.servicing.rows import amounts
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill: the asset, of what time, due when [us], how much, for how many units, and the servicer's name of it."""

    asset: str
    period: Period
    due_us: int
    usdc_micro: int
    reference: str
    quantity: int = 0


def bill(world: World, deal: str, bills: Sequence[Bill], by: str = "") -> list[Entry]:
    """The fact of bills; they are numbered in order.

    Raises:
        NotFound: ``asset.unknown``, ``asset.not_held``, ``deal.unknown``. Invalid: ``bill.fields``,
        ``servicing.amount``, ``servicing.words``. Refused: ``servicing.not_appointed``.
    """
    book = world.capital.servicing
    first = len(book.bills)
    columns: dict[str, Column] = {
        "bill": np.arange(first, first + len(bills), dtype=np.int64),
        "asset": np.array([book.assets.number(one.asset) for one in bills], dtype=np.int32),
        "start_us": np.array([one.period.start_us for one in bills], dtype=np.int64),
        "stop_us": np.array([one.period.stop_us for one in bills], dtype=np.int64),
        "due_us": np.array([one.due_us for one in bills], dtype=np.int64),
        "quantity": amounts([one.quantity for one in bills]),
        "usdc_micro": amounts([one.usdc_micro for one in bills]),
        "reference": write_words([one.reference for one in bills]),
    }
    segment = Segment(BILLS, columns)
    fact = BillsIssued(segment.ref(), deal, by)
    book.check_bill(fact, segment.columns)
    return [Entry(fact, segment)]
