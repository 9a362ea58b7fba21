"""Collect: payments that reached a deal's first account, matched to asset, contract and bill.

A payment counts in the period it was received in, or, where that period's data are complete, in the next that is open:
trued up, never restated. One by the sponsor, on a related party's asset, or by somebody whom the deal itself paid in
that period or the last is flagged, and enters no measure unless the deal's pool counts related parties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from penstock.capital.asset_fields import instant_us, micro
from penstock.capital.bills import NO_BILL, write_words
from penstock.capital.serviced import COLLECTION_KINDS
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Entry, FactBody
from penstock.journal.formats import COLLECTIONS
from penstock.journal.kinds.ledger import AccountOpened, Transfer
from penstock.journal.kinds.servicing import CollectionKind, CollectionsMatched
from penstock.journal.segment import Column, Columns, Segment
from penstock.usecases.originate import account_of
from penstock.usecases.sequencer import Receipt
from penstock.usecases.servicing.rows import amounts, read_rows
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

LOCKBOX = "lockbox"
"""The world outside from which payments come: an external account, opened with the first."""
PURPOSE = "collections"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment: on which asset, of what, how much [micro-dollars], when received [us], by whom, on which bill."""

    asset: str
    kind: CollectionKind
    usdc_micro: int
    received_us: int
    payer: str
    bill: str = ""


def collect(
    world: World,
    deal: str,
    reference: str,
    payments: Sequence[Payment],
    at_us: int,
    by: str = "",
    source: str = LOCKBOX,
) -> list[Entry]:
    """The fact of payments, recorded once by their ``reference``; who has an account here pays from it, others from
    ``source``.

    Raises:
        Conflict: ``collection.known``. NotFound: ``asset.unknown``, ``asset.not_held``, ``bill.unknown``,
        ``deal.unknown``. Invalid: ``collection.fields``, ``servicing.amount``, ``servicing.words``.
        Refused: ``bill.elsewhere``, ``bill.overpaid``, ``collection.ahead``, ``collection.principal``,
        ``collection.no_loss``, ``collection.payer``, ``fund.not_external``, ``ledger.overdrawn``,
        ``servicing.not_appointed``.
    """
    book = world.capital.servicing
    rows = _columns(world, deal, payments)
    transfers = _transfers(world, deal, payments, source)
    segment = Segment(COLLECTIONS, rows)
    fact = CollectionsMatched(segment.ref(), deal, reference, transfers, by)
    book.check_collect(fact, segment.columns, at_us)
    opened: list[FactBody] = [] if source in world.books.accounts else [AccountOpened(source, external=True)]
    world.books.check_transfers(tuple(one for one in transfers if one.source in world.books.accounts))
    return [*(Entry(one) for one in opened), Entry(fact, segment)]


def collect_on(
    workspace: Workspace, key: str, deal: str, file: Path, reference: str, at_us: int, by: str = ""
) -> Receipt:
    """Collect the rows of a CSV or Parquet file. Raises as `collect`, `read_payments`."""
    payments = read_payments(file)
    asked = f"{deal} {reference} {by}".encode() + file.read_bytes()
    return workspace.submit(key, asked, at_us, lambda world: collect(world, deal, reference, payments, at_us, by))


def read_payments(file: Path) -> list[Payment]:
    """Columns: asset, kind, usdc, received, payer; bill (the servicer's reference) where there is one.

    Raises:
        NotFound: ``file.missing``. Invalid: ``servicing.file``, with every row that cannot be read.
    """
    kinds = {str(one): one for one in CollectionKind}
    found = read_rows(file, {"asset": str, "kind": kinds.get, "usdc": micro, "received": instant_us, "payer": str},
                      {"bill": str})  # fmt: skip
    return [Payment(*row) for row in found]


def _columns(world: World, deal: str, payments: Sequence[Payment]) -> Columns:
    book = world.capital.servicing
    book.of(deal)
    columns: dict[str, Column] = {
        "asset": np.array([book.assets.number(one.asset) for one in payments], dtype=np.int32),
        "bill": _bills(world, payments),
        "kind": np.array([COLLECTION_KINDS.index(one.kind) for one in payments], dtype=np.uint8),
        "usdc_micro": amounts([one.usdc_micro for one in payments]),
        "received_us": amounts([one.received_us for one in payments]),
        "payer": write_words([one.payer for one in payments]),
    }
    return columns | {"flag": book.flags(deal, columns)}


def _bills(world: World, payments: Sequence[Payment]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bills by reference: the newest of that name on the asset, else the newest of all."""
    book = world.capital.servicing
    wanted = {one.bill for one in payments if one.bill}
    asset = book.bills["asset"]
    named = [(number, word) for number, word in enumerate(book.bills.references) if word in wanted]
    known = {word: number for number, word in named}
    own = {(word, int(asset[number])): number for number, word in named}
    if wanted - known.keys():
        raise NotFound("bill.unknown", "There is no such bill.", bill=min(wanted - known.keys()))
    found = [
        own.get((one.bill, book.assets.number(one.asset)), known[one.bill]) if one.bill else NO_BILL for one in payments
    ]
    return np.array(found, dtype=np.int64)


def _transfers(world: World, deal: str, payments: Sequence[Payment], source: str) -> tuple[Transfer, ...]:
    accounts = world.books.accounts
    if source in accounts and not accounts.is_external(accounts.id_of(source)):
        raise Refused("fund.not_external", "Dollars come in through an external account.", account=source)
    first = account_of(deal, world.capital.servicing.of(deal).deal.accounts[0].name)
    by_source: dict[str, int] = {}
    for one in payments:
        payer = one.payer if one.payer in accounts else source
        by_source[payer] = by_source.get(payer, 0) + one.usdc_micro
    return tuple(Transfer(payer, first, micro_usdc, PURPOSE) for payer, micro_usdc in by_source.items())
