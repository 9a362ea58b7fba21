"""Call: whoever may retire a deal's notes pays the price into its first account; the next close does the rest."""

from __future__ import annotations

from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.kinds.servicing import CallExercised
from penstock.usecases.originate import account_of
from penstock.usecases.world import World


def exercise(world: World, deal: str, call: str, price_usdc_micro: int, source: str, by: str = "") -> list[Entry]:
    """The fact of a call, its price paid from ``source``. Whether it holds is for the deal's program to say.

    Raises:
        NotFound: ``deal.unknown``, ``call.unknown``, ``account.unknown``. Conflict: ``call.exercised``.
        Refused: ``ledger.overdrawn``, ``collection.payer``. Invalid: ``ledger.amount``.
    """
    book = world.capital.servicing
    kept = book.of(deal)
    first = account_of(deal, kept.deal.accounts[0].name)
    transfers = (Transfer(source, first, price_usdc_micro, f"call {call}"),)
    fact = CallExercised(deal, call, kept.period_open, price_usdc_micro, transfers, by)
    book.check_call(fact)
    world.books.check_transfers(transfers)
    return [Entry(fact)]
