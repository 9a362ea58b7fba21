"""A machine over the whole life cycle: any act in any order, wanted or refused; the five laws after every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from consumer_kit import IMPORTS, Consumers
from device_kit import hours
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Right
from penstock.period import HOUR_US, QUARTER_HOUR_US
from penstock.usecases.certify import Terms, certify
from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_certificates
from penstock.usecases.registry.consume import consume
from penstock.usecases.registry.expire import expire
from penstock.usecases.registry.reserve import Release, Reserve, lapse, release, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.together import Then, Together, together
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw
from penstock.usecases.world import World

ACCOUNTS = ("owner", "trader", "buyer")
ANYBODY = st.sampled_from(ACCOUNTS)
LENGTHS = st.sampled_from([QUARTER_HOUR_US, 2 * QUARTER_HOUR_US, HOUR_US])
THEN = st.sampled_from(list(Then))
USED = ("claimed", "retired")


class LifeCycle(RuleBasedStateMachine):
    """Time goes on in quarters of an hour; what is asked may or may not be possible."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Consumers()
        self.quarter, self.counted_wh, self.drawn_wh = 0, 0, 0
        self.waiting: list[Columns] = []
        self.drawn: list[Columns] = []
        self.final: set[tuple[int, int, str]] = set()
        self.count(4, 1_000, 400)
        self.count(4, 1_500, 2_000)
        self.ask(lambda world: certify(world, self.waiting, "XX", Terms(valid_us=9 * HOUR_US)))
        self.ask(lambda world: consume(world, self.drawn, "XX"))

    @property
    def hour(self) -> float:
        return self.quarter / 4

    def ask(self, act: Callable[[World], list[Entry]]) -> bool:
        """An act is recorded, or refused with the books as they were."""
        before = self.registry.world.books.digest()
        try:
            entries = act(self.registry.world)
        except (Refused, Invalid, NotFound, Conflict) as error:
            assert error.code
            assert self.registry.world.books.digest() == before
            return False
        self.registry.tell(entries, hours(self.hour))  # whatever was decided applies
        return True

    def pick(self, data: st.DataObject) -> tuple[int, int, str]:
        """A certificate and its holder."""
        start, stop, holder, _ = data.draw(st.sampled_from(self.registry.owned()))
        return start, stop, holder

    def select(self, data: st.DataObject) -> tuple[str, Selection]:
        """Whose, and a certificate or a part of it, or a quantity or share; at times one unit or one holder beside."""
        start, stop, holder = self.pick(data)
        account = data.draw(st.sampled_from([holder, holder, holder, *ACCOUNTS]))
        how = data.draw(st.sampled_from(["whole", "part", "part", "beside", "quantity", "share"]))
        if how == "quantity":
            return account, Selection(quantity_wh=data.draw(st.integers(1, 700)))
        if how == "share":
            return account, Selection(share_basis_points=data.draw(st.integers(1, 10_000)))
        low = data.draw(st.integers(start, stop - 1)) if how == "part" else start
        high = data.draw(st.integers(low + 1, stop)) if how == "part" else stop
        return account, Selection((Named("roof/export", low, high + (how == "beside")),))

    @rule(quarters=st.integers(1, 6), gain_wh=st.integers(0, 900), draw_wh=st.integers(0, 600))
    def count(self, quarters: int, gain_wh: int, draw_wh: int) -> None:
        self.quarter += quarters
        self.counted_wh, self.drawn_wh = self.counted_wh + gain_wh, self.drawn_wh + draw_wh
        self.waiting.append(self.registry.taken((self.hour, self.counted_wh)))
        self.drawn.append(self.registry.drew("home", (self.hour, self.drawn_wh)))

    @rule(length_us=LENGTHS, valid=st.integers(0, 3))
    def issue(self, length_us: int, valid: int) -> None:
        terms = Terms(interval_us=length_us, valid_us=valid * HOUR_US)
        self.ask(lambda world: certify(world, self.waiting, "XX", terms))

    @rule(length_us=LENGTHS, then=THEN, to=ANYBODY)
    def issue_together(self, length_us: int, then: Then, to: str) -> None:
        asked = Together("XX", "owner", "" if to == "owner" else to, then, Terms(length_us), ("home",), reason="x")
        self.ask(lambda world: together(world, self.waiting, asked, hours(self.hour)))

    @rule(length_us=LENGTHS)
    def issue_consumption(self, length_us: int) -> None:
        self.ask(lambda world: consume(world, self.drawn, "XX", Terms(length_us)))

    @rule(data=st.data(), to=ANYBODY)
    def transfer(self, data: st.DataObject, to: str) -> None:
        account, chosen = self.select(data)
        self.act(transfer, Transfer(account, to, chosen))

    @rule(data=st.data(), parts=st.integers(1, 4))
    def split(self, data: st.DataObject, parts: int) -> None:
        start, stop, holder = self.pick(data)
        sizes = tuple(data.draw(st.integers(0, (stop - start) // parts + 1)) for _ in range(parts))
        self.act(split, Split(holder, Named("roof/export", start, stop), sizes))

    @rule(data=st.data(), beneficiary=ANYBODY, until=st.integers(-1, 8))
    def reserve(self, data: st.DataObject, beneficiary: str, until: int) -> None:
        account, chosen = self.select(data)
        self.act(reserve, Reserve(account, chosen, beneficiary, hours(self.hour + until) if until else 0))

    @precondition(lambda self: any(state == "reserved" for *_, state in self.registry.owned()))
    @rule(data=st.data(), beneficiary=ANYBODY)
    def release(self, data: st.DataObject, beneficiary: str) -> None:
        kept = [span for span in self.registry.owned() if span[-1] == "reserved"]
        start, stop, holder, _ = data.draw(st.sampled_from(kept))
        low = data.draw(st.integers(start, stop - 1))
        self.act(release, Release(holder, Selection((Named("roof/export", low, stop),)), beneficiary))

    @rule()
    def sweep(self) -> None:
        self.ask(lambda world: lapse(world, hours(self.hour)))
        self.ask(lambda world: expire(world, hours(self.hour)))

    @rule(data=st.data(), beneficiary=ANYBODY)
    def retire(self, data: st.DataObject, beneficiary: str) -> None:
        account, chosen = self.select(data)
        self.act(retire, Retirement(account, chosen, beneficiary, "x"))

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        account, chosen = self.select(data)
        self.act(claim_certificates, ClaimCertificates(account, chosen, ("home",)))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self.act(withdraw, Withdrawal(self.select(data)[1], "x"))

    def act(self, decide: Callable[[World, Any, int], list[Entry]], asked: Any) -> None:
        self.ask(lambda world: decide(world, asked, hours(self.hour)))

    @invariant()
    def laws_hold(self) -> None:
        assert breaches(self.registry.world.books) == ()

    @invariant()
    def every_wh_has_one_title_and_none_is_beyond_the_meter(self) -> None:
        books = self.registry.world.books
        for register, counted in ((0, self.counted_wh), (IMPORTS["home"], self.drawn_wh)):
            right = Right.CONSUMPTION if register else Right.ATTRIBUTE
            rows = books.titles[right].columns()
            mine = rows["register"] == register
            assert int((rows["stop"] - rows["start"])[mine].sum()) == books.titles[right].head(register) <= counted

    @invariant()
    def what_is_used_stays_used(self) -> None:
        """Unit for unit: once claimed or retired, for ever so."""
        for start, stop, state in self.final:
            rows = self.registry.world.books.titles[Right.ATTRIBUTE].within(0, start, stop)
            assert {TITLE_STATES[code].value for code in rows["state"].tolist()} == {state}
        self.final = {(start, stop, state) for start, stop, _, state in self.registry.owned() if state in USED}

    @invariant()
    def what_is_owed_is_what_was_used_and_withdrawn(self) -> None:
        books = self.registry.world.books
        owed = sum(stop - start for right, _, start, stop in books.corrections.debts if right is Right.ATTRIBUTE)
        assert owed == int(books.corrections.withdrawn.spans.columns()["owed"].sum())


LifeCycle.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestLifeCycle = LifeCycle.TestCase
