"""Arrange: a deal file becomes a deal on the workspace's own chain, its shares with its first holders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from penstock.capital.asset_fields import micro, whole
from penstock.capital.deal import Deal
from penstock.chain.client import ChainClient
from penstock.chain.keystore import COST_LOG2
from penstock.chain.node import Node
from penstock.chain.provider import NodeProvider
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.chain import ChainAdopted
from penstock.journal.kinds.ledger import AccountOpened
from penstock.keys import ChainKey
from penstock.usecases.ballot import know_contracts
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.launch import RESIDUAL_SHARES, Admission, Roles, admit, launch, place, tranche_contract
from penstock.usecases.originate import originate, recompile
from penstock.usecases.own_chain import open_chain
from penstock.usecases.sealed_keys import sealed_key
from penstock.usecases.servicing.rows import read_rows
from penstock.usecases.withdraw import WALLETS, tranche_account
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

US: Final = 840
CLASS_MOST: Final = 255
COUNTRY_MOST: Final = 999
FARE_WEI: Final = 10**18
"""What each of a deal's people gets for fees, on a chain where they cost nobody anything."""
ROLES: Final = ("trustee", "guardian", "servicer")
Placing = tuple[str, Admission]
"""A tranche and a holder of it."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is launched: the deal's name and text, its first holders, assets it names, accounts of its roles.

    A role without an account gets a key, made and sealed beside the operator's.
    """

    name: str
    text: str
    holders: Sequence[Placing] = ()
    assets: tuple[str, ...] = ()
    accounts: Mapping[str, bytes] = field(default_factory=dict)


def read_holders(file: Path) -> list[Placing]:
    """Rows of a CSV or Parquet file: account, tranche, shares (a share is a dollar of face); country, class if wanted.

    Raises:
        NotFound: ``file.missing``. Invalid: ``servicing.file``, with every row that cannot be read.
    """
    more = {"country": whole(COUNTRY_MOST, 1), "class": whole(CLASS_MOST, 1)}
    rows = read_rows(file, {"account": address, "tranche": str, "shares": micro}, more)
    return [(tranche, Admission(at, country or US, kind or 1, shares)) for at, tranche, shares, country, kind in rows]


def address(text: str) -> bytes | None:
    """``0x`` and 40 hex digits, not all zero; None for anything else."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None
    return raw if len(raw) == 20 and any(raw) else None


def arrange(
    workspace: Workspace, asked: Arrangement, keys: Path, passphrase: str, at_us: int, cost_log2: int = COST_LOG2
) -> dict[str, Any]:
    """Originate, launch and place a deal under the operator's key in ``keys``; resumable, and harmless when repeated.

    Raises:
        Invalid: ``deal.malformed``; ``holders.tranche``, ``holders.shares``. NotFound: ``chain.none_here``.
        Conflict: ``journal.key_reused`` where the name stands for another text. As `originate` and `launch`.
    """
    own = sealed_key(keys / "operator.json", ChainKey, passphrase, cost_log2=cost_log2)
    accounts = {
        role: asked.accounts.get(role)
        or sealed_key(keys / f"{role}.json", ChainKey, passphrase, cost_log2=cost_log2).address
        for role in ROLES
    }
    with open_chain(workspace.path) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), own)
        know_base(workspace, desk)
        decided = (asked.text, *asked.assets)
        workspace.submit(
            f"originate:{asked.name}",
            "\0".join(decided).encode(),
            at_us,
            lambda world: _begin(world, asked),
        )
        deal, program = recompile(workspace.read(lambda world: world.capital.deal(asked.name).originated))
        launch(workspace, desk, asked.name, Roles((), *(accounts[role] for role in ROLES)), at_us)
        _place(desk, asked, accounts)
        contracts = {name: "0x" + at.hex() for name, at in _contracts(workspace, asked.name).items()}
    return {
        "deal": asked.name,
        "title": deal.name,
        "deal_hash": program.deal_hash.hex(),
        "program_bytes": len(program.code),
        "gas_ceiling": program.gas_ceiling,
        "contracts": contracts,
        "roles": {role: "0x" + at.hex() for role, at in accounts.items()},
        "holders": len({one.account for _, one in asked.holders}),
    }


def _begin(world: World, asked: Arrangement) -> list[Entry]:
    begun = originate(world, asked.name, asked.text, asked.assets)
    deal = recompile(next(one.fact for one in begun if one.fact.KIND == "deal.originated"))[0]  # type: ignore[arg-type]
    _check_holders(deal, asked.holders)
    names = [tranche_account(asked.name, tranche.name) for tranche in deal.tranches]
    opened = [AccountOpened(name) for name in names if name not in world.books.accounts]
    outside = [] if WALLETS in world.books.accounts else [AccountOpened(WALLETS, external=True)]
    return [*begun, *(Entry(one) for one in (*outside, *opened))]


def _check_holders(deal: Deal, holders: Sequence[Placing]) -> None:
    supply = {one.name: one.face_usdc_micro or RESIDUAL_SHARES for one in deal.tranches}
    for name, shares in supply.items():
        placed = sum(one.shares for tranche, one in holders if tranche == name)
        if placed > shares:
            sentence = f"Tranche {name} has {shares // 10**6:,} shares, and more are placed."
            raise Invalid("holders.shares", sentence, hint="What is not placed stays with the sponsor.", tranche=name)
    unknown = {tranche for tranche, _ in holders} - supply.keys()
    if unknown:
        hint = f"One of: {', '.join(supply)}."
        raise Invalid("holders.tranche", f"The deal has no tranche {min(unknown)}.", hint=hint)


def _place(desk: ChainDesk, asked: Arrangement, accounts: Mapping[str, bytes]) -> None:
    """Holders are admitted and get their shares; they and the deal's roles get something for fees."""
    people = {one.account: one for _, one in asked.holders}
    admit(desk, asked.name, list(people.values()))
    for tranche in dict.fromkeys(tranche for tranche, _ in asked.holders):
        mine = [one for name, one in asked.holders if name == tranche]
        place(desk, tranche_contract(asked.name, tranche), mine)
    for account in dict.fromkeys((*people, *accounts.values())):
        desk.give(f"fare:{account.hex()}", account, FARE_WEI)
    desk.settle()


def know_base(workspace: Workspace, desk: ChainDesk) -> None:
    """Name the contracts that all deals share to a desk. Raises NotFound ``chain.none_here``."""
    facts = (row.recorded.fact for row in workspace.facts())
    adopted = next((fact for fact in facts if isinstance(fact, ChainAdopted)), None)
    if adopted is None:
        hint = "Run: penstock certificate chain found"
        raise NotFound("chain.none_here", "This workspace knows no chain yet.", hint=hint)
    for one in adopted.contracts:
        desk.know(one.name, one.name, one.address)


@contextmanager
def launched_desk(workspace: Workspace, key: ChainKey, name: str) -> Iterator[tuple[ChainDesk, Node]]:
    """A desk at the workspace's own chain that knows what all deals share and a launched deal's contracts; the chain.

    Raises:
        NotFound: ``chain.none_here``, ``deal.unknown``. Refused: ``deal.not_launched``.
    """
    if not _contracts(workspace, name):
        hint = "Run: penstock deal launch"
        raise Refused("deal.not_launched", f"{name} is not on chain.", hint=hint, deal=name)
    with open_chain(workspace.path) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), key)
        know_base(workspace, desk)
        workspace.read(lambda world: know_contracts(world, desk, name))
        yield desk, node


def _contracts(workspace: Workspace, name: str) -> dict[str, bytes]:
    return workspace.read(lambda world: dict(world.capital.deal(name).contracts))
