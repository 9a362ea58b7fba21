"""The smallest house of contracts that a tranche lives in: dollar, registry, tranche, stand-in deal, role accounts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from nodes import Chain
from vyper import compile_code
from vyper.compiler.settings import OptimizationLevel, Settings
from web3.contract import Contract

SUPPLY = 50_000_000 * 10**6  # shares of a micro-dollar of face
FAR_S = 2**40 - 1
ALL_CLASSES = 2**256 - 1
DELAY_S = 172_800
LANE = 3
COUNTRY = 756
ROLES = ("sponsor", "agent", "trustee", "guardian")


@cache
def compile_file(path: Path) -> dict[str, Any]:
    """A contract that does not ship, compiled as the shipped ones are."""
    settings = Settings(evm_version="prague", optimize=OptimizationLevel.GAS, experimental_codegen=False)
    return dict(compile_code(path.read_text(), settings=settings, output_formats=["abi", "bytecode"]))


def compiled(name: str) -> dict[str, Any]:
    """A contract of this folder."""
    return compile_file(Path(__file__).parent / f"{name}.vy")


def admission(address: str, *, investor_class: int = 1, expires_at_s: int = FAR_S) -> tuple[Any, ...]:
    """The registry's entry for a holder; its identity is the address itself, so that no two are alike."""
    return (address, bytes.fromhex(address[2:]), COUNTRY, investor_class, expires_at_s)


@dataclass(frozen=True)
class Scene:
    """Deployed contracts; ``by(role)`` is the account of a role."""

    chain: Chain
    dollar: Contract
    registry: Contract
    tranche: Contract
    deal: Contract

    def by(self, role: str) -> LocalAccount:
        return self.chain.account(role)

    def at(self, role: str) -> str:
        return str(self.by(role).address)

    def admit(self, *roles: str) -> None:
        entries = [admission(self.at(role)) for role in roles]
        self.chain.send(self.registry.functions.admit_many(entries), self.by("registrar"))

    def move(self, source: str, target: str, amount: int) -> Any:
        return self.chain.send(self.tranche.functions.transfer(self.at(target), amount), self.by(source))

    def income(self, amount: int) -> Any:
        """Pay ``amount`` into the lane and pull it."""
        self.fill(amount)
        return self.chain.send(self.tranche.functions.pull(), self.by("anyone"))

    def fill(self, amount: int) -> None:
        self.chain.send(self.dollar.functions.mint(self.at("payer"), amount), self.by("minter"))
        self.chain.send(self.deal.functions.put(LANE, amount), self.by("payer"))

    def balance(self, role: str) -> int:
        return int(self.tranche.functions.balanceOf(self.at(role)).call())

    def owed(self, role: str) -> int:
        return int(self.tranche.functions.withdrawable(self.at(role)).call())

    def dollars(self, role: str) -> int:
        return int(self.dollar.functions.balanceOf(self.at(role)).call())


def tranche_terms(chain: Chain, dollar: str, registry: str, /, **changed: Any) -> list[Any]:
    """Constructor arguments of a tranche."""
    terms: dict[str, Any] = {"name": "Solar 2026-1 Class A", "symbol": "S26A", "supply": SUPPLY, "dollar": dollar}
    terms |= {"registry": registry, "classes": ALL_CLASSES}
    terms |= {role: chain.account(role).address for role in ROLES} | {"force_delay_s": DELAY_S}
    return list((terms | changed).values())


def build(chain: Chain, **changed: Any) -> Scene:
    """Deploy the house; the sponsor holds the whole supply, the payer has approved the deal."""
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    registry = chain.deploy("Registry", chain.account("registrar").address, chain.account("compliance").address)
    entry = admission(chain.account("sponsor").address)
    chain.send(registry.functions.admit(entry), chain.account("registrar"))
    tranche = chain.deploy("Tranche", *tranche_terms(chain, dollar.address, registry.address, **changed))
    deal = chain.deploy_code(compiled("StandInDeal"), dollar.address)
    chain.send(tranche.functions.set_deal(deal.address, LANE), chain.account("sponsor"))
    chain.send(dollar.functions.approve(deal.address, 2**256 - 1), chain.account("payer"))
    return Scene(chain, dollar, registry, tranche, deal)
