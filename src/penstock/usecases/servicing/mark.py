"""Mark: a value from outside, with its source and how long it speaks; or a milestone a builder reached."""

from __future__ import annotations

from penstock.capital.marks import MILESTONE
from penstock.capital.servicing_book import E8_PER_USDC_MICRO
from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import MarkSet
from penstock.usecases.world import World

MILESTONE_SPEAKS_S = 366 * 86_400


def mark(world: World, fact: MarkSet, at_us: int) -> list[Entry]:
    """The fact of a mark.

    Raises:
        Invalid: ``mark.fields``, ``mark.order``. Conflict: ``mark.late``. Refused: ``servicing.not_appointed``.
    """
    world.capital.servicing.check_mark(fact, at_us)
    return [Entry(fact)]


def milestone(world: World, deal: str, usdc_micro: int, source: str, at_us: int, by: str = "") -> list[Entry]:
    """The fact that a builder of ``deal`` earned a draw [micro-dollars], certified by ``source``.

    Raises:
        NotFound: ``deal.unknown``. As `mark`.
    """
    world.capital.servicing.of(deal)
    value_e8 = usdc_micro * E8_PER_USDC_MICRO
    return mark(world, MarkSet(deal + MILESTONE, value_e8, source, at_us, MILESTONE_SPEAKS_S, by), at_us)
