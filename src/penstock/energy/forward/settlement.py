"""Settlement: after the window, what did not come is remedied by the rule fixed at issue. Pure: books in, plan out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.energy.forward.price import cut, pay_by_rank, remedy_down
from penstock.energy.forward.promise import Promise, Sale, collateral_account, escrow_account
from penstock.journal.cutting import Ints
from penstock.journal.kinds.forward import Remedy
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.state import Books
from penstock.journal.words import Right

PRICE_BACK = "price of output that did not come"
REMEDY = "remedy for output that did not come"
COLLATERAL_BACK = "collateral back"


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """What a settlement comes to: the transfers, what collateral did not cover, and the titles that end with it
    (start, stop, holder on the promised register).
    """

    missing_wh: int
    unpaid_usdc_micro: int
    transfers: tuple[Transfer, ...]
    ended: dict[str, Ints]


def plan_settlement(books: Books, promise: Promise, index_usdc_micro_per_mwh: int) -> Settlement:
    """What settling a forward comes to, at an index price where the remedy needs one [micro-dollars per MWh].

    Each sale's undelivered price goes from escrow to whoever holds the undelivered promise, pro rata; then the remedy
    from the collateral by rank; the rest of the collateral to the seller.
    """
    missing = promise.missing.tolist()
    owed = [_owed(promise, one, wh, index_usdc_micro_per_mwh) for one, wh in zip(promise.sales, missing, strict=True)]
    fund = sum(one.sold.collateral_usdc_micro for one in promise.sales)
    paid = pay_by_rank(fund, owed, [one.sold.rank for one in promise.sales])
    ended = _undelivered(books, promise)
    back = [one.sold.cost_usdc_micro - one.released_usdc_micro for one in promise.sales]
    transfers = [
        *_to_holders(books, ended, back, escrow_account(promise.name), PRICE_BACK),
        *_to_holders(books, ended, paid, collateral_account(promise.name), REMEDY),
    ]
    if fund > sum(paid):
        rest = fund - sum(paid)
        transfers.append(Transfer(collateral_account(promise.name), promise.offered.seller, rest, COLLATERAL_BACK))
    spans = {name: ended[name] for name in ("start", "stop", "holder")}
    return Settlement(sum(missing), sum(owed) - sum(paid), tuple(transfers), spans)


def _owed(promise: Promise, sale: Sale, missing_wh: int, index_usdc_micro_per_mwh: int) -> int:
    """What is owed for so much of a sale [micro-dollars]."""
    offered = promise.offered
    if offered.remedy is Remedy.INDEX:
        contract = offered.prices_usdc_micro_per_mwh[sale.sold.rank - 1]
        return remedy_down(missing_wh, max(0, index_usdc_micro_per_mwh - contract))
    return remedy_down(missing_wh, offered.cash_usdc_micro_per_mwh)


def _undelivered(books: Books, promise: Promise) -> dict[str, Ints]:
    """Titles to what was not delivered: start, stop, holder and the row (query) of the sale."""
    start = np.array([one.start + one.delivered_wh for one in promise.sales], dtype=np.int64)
    stop = np.array([one.stop for one in promise.sales], dtype=np.int64)
    open_ = np.flatnonzero(stop > start)
    register = np.full(len(open_), promise.register, dtype=np.int32)
    parts = books.titles[Right.USE].parts(register, start[open_], stop[open_])
    return {**{name: parts[name] for name in ("start", "stop", "holder")}, "query": open_[parts["query"]]}


def _to_holders(
    books: Books, ended: dict[str, Ints], amounts: Sequence[int], source: str, purpose: str
) -> list[Transfer]:
    """Each sale's amount shared over the holders of what was not delivered of it, one transfer for each holder."""
    due: dict[int, int] = {}
    for sale, amount in enumerate(amounts):
        rows = np.flatnonzero(ended["query"] == sale)
        sizes = (ended["stop"][rows] - ended["start"][rows]).tolist()
        for holder, part in zip(ended["holder"][rows].tolist(), cut(amount, sizes), strict=True):
            due[holder] = due.get(holder, 0) + part
    return [Transfer(source, books.accounts.name(one), part, purpose) for one, part in due.items() if part]
