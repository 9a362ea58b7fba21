"""The six real contracts together on a node, and beside every figure its exact twin; cash is counted after each act."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain, Receipt
from rfc9162_reference import consistency_proof, tree_root
from scene import admission, tranche_terms
from vyper import compile_code
from vyper.compiler.settings import OptimizationLevel, Settings
from web3.contract import Contract
from web3.logs import DISCARD

from penstock.capital.compile import compile_deal
from penstock.capital.exact import Closing, DealState, close_period, opening_state, period_bounds, withdraw
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.capital.tranche import Income, earned_down
from penstock.chain.typed_data import (
    Attestation,
    Authorization,
    Signature,
    anchor_domain,
    attestation_message,
    credit_domain,
    dollar_domain,
    purchase_nonce,
    receipt_message,
    receive_message,
    report_word,
    sign_typed,
)

USDC = 10**6
NEVER_S = 2**32 - 1
NOBODY = "0x" + "00" * 20
EXPIRY_S = 2**33 + 1  # fixed, for it enters ids and so signatures, whose zero bytes are cheaper
SHARES = 50_000_000 * 10**6
DEFINITION = b"\x0d" * 32
SKU, WORK_ROOT = b"\x51" * 32, b"\x77" * 32
GRACE_S = 3_600
LEAVES = [f"fact {n}".encode() for n in range(64)]
FIRST = (Path(__file__).parents[2] / "examples" / "deals" / "first.yaml").read_text()
YARDSTICK = (Path(__file__).parent / "four_tranches.yaml").read_text()
# Reads much in one call, so that everything can be compared after every act.
CENSUS = """
from ethereum.ercs import IERC20

interface Deal:
    def words(place: uint256) -> uint256: view

@external
@view
def held(dollar: address, places: DynArray[address, 2048]) -> uint256:
    total: uint256 = 0
    for place: address in places:
        total += staticcall IERC20(dollar).balanceOf(place)
    return total

@external
@view
def words(deal: address, count: uint256) -> DynArray[uint256, 36]:
    found: DynArray[uint256, 36] = []
    for place: uint256 in range(count, bound=36):
        found.append(staticcall Deal(deal).words(place))
    return found
"""


@cache
def compiled(source: str) -> dict[str, Any]:
    """A small contract written in a test, compiled as the shipped ones are."""
    options = Settings(evm_version="prague", optimize=OptimizationLevel.GAS, experimental_codegen=False)
    return dict(compile_code(source, settings=options, output_formats=["abi", "bytecode"]))


@dataclass
class Stake:
    """What one holder has of a tranche: shares, the accumulator they are settled at, income settled so far."""

    shares: int = 0
    before: int = 0
    credit: int = 0


@dataclass
class Holders:
    """A tranche's holders by `capital.tranche`."""

    income: Income
    stakes: dict[str, Stake]
    held: int = 0  # dollars at the tranche [micro-dollars]

    def stake(self, holder: str) -> Stake:
        """The holder's stake, settled."""
        one = self.stakes.setdefault(holder, Stake())
        one.credit += earned_down(one.shares, self.income.accumulator, one.before)
        one.before = self.income.accumulator
        return one

    def move(self, source: str, target: str, shares: int) -> None:
        self.stake(source).shares -= shares
        self.stake(target).shares += shares

    def accrue(self, amount: int) -> None:
        self.income = self.income.accrue(amount)
        self.held += amount

    def take(self, holder: str) -> int:
        one = self.stake(holder)
        amount, one.credit = one.credit, 0
        self.held -= amount
        return amount


@dataclass
class Stack:
    """Deployed contracts, their twins, and the class of credits that the deal's revenue comes from."""

    chain: Chain
    program: Program
    dollar: Contract
    registry: Contract
    anchor: Contract
    credit: Contract
    deal: Contract
    census: Contract
    tranches: dict[str, Contract]
    holders: dict[str, Holders]
    state: DealState
    roles: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)  # who may hold dollars besides contracts and roles
    minted: int = 0
    size: int = 0
    class_id: int = 0
    price_usdc_micro: int = 0

    # ------------------------------------------------------------ people and cash

    def by(self, role: str) -> LocalAccount:
        self.roles.add(role)
        return self.chain.account(role)

    def at(self, role: str) -> str:
        return str(self.by(role).address)

    def do(self, call: Any, role: str) -> Receipt:
        """Send, then count the cash."""
        receipt = self.chain.send(call, self.by(role))
        self.count_cash()
        return receipt

    def refused(self, call: Any, role: str) -> str:
        return self.chain.refused(call, self.by(role))

    def dollars(self, address: str) -> int:
        return int(self.dollar.functions.balanceOf(address).call())

    def count_cash(self) -> None:
        """No dollar is made or lost: all contracts and people together hold what was minted."""
        contracts = (self.credit, self.deal, self.anchor, self.registry, self.dollar, *self.tranches.values())
        places = {one.address for one in contracts} | {self.at(role) for role in [*self.roles]} | set(self.others)
        assert self.census.functions.held(self.dollar.address, sorted(places)).call() == self.minted

    def mint(self, receiver: str, amount_usdc_micro: int) -> None:
        self.minted += amount_usdc_micro
        self.do(self.dollar.functions.mint(receiver, amount_usdc_micro), "minter")

    # ------------------------------------------------------------ compute credits

    def open_class(self, price_usdc_micro: int, capacity: int, expiry_s: int = EXPIRY_S) -> None:
        """A class backed by a quarter of its price."""
        each = price_usdc_micro // 4
        self.price_usdc_micro = price_usdc_micro
        self.mint(self.at("provider"), each * capacity)
        self.do(self.dollar.functions.approve(self.credit.address, each * capacity), "provider")
        who = (self.at("provider"), self.deal.address, SKU)
        terms = (*who, 0, 1000, price_usdc_micro, each, expiry_s, GRACE_S)
        receipt = self.do(self.credit.functions.open(terms, capacity, each * capacity), "provider")
        self.class_id = int(self.credit.events.Opened().process_receipt(receipt, errors=DISCARD)[0]["args"]["id"])

    def purchase(self, buyer: str, credits: int, salt: bytes, *, chain_id: int = CHAIN_ID) -> Any:
        """The call that pays by the buyer's ERC-3009 signature."""
        nonce = purchase_nonce(self.class_id, credits, salt)
        cost = credits * self.price_usdc_micro
        payment = Authorization(self.at(buyer), self.credit.address, cost, 0, 2**40, nonce)
        message = receive_message(dollar_domain(chain_id, self.dollar.address), payment)
        signature = sign_typed(bytes(self.by(buyer).key), message)
        return self.credit.functions.buy(self.class_id, credits, self.at(buyer), 0, 2**40, salt, signature)

    def delivery(self, holder: str, credits: int, salt: bytes, *, signer: str = "") -> Any:
        """The call that redeems by the holder's signed receipt."""
        domain = credit_domain(CHAIN_ID, self.credit.address)
        message = receipt_message(domain, self.class_id, self.at(holder), credits, WORK_ROOT, salt)
        signature = sign_typed(bytes(self.by(signer or holder).key), message)
        act = self.credit.functions.redeem_signed
        return act(self.class_id, credits, self.at(holder), WORK_ROOT, salt, signature)

    def sell(self, credits: int, number: int) -> None:
        """The buyer pays, the provider delivers, and the dollars are released to the deal."""
        salt, before = number.to_bytes(32, "big"), self.dollars(self.deal.address)
        self.do(self.purchase("buyer", credits, salt), "relayer")
        assert self.dollars(self.deal.address) == before
        self.do(self.delivery("buyer", credits, salt), "provider")
        assert self.dollars(self.deal.address) - before == credits * self.price_usdc_micro

    # ------------------------------------------------------------ attestation

    def publish(self) -> Receipt:
        """Anchor a checkpoint of one leaf more."""
        size, old = self.size + 1, self.size
        proof = consistency_proof(old, LEAVES[:size]) if old else []
        self.size = size
        return self.do(self.anchor.functions.publish(size, tree_root(LEAVES[:size]), old, proof), "operator")

    @property
    def end_s(self) -> int:
        """When the open period ends."""
        return period_bounds(self.program.code, self.state.period)[1]

    def statement(self, *measures: int, expiry_s: int = NEVER_S, **other: Any) -> Attestation:
        """What an honest attester signs about the open period."""
        lanes = (*measures, 0, 0, 0)
        word = report_word((lanes[0], lanes[1], lanes[2]), self.end_s, expiry_s)
        epoch = int(self.anchor.functions.epoch().call())
        made = Attestation(self.deal.address, word, DEFINITION, self.size, tree_root(LEAVES[: self.size]), epoch)
        return replace(made, **other)

    def signature(self, role: str, statement: Attestation, *, chain_id: int = CHAIN_ID, anchor: str = "") -> Signature:
        domain = anchor_domain(chain_id, anchor or self.anchor.address)
        return sign_typed(bytes(self.by(role).key), attestation_message(domain, statement))

    def vote(self, role: str, statement: Attestation, signed: Attestation | None = None, **domain: Any) -> Any:
        """The call that brings a vote; ``signed`` is what was signed where that is something else."""
        signature = self.signature(role, signed or statement, **domain)
        return self.anchor.functions.attest(statement.as_tuple(), signature)

    def attest(self, statement: Attestation, *numbers: int) -> None:
        """Votes of these attesters, relayed by a stranger."""
        for number in numbers or (0, 1):
            self.do(self.vote(f"attester {number}", statement), "relayer")

    def report(self) -> Report:
        return Report.from_word(int(self.anchor.functions.report(self.deal.address).call()))

    # ------------------------------------------------------------ the deal and its tranches

    def close(self, role: str = "anyone") -> tuple[Closing, Receipt]:
        """Anyone closes; every storage word is the exact engine's."""
        cash = self.dollars(self.deal.address)
        now_s = max(self.chain.now(), self.end_s)
        closing = close_period(self.program.code, self.state, self.report(), cash, now_s)
        receipt = self.do(self.deal.functions.close(), role)
        logged = self.deal.events.PeriodClosed().process_receipt(receipt, errors=DISCARD)[0]["args"]
        assert (logged["flags"], logged["inflow"], logged["fresh"]) == (closing.flags, closing.inflow, closing.fresh)
        self.state = closing.state
        self.compare_words()
        return closing, receipt

    def compare_words(self) -> None:
        words = self.census.functions.words(self.deal.address, len(self.state.words)).call()
        assert tuple(words) == self.state.words

    def pull(self, name: str) -> Receipt:
        """A tranche takes its lane's dollars and shares them over all its shares."""
        tranche, holders = self.tranches[name], self.holders[name]
        self.state, amount = withdraw(self.state, self.program.payee_lanes[name])
        holders.accrue(amount)
        receipt = self.do(tranche.functions.pull(), "anyone")
        assert tranche.functions.accumulator().call() == holders.income.accumulator
        assert self.dollars(tranche.address) == holders.held
        self.compare_words()
        return receipt

    def collect(self, name: str) -> Receipt:
        """A person who is owed a fee withdraws it."""
        self.state, amount = withdraw(self.state, self.program.payee_lanes[name])
        before = self.dollars(self.at(name))
        receipt = self.do(self.deal.functions.withdraw(self.program.payee_lanes[name]), name)
        assert self.dollars(self.at(name)) - before == amount
        self.compare_words()
        return receipt

    def move(self, name: str, source: str, target: str, shares: int) -> Receipt:
        receipt = self.do(self.tranches[name].functions.transfer(self.at(target), shares), source)
        self.holders[name].move(self.at(source), self.at(target), shares)
        return receipt

    def take(self, name: str, holder: str) -> Receipt:
        """A holder withdraws its income; to the micro-dollar what `capital.tranche` says."""
        amount, before = self.holders[name].take(self.at(holder)), self.dollars(self.at(holder))
        receipt = self.do(self.tranches[name].functions.withdraw(), holder)
        assert self.dollars(self.at(holder)) - before == amount
        assert self.dollars(self.tranches[name].address) == self.holders[name].held
        return receipt

    def admit(self, addresses: Iterable[str]) -> Receipt:
        entries = [admission(address) for address in addresses]
        return self.do(self.registry.functions.admit_many(entries), "registrar")


def build(
    chain: Chain, text: str, *, sponsor: str = "sponsor", dollar: Contract | None = None, **payees: Contract
) -> Stack:
    """Deploy and wire all six; the sponsor holds every tranche. Fees go to ``payees``, else to accounts so named."""
    program = compile_deal(load_deal(text))
    dollar = dollar or chain.deploy("Dollar", chain.account("minter").address)
    registry = chain.deploy("Registry", chain.account("registrar").address, chain.account("compliance").address)
    entry = admission(chain.account(sponsor).address)
    chain.send(registry.functions.admit(entry), chain.account("registrar"))
    attesters = [chain.account(f"attester {number}").address for number in range(3)]
    anchor = chain.deploy("Anchor", chain.account("operator").address, attesters, 2)
    credit = chain.deploy("Credit", dollar.address, anchor.address, "")
    notes = [tranche.name for tranche in load_deal(text).tranches]
    tranches = {name: deploy_tranche(chain, name, sponsor, dollar, registry) for name in notes}
    paid = tranches | payees
    people = [(paid[name] if name in paid else chain.account(name)).address for name in program.payee_lanes]
    shared = (dollar.address, anchor.address, program.code, NOBODY, program.deal_hash, people)
    deal = chain.deploy("Deal", *shared, chain.account("governor").address)
    for name, tranche in tranches.items():
        set_deal = tranche.functions.set_deal(deal.address, program.payee_lanes[name])
        chain.send(set_deal, chain.account(sponsor))
    register = anchor.functions.register(deal.address, chain.account(sponsor).address)
    chain.send(register, chain.account("operator"))
    holders = {name: Holders(Income(SHARES), {chain.account(sponsor).address: Stake(SHARES)}) for name in notes}
    state = opening_state(program.code)
    census = chain.deploy_code(compiled(CENSUS))
    made = Stack(chain, program, dollar, registry, anchor, credit, deal, census, tranches, holders, state)
    made.roles |= {sponsor, *(name for name in program.payee_lanes if name not in paid)}
    made.others += [payee.address for payee in payees.values()]
    return made


def deploy_tranche(chain: Chain, name: str, sponsor: str, dollar: Contract, registry: Contract) -> Contract:
    holder = chain.account(sponsor).address
    terms = {"name": f"Class {name}", "symbol": name, "supply": SHARES, "sponsor": holder}
    return chain.deploy("Tranche", *tranche_terms(chain, dollar.address, registry.address, **terms))
