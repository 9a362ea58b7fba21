"""``Certificate``, ``Badge`` and ``Kwh`` against their twin under random histories: the same state and refusals.

After every step: what is minted is within what each batch states, supply is minted less burned, burns are numbered
without a gap, and the fungible units are the certificates in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest
from certificate_twin import CertificateTwin, KwhTwin
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lifting import HOUR_START_S, Lift, Log, id_of, lift_of, properties, values
from on_boa import Refusal, account, now, reason, send, set_now, source

from penstock.chain.typed_data import ZERO_ADDRESS
from penstock.energy.certificate_id import word

OPERATOR, GUARDIAN, ATTACKER, RELAYER = (
    str(account(role).address) for role in ("operator", "guardian", "attacker", "relayer")
)
HOLDERS = [str(account(f"holder {n}").address) for n in range(3)]
KINDS = [properties(), properties(assurance=0), properties(zone=word("DE")), properties(interval_start_s=0)]
IDS = [id_of(kind) for kind in KINDS]
START_S = 1_790_000_000
WEEK_S = 7 * 86_400
REACHED: Counter[Any] = Counter()
MUST_REACH = (
    ("open", ""),
    ("lift", ""),
    ("lift", "certificate.lifted"),
    ("deposit", ""),
    ("redeem", ""),
    ("retire", ""),
)
TOUR = (
    ("open", "certificate.anchored"),
    ("open", "certificate.open"),
    ("lift", "certificate.proof"),
    ("lift", "certificate.batch"),
    ("lift", "certificate.late"),
    ("safeTransferAndClaimFrom", ""),
    ("safeTransferFrom", "certificate.not_approved"),
    ("stop_lifting", "roles.not_holder"),
    ("stop_lifting", "certificate.stopped"),
    ("stop_lifting", ""),
    ("open", "certificate.stopped"),
    ("open", "certificate.late"),
    ("lift", "certificate.stopped"),
    ("lift", "certificate.quantity"),
    ("lower", ""),
    ("resume_lifting", ""),
    ("resume_lifting", "certificate.not_stopped"),
    ("give_back", ""),
    ("deposit", "kwh.zone"),
    ("deposit", "kwh.assurance"),
    ("deposit", "kwh.oldest"),
    ("deposit", "kwh.amount"),
    ("redeem", ""),
    ("retire_batch", ""),
    ("retire_batch", "certificate.balance"),
)

people = st.sampled_from([*HOLDERS * 3, ATTACKER])
picks = st.integers(0, 3)
amounts = st.sampled_from([0, 1, 7, 999, 1000, 1000, 1500, 2500, 10**6])
sizes = st.lists(st.sampled_from([1, 10, 400, 1000, 1000, 1600, 5000]), min_size=1, max_size=9)


class CertificateMachine(RuleBasedStateMachine):
    """A journal, three holders, an attacker and a relayer."""

    @initialize()
    def start(self) -> None:
        self.held = boa.env.anchor()
        self.held.__enter__()
        set_now(START_S)
        self.anchor = source("Anchor").deploy(OPERATOR, [account("attester").address], 1)
        self.badge = source("Badge").deploy(OPERATOR, "https://badges.example/")
        self.contract = source("Certificate").deploy(self.anchor.address, self.badge.address, GUARDIAN, "ipfs://{id}")
        send(self.badge, "set_minter", self.contract.address, sender=OPERATOR)
        policy = (word("NL"), 1, HOUR_START_S)
        self.kwh = source("Kwh").deploy(self.contract.address, *policy)
        self.twin = CertificateTwin(GUARDIAN)
        self.fungible = KwhTwin(str(self.kwh.address), self.twin, *policy)
        self.log = Log()
        self.published = 0
        self.lifts: list[Lift] = []
        self.state(0, [1000, 1000, 5000], 0, START_S + WEEK_S)
        self.state(1, [1600] * 5, -1, START_S + 3 * WEEK_S)
        for lift in self.lifts:
            self.open(self.lifts.index(lift), "")
        for index in range(3):
            self.lift(0, index, "")
        for one in HOLDERS:
            self.approve(one, str(self.kwh.address), yes=True)

    def teardown(self) -> None:
        if not hasattr(self, "lifts"):
            return
        try:
            self.wind_up()
        finally:
            self.held.__exit__(None, None, None)

    def wind_up(self) -> None:
        """However the history went, the queue gives everybody certificates, and everything can be retired."""
        for holder in [*HOLDERS, ATTACKER]:
            while self.fungible.balances[holder]:
                self.redeem(holder, self.fungible.balances[holder], 32)
        for (certificate, holder), amount in list(self.twin.balances.items()):
            if amount:
                self._retire(holder, [(certificate, amount)])
        self.equal()
        assert self.kwh.totalSupply() == 0

    def both(self, twin: Callable[[], None], contract: Any, act: str, *args: Any, sender: str) -> None:
        """Do it on both sides; they agree on whether and why it is refused."""
        try:
            twin()
            expected = ""
        except Refusal as refusal:
            expected = str(refusal)
        assert reason(contract, act, *args, sender=sender) == expected, (act, args)
        REACHED[act, expected] += 1

    # ------------------------------------------------------------ lift

    @precondition(lambda self: len(self.lifts) < 6)
    @rule(
        kind=picks,
        units=sizes,
        slack=st.sampled_from([0, 0, -1, 1000]),
        life_s=st.sampled_from([WEEK_S, 4 * WEEK_S]),
    )
    def lift_titles(self, kind: int, units: list[int], slack: int, life_s: int) -> None:
        self.state(kind, units, slack, now() + life_s)

    def state(self, kind: int, units: list[int], slack: int, deadline_s: int) -> None:
        """The journal states a batch and anchors; ``slack`` is how far its quantity is off what its rows come to."""
        ends = [sum(units[: n + 1]) for n in range(len(units))]
        rows = [(n, end - unit, end, HOLDERS[n % 3]) for n, (end, unit) in enumerate(zip(ends, units, strict=True))]
        quantity = max(sum(units) + slack, 1)
        lift = lift_of(IDS[kind], rows, deadline_s, at_us=len(self.log.bodies), quantity=quantity)
        self.log.add(f"fact {len(self.lifts)}".encode(), lift.body)
        self.lifts.append(lift)
        step = self.log.checkpoint(self.published)
        send(self.anchor, "publish", *step, sender=OPERATOR)
        self.twin.roots[step[0]] = step[1]
        self.published = step[0]

    def pick(self, place: int) -> Lift:
        return self.lifts[place % len(self.lifts)]

    @rule(place=st.integers(0, 5), slip=st.sampled_from(["", "", "quantity", "root", "index", "size"]))
    def open(self, place: int, slip: str) -> None:
        """Anyone opens; a slip is one thing that the journal did not state."""
        lift = self.pick(place)
        batch, index, size, proof = self.log.opening(lift, self.published)
        if slip == "quantity":
            batch = (*batch[:3], batch[3] + 1, *batch[4:])
        if slip == "root":
            batch = (*batch[:4], bytes(32), batch[5])
        index, size = index + (slip == "index"), size + (slip == "size")
        args = (batch, index, size, proof)
        self.both(lambda: self.twin.open(now(), *args), self.contract, "open", *args, sender=RELAYER)

    @rule(
        place=st.integers(0, 5),
        index=st.integers(0, 9),
        slip=st.sampled_from(["", "", "", "", "holder", "stop", "proof", "index", "batch"]),
    )
    def lift(self, place: int, index: int, slip: str) -> None:
        """Anyone lifts; a slip is one thing that the row does not say."""
        lift = self.pick(place)
        batch, index, row, proof = lift.lifting(min(index, len(lift.rows) - 1))
        row = (row[0], row[1], row[2] + (slip == "stop"), ATTACKER if slip == "holder" else row[3])
        proof = [*proof, bytes(32)] if slip == "proof" else proof
        batch = (batch[0] + (slip == "batch"), *batch[1:])
        args = (batch, index + (slip == "index"), row, proof)
        self.both(lambda: self.twin.lift(now(), *args), self.contract, "lift", *args, sender=RELAYER)

    @rule(place=st.integers(0, 5), words=st.lists(st.integers(0, 2), max_size=3))
    def give_back(self, place: int, words: list[int]) -> None:
        batch = self.pick(place).batch
        self.both(lambda: self.twin.give_back(batch, words), self.contract, "give_back", batch, words, sender=ATTACKER)

    @rule(sender=st.sampled_from([GUARDIAN, GUARDIAN, ATTACKER]))
    def stop(self, sender: str) -> None:
        self.both(lambda: self.twin.stop(now(), sender), self.contract, "stop_lifting", sender=sender)

    @rule(sender=st.sampled_from([GUARDIAN, GUARDIAN, ATTACKER]))
    def resume(self, sender: str) -> None:
        self.both(lambda: self.twin.resume(now(), sender), self.contract, "resume_lifting", sender=sender)

    @rule(seconds=st.sampled_from([1, 3600, WEEK_S, WEEK_S]))
    def wait(self, seconds: int) -> None:
        set_now(now() + seconds)

    # ------------------------------------------------------------ holders

    @rule(holder=people, operator=people, yes=st.booleans())
    def approve(self, holder: str, operator: str, yes: bool) -> None:
        send(self.contract, "setApprovalForAll", operator, yes, sender=holder)
        (self.twin.approved.add if yes else self.twin.approved.discard)((holder, operator))

    @rule(
        mover=people,
        sender=st.one_of(st.none(), people),
        receiver=st.sampled_from([*HOLDERS, *HOLDERS, ZERO_ADDRESS]),
        moved=st.lists(st.tuples(picks, amounts), min_size=1, max_size=3),
    )
    def transfer(self, mover: str, sender: str | None, receiver: str, moved: list[tuple[int, int]]) -> None:
        owner, twin, pairs = sender or mover, self.twin, [(IDS[kind], amount) for kind, amount in moved]
        ids, units = [one for one, _ in pairs], [amount for _, amount in pairs]
        single = len(pairs) == 1
        act = "safeTransferFrom" if single else "safeBatchTransferFrom"
        what = (ids[0], units[0]) if single else (ids, units)
        self.both(
            lambda: twin.transfer(mover, owner, receiver, pairs),
            self.contract,
            act,
            *(owner, receiver, *what, b""),
            sender=mover,
        )

    @rule(holder=people, kind=picks, amount=amounts, name=st.sampled_from(["investor", "investor", ""]))
    def lower(self, holder: str, kind: int, amount: int, name: str) -> None:
        args = (IDS[kind], amount, name)
        self.both(lambda: self.twin.lower(holder, *args), self.contract, "lower", *args, sender=holder)

    @rule(holder=people, retired=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0, 1, 1, 7])), max_size=3))
    def retire(self, holder: str, retired: list[tuple[int, int]]) -> None:
        self._retire(holder, [(IDS[kind], amount) for kind, amount in retired])

    def _retire(self, holder: str, pairs: list[tuple[int, int]]) -> None:
        said = ("a beneficiary", "a climate action")
        single = len(pairs) == 1
        what = pairs[0] if single else ([one for one, _ in pairs], [amount for _, amount in pairs])
        act = "retire" if single else "retire_batch"
        twin = self.twin
        self.both(lambda: twin.retire(now(), holder, pairs, *said), self.contract, act, *what, *said, sender=holder)

    @rule(mover=people, holder=st.one_of(st.none(), people), subject=people, kind=picks, amount=amounts)
    def claim(self, mover: str, holder: str | None, subject: str, kind: int, amount: int) -> None:
        owner, certificate, twin = holder or mover, IDS[kind], self.twin
        self.both(
            lambda: twin.claim(mover, owner, subject, certificate, amount),
            self.contract,
            "safeTransferAndClaimFrom",
            *(owner, subject, certificate, amount, b"", b"claim"),
            sender=mover,
        )

    # ------------------------------------------------------------ fungible

    @rule(holder=people, kind=st.sampled_from([0, 0, 0, 1, 1, 2, 3]), amount=amounts, worse=st.integers(0, 8))
    def deposit(self, holder: str, kind: int, amount: int, worse: int) -> None:
        said = replace(KINDS[kind], assurance=3) if worse == 8 else KINDS[kind]
        twin = self.fungible
        self.both(lambda: twin.deposit(holder, said, amount), self.kwh, "deposit", values(said), amount, sender=holder)

    @rule(holder=people, amount=amounts, lots_max=st.sampled_from([0, 1, 1, 2, 32, 33]))
    def redeem(self, holder: str, amount: int, lots_max: int) -> None:
        twin = self.fungible
        self.both(lambda: twin.redeem(holder, amount, lots_max), self.kwh, "redeem", amount, lots_max, sender=holder)

    @rule(sender=people, receiver=st.sampled_from([*HOLDERS, ZERO_ADDRESS]), amount=amounts)
    def pay(self, sender: str, receiver: str, amount: int) -> None:
        twin = self.fungible
        self.both(
            lambda: twin.transfer(sender, receiver, amount), self.kwh, "transfer", receiver, amount, sender=sender
        )

    # ------------------------------------------------------------ what must hold

    @invariant()
    def equal(self) -> None:
        if not hasattr(self, "lifts"):
            return
        contract, twin = self.contract, self.twin
        everyone = [*HOLDERS, ATTACKER, self.fungible.address]
        places = [(certificate, one) for certificate in IDS for one in everyone]
        pairs = [one for _, one in places], [certificate for certificate, _ in places]
        assert contract.balanceOfBatch(*pairs) == [twin.balances[place] for place in places]
        assert contract.claimedBalanceOfBatch(*pairs) == [twin.claimed[place] for place in places]
        for lift in self.lifts:
            opened = twin.batches.get(lift.batch)
            assert tuple(contract.lifted(lift.batch)) == (opened is not None, opened.drawn if opened else 0)
            if opened and 0 in opened.words:
                word = opened.words[0]
                assert contract.lifted_rows(lift.batch, 0, 1) == [sum(1 << row for row in word.rows)]
                assert tuple(contract.word_of(lift.batch, 0)) == (word.minted, word.drawn)
        assert contract.burns() == len(twin.burns)
        assert [self.kwh.balanceOf(one) for one in everyone] == [self.fungible.balances[one] for one in everyone]
        head, tail = self.kwh.head(), self.kwh.tail()
        assert [list(self.kwh.lot_at(number)) for number in range(head, tail)] == self.fungible.lots

    @invariant()
    def lawful(self) -> None:
        if not hasattr(self, "lifts"):
            return
        twin = self.twin
        for lift in self.lifts:
            opened = twin.batches.get(lift.batch)
            assert opened is None or opened.minted <= opened.drawn <= lift.quantity
        for certificate in IDS:
            minted = sum(one.minted for batch, one in twin.batches.items() if batch[1] == certificate)
            burned = sum(amount for _, one, amount in twin.burns if one == certificate)
            assert sum(amount for (one, _), amount in twin.balances.items() if one == certificate) == minted - burned
        queued = sum(amount for _, amount in self.fungible.lots)
        held = sum(twin.balances[certificate, self.fungible.address] for certificate in IDS)
        assert self.kwh.totalSupply() == queued == held
        assert self.badge.totalSupply() == len(twin.badges)
        if twin.badges:
            holder, at_s, energy_wh, beneficiary, purpose = twin.badges[-1]
            told = self.badge.action(len(twin.badges))
            assert tuple(told) == (holder, at_s, energy_wh, beneficiary, purpose)


QUICK = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],
)


def test_machine() -> None:
    CertificateMachine.TestCase.settings = QUICK
    CertificateMachine.TestCase().runTest()
    assert [outcome for outcome in MUST_REACH if not REACHED[outcome]] == []


def test_tour() -> None:
    """One history through what random ones seldom meet."""
    machine = CertificateMachine()
    machine.start()
    holder, other = HOLDERS[0], HOLDERS[2]
    outcomes: list[tuple[str, str]] = []

    def step(act: Callable[..., None], *args: Any, **named: Any) -> None:
        before = REACHED.copy()
        act(*args, **named)
        outcomes.extend((REACHED - before).keys())
        machine.equal()
        machine.lawful()

    try:
        machine.state(2, [1000], 0, now() + WEEK_S)
        machine.state(3, [1000] * 9, 0, now() + WEEK_S)
        for slip in ("quantity", "root", "index", "size"):
            step(machine.open, 2, slip)
        step(machine.open, 0, "")
        step(machine.lift, 2, 0, "")
        for slip in ("holder", "stop", "proof", "index", "batch"):
            step(machine.lift, 1, 0, slip)
        step(machine.transfer, ATTACKER, holder, other, [(0, 1)])
        step(machine.claim, holder, None, other, 0, 1)
        step(machine.stop, ATTACKER)
        step(machine.stop, GUARDIAN)
        step(machine.open, 2, "")
        step(machine.lift, 1, 0, "")
        step(machine.resume, GUARDIAN)
        step(machine.resume, GUARDIAN)
        step(machine.stop, GUARDIAN)
        for place in (2, 3):
            step(machine.open, place, "")
            step(machine.lift, place, 0, "")
        for index in range(5):
            step(machine.lift, 1, index, "")
        machine.state(0, [1000] * 40, 0, now() + 4 * WEEK_S)
        step(machine.open, 4, "")
        step(machine.lift, 4, 0, "")
        step(machine.lower, holder, 1, 7, "investor")
        for kind in (0, 2, 3, 1):
            step(machine.deposit, holder, kind, 1000, 0)
        step(machine.deposit, holder, 0, 1000, 8)
        step(machine.deposit, other, 0, 1500, 0)
        step(machine.deposit, holder, 1, 999, 0)
        step(machine.redeem, holder, 2000, 1)
        step(machine.retire, other, [(0, 400), (0, 7)])
        step(machine.retire, other, [(0, 400), (2, 7)])
        step(machine.wait, 2 * WEEK_S)
        step(machine.open, 2, "")
        step(machine.lift, 3, 1, "")
        step(machine.stop, GUARDIAN)
        step(machine.open, 2, "")
        step(machine.lift, 4, 1, "")  # drawn before the stop
        step(machine.give_back, 4, [0])
        step(machine.lift, 4, 2, "")  # and now no more
    finally:
        machine.teardown()
    assert [outcome for outcome in TOUR if outcome not in outcomes] == []


@pytest.mark.nightly
def test_machine_long() -> None:
    CertificateMachine.TestCase.settings = settings(QUICK, max_examples=250, stateful_step_count=60, derandomize=False)
    CertificateMachine.TestCase().runTest()
