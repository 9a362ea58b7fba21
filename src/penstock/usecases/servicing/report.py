"""Report: the servicer's tape of a period. With it the period's data are complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from penstock.capital.asset_fields import micro, whole
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import STATUSES
from penstock.journal.kinds.servicing import AssetsReported
from penstock.journal.segment import Segment
from penstock.usecases.sequencer import Receipt
from penstock.usecases.servicing.rows import amounts, read_rows
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

DAYS_MAX = 36_500


@dataclass(frozen=True, slots=True)
class Standing:
    """How an asset stands: what is outstanding [micro-dollars], and for how long its oldest payment is due [days]."""

    balance_usdc_micro: int
    past_due_days: int = 0


def report(
    world: World, deal: str, period: int, standings: Mapping[str, Standing], at_us: int, by: str = ""
) -> list[Entry]:
    """The fact of a tape. One that names no asset says that all stand as collections lead to, on time.

    Raises:
        NotFound: ``deal.unknown``, ``asset.unknown``. Refused: ``tape.period``, ``tape.early``, ``tape.incomplete``,
        ``servicing.not_appointed``. Invalid: ``tape.fields``.
    """
    book = world.capital.servicing
    kept, held = book.of(deal), book.assets.live(deal)
    names = [book.assets.names[number] for number in held.tolist()]
    strangers, missing = standings.keys() - set(names), set(names) - standings.keys()
    if strangers or (standings and missing):
        odd = min(strangers or missing)
        sentence = f"{odd} is {'not an asset of the deal' if strangers else 'missing from the tape'}."
        raise Refused("tape.incomplete", sentence, hint="A tape names every asset of the deal, once.", asset=odd)
    rolled = book.assets["balance_usdc_micro"] - kept.awaited(len(book.assets), period)
    said = [standings.get(name, Standing(max(0, int(rolled[at])))) for name, at in zip(names, held, strict=True)]
    segment = Segment(STATUSES, {
        "asset": held.astype(np.int32),
        "balance_usdc_micro": amounts([one.balance_usdc_micro for one in said]),
        "past_due_days": np.array([one.past_due_days for one in said], dtype=np.int32),
    })  # fmt: skip
    fact = AssetsReported(segment.ref(), deal, period, kept.periods.of(period).stop_us, by)
    book.check_report(fact, segment.columns, at_us)
    return [Entry(fact, segment)]


def report_on(workspace: Workspace, key: str, deal: str, period: int, file: Path, at_us: int, by: str = "") -> Receipt:
    """Record the tape in a CSV or Parquet file: columns asset, balance_usdc, past_due_days. Raises as `report`."""
    rows = read_rows(file, {"asset": str, "balance_usdc": micro, "past_due_days": whole(DAYS_MAX)})
    standings = {asset: Standing(balance, days) for asset, balance, days in rows}
    if len(standings) < len(rows):
        raise Refused("tape.incomplete", "The tape names an asset twice.", hint="Name every asset once.")
    asked = f"{deal} {period} {by}".encode() + file.read_bytes()
    return workspace.submit(key, asked, at_us, lambda world: report(world, deal, period, standings, at_us, by))
