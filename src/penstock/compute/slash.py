"""Slash: a provider whose work was shown to be false loses all its collateral to those who hold what it sold.

Each gets its share by what of the collateral stands behind its credits and windows; cut at floors of cumulative sums,
so that all of it is paid and nobody's share depends on who is named first by more than a micro-dollar.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from penstock.errors import Refused
from penstock.journal.kinds.capacity import CollateralCause, CollateralMoved
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.words import TitleState

if TYPE_CHECKING:
    from penstock.compute.capacity import Capacity

PURPOSE = "work shown to be false"


def reckon_slash(capacity: Capacity, provider: str, reason: str) -> CollateralMoved:
    """The fact of all collateral moved to holders, pro rata.

    Raises:
        NotFound: ``provider.unknown``. Refused: ``collateral.unproven`` with no work shown to be false;
        ``collateral.no_holders`` where nobody holds anything that collateral stands behind, or none is left.
    """
    known = capacity.providers.named(provider)
    if provider not in capacity.providers.proven_false:
        raise Refused("collateral.unproven", "Collateral is lost only for work that was shown to be false.")
    shares, posted = covered(capacity, provider), capacity.providers.posted[provider]
    needed = sum(shares.values())
    if not needed or not posted:
        raise Refused("collateral.no_holders", "No holder is left whom collateral is owed.", provider=provider)
    sums = [0]
    for share in shares.values():
        sums.append(sums[-1] + share)
    cuts = [posted * reached // needed for reached in sums]
    parts = zip(shares, (stop - start for start, stop in pairwise(cuts)), strict=True)
    paid = tuple(Transfer(known.collateral_account, holder, part, PURPOSE) for holder, part in parts if part)
    return CollateralMoved(provider, CollateralCause.SLASHED, reason, paid)


def covered(capacity: Capacity, provider: str) -> dict[str, int]:
    """Of each holder, by name: collateral that stands behind its credits and windows [micro-dollars]."""
    found = Counter[str]()
    accounts = capacity.books.accounts
    for one in capacity.credits.classes.values():
        if one.terms.provider == provider:
            parts = one.parts(capacity.books, None, TitleState.HELD, TitleState.RESERVED)
            for holder in np.unique(parts["holder"]):
                mine = parts["holder"] == holder
                count = int((parts["stop"] - parts["start"])[mine].sum()) // one.terms.units_per_credit
                found[accounts.name(int(holder))] += count * one.terms.collateral_usdc_micro
    for window in capacity.windows.offers.values():
        if window.terms.provider == provider and window.live:
            found[window.holder] += window.collateral_usdc_micro
    return {name: found[name] for name in sorted(found) if found[name]}
