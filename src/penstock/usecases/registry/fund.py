"""Fund: the registry's operator books dollars that reached an account from the world outside."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import AccountFunded, AccountOpened, Transfer
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Fund:
    """So many dollars reached ``account`` through ``source``, an external account, by a payment."""

    account: str
    usdc_micro: int
    reference: str
    source: str = "outside"
    by: str = ""


def fund(world: World, asked: Fund) -> list[Entry]:
    """The facts of a payment from outside; its external account is opened where there is none.

    Raises:
        NotFound: ``account.unknown``. Invalid: ``ledger.amount``. Refused: ``fund.not_external``; as `check_may`.
    """
    accounts = world.books.accounts
    world.participants.check_may(asked.by, "", "fund")
    fact = AccountFunded(asked.reference, (Transfer(asked.source, asked.account, asked.usdc_micro, "funded"),))
    if asked.source in accounts:
        if not accounts.is_external(accounts.id_of(asked.source)):
            raise Refused("fund.not_external", "Dollars come in through an external account.", account=asked.source)
        world.books.check_transfers(fact.transfers)
        return [Entry(fact)]
    accounts.id_of(asked.account)
    if asked.usdc_micro <= 0:
        raise Invalid("ledger.amount", "A transfer takes an amount above 0 from one account to another.")
    return [Entry(AccountOpened(asked.source, external=True)), Entry(fact)]
