"""Register a provider: who sells compute, where it answers, what signs its statements, where its dollars lie."""

from __future__ import annotations

from penstock.compute.collateral import windows_escrow
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.ledger import AccountOpened
from penstock.usecases.world import World


def collateral_account(provider: str) -> str:
    """Where a provider's collateral lies, unless it says otherwise."""
    return f"{provider}/collateral"


def register_provider(world: World, fact: ProviderRegistered) -> list[Entry]:
    """The facts of a new provider, its accounts opened where there are none.

    Raises:
        As `Providers.check`; Conflict ``account.known`` where its collateral or escrow account is somebody's.
    """
    world.capacity.providers.check(fact)
    own = [AccountOpened(one) for one in (fact.collateral_account, windows_escrow(fact.provider))]
    for opened in own:
        world.books.accounts.check_open(opened)
    shared = dict.fromkeys((fact.provider, fact.revenue_account))
    new = [AccountOpened(one) for one in shared if one not in world.books.accounts]
    return [*map(Entry, new), *map(Entry, own), Entry(fact)]
