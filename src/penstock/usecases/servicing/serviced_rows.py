"""How a deal's servicing stands, as plain rows for the doors. Nothing here changes anything."""

from __future__ import annotations

from typing import Any

from penstock.capital.measure import definition_of
from penstock.capital.serviced import COLLECTION_KINDS, FLAGS
from penstock.errors import PenstockError
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


def serviced(workspace: Workspace, deal: str) -> Row:
    """A deal's assets, what came in by period, its newest tape, disputes, roles. Raises NotFound ``deal.unknown``."""
    return workspace.read(lambda world: serviced_row(world, deal))


def serviced_row(world: World, deal: str) -> Row:
    """As `serviced`, of a world."""
    book = world.capital.servicing
    kept, held = book.of(deal), book.assets.live(deal)
    return {
        "deal": deal,
        "assets": len(held),
        "outstanding_usdc_micro": int(book.outstanding(deal)[held].sum()),
        "period_open": kept.period_open,
        "tapes": sorted(kept.tapes),
        "differs": {period: tape.differs for period, tape in sorted(kept.tapes.items()) if tape.differs},
        "collections": collection_rows(world, deal),
        "disputes": [_dispute(name, one.asset, one.usdc_micro) for name, one in sorted(kept.disputes.items())],
        "roles": {str(role): list(accounts) for role, accounts in sorted(kept.roles.items())},
        "called": dict(sorted(kept.called.items())),
    }


def collection_rows(world: World, deal: str) -> list[Row]:
    """What came in, by period, kind and flag."""
    rows = sorted(world.capital.servicing.of(deal).came_in.items())
    return [
        {"period": period, "kind": str(COLLECTION_KINDS[kind]), "flag": str(FLAGS[flag]), "usdc_micro": micro}
        for (period, kind, flag), micro in rows
    ]


def measure_rows(world: World, deal: str, period: int) -> list[Row]:
    """Every measure the deal reports, as it would be attested; ``why`` says why one cannot be."""
    measuring = world.capital.measuring(deal, period)
    rows = []
    for one in measuring.deal.measures:
        row = {"measure": one.name, "unit": one.unit, "definition": definition_of(one)}
        try:
            rows.append(row | {"value": measuring.value(one, period), "why": ""})
        except PenstockError as error:
            rows.append(row | {"value": None, "why": f"{error.message} [{error.code}]"})
    return rows


def receipt_row(receipt: Receipt) -> Row:
    """What an act recorded."""
    return {"key": receipt.key, "first_fact": receipt.first_seq, "facts": receipt.facts, "repeated": receipt.repeated}


def _dispute(name: str, asset: str, usdc_micro: int) -> Row:
    return {"dispute": name, "asset": asset, "usdc_micro": usdc_micro}
