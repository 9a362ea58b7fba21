"""Tranche, Registry and Dollar against their Python twin: random histories, equal results and equal refusals.

The package's own account of a tranche's income (``penstock.capital.tranche``) runs beside both.
"""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from nodes import artefact
from scene import DELAY_S, LANE, compiled
from twin import SCALE_BITS, WHOLE, Refusal, Twin

from penstock.capital.tranche import Income

HOLDERS = ("sponsor", "investor_1", "investor_2", "investor_3", "replacement")
PEOPLE = (
    *HOLDERS,
    "attacker",
    "agent",
    "trustee",
    "guardian",
    "registrar",
    "compliance",
    "minter",
    "payer",
    "governor",
)
CLASSES = 0b0110  # investor classes 1 and 2
REASON = keccak(text="order of the court")
PANIC = "panic"

holder = st.sampled_from((*HOLDERS, "attacker"))
dollars = st.one_of(st.integers(0, 100), st.integers(0, 10**13))
amount = st.one_of(st.integers(0, 50), st.integers(0, 2_000), st.just(2**96 - 1))
force_amount = st.sampled_from((1, 300, WHOLE))


def mostly(role: str) -> st.SearchStrategy[str]:
    """The role itself, now and then someone who is not."""
    return st.sampled_from((role,) * 6 + ("attacker", "trustee" if role != "trustee" else "agent"))


class Deployed:
    """A contract called by raw data, so that nothing between the test and the bytecode can err."""

    def __init__(self, code: dict[str, Any], sender: str, *args: Any) -> None:
        self.abi = {(item["name"], len(item["inputs"])): item for item in code["abi"] if item["type"] == "function"}
        inputs = [item["inputs"] for item in code["abi"] if item["type"] == "constructor"]
        tail = encode([collapse_if_tuple(item) for item in inputs[0]], args)
        with boa.env.prank(sender):
            self.address = str(boa.env.deploy_code(bytecode=bytes.fromhex(code["bytecode"][2:]) + tail)[0])

    def __call__(self, sender: str, name: str, *args: Any) -> Any:
        """The result; raises ``Refusal`` with the reason."""
        item = self.abi[name, len(args)]
        types = [collapse_if_tuple(one) for one in item["inputs"]]
        data = keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, args)
        modifying = item["stateMutability"] not in ("view", "pure")
        done = boa.env.execute_code(self.address, sender, data=data, is_modifying=modifying)
        if done.is_error:
            raise Refusal(reason_in(done.output))
        outputs = [collapse_if_tuple(one) for one in item["outputs"]]
        values = decode(outputs, done.output) if outputs else (None,)
        return values[0] if len(values) == 1 else values


def reason_in(output: bytes) -> str:
    """The text of ``Error(string)``; a bare revert (checked arithmetic) is named `panic`."""
    return str(decode(["string"], output[4:])[0]) if output else PANIC


class Machine(RuleBasedStateMachine):
    """Every rule acts on both sides and compares result or refusal; invariants hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = boa.env.anchor()
        self.frame.__enter__()
        self.at = {name: str(boa.env.generate_address(name)) for name in PEOPLE}
        self.paid_in = 0
        self.donated = 0

    def teardown(self) -> None:
        self.frame.__exit__(None, None, None)

    @initialize(supply=st.sampled_from((1, 7, 1_000, 10**12, 2**96 - 1)))
    def deploy(self, supply: int) -> None:
        at = self.at
        self.twin = Twin(supply, CLASSES, DELAY_S, boa.env.timestamp)
        self.package = Income(supply)
        self.dollar = Deployed(artefact("Dollar"), at["minter"], at["minter"])
        self.registry = Deployed(artefact("Registry"), at["minter"], at["registrar"], at["compliance"])
        self.deal = Deployed(compiled("StandInDeal"), at["minter"], self.dollar.address)
        self.admit("registrar", "sponsor", 1, 10**9)
        roles = (at["sponsor"], at["agent"], at["trustee"], at["guardian"])
        terms = ("Share", "S", supply, self.dollar.address, self.registry.address, CLASSES, *roles, DELAY_S)
        self.tranche = Deployed(artefact("Tranche"), at["minter"], *terms)
        self.twin.holders["sponsor"].balance = supply
        self.at["tranche"] = self.tranche.address
        self.tranche(at["sponsor"], "set_deal", self.deal.address, LANE)
        self.dollar(at["payer"], "approve", self.deal.address, 2**256 - 1)
        self.deal(at["payer"], "set_governor", at["governor"])
        for name in ("investor_1", "investor_2", "replacement"):
            self.admit("registrar", name, 1, 10**9)
        for name in ("investor_1", "investor_2"):
            self.transfer("sponsor", name, min(1_000, supply // 3))

    def both(self, act: str, args: tuple[Any, ...], call: Any, *call_args: Any) -> None:
        """Do ``act`` on the twin and ``call`` on the chain; result or refusal must be equal."""
        results: list[Any] = []
        for run, run_args in ((getattr(self.twin, act), args), (call, call_args)):
            try:
                results.append(("done", run(*run_args)))
            except Refusal as refusal:
                results.append(("refused", str(refusal)))
        ours, theirs = results
        assert ours[0] == theirs[0], (act, args, results)
        assert ours[0] == "done" or ours == theirs, (act, args, results)
        if isinstance(ours[1], int):
            assert ours == theirs, (act, args, results)

    def share(self, act: str, by: str, name: str, *args: Any, plain: tuple[Any, ...]) -> None:
        self.both(act, (by, *plain), self.tranche, self.at[by], name, *args)

    # ------------------------------------------------------------ registry

    @rule(
        by=mostly("registrar"),
        who=holder,
        investor_class=st.sampled_from((0, 1, 1, 2, 2, 3)),
        lasts_s=st.sampled_from((0, 90_000, 10**9, 10**9)),
    )
    def admit(self, by: str, who: str, investor_class: int, lasts_s: int) -> None:
        until_s = boa.env.timestamp + lasts_s
        entry = (self.at[who], bytes.fromhex(self.at[who][2:]), 756, investor_class, until_s)
        self.both("admit", (by, who, investor_class, until_s), self.registry, self.at[by], "admit", entry)

    @rule(by=mostly("registrar"), who=holder)
    def remove(self, by: str, who: str) -> None:
        self.both("remove", (by, who), self.registry, self.at[by], "remove", self.at[who])

    @rule(by=mostly("compliance"), who=holder, frozen=st.sampled_from((True, False, False)))
    def registry_freeze(self, by: str, who: str, frozen: bool) -> None:
        args = (self.at[by], "set_frozen", self.at[who], frozen)
        self.both("registry_freeze", (by, who, frozen), self.registry, *args)

    @rule(by=mostly("registrar"), who=holder, to=holder)
    def move(self, by: str, who: str, to: str) -> None:
        self.both("move", (by, who, to), self.registry, self.at[by], "move", self.at[who], self.at[to])

    # ----------------------------------------------------------- transfers

    @rule(by=holder, to=holder, shares=amount)
    def transfer(self, by: str, to: str, shares: int) -> None:
        self.share("transfer", by, "transfer", self.at[to], shares, plain=(to, shares))

    @rule(by=holder, first=holder, second=holder, shares=amount, more=amount)
    def transfer_many(self, by: str, first: str, second: str, shares: int, more: int) -> None:
        receivers = [self.at[first], self.at[second]]
        plain = ([(first, shares), (second, more)],)
        self.share("transfer_many", by, "transfer_many", receivers, [shares, more], plain=plain)

    @rule(by=holder, spender=holder, shares=st.sampled_from((0, 40, WHOLE)))
    def approve(self, by: str, spender: str, shares: int) -> None:
        self.share("approve", by, "approve", self.at[spender], shares, plain=(spender, shares))

    @rule(by=holder, sender=holder, to=holder, shares=amount)
    def transfer_from(self, by: str, sender: str, to: str, shares: int) -> None:
        plain = (sender, to, shares)
        self.share("transfer_from", by, "transferFrom", self.at[sender], self.at[to], shares, plain=plain)

    # -------------------------------------------------------------- income

    @rule(dollars=dollars)
    def income(self, dollars: int) -> None:
        self.pay_in(dollars)
        self.pull()

    @rule(dollars=dollars, sender=holder, to=holder, shares=amount)
    def income_between_transfers(self, dollars: int, sender: str, to: str, shares: int) -> None:
        self.transfer(sender, to, shares)
        self.income(dollars)
        self.transfer(to, sender, shares)

    @rule(dollars=dollars)
    def pay_in(self, dollars: int) -> None:
        self.dollar(self.at["minter"], "mint", self.at["payer"], dollars)
        self.deal(self.at["payer"], "put", LANE, dollars)
        self.twin.fill(dollars)
        self.paid_in += dollars

    @rule()
    def pull(self) -> None:
        self.package = self.package.accrue(self.twin.lane_unpaid)
        self.both("pull", (), self.tranche, self.at["attacker"], "pull")
        assert (self.package.accumulator, self.package.dust) == (self.twin.accumulator, self.twin.dust)

    @rule(dollars=st.integers(1, 1_000))
    def donate(self, dollars: int) -> None:
        """Dollars that do not come through the lane belong to nobody, and disturb nobody."""
        self.dollar(self.at["minter"], "mint", self.tranche.address, dollars)
        self.twin.dollars["tranche"] += dollars
        self.donated += dollars

    @rule(by=holder, to=holder)
    def withdraw(self, by: str, to: str) -> None:
        self.share("withdraw", by, "withdraw", self.at[to], plain=(to,))

    @rule(who=st.lists(holder, max_size=4))
    def pay_many(self, who: list[str]) -> None:
        addresses = [self.at[one] for one in who]
        self.both("pay_many", (who,), self.tranche, self.at["attacker"], "pay_many", addresses)

    # --------------------------------------------------------------- votes

    @rule(by=mostly("governor"), who=holder, lasts_s=st.sampled_from((0, 1, 90_000, 31 * 86_400, 32 * 86_400)))
    def cast(self, by: str, who: str, lasts_s: int) -> None:
        until_s = boa.env.timestamp + lasts_s
        self.share("cast", by, "cast", self.at[who], until_s, plain=(who, until_s))

    @rule(who=holder, to=holder, shares=st.integers(0, 400))
    def transfer_past_a_vote(self, who: str, to: str, shares: int) -> None:
        """Shares that arrive after the vote are free; the others stay."""
        self.cast("governor", who, 90_000)
        self.transfer("sponsor", who, shares // 2)
        self.transfer(who, to, shares)

    @rule(who=holder, to=holder, shares=force_amount, lasts_s=st.sampled_from((90_000, 10 * 86_400)))
    def force_past_a_vote(self, who: str, to: str, shares: int, lasts_s: int) -> None:
        """What was voted goes by force to another, and is cast again there: it must not count twice."""
        self.cast("governor", who, lasts_s)
        self.force(who, to, shares, DELAY_S)
        self.cast("governor", to, lasts_s)

    # ---------------------------------------------------- freeze and pause

    @rule(by=mostly("agent"), who=holder, shares=st.sampled_from((0, 10, 900, WHOLE)))
    def set_frozen(self, by: str, who: str, shares: int) -> None:
        self.share("set_frozen", by, "setFrozenTokens", self.at[who], shares, plain=(who, shares))

    @rule(who=holder, to=holder, frozen=st.integers(0, 400), shares=st.integers(0, 400))
    def transfer_past_a_freeze(self, who: str, to: str, frozen: int, shares: int) -> None:
        self.set_frozen("agent", who, frozen)
        self.transfer(who, to, shares)

    @rule(by=mostly("agent"), who=holder, barred=st.sampled_from((True, False, False)))
    def set_barred(self, by: str, who: str, barred: bool) -> None:
        self.share("set_barred", by, "set_barred", self.at[who], barred, plain=(who, barred))

    @rule(by=mostly("guardian"), act=st.sampled_from(("pause", "unpause")))
    def pausing(self, by: str, act: str) -> None:
        self.share(act, by, act, plain=())

    # ------------------------------------------ forced transfer, recovery

    @rule(by=mostly("agent"), who=holder, to=holder, shares=force_amount)
    def propose_force(self, by: str, who: str, to: str, shares: int) -> None:
        plain = (who, to, shares)
        self.share("propose_force", by, "propose_force", self.at[who], self.at[to], shares, REASON, plain=plain)

    @rule(by=st.one_of(mostly("trustee"), holder), who=holder, to=holder, shares=force_amount)
    def cancel_force(self, by: str, who: str, to: str, shares: int) -> None:
        plain = (who, to, shares)
        self.share("cancel_force", by, "cancel_force", self.at[who], self.at[to], shares, plain=plain)

    @rule(who=holder, to=holder, shares=force_amount, wait_s=st.sampled_from((0, DELAY_S - 1, DELAY_S, 40 * 86_400)))
    def force(self, who: str, to: str, shares: int, wait_s: int) -> None:
        """Propose, wait, confirm in one step, or a random walk would rarely get there."""
        self.propose_force("agent", who, to, shares)
        self.wait(wait_s)
        if shares == WHOLE:
            self.share("recover", "trustee", "recover", self.at[who], self.at[to], plain=(who, to))
        else:
            args = (self.at[who], self.at[to], shares)
            self.share("forced_transfer", "trustee", "forcedTransfer", *args, plain=(who, to, shares))

    @rule(who=holder, to=holder)
    def recover_with_income(self, who: str, to: str) -> None:
        self.income(10**13)
        self.transfer(who, "sponsor", 1)  # moves what was earned to the credit slot
        self.force(who, to, WHOLE, DELAY_S)

    @rule(by=mostly("trustee"), who=holder, to=holder)
    def confirm_by_anyone(self, by: str, who: str, to: str) -> None:
        self.share("recover", by, "recover", self.at[who], self.at[to], plain=(who, to))
        args = (self.at[who], self.at[to], 300)
        self.share("forced_transfer", by, "forcedTransfer", *args, plain=(who, to, 300))

    @rule(seconds=st.sampled_from((1, 3_600, 86_400, 7 * 86_400)))
    def wait(self, seconds: int) -> None:
        if seconds:
            boa.env.time_travel(seconds=seconds)
        self.twin.now_s = boa.env.timestamp

    # ---------------------------------------------------------- invariants

    def read(self, name: str, *args: Any) -> int:
        return int(self.tranche(self.at["attacker"], name, *args))

    @invariant()
    def twin_is_equal_and_nothing_is_lost(self) -> None:
        balances, owed, paid_out = [], [], []
        for name in (*HOLDERS, "attacker"):
            one, at = self.twin.holders[name], self.at[name]
            balances.append(self.read("balanceOf", at))
            owed.append(self.read("withdrawable", at))
            paid_out.append(int(self.dollar(at, "balanceOf", at)))
            assert (balances[-1], owed[-1], paid_out[-1]) == (
                one.balance,
                self.twin.owed(name),
                self.twin.dollars[name],
            )
            assert self.read("getFrozenTokens", at) == one.part_frozen, name
            locked = self.tranche(self.at["attacker"], "cast_shares", at)
            assert locked == self.twin.cast_shares(name), name
            assert one.arrived <= one.cast <= one.balance or self.twin.now_s >= one.until_s, name
        assert self.read("accumulator") == self.twin.accumulator
        assert bool(self.read("paused")) == self.twin.paused()
        assert sum(balances) == self.read("totalSupply") == self.twin.supply
        held = int(self.dollar(self.at["payer"], "balanceOf", self.tranche.address))
        assert held == self.paid_in - self.twin.lane_unpaid + self.donated - sum(paid_out)
        carried = self.twin.dust >> SCALE_BITS  # waits for the next accrual
        rounded = held - self.donated - sum(owed) - carried
        assert 0 <= rounded <= self.twin.settlements + len(owed)  # less than one each, settled or yet to be

    @invariant()
    def rules_foretell_transfers(self) -> None:
        """ERC-7943: `canTransfer` is exactly what a transfer of one share would be allowed to do."""
        for sender, receiver in (("sponsor", "investor_1"), ("investor_1", "investor_3")):
            foretold = bool(self.read("canTransfer", self.at[sender], self.at[receiver], 1))
            try:
                self.twin._check_one(sender, receiver, 1, batch=False)
                assert foretold
            except Refusal as refusal:
                assert str(refusal) == "tranche.balance" or not foretold


def runs(examples: int, steps: int) -> Any:
    """The machine as a test case of that size."""
    limits = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    return type("Case", (Machine.TestCase,), {"settings": limits})


TestTrancheMachine = runs(20, 25)
TestTrancheMachineLong = pytest.mark.nightly(runs(300, 60))
