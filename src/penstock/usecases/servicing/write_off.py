"""Write off: balances that will not be collected. What comes after all is a recovery."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from penstock.journal.fact import Entry
from penstock.journal.formats import WRITE_OFFS
from penstock.journal.kinds.servicing import AssetsWrittenOff
from penstock.journal.segment import Column, Segment
from penstock.usecases.servicing.rows import amounts
from penstock.usecases.world import World


def write_off(world: World, deal: str, losses: Mapping[str, int], reason: str, by: str = "") -> list[Entry]:
    """The fact of amounts written off, by asset [micro-dollars]; they belong to the period whose tape comes next.

    Raises:
        NotFound: ``asset.unknown``, ``asset.not_held``, ``deal.unknown``. Refused: ``writeoff.beyond``,
        ``servicing.not_appointed``. Invalid: ``servicing.amount``, ``asset.twice``.
    """
    book = world.capital.servicing
    columns: dict[str, Column] = {
        "asset": np.array([book.assets.number(one) for one in losses], dtype=np.int32),
        "usdc_micro": amounts(list(losses.values())),
    }
    segment = Segment(WRITE_OFFS, columns)
    fact = AssetsWrittenOff(segment.ref(), deal, reason, by)
    book.check_write_off(fact, segment.columns)
    return [Entry(fact, segment)]
