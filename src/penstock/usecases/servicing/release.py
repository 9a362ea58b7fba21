"""Release: assets leave a deal - repaid, substituted, repurchased - and are free again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.journal.fact import Entry
from penstock.journal.formats import RELEASES
from penstock.journal.kinds.servicing import AssetsReleased
from penstock.journal.segment import Segment
from penstock.usecases.world import World


def release(world: World, deal: str, assets: Sequence[str], reason: str, by: str = "") -> list[Entry]:
    """The fact of assets that leave ``deal``, each with what is outstanding on it.

    Raises:
        NotFound: ``asset.unknown``, ``asset.not_held``, ``deal.unknown``. Refused: ``release.disputed``,
        ``servicing.not_appointed``. Invalid: ``asset.twice``.
    """
    book = world.capital.servicing
    numbers = np.array([book.assets.number(one) for one in assets], dtype=np.int32)
    segment = Segment(RELEASES, {"asset": numbers, "balance_usdc_micro": book.outstanding(deal)[numbers]})
    fact = AssetsReleased(segment.ref(), deal, reason, by)
    book.check_release(fact, segment.columns)
    return [Entry(fact, segment)]
