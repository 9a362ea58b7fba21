"""A real deal that obeys a ballot, on a node: two voters, three tranches, and what each act of a vote costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from nodes import Chain
from scene import SUPPLY, admission, tranche_terms
from web3.contract import Contract

from penstock.capital.compile import compile_deal
from penstock.capital.language import load_deal
from penstock.capital.program import Program

TEXT = (Path(__file__).parents[2] / "examples" / "deals" / "first.yaml").read_text()
AMENDED = TEXT.replace("servicer: {amount: 40 USDC}", "servicer: {amount: 45 USDC}")
DAY_S = 86_400
VOTE_S, DELAY_S = 14 * DAY_S, 2 * DAY_S
RULES = [(0b011, 6_667), (0b001, 5_000), (0b001, 5_000)]
NOTE = keccak(text="The inverter is late.")
NOBODY = "0x" + "00" * 20
MAJORITY = SUPPLY * 3 // 4


@dataclass
class Stage:
    """Deployed contracts, tranches by name in the order of the deal's text."""

    chain: Chain
    program: Program
    registry: Contract
    tranches: dict[str, Contract]
    ballot: Contract
    deal: Contract

    def at(self, role: str) -> str:
        return str(self.chain.account(role).address)

    def do(self, call: Any, role: str) -> int:
        """Gas of the whole transaction."""
        return self.chain.gas(call, self.chain.account(role))

    def refused(self, call: Any, role: str) -> str:
        return self.chain.refused(call, self.chain.account(role))

    def propose(self, kind: int, payload: bytes, role: str = "sponsor") -> int:
        """The vote's number."""
        self.do(self.ballot.functions.propose(kind, payload, NOTE), role)
        return int(self.ballot.functions.count().call())

    def vote(self, number: int, tranche: int, role: str, support: bool = True) -> int:
        return self.do(self.ballot.functions.vote(number, tranche, support), role)

    def passed(self, kind: int, payload: bytes) -> int:
        """A vote that passed, its delay over."""
        number = self.propose(kind, payload)
        for tranche in (0, 1) if kind == 0 else (0,):
            self.vote(number, tranche, "senior")
        self.chain.advance(DELAY_S + 1)
        return number


def amended() -> Program:
    return compile_deal(load_deal(AMENDED))


def build(chain: Chain, **changed: Any) -> Stage:
    """`senior` holds three quarters of A and B, `junior` a quarter of A; the sponsor the rest. ``changed``: terms."""
    deal, program = load_deal(TEXT), compile_deal(load_deal(TEXT))
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    registry = chain.deploy("Registry", chain.account("registrar").address, chain.account("compliance").address)
    people = [chain.account(role).address for role in ("sponsor", "senior", "junior", "replacement")]
    chain.send(registry.functions.admit_many([admission(one) for one in people]), chain.account("registrar"))
    attesters = [chain.account(f"attester {number}").address for number in range(3)]
    anchor = chain.deploy("Anchor", chain.account("operator").address, attesters, 2)
    terms = tranche_terms(chain, dollar.address, registry.address)
    tranches = {one.name: chain.deploy("Tranche", *terms) for one in deal.tranches}
    ballot = chain.deploy("Ballot", *ballot_terms(chain, [one.address for one in tranches.values()], **changed))
    payees = [(tranches[name] if name in tranches else chain.account(name)).address for name in program.payee_lanes]
    shared = (dollar.address, anchor.address, program.code, NOBODY, program.deal_hash, payees)
    made = chain.deploy("Deal", *shared, ballot.address)
    stage = Stage(chain, program, registry, tranches, ballot, made)
    for name, tranche in tranches.items():
        stage.do(tranche.functions.set_deal(made.address, program.payee_lanes[name]), "sponsor")
    for name, role, shares in (("A", "senior", MAJORITY), ("B", "senior", MAJORITY), ("A", "junior", SUPPLY // 4)):
        stage.do(tranches[name].functions.transfer(stage.at(role), shares), "sponsor")
    stage.do(ballot.functions.set_deal(made.address), "sponsor")
    return stage


def ballot_terms(chain: Chain, tranches: list[str], /, **changed: Any) -> list[Any]:
    """Constructor arguments of a ballot."""
    roles = {role: chain.account(role).address for role in ("sponsor", "trustee")}
    terms: dict[str, Any] = {**roles, "tranches": tranches, "rules": RULES, "vote_s": VOTE_S, "delay_s": DELAY_S}
    return list((terms | changed).values())


def measure(chain: Chain) -> dict[str, int]:
    """Act -> gas."""
    stage, program = build(chain), amended()
    act, found = stage.ballot.functions, {"ballot deploy": 0}
    found["ballot deploy"] = chain.deployed_gas[stage.ballot.address]
    amendment = act.amendment_hash(program.program_hash, NOBODY, program.deal_hash).call()
    found["propose, first"] = stage.do(act.propose(0, amendment, NOTE), "sponsor")
    found["propose, by a holder"] = stage.do(act.propose(1, act.waiver_hash(1, 3).call(), NOTE), "senior")
    found["vote against, first"] = stage.vote(1, 0, "junior", False)
    found["vote for, that reaches the share, first"] = stage.vote(1, 0, "senior")
    found["vote for, that passes, first"] = stage.vote(1, 1, "senior")
    found["vote for, that passes, later"] = stage.vote(2, 0, "senior")
    chain.advance(DELAY_S + 1)
    carried = act.execute_amendment(1, program.code, NOBODY, program.deal_hash)
    found["execute an amendment of 416 bytes"] = stage.do(carried, "anyone")
    chain.advance(VOTE_S)
    token = stage.tranches["A"].functions
    for turn in ("first", "then"):
        move = token.transfer(stage.at("junior"), 10**6)
        found[f"transfer, its vote over, {turn}"] = stage.do(move, "senior")
    waived = stage.passed(1, act.waiver_hash(1, 3).call())
    found["execute a waiver"] = stage.do(act.execute_waiver(waived, 1, 3), "anyone")
    lane, newcomer = stage.program.payee_lanes["servicer"], stage.at("newcomer")
    replaced = stage.passed(2, act.replacement_hash(lane, newcomer).call())
    found["execute a replacement"] = stage.do(act.execute_replacement(replaced, lane, newcomer), "anyone")
    return found
