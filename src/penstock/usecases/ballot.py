"""The ballot of a deal on chain: deployed between tranches and deal, tied to both; a desk that knows them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from penstock.capital.deal import Deal
from penstock.chain.client import ChainClient
from penstock.chain.provider import NodeProvider
from penstock.errors import Refused
from penstock.keys import ChainKey, derive_seed
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.own_chain import open_chain
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

KINDS: Final = ("amendment", "waiver", "replacement")
"""Kinds of change in the order in which the contract numbers them."""
VOTE_S: Final = 14 * 86_400
DELAY_S: Final = 48 * 3_600
WHOLE_BP: Final = 10_000
LOOKER: Final = ChainKey(derive_seed(b"penstock", "whoever only looks"))
"""For desks that only look: anybody has this key, and nothing is ever signed with it."""


def ballot_contract(deal: str) -> str:
    """A deal's ballot by the name the desk knows it under; no tranche can be called so."""
    return f"ballot:{deal}"


def rules_of(deal: Deal) -> tuple[tuple[int, int], ...]:
    """For each kind of change: the classes that must consent, as bits by tranche, and the share [basis points, up]."""
    order = [tranche.name for tranche in deal.tranches]
    rules = dict.fromkeys(KINDS, (0, 0))
    for vote in deal.votes:
        bits = sum(1 << order.index(name) for name in vote.classes)
        rules[vote.kind] = (bits, -(-vote.share.numerator * WHOLE_BP // vote.share.denominator))
    return tuple(rules[kind] for kind in KINDS)


def deploy_ballot(desk: ChainDesk, name: str, deal: Deal, tranches: Sequence[bytes], trustee: bytes) -> bytes:
    """The ballot's address, deployed once; ``tranches`` in the order of the deal's text. The desk is the sponsor."""
    terms = (desk.address, trustee, list(tranches), list(rules_of(deal)), VOTE_S, DELAY_S)
    return desk.deploy(ballot_contract(name), "Ballot", *terms).address


def tie_ballot(desk: ChainDesk, name: str) -> None:
    """Tell the ballot its deal; deal and tranches must stand, and the deal must obey this ballot."""
    own = ballot_contract(name)
    desk.act(f"set_deal:{own}", own, "set_deal", desk.contract(name).address)


@contextmanager
def deal_desk(workspace: Workspace, key: ChainKey, name: str) -> Iterator[ChainDesk]:
    """A desk at the workspace's own chain, under a holder's or the operator's key, which knows a deal's contracts.

    Raises:
        NotFound: ``chain.none_here``, ``deal.unknown``. Refused: as `know_deal`.
    """
    with open_chain(workspace.path) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), key)
        know_deal(workspace.read(lambda world: world), desk, name)
        yield desk


def know_deal(world: World, desk: ChainDesk, name: str) -> None:
    """Name a launched deal's contracts to a desk.

    Raises:
        NotFound: ``deal.unknown``. Refused: ``vote.no_ballot`` where the deal's text lets nobody vote, or it is not on
            chain.
    """
    if ballot_contract(name) not in world.capital.deal(name).contracts:
        hint = "Only a deal launched with `votes:` in its text can be changed."
        raise Refused("vote.no_ballot", f"Nobody votes on {name}.", hint=hint, deal=name)
    know_contracts(world, desk, name)


def know_contracts(world: World, desk: ChainDesk, name: str) -> None:
    """Name the contracts of a deal to a desk, by what each is. Raises NotFound ``deal.unknown``."""
    special = {name: "Deal", ballot_contract(name): "Ballot"}
    for own, address in world.capital.deal(name).contracts.items():
        desk.know(own, special.get(own, "Tranche"), address)
