"""Launch: a deal and its tranches take their place on chain; holders are admitted and receive their shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.capital.deal import Deal, Tranche
from penstock.capital.program import Program
from penstock.capital.report import page_subject
from penstock.capital.schedule_rows import creation
from penstock.chain.client import ChainIdentity, connect
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import DealLaunched, Deployed
from penstock.journal.kinds.chain import ChainAdopted
from penstock.usecases.ballot import ballot_contract, deploy_ballot, tie_ballot
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.originate import recompile
from penstock.usecases.workspace import Workspace

QUORUM: Final = 2
FORCE_DELAY_S: Final = 48 * 3_600
ANY_CLASS: Final = 2**256 - 1
RESIDUAL_SHARES: Final = 1_000_000_000_000
MANY: Final = 100
FAR_S: Final = 2**33
NOBODY: Final = bytes(20)
BASE: Final = ("Dollar", "Registry", "Anchor", "Credit")


@dataclass(frozen=True, slots=True)
class Roles:
    """Accounts of a deal's roles. The sponsor is whoever's desk launches; it never attests."""

    attesters: tuple[bytes, ...]
    trustee: bytes
    guardian: bytes
    servicer: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """A holder to admit: account, country (ISO 3166 numeric), class, and its shares of a tranche."""

    account: bytes
    country: int
    investor_class: int
    shares: int


def adopt_chain(workspace: Workspace, desk: ChainDesk, roles: Roles, at_us: int) -> None:
    """Deploy the contracts every deal shares and record which chain this workspace knows; resumable.

    Raises:
        Conflict: ``chain.wrong_chain`` where the workspace knows another.
    """
    known = [row.recorded.fact for row in workspace.facts() if isinstance(row.recorded.fact, ChainAdopted)]
    if known:
        connect(desk.client, ChainIdentity(known[0].chain_id, known[0].genesis))
        for one in known[0].contracts:
            desk.know(one.name, one.name, one.address)
        return
    operator = desk.address
    dollar = desk.deploy("Dollar", "Dollar", operator).address
    desk.deploy("Registry", "Registry", operator, operator)
    desk.act("admit:operator", "Registry", "admit", _entry(Admission(operator, 840, 1, 0)))
    anchor = desk.deploy("Anchor", "Anchor", operator, list(roles.attesters), QUORUM).address
    desk.deploy("Credit", "Credit", dollar, anchor, "")
    contracts = tuple(Deployed(name, desk.contract(name).address) for name in BASE)
    adopted = ChainAdopted(desk.identity.chain_id, desk.identity.genesis, contracts)
    workspace.submit("chain", b"", at_us, lambda _: [Entry(adopted)])


def launch(
    workspace: Workspace, desk: ChainDesk, name: str, roles: Roles, at_us: int, governor: bytes = NOBODY
) -> None:
    """Deploy a deal's tranches, its schedule and the deal, tie them together, register its pages; resumable.

    A deal with ``votes:`` gets a ballot; it alone, or else ``governor``, may amend, waive and replace - by default
    nobody ever may.
    """
    deal, program = recompile(workspace.read(lambda world: world.capital.deal(name).originated))
    payees = {tranche.name: _deploy_tranche(desk, name, tranche, roles) for tranche in deal.tranches}
    if deal.votes:
        governor = deploy_ballot(desk, name, deal, list(payees.values()), roles.trustee)
    served = [fee.name for fee in deal.fees] + [hedge.name for hedge in deal.hedges]
    payees |= dict.fromkeys(served, desk.address) | {"servicer": roles.servicer}
    ordered = [payees[payee] for payee in program.payee_lanes]
    shared = (desk.contract("Dollar").address, desk.contract("Anchor").address)
    schedule = desk.deploy_data(f"{name}/schedule", creation(program.rows)) if program.rows else NOBODY
    desk.deploy(name, "Deal", *shared, program.code, schedule, program.deal_hash, ordered, governor)
    _tie(desk, name, deal, program)
    names = (name, *(tranche_contract(name, tranche.name) for tranche in deal.tranches))
    if deal.votes:
        tie_ballot(desk, name)
        names = (*names, ballot_contract(name))
    contracts = tuple(Deployed(one, desk.contract(one).address) for one in names)
    launched = DealLaunched(name, desk.identity.chain_id, contracts)
    workspace.submit(f"launch:{name}", b"", at_us, lambda _: [Entry(launched)])


def tranche_contract(deal: str, tranche: str) -> str:
    """A tranche's contract by the name the desk knows it under; the deal's own goes by the deal's name."""
    return f"{deal}/{tranche}"


def _deploy_tranche(desk: ChainDesk, name: str, tranche: Tranche, roles: Roles) -> bytes:
    shared = (desk.contract("Dollar").address, desk.contract("Registry").address)
    operator = desk.address
    powers = (operator, operator, roles.trustee, roles.guardian, FORCE_DELAY_S)
    shares = tranche.face_usdc_micro or RESIDUAL_SHARES
    title = f"{name} {tranche.name}"
    return desk.deploy(
        f"{name}/{tranche.name}", "Tranche", title, tranche.name, shares, *shared, ANY_CLASS, *powers
    ).address


def _tie(desk: ChainDesk, name: str, deal: Deal, program: Program) -> None:
    address = desk.contract(name).address
    for tranche in deal.tranches:
        own = tranche_contract(name, tranche.name)
        desk.act(f"set_deal:{own}", own, "set_deal", address, program.payee_lanes[tranche.name])
    desk.act(f"register:{name}", "Anchor", "register", address, desk.address)
    for page in range(1, program.pages):
        desk.act(f"register:{name}:{page}", "Anchor", "register", page_subject(address, page), desk.address)


def admit(desk: ChainDesk, name: str, holders: Sequence[Admission]) -> None:
    """Admit holders to the registry, in batches; resumable."""
    for start in range(0, len(holders), MANY):
        batch = [_entry(one) for one in holders[start : start + MANY]]
        desk.act(f"admit:{name}:{start}", "Registry", "admit_many", batch)


def _entry(one: Admission) -> tuple[bytes, bytes, int, int, int]:
    return one.account, one.account, one.country, one.investor_class, FAR_S


def place(desk: ChainDesk, tranche: str, holders: Sequence[Admission]) -> None:
    """Hand the sponsor's shares of a tranche (``<deal>/<tranche>``) to its first holders, in batches; resumable."""
    for start in range(0, len(holders), MANY):
        batch = holders[start : start + MANY]
        accounts, shares = [one.account for one in batch], [one.shares for one in batch]
        desk.act(f"place:{tranche}:{start}", tranche, "transfer_many", accounts, shares)
