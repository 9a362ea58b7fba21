"""``Ballot`` with two real tranches against its twin under random histories: the same state, the same refusals.

Whatever is bought, forced, recovered, barred or frozen in between: no share counts twice in one vote.
"""

from __future__ import annotations

from typing import Any

import boa
import pytest
from ballot_twin import DAY_S, BallotTwin
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from nodes import artefact
from scene import compiled
from test_tranche_machine import Deployed
from twin import WHOLE, Refusal, Twin

HOLDERS = ("sponsor", "investor_1", "investor_2", "replacement", "attacker")
PEOPLE = (*HOLDERS, "agent", "trustee", "guardian", "registrar", "compliance", "minter", "payer")
LANES = (1, 2)
RULES = [(0b11, 6_667), (0b01, 5_000), (0b10, 10_000)]
DELAY_S = 2 * DAY_S
NOTE = keccak(text="why")

holder = st.sampled_from(HOLDERS)
which = st.integers(0, 1)
number = st.integers(0, 4)
kind = st.sampled_from((0, 1, 1, 1, 2, 3))
variant = st.sampled_from((0, 0, 0, 1))


class Machine(RuleBasedStateMachine):
    """Every rule acts on both sides and compares result or refusal; invariants hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = boa.env.anchor()
        self.frame.__enter__()
        self.at = {name: str(boa.env.generate_address(name)) for name in PEOPLE}

    def teardown(self) -> None:
        self.frame.__exit__(None, None, None)

    @initialize(supply=st.sampled_from((3, 1_000, 2**96 - 1)), vote_s=st.sampled_from((DAY_S, 10 * DAY_S)))
    def deploy(self, supply: int, vote_s: int) -> None:
        at, boss = self.at, self.at["minter"]
        self.dollar = Deployed(artefact("Dollar"), boss, boss)
        self.registry = Deployed(artefact("Registry"), boss, at["registrar"], at["compliance"])
        for name in HOLDERS:
            entry = (at[name], bytes.fromhex(at[name][2:]), 756, 1, 2**40)
            self.registry(at["registrar"], "admit", entry)
        self.tranches = [self._tranche(boss, each) for each in (supply, 60)]
        addresses = [one.address for one in self.tranches]
        roles = (at["sponsor"], at["trustee"])
        self.ballot = Deployed(artefact("Ballot"), boss, *roles, addresses, RULES, vote_s, DELAY_S)
        self.deal = Deployed(compiled("StandInDeal"), boss, self.dollar.address)
        self.deal(boss, "set_governor", self.ballot.address)
        for one, lane in zip(self.tranches, LANES, strict=True):
            one(at["sponsor"], "set_deal", self.deal.address, lane)
        self.ballot(at["sponsor"], "set_deal", self.deal.address)
        twins = [Twin(each, WHOLE, DELAY_S, boa.env.timestamp) for each in (supply, 60)]
        twins[1].registry = twins[0].registry
        for name in HOLDERS:
            twins[0].admit("registrar", name, 1, 2**40)
        self.twin = BallotTwin(twins, RULES, vote_s, DELAY_S, LANES)
        for i, twin in enumerate(twins):
            twin.holders["sponsor"].balance = twin.supply
            for name in ("investor_1", "investor_2"):
                self.transfer(i, "sponsor", name, twin.supply // 3)

    def _tranche(self, boss: str, supply: int) -> Deployed:
        roles = [self.at[role] for role in ("sponsor", "agent", "trustee", "guardian")]
        terms = ("Share", "S", supply, self.dollar.address, self.registry.address, WHOLE, *roles, DELAY_S)
        return Deployed(artefact("Tranche"), boss, *terms)

    def both(self, ours: Any, args: tuple[Any, ...], theirs: Any, *their_args: Any) -> bool:
        """Do it on the twin and on the chain; result or refusal must be equal. Whether it was done."""
        results: list[Any] = []
        for run, run_args in ((ours, args), (theirs, their_args)):
            try:
                results.append(("done", run(*run_args)))
            except Refusal as refusal:
                results.append(("refused", str(refusal)))
        assert results[0] == results[1], (ours.__name__, args, results)
        return bool(results[0][0] == "done")

    def ballots(self, ours: Any, by: str, args: tuple[Any, ...], name: str, *their_args: Any) -> bool:
        return self.both(ours, args, self.ballot, self.at[by], name, *their_args)

    # ------------------------------------------------------------ the vote

    def payload(self, kind: int, variant: int) -> tuple[tuple[Any, ...], bytes]:
        """Arguments of the act, and its hash worked out here."""
        terms = self.twin.terms
        acts: tuple[Any, ...]
        if kind == 0:
            schedule = ("0x" + "00" * 20, self.dollar.address)[variant]
            code = keccak(bytes(boa.env.get_code(schedule))) if variant else bytes(32)
            acts = (bytes([variant]) * 40, schedule, keccak(text=str(variant)))
            full = ("uint256", "bytes32", "bytes32", "address", "bytes32", "bytes32")
            packed = encode(full, (0, terms, keccak(acts[0]), schedule, code, acts[2]))
        elif kind == 1:
            types, acts = ("uint256", "uint256"), (2, 7 + variant)
            packed = encode(("uint256", "bytes32", *types), (1, terms, *acts))
        else:
            types, acts = ("uint256", "address"), (0, self.at[("investor_1", "attacker")[variant]])
            packed = encode(("uint256", "bytes32", *types), (2, terms, *acts))
        return acts, keccak(packed)

    @rule(by=st.sampled_from((*HOLDERS, "trustee", "agent")), kind=kind, variant=variant, empty=st.integers(0, 9))
    def propose(self, by: str, kind: int, variant: int, empty: int) -> None:
        payload = self.payload(min(kind, 2), variant)[1] if empty else bytes(32)
        args = (by, kind, payload if empty else None)
        self.ballots(self.twin.propose, by, args, "propose", kind, payload, NOTE)

    @rule(by=holder, number=number, tranche=st.sampled_from((0, 0, 1, 2, 300)), support=st.booleans())
    def vote(self, by: str, number: int, tranche: int, support: bool) -> None:
        args = (by, number, tranche, support)
        self.ballots(self.twin.vote, by, args, "vote", number, tranche, support)

    @rule(kind=st.integers(0, 2), variant=variant, who=st.permutations(("sponsor", "investor_1", "investor_2")))
    def vote_through(self, kind: int, variant: int, who: list[str]) -> None:
        """A proposal on which all say yes, or a random walk would seldom get there."""
        self.propose("sponsor", kind, variant, 1)
        for by in who:
            for tranche in (0, 1):
                self.vote(by, len(self.twin.proposals), tranche, True)

    @rule(number=number, kind=st.integers(0, 2), variant=variant, lane=st.sampled_from((0, 0, 1, 2, 256)))
    def execute(self, number: int, kind: int, variant: int, lane: int) -> None:
        acts, payload = self.payload(kind, variant)
        name = ("execute_amendment", "execute_waiver", "execute_replacement")[kind]
        if kind == 2:
            acts = (lane, acts[1])
            payload = payload if lane == 0 else b"another lane"
        args = (number, kind, payload, lane if kind == 2 else None)
        if self.ballots(self.twin.execute, "attacker", args, name, number, *acts) and kind == 0:
            self.twin.terms = acts[2]

    @rule(variant=variant, wait_s=st.sampled_from((DELAY_S - 1, DELAY_S, DELAY_S + 14 * DAY_S)), kind=st.integers(0, 2))
    def carry_out(self, variant: int, wait_s: int, kind: int) -> None:
        self.vote_through(kind, variant, ["investor_1", "investor_2", "sponsor"])
        self.wait(wait_s)
        last = len(self.twin.proposals)
        for tried in (1 - variant, variant, variant):  # another act than was voted, the very one, and once more
            self.execute(last, kind, tried, 0)

    @rule(refuses=st.sampled_from((True, False, False)))
    def deal_refuses(self, refuses: bool) -> None:
        self.deal(self.at["payer"], "set_lie", 4 if refuses else 0)
        self.twin.deal_refuses = refuses

    # ------------------------------------------- what happens to the shares

    @rule(i=which, by=holder, to=holder, shares=st.one_of(st.integers(0, 40), st.just(2**95)))
    def transfer(self, i: int, by: str, to: str, shares: int) -> None:
        def call(*args: Any) -> None:
            self.tranches[i](*args)

        self.both(self.twin.tranches[i].transfer, (by, to, shares), call, self.at[by], "transfer", self.at[to], shares)

    @rule(i=which, who=holder, to=holder, shares=st.sampled_from((1, 20, WHOLE)))
    def force_and_vote(self, i: int, who: str, to: str, shares: int) -> None:
        """Shares whose vote was cast move by force to another, who votes in the same vote."""
        self.propose("sponsor", i, 0, 1)
        last, twin, at = len(self.twin.proposals), self.twin.tranches[i], self.at
        self.vote(who, last, i, True)
        plain, args = (who, to, shares), (at[who], at[to], shares)
        self.both(twin.propose_force, ("agent", *plain), self.tranches[i], at["agent"], "propose_force", *args, NOTE)
        self.wait(DELAY_S)
        act, name, count = (
            (twin.recover, "recover", 2) if shares == WHOLE else (twin.forced_transfer, "forcedTransfer", 3)
        )

        def call(*given: Any) -> None:
            self.tranches[i](*given)

        self.both(act, ("trustee", *plain[:count]), call, at["trustee"], name, *args[:count])
        self.vote(to, last, i, False)

    @rule(i=which, who=holder, barred=st.sampled_from((True, False, False)))
    def bar(self, i: int, who: str, barred: bool) -> None:
        args = (self.at[who], barred)
        self.both(
            self.twin.tranches[i].set_barred, ("agent", who, barred),
            self.tranches[i], self.at["agent"], "set_barred", *args,
        )  # fmt: skip

    @rule(who=holder, frozen=st.sampled_from((True, False, False)))
    def freeze(self, who: str, frozen: bool) -> None:
        by = self.at["compliance"]
        args = ("compliance", who, frozen)
        self.both(self.twin.tranches[0].registry_freeze, args, self.registry, by, "set_frozen", self.at[who], frozen)

    @rule(seconds=st.sampled_from((1, 3_600, DAY_S, DELAY_S, 14 * DAY_S)))
    def wait(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)
        for one in self.twin.tranches:
            one.now_s = boa.env.timestamp

    # ---------------------------------------------------------- invariants

    @invariant()
    def twin_is_equal_and_no_share_counts_twice(self) -> None:
        by = self.at["attacker"]
        for i, one in enumerate(self.twin.proposals, start=1):
            kind, _, *rest = self.ballot(by, "proposal", i)
            assert (kind, *rest) == (one.kind, one.ends_at_s, one.passed_at_s, one.reached, one.done)
            for tranche, token in enumerate(self.twin.tranches):
                assert self.ballot(by, "votes", i, tranche) == (one.yes[tranche], one.no[tranche])
                assert one.yes[tranche] + one.no[tranche] <= token.supply
        assert self.ballot(by, "count") == len(self.twin.proposals)
        assert self.deal(by, "changes") == self.twin.changes
        assert self.deal(by, "deal_hash") == self.twin.terms


def runs(examples: int, steps: int) -> Any:
    """The machine as a test case of that size."""
    limits = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    return type("Case", (Machine.TestCase,), {"settings": limits})


TestBallotMachine = runs(25, 15)
TestBallotMachineLong = pytest.mark.nightly(runs(300, 40))
