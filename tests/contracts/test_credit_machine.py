"""``Credit`` against its twin under random histories: the same state, dollars included, and the same refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest
from credit_twin import ClassTwin, CreditTwin, DollarTwin
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from on_boa import Refusal, account, inline, now, reason, send, set_now, source

from penstock.chain.typed_data import (
    ZERO_ADDRESS,
    Authorization,
    credit_domain,
    dollar_domain,
    fault_subject,
    purchase_nonce,
    receipt_message,
    receive_message,
    sign_typed,
)

PROVIDERS = [account(f"provider {n}") for n in range(2)]
BUYERS = [account(f"buyer {n}") for n in range(3)]
ATTACKER, MINTER, RELAYER = account("attacker"), account("minter"), account("relayer")
DEALS = [account(f"deal {n}").address for n in range(2)]
PEOPLE: dict[str, LocalAccount] = {one.address: one for one in [*PROVIDERS, *BUYERS, ATTACKER]}
HOLDERS = [*[one.address for one in BUYERS], ATTACKER.address]
SKUS = [b"\x11" * 32, b"\x22" * 32]
TOKENS, GRACE_S = 1000, 100
JUDGES = """
# pragma version 0.4.3
report: public(HashMap[address, uint256])
@external
def judge(subject: address, word: uint256):
    self.report[subject] = word
"""
WORK = b"\x77" * 32
START_S = 1_790_000_000
LIFE_S = 10_000
REACHED: Counter[Any] = Counter()  # what the histories really met
MUST_REACH = (
    ("buy", ""),
    ("buy", "credit.capacity"),
    ("buy", "credit.collateral"),
    ("buy", "signed.wrong_signer"),
    ("redeem", ""),
    ("redeem_signed", ""),
    ("request", ""),
    ("request", "credit.requested"),
    ("deliver", ""),
    ("deliver", "credit.late"),
    ("settle", ""),
    ("settle", "credit.not_due"),
    ("slash", ""),
    ("slash", "credit.no_verdict"),
    ("refund", ""),
    ("refund", "credit.not_due"),
    ("safeTransferFrom", "credit.balance"),
    ("reclaim", ""),
    ("reclaim", "credit.collateral"),
)

people = st.sampled_from([*HOLDERS[:2] * 5, *HOLDERS, PROVIDERS[0].address])
providers = st.sampled_from([*[one.address for one in PROVIDERS] * 3, ATTACKER.address])
picks = st.integers(0, 15)
amounts = st.integers(0, 30)
strangers = st.sampled_from([*[False] * 6, True])


class CreditMachine(RuleBasedStateMachine):
    """Two providers, three buyers, an attacker and a relayer around a few classes."""

    @initialize()
    def start(self) -> None:
        self.held = boa.env.anchor()
        self.held.__enter__()
        set_now(START_S)
        self.dollar = source("Dollar").deploy(MINTER.address)
        self.judges = inline(JUDGES).deploy()
        self.credit = source("Credit").deploy(self.dollar.address, self.judges.address, "ipfs://{id}")
        self.address = str(self.credit.address)
        self.twin = CreditTwin(self.address, DollarTwin())
        chain_id = boa.env.evm.patch.chain_id
        self.domain, self.dollar_domain = (
            credit_domain(chain_id, self.address),
            dollar_domain(chain_id, str(self.dollar.address)),
        )
        for address, amount in [(one, 3_000) for one in PEOPLE]:
            send(self.dollar, "mint", address, amount, sender=MINTER.address)
            self.twin.dollar.balances[address] += amount
        for one in PROVIDERS:
            self.allow(one.address, 2_000)
        self.open(PROVIDERS[0].address, 0, 7, 3, LIFE_S, 40, 90, DEALS[0])
        self.open(PROVIDERS[1].address, 1, 5, 11, 2 * LIFE_S, 25, 400, DEALS[1])
        self.salts = 0
        for place, one in enumerate([BUYERS[0], BUYERS[1], BUYERS[0]]):
            self.buy(one.address, place, 8, "")
            self.request(one.address, place, 4)

    def teardown(self) -> None:
        if not hasattr(self, "salts"):
            return
        try:
            self.wind_up()
        finally:
            self.held.__exit__(None, None, None)

    def wind_up(self) -> None:
        """However the history went, after expiry everybody gets out and nothing stays behind."""
        set_now(max(now(), START_S + 2 * LIFE_S) + 2 * GRACE_S)
        everyone = sorted({holder for _, holder in self.twin.balances})
        for (class_id, holder), asked in list(self.twin.requests.items()):
            if asked.work_root and not self.twin.classes[class_id].closed:
                self.settle_one(class_id, holder)
        for class_id, one in self.twin.classes.items():
            for holder in everyone:
                if self.twin.balances[class_id, holder]:
                    self.both(self._refund(holder, class_id), "refund", holder, class_id)
            self._reclaim(one.provider, class_id, one.collateral)
        self.equal()
        assert self.dollar.balanceOf(self.address) == 0

    def settle_one(self, class_id: int, holder: str) -> None:
        self.both(lambda: self.twin.settle(now(), class_id, holder), "settle", class_id, holder)

    def _refund(self, holder: str, class_id: int) -> Callable[[], None]:
        return lambda: self.twin.refund(now(), holder, class_id)

    def both(self, twin: Callable[[], None], act: str, *args: Any, sender: str = RELAYER.address) -> None:
        """Do it on both sides; they agree on whether and why it is refused."""
        try:
            twin()
            expected = ""
        except Refusal as refusal:
            expected = str(refusal)
        assert reason(self.credit, act, *args, sender=sender) == expected, (act, args)
        REACHED[act, expected] += 1

    def pick(self, place: int) -> int:
        """A class that is open, or now and then a number that is none."""
        ids = list(self.twin.classes)
        return ids[place % len(ids)] if place < 15 else 12345

    def provider(self, class_id: int, stranger: bool) -> str:
        """The class's provider, or somebody who is not."""
        one = self.twin.classes.get(class_id)
        return ATTACKER.address if stranger or one is None else one.provider

    # ------------------------------------------------------------ providers

    @rule(sender=providers, amount=st.integers(0, 500))
    def allow(self, sender: str, amount: int) -> None:
        send(self.dollar, "approve", self.credit.address, amount, sender=sender)
        self.twin.dollar.allowances[sender] = amount

    @precondition(lambda self: len(self.twin.classes) < 4)
    @rule(
        sender=providers,
        sku=st.integers(0, 1),
        price=st.integers(0, 9),
        each=st.integers(0, 5),
        life_s=st.sampled_from([0, LIFE_S, 2 * LIFE_S]),
        capacity=amounts,
        posted=st.integers(0, 150),
        deal=st.sampled_from([*DEALS, *DEALS, ZERO_ADDRESS]),
    )
    def open(
        self, sender: str, sku: int, price: int, each: int, life_s: int, capacity: int, posted: int, deal: str
    ) -> None:
        expiry = START_S + life_s
        terms = (sender, deal, SKUS[sku], 0, TOKENS, price, each, expiry, GRACE_S)
        class_id = self.credit.id_of(terms)
        made = ClassTwin(sender, deal, price, each, expiry, capacity, posted, GRACE_S)
        self.both(lambda: self.twin.open(now(), class_id, made), "open", terms, capacity, posted, sender=sender)

    @rule(stranger=strangers, place=picks, amount=st.integers(0, 120))
    def post(self, stranger: bool, place: int, amount: int) -> None:
        class_id = self.pick(place)
        sender = self.provider(class_id, stranger)
        self.both(lambda: self.twin.post(sender, class_id, amount), "post", class_id, amount, sender=sender)

    @rule(stranger=strangers, place=picks, amount=st.integers(0, 120))
    def reclaim(self, stranger: bool, place: int, amount: int) -> None:
        class_id = self.pick(place)
        sender = self.provider(class_id, stranger)
        self._reclaim(sender, class_id, amount)

    def _reclaim(self, sender: str, class_id: int, amount: int) -> None:
        self.both(lambda: self.twin.reclaim(sender, class_id, amount), "reclaim", class_id, amount, sender=sender)

    @rule(stranger=strangers, place=picks, capacity=amounts)
    def lower_capacity(self, stranger: bool, place: int, capacity: int) -> None:
        class_id, twin = self.pick(place), self.twin
        sender = self.provider(class_id, stranger)
        self.both(
            lambda: twin.lower_capacity(sender, class_id, capacity), "lower_capacity", class_id, capacity, sender=sender
        )

    # ------------------------------------------------------------ buyers

    @rule(
        buyer=people,
        place=picks,
        amount=amounts,
        slip=st.sampled_from(["", "", "", "", "class", "amount", "value", "late", "early", "replay", "thief"]),
    )
    def buy(self, buyer: str, place: int, amount: int, slip: str) -> None:
        """A relayed purchase; a slip is one thing that does not match what the buyer signed."""
        class_id = self.pick(place)
        price = self.twin.classes[class_id].price if class_id in self.twin.classes else 1
        self.salts += slip != "replay"
        salt = self.salts.to_bytes(32, "big")
        asked = Authorization(
            buyer,
            self.address,
            amount * price,
            now() if slip == "early" else now() - 1,
            now() if slip == "late" else now() + 100,
            purchase_nonce(class_id, amount, salt),
        )
        signed = {
            "class": replace(asked, nonce=purchase_nonce(class_id + 1, amount, salt)),
            "amount": replace(asked, nonce=purchase_nonce(class_id, amount + 1, salt)),
            "value": replace(asked, amount_usdc_micro=asked.amount_usdc_micro + 1),
        }.get(slip, asked)
        signer = ATTACKER.address if slip == "thief" else buyer
        signature = sign_typed(bytes(PEOPLE[signer].key), receive_message(self.dollar_domain, signed))
        args = (class_id, amount, buyer, asked.valid_after_s, asked.valid_before_s, salt, signature)
        self.both(lambda: self.twin.buy(now(), class_id, amount, signer, signed, asked), "buy", *args)

    @rule(holder=people, place=picks, amount=st.integers(0, 6))
    def redeem(self, holder: str, place: int, amount: int) -> None:
        class_id, twin = self.pick(place), self.twin
        self.both(lambda: twin.redeem(now(), class_id, holder, amount), "redeem", class_id, amount, WORK, sender=holder)

    @rule(
        holder=people,
        place=picks,
        amount=st.integers(0, 6),
        salt=st.integers(0, 1),
        thief=st.sampled_from([False, False, True]),
        stranger=strangers,
    )
    def redeem_signed(self, holder: str, place: int, amount: int, salt: int, thief: bool, stranger: bool) -> None:
        class_id = self.pick(place)
        sender = self.provider(class_id, stranger)
        signer = ATTACKER.address if thief else holder
        receipt = (class_id, holder, amount, WORK, salt.to_bytes(32, "big"))
        signature = sign_typed(bytes(PEOPLE[signer].key), receipt_message(self.domain, *receipt))
        args = (class_id, amount, holder, WORK, receipt[4], signature)
        twin = self.twin
        self.both(lambda: twin.redeem_signed(now(), sender, signer, receipt), "redeem_signed", *args, sender=sender)

    @rule(holder=people, place=picks, amount=st.integers(0, 8))
    def request(self, holder: str, place: int, amount: int) -> None:
        class_id, twin = self.pick(place), self.twin
        self.both(lambda: twin.request(now(), class_id, holder, amount), "request", class_id, amount, sender=holder)

    @rule(holder=people, place=picks, root=st.sampled_from([WORK, WORK, WORK, bytes(32)]), stranger=strangers)
    def deliver(self, holder: str, place: int, root: bytes, stranger: bool) -> None:
        class_id, whom = self.asked_for(holder, place)
        sender, twin = self.provider(class_id, stranger), self.twin
        call = (class_id, whom, root)
        self.both(lambda: twin.deliver(now(), sender, *call), "deliver", *call, sender=sender)

    @rule(holder=people, place=picks)
    def settle(self, holder: str, place: int) -> None:
        self.settle_one(*self.asked_for(holder, place))

    def asked_for(self, holder: str, place: int) -> tuple[int, str]:
        """Mostly a request that is open."""
        found = list(self.twin.requests)
        return found[place % len(found)] if found and place < 13 else (self.pick(place), holder)

    @rule(place=picks, failures=st.sampled_from([-1, 0, 0, 2]), life_s=st.sampled_from([0, 50, 50]))
    def judge(self, place: int, failures: int, life_s: int) -> None:
        """What the attesters say of a class; the anchor's own machine tells how they come to say it."""
        class_id, expiry = self.pick(place), now() + life_s
        word = failures % 2**64 | 7 << 64 | now() << 192 | expiry << 224
        send(self.judges, "judge", fault_subject(self.address, class_id), word, sender=RELAYER.address)
        self.twin.verdicts[class_id] = (failures, expiry)

    @rule(place=picks, found=st.sampled_from([False] * 4 + [True]))
    def slash(self, place: int, found: bool) -> None:
        class_id, twin = self.pick(place), self.twin
        if found:
            self.judge(place, 2, 50)
        self.both(lambda: twin.slash(now(), class_id), "slash", class_id)

    @rule(holder=people, place=picks)
    def refund(self, holder: str, place: int) -> None:
        class_id = self.pick(place)
        self.both(self._refund(holder, class_id), "refund", holder, class_id)

    @rule(holder=people, operator=people, yes=st.booleans())
    def approve(self, holder: str, operator: str, yes: bool) -> None:
        send(self.credit, "setApprovalForAll", operator, yes, sender=holder)
        (self.twin.approved.add if yes else self.twin.approved.discard)((holder, operator))

    @rule(
        mover=people,
        sender=st.one_of(st.none(), people),
        receiver=st.sampled_from([*HOLDERS, *HOLDERS, ZERO_ADDRESS]),
        place=picks,
        amount=st.integers(0, 6),
    )
    def transfer(self, mover: str, sender: str | None, receiver: str, place: int, amount: int) -> None:
        class_id, owner, twin = self.pick(place), sender or mover, self.twin
        self.both(
            lambda: twin.transfer(mover, owner, receiver, [(class_id, amount)]),
            "safeTransferFrom",
            *(owner, receiver, class_id, amount, b""),
            sender=mover,
        )

    @rule(
        mover=people,
        sender=st.one_of(st.none(), people),
        receiver=st.sampled_from([*HOLDERS, *HOLDERS, ZERO_ADDRESS]),
        moved=st.lists(st.tuples(picks, st.integers(0, 6)), max_size=4),
    )
    def transfer_batch(self, mover: str, sender: str | None, receiver: str, moved: list[tuple[int, int]]) -> None:
        owner, twin = sender or mover, self.twin
        pairs = [(self.pick(place), amount) for place, amount in moved]
        self.both(
            lambda: twin.transfer(mover, owner, receiver, pairs),
            "safeBatchTransferFrom",
            *(owner, receiver, [one for one, _ in pairs], [amount for _, amount in pairs], b""),
            sender=mover,
        )

    @rule(seconds=st.sampled_from([1, *[60] * 7, LIFE_S]))
    def wait(self, seconds: int) -> None:
        set_now(now() + seconds)

    # ------------------------------------------------------------ what must hold

    @invariant()
    def equal(self) -> None:
        if not hasattr(self, "salts"):
            return
        credit, dollar, twin = self.credit, self.dollar, self.twin
        for class_id, one in twin.classes.items():
            assert credit.stock_of(class_id) == (one.capacity, one.outstanding, one.collateral)
            held = credit.balanceOfBatch(HOLDERS, [class_id] * len(HOLDERS))
            assert held == [twin.balances[class_id, holder] for holder in HOLDERS]
            assert credit.slashed(class_id) == one.closed
        for (class_id, holder), asked in twin.requests.items():
            known = (asked.amount, asked.due, asked.work_root or bytes(32))
            assert credit.request_of(class_id, holder) == known
        for holder in [*PEOPLE, *DEALS, self.address]:
            assert dollar.balanceOf(holder) == twin.dollar.balances[holder]

    @invariant()
    def lawful(self) -> None:
        """Sold within capacity and collateral; the dollars held are the price of what is unredeemed plus collateral."""
        if not hasattr(self, "salts"):
            return
        for class_id in self.twin.classes:
            capacity, outstanding, collateral = self.credit.stock_of(class_id)
            each = self.credit.terms_of(class_id).collateral_usdc_micro
            assert outstanding <= capacity
            assert outstanding * each <= collateral
            for holder in HOLDERS:
                assert self.twin.asked(class_id, holder) <= self.twin.balances[class_id, holder]
        assert self.dollar.balanceOf(self.address) == self.twin.liabilities()


LONG = settings(max_examples=300, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck))
QUICK = settings(LONG, max_examples=25, stateful_step_count=40, derandomize=True, phases=[Phase.generate])


def test_machine() -> None:
    CreditMachine.TestCase.settings = QUICK
    CreditMachine.TestCase().runTest()
    assert [outcome for outcome in MUST_REACH if not REACHED[outcome]] == []


@pytest.mark.nightly
def test_machine_long() -> None:
    CreditMachine.TestCase.settings = settings(QUICK, max_examples=250, stateful_step_count=60, derandomize=False)
    CreditMachine.TestCase().runTest()
