"""Appoint: who acts for a deal - sponsor, servicer, back-up servicer, trustee, attesters."""

from __future__ import annotations

from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import DealRole, RoleAppointed
from penstock.usecases.world import World


def appoint(
    world: World, deal: str, role: DealRole, account: str, reason: str, *, replaces: str = "", by: str = ""
) -> list[Entry]:
    """The fact of an appointment; of attesters, in the seat of whom it ``replaces`` or in one more.

    Raises:
        NotFound: ``deal.unknown``, ``role.not_held``. Conflict: ``role.held``. Refused: ``role.sponsor_attests``,
        ``servicing.not_appointed``.
    """
    fact = RoleAppointed(deal, role, account, replaces, reason, by)
    world.capital.servicing.check_appoint(fact)
    return [Entry(fact)]
