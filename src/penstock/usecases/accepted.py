"""Accepted: a report that a quorum signed, as the anchor's contract tells it, becomes a fact."""

from __future__ import annotations

from typing import Final

from penstock.capital.measure import DEFINITION
from penstock.capital.report import Report
from penstock.errors import Corrupt
from penstock.journal.kinds.capital import ReportAttested
from penstock.period import SECOND_US
from penstock.usecases.chain_desk import ChainDesk

SEATS: Final = 16
"""Seats of an attester set, as the contract ``Anchor`` has them."""


def attested(desk: ChainDesk, deal: str, period: int, report: Report, size: int, root: bytes) -> ReportAttested:
    """The fact of a period's accepted report; ``size`` and ``root`` of the anchored record it was computed from."""
    return ReportAttested(
        deal=deal,
        period=period,
        as_of_us=report.as_of_s * SECOND_US,
        measures=report.measures,
        definition=DEFINITION,
        log_size=size,
        log_root=root,
        quorum=desk.view("Anchor", "quorum"),
        attesters=_seated(desk),
    )


def accepted_from(desk: ChainDesk, deal: str, word: int) -> int:
    """The size of the record from which a quorum computed the report with this first page.

    Raises:
        Corrupt: ``deal.chain_differs`` where the anchor never accepted it.
    """
    subject = desk.contract(deal).address.hex()
    for one in reversed(desk.history("Anchor")):
        if one.event == "Accepted" and one.said["word"] == word and str(one.said["subject"])[2:].lower() == subject:
            return int(one.said["size"])
    raise Corrupt("deal.chain_differs", "A period closed on a report that the anchor never accepted.", deal=deal)


def _seated(desk: ChainDesk) -> tuple[bytes, ...]:
    """The accounts of the attesters, by seat; seats count from 1 and may be empty."""
    seats = (bytes.fromhex(desk.view("Anchor", "attester_at", seat)[2:]) for seat in range(1, SEATS + 1))
    return tuple(account for account in seats if any(account))
