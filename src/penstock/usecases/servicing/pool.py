"""Pool: assets enter a deal, pledged to it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from penstock.capital.asset_review import check_legal_final
from penstock.capital.asset_table import AssetTable, read_assets
from penstock.journal.asset_rows import Named, pledged_names, write_names
from penstock.journal.fact import Entry
from penstock.journal.formats import ASSETS
from penstock.journal.kinds.servicing import AssetsPooled
from penstock.journal.segment import Column, Segment
from penstock.usecases.sequencer import Receipt
from penstock.usecases.servicing.pledge import check_pledge
from penstock.usecases.servicing.rows import read_strings
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

SAME = ("kind", "technology", "assurance", "related", "balance_usdc_micro", "value_usdc_micro", "rate_e8", "start_us",
        "ends_us", "first_due_us", "term_periods", "payment_usdc_micro")  # fmt: skip


def pool(world: World, deal: str, table: AssetTable, by: str = "") -> list[Entry]:
    """The fact of assets that enter ``deal``, in the table's order.

    Raises:
        NotFound: ``deal.unknown``. Conflict: ``deal.pledged_twice``, ``deal.sold_forward``.
        Refused: ``assets.past_legal_final``, ``servicing.not_appointed``. Invalid: ``asset.fields``.
    """
    book = world.capital.servicing
    check_legal_final(book.of(deal).deal, table)
    named = names_of(table)
    first = len(book.assets)
    columns: dict[str, Column] = {name: getattr(table, name) for name in SAME}
    columns |= {"asset": np.arange(first, first + len(table), dtype=np.int32), "named": write_names(named)}
    segment = Segment(ASSETS, columns)
    fact = AssetsPooled(segment.ref(), deal, by)
    book.check_pool(fact, segment.columns)
    check_pledge(world, pledged_names(named))
    return [Entry(fact, segment)]


def names_of(table: AssetTable) -> list[Named]:
    """What each asset of a table is called, whom it names, and its registers."""
    named = table.named

    def row(at: int) -> Named:
        words = {name: named[name].of(at) for name in ("asset", "contract", "offtaker", "obligor", "region")}
        return Named(**words, registers=table.registers[at])

    return [row(at) for at in range(len(table))]


def pool_on(workspace: Workspace, key: str, deal: str, file: Path, at_us: int, by: str = "") -> Receipt:
    """Pool the assets of a CSV or Parquet file (its columns: docs/assets.md). Raises as `pool`, `read_assets`."""
    table = read_assets(read_strings(file))
    asked = f"{deal} {by}".encode() + file.read_bytes()
    return workspace.submit(key, asked, at_us, lambda world: pool(world, deal, table, by))
