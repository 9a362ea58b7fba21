"""Bill: what obligors owe on a deal's assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from penstock.capital.asset_fields import instant_us, micro, whole
from penstock.capital.bills import write_words
from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.formats import BILLS
from penstock.journal.kinds.servicing import BillsIssued
from penstock.journal.segment import Column, Segment
from penstock.period import Period
from penstock.usecases.sequencer import Receipt
from penstock.usecases.servicing.rows import Parse, amounts, read_rows
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

QUANTITY_MAX: Final = 10**9 - 1


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill: the asset, of what time, due when [us], how much, for how many units, and the servicer's name of it."""

    asset: str
    period: Period
    due_us: int
    usdc_micro: int
    reference: str
    quantity: int = 0


def bill_on(workspace: Workspace, key: str, deal: str, file: Path, at_us: int, by: str = "") -> Receipt:
    """Issue the bills of a CSV or Parquet file: columns asset, start, stop, due, usdc, reference; quantity if counted.

    Raises:
        NotFound: ``file.missing``. Invalid: ``servicing.file``. As `bill`.
    """
    when = dict.fromkeys(("start", "stop", "due"), instant_us)
    needed: dict[str, Parse] = {"asset": str, **when, "usdc": micro, "reference": str}
    rows = read_rows(file, needed, {"quantity": whole(QUANTITY_MAX)})
    bills = [
        Bill(asset, _period(start, stop), due, usdc, word, count or 0)
        for asset, start, stop, due, usdc, word, count in rows
    ]
    asked = f"{deal} {by}".encode() + file.read_bytes()
    return workspace.submit(key, asked, at_us, lambda world: bill(world, deal, bills, by))


def _period(start_us: int, stop_us: int) -> Period:
    if stop_us <= start_us:
        raise Invalid("bill.fields", "A bill is for a time that ends after it starts.")
    return Period(start_us, stop_us)


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
