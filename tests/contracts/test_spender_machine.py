"""``Spender`` against its twin under random histories, with real dollars and a real Permit2: equal state and refusals;
no dollar leaves but to an allowed payee, and never more in any hour, or in all, than the mandate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from on_boa import Refusal, account, now, reason, send, set_now, source
from spender_twin import LIFE_MAX_S, METERED, Mandate, Payment, SpenderTwin

from penstock.chain.typed_data import ZERO_ADDRESS
from penstock.chain.well_known import PERMIT2, UPTO_PAYMENT, well_known_code

OWNER, AGENT, ATTACKER, MINTER, HEIR = (account(role) for role in ("owner", "agent", "attacker", "minter", "heir"))
FACILITATOR = account("facilitator").address
PAYEES = [account(f"payee {n}").address for n in range(2)]
START_S = 1_790_000_000 // 600 * 600
FUNDS = 10_000
FIRST = Mandate(100, 250, 300, 60, START_S + 40_000)
REACHED: Counter[Any] = Counter()
MUST_REACH = (
    ("authorize", ""),
    ("authorize", "spender.per_call"),
    ("authorize", "spender.per_hour"),
    ("authorize", "spender.total"),
    ("authorize", "spender.payee"),
    ("authorize", "spender.used"),
    ("authorize", "signed.wrong_signer"),
    ("release", ""),
    ("release", "spender.used"),
    ("release", "spender.still_valid"),
    ("pay", True),
    ("pay", False),
    ("metered", True),
    ("metered", False),
)

callers = st.sampled_from([AGENT, AGENT, AGENT, HEIR, OWNER, ATTACKER])
owners = st.sampled_from([OWNER, OWNER, OWNER, AGENT, ATTACKER])


class SpenderMachine(RuleBasedStateMachine):
    """An owner, an agent and its successor, two payees, an attacker."""

    @initialize()
    def start(self) -> None:
        self.held = boa.env.anchor()
        self.held.__enter__()
        set_now(START_S)
        for place, code in well_known_code().items():
            boa.env.evm.set_code(boa.util.abi.Address("0x" + place.hex()), code)
        self.dollar = source("Dollar").deploy(MINTER.address)
        self.permit = source("Permit").at("0x" + PERMIT2.hex())
        self.upto = source("UptoPayment").at("0x" + UPTO_PAYMENT.hex())
        args = (OWNER.address, AGENT.address, self.dollar.address, FIRST, PAYEES[:1])
        self.spender = source("Spender").deploy(*args)
        self.address = str(self.spender.address)
        self.twin = SpenderTwin(self.address, OWNER.address, AGENT.address, FIRST, set(PAYEES[:1]))
        send(self.dollar, "mint", self.address, FUNDS, sender=MINTER.address)
        send(self.spender, "allow_metered", True, sender=OWNER.address)
        self.seen: list[Payment] = []
        self.paid: list[tuple[int, int]] = []  # authorised at, amount
        self.at: dict[Payment, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "held"):
            self.held.__exit__(None, None, None)

    def both(self, twin: Callable[[], None], act: str, *args: Any, sender: str) -> bool:
        try:
            twin()
            expected = ""
        except Refusal as refusal:
            expected = str(refusal)
        assert reason(self.spender, act, *args, sender=sender) == expected, (act, args)
        REACHED[act, expected] += 1
        return expected == ""

    # ------------------------------------------------------------ the owner

    @rule(who=owners, which=st.integers(0, 11), per_call=st.sampled_from([0, 100, 300]), yes=st.booleans())
    def owner_acts(self, who: Any, which: int, per_call: int, yes: bool) -> None:
        """Rarely: bounds, payees, another agent or none; by the owner or somebody who is not."""
        twin, sender = self.twin, who.address
        mandate = Mandate(per_call, 400 if yes else 250, 2_000 if yes else 300, 60, START_S + 40_000)
        payee = [*PAYEES, ZERO_ADDRESS][per_call % 3]
        agent = [AGENT, HEIR, OWNER][per_call % 7 % 3].address if yes else ZERO_ADDRESS
        if which == 0:
            self.both(lambda: twin.set_mandate(sender, mandate), "set_mandate", mandate, sender=sender)
        elif which == 1:
            self.both(lambda: twin.allow_payee(sender, payee, yes), "allow_payee", payee, yes, sender=sender)
        elif which == 2 and yes:
            self.both(lambda: twin.set_agent(sender, agent), "set_agent", agent, sender=sender)
        elif which == 2:
            self.both(lambda: twin.set_agent(sender, ZERO_ADDRESS), "revoke", sender=sender)
        else:
            self.authorize(yes, 50, which % 6, 600, "", 0)

    # ------------------------------------------------------------ the agent

    @rule(
        metered=st.booleans(),
        amount=st.sampled_from([10, 50, 50, 90, 90, 100]),
        nonce=st.integers(0, 5),
        life_s=st.sampled_from([600, 600, LIFE_MAX_S]),
        slip=st.sampled_from(
            [*[""] * 8, "caller", "kind", "payee", "self", "large", "life", *["approver"] * 2, "approval"]
        ),
        pick=st.integers(0, 5),
    )
    def authorize(self, metered: bool, amount: int, nonce: int, life_s: int, slip: str, pick: int) -> None:
        """Mostly a good payment; a slip is one thing that is not."""
        kind = 3 if slip == "kind" else METERED if metered else 0
        facilitator = FACILITATOR if metered else ZERO_ADDRESS
        whom = {"payee": [*PAYEES[1:], ZERO_ADDRESS][pick % 2], "self": self.address}.get(slip, PAYEES[0])
        amount = [0, 101, 301][pick % 3] if slip == "large" else amount
        amount = 90 if slip in ("approver", "approval") else amount
        life_s = [0, LIFE_MAX_S + 1][pick % 2] if slip == "life" else life_s
        caller = [OWNER, ATTACKER, HEIR, AGENT][pick % 4] if slip == "caller" else self.in_office()
        approver = {"approver": AGENT, "approval": None}.get(slip, OWNER)
        payment = Payment(kind, whom, facilitator, amount, 0, now() + life_s, nonce.to_bytes(32, "big"))
        signature = b""
        if approver:
            signed = approver.unsafe_sign_hash(self.spender.approval_of(payment))
            signature = bytes(signed.signature)
        by = approver.address if approver else ""
        done = self.both(
            lambda: self.twin.authorize(now(), caller.address, payment, by),
            "authorize",
            payment,
            signature,
            sender=caller.address,
        )
        if done:
            self.seen.append(payment)
            self.at[payment] = now()

    def in_office(self) -> Any:
        return HEIR if self.twin.agent == HEIR.address else AGENT

    @rule(caller=callers, pick=st.integers(0, 9))
    def release(self, caller: Any, pick: int) -> None:
        if self.seen:
            payment = self.seen[-1 - pick % len(self.seen)]
            self.both(
                lambda: self.twin.release(now(), caller.address, payment), "release", payment, sender=caller.address
            )

    # ------------------------------------------------------------ anybody who settles

    @rule(pick=st.integers(0, 9), altered=st.sampled_from([False, False, False, True]), taken=st.integers(0, 100))
    def settle(self, pick: int, altered: bool, taken: int) -> None:
        """Settled exactly where the account says yes, its token allows it, and nothing was altered."""
        if not self.seen:
            return
        payment = self.seen[-1 - pick % len(self.seen)]
        asked = payment._replace(payee=ATTACKER.address) if altered else payment
        amount = payment.amount * taken // 100 if payment.kind == METERED else payment.amount
        fresh = (payment.kind == METERED, payment.nonce) not in self.twin.used
        timely = now() <= payment.valid_before if payment.kind == METERED else now() < payment.valid_before
        expected = not altered and fresh and timely and self.twin.says_yes(now(), payment)
        before = self.dollar.balanceOf(self.address)
        why = self._metered(asked, amount) if payment.kind == METERED else self._exact(asked)
        assert (why == "") == expected, (payment, why)
        REACHED["metered" if payment.kind == METERED else "pay", expected] += 1
        assert before - self.dollar.balanceOf(self.address) == (amount if expected else 0)
        if expected:
            self.twin.used.add((payment.kind == METERED, payment.nonce))
            self.paid.append((self.at[payment], amount))

    def _exact(self, p: Payment) -> str:
        terms = (self.address, p.payee, p.amount, p.valid_after, p.valid_before, p.nonce)
        act = "transferWithAuthorization"
        return reason(self.dollar, act, *terms, 27, bytes(32), bytes(32), sender=ATTACKER.address)

    def _metered(self, p: Payment, amount: int) -> str:
        permit = ((str(self.dollar.address), p.amount), int.from_bytes(p.nonce, "big"), p.valid_before)
        witness = (p.payee, p.facilitator, p.valid_after)
        return reason(self.upto, "settle", permit, amount, self.address, witness, b"", sender=FACILITATOR)

    @rule(seconds=st.sampled_from([1, 1, 300, 700, 3_600]))
    def wait(self, seconds: int) -> None:
        set_now(now() + seconds)

    # ------------------------------------------------------------ what must hold

    @invariant()
    def equal(self) -> None:
        if not hasattr(self, "at"):
            return
        twin, spender = self.twin, self.spender
        assert spender.committed_usdc_micro() == twin.committed
        hour, total = twin.mandate.per_hour - twin.hour(now()), twin.mandate.total - twin.committed
        assert spender.left() == (max(hour, 0), max(total, 0))
        assert (str(spender.agent()), spender.epoch()) == (twin.agent, twin.epoch)
        for payment in self.seen[-3:]:
            said = spender.isValidSignature(spender.digest_of(payment), b"whatever")
            assert said == bytes.fromhex("1626ba7e" if twin.says_yes(now(), payment) else "ffffffff")

    @invariant()
    def bounded(self) -> None:
        """What left the account is within what was ever committed, and went to nobody else."""
        if not hasattr(self, "at"):
            return
        spent = FUNDS - self.dollar.balanceOf(self.address)
        assert spent == sum(amount for _, amount in self.paid) <= self.twin.committed
        assert spent == sum(self.dollar.balanceOf(payee) for payee in PAYEES)
        for start, _ in self.paid:  # 400 is the largest hour any mandate here allows
            assert sum(amount for at, amount in self.paid if start <= at < start + 3_600) <= 400


QUICK = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_machine() -> None:
    SpenderMachine.TestCase.settings = QUICK
    SpenderMachine.TestCase().runTest()
    assert [outcome for outcome in MUST_REACH if not REACHED[outcome]] == []


@pytest.mark.nightly
def test_machine_long() -> None:
    SpenderMachine.TestCase.settings = settings(QUICK, max_examples=250, stateful_step_count=60, derandomize=False)
    SpenderMachine.TestCase().runTest()
