"""What is done to certificates here: each act says, from the unit model, which units change or that it is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis.strategies as st
from acts import PICK, act
from chain_rules import ANYBODY, LENGTHS, REACHED, ChainRules
from registry_scene import APPROVER, LIMIT_WH, STRANGER, TRADER, ZONE
from unit_model import Place, Units

from penstock.journal.kinds.account import ActApproved, ProposalDropped, WhitelistStated
from penstock.journal.words import Right
from penstock.period import HOUR_US
from penstock.usecases.certify import Terms
from penstock.usecases.registry.account import say
from penstock.usecases.registry.approve import Propose, approve, drop, propose
from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_certificates
from penstock.usecases.registry.consume import consume
from penstock.usecases.registry.expire import expire
from penstock.usecases.registry.match_hours import Hours, match_hours
from penstock.usecases.registry.reserve import Release, Reserve, lapse, release, reserve
from penstock.usecases.registry.retire import Retirement, green_tariff, retire
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.together import Then, Together, together
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw

MEMBERS = st.sampled_from(["", "", TRADER, STRANGER])
CONSUMERS = st.sampled_from([("owner",), ("owner", "buyer"), ("buyer",)])


class LifeRules(ChainRules):
    """Transfer, split, reserve, claim, retire, withdraw, expire; whitelists, members, two persons."""

    def __init__(self) -> None:
        super().__init__()
        self.whitelists: dict[str, tuple[str, ...]] = {}
        self.proposals: list[dict[str, Any]] = []
        self.ask(lambda world: consume(world, self.scene.readings, ZONE, Terms(HOUR_US // 4)))

    # What is asked, and whether it may be.

    def allowed(self, by: str, account: str, wh: int) -> bool:
        """Whether somebody may do alone what needs two from a limit on."""
        return by == "" or (by == TRADER and account == "owner" and wh < LIMIT_WH)

    def receives(self, source: str, target: str) -> bool:
        return source != target and source in self.whitelists.get(target, (source,))

    def into(self, places: list[Place] | None, state: str, account: str) -> Units | None:
        return None if places is None else dict.fromkeys(places, (state, self.number(account)))

    def transferred(self, account: str, to: str, asked: Selection, by: str = "") -> Units | None:
        places = self.usable(account, asked, to)
        may = places is not None and self.receives(account, to) and self.allowed(by, account, len(places))
        return self.into(places if may else None, "held", to)

    @act(data=PICK, to=ANYBODY, by=MEMBERS)
    def transfer(self, data: st.DataObject, to: str, by: str) -> None:
        account, asked = self.drawn_asked(data)
        expected, at_us = self.transferred(account, to, asked, by), self.at_us
        self.expects(lambda world: transfer(world, Transfer(account, to, asked, by=by), at_us), expected, "transfer")

    @act(account=ANYBODY, sources=st.sampled_from([("owner",), ("owner", "trader"), (), None]))
    def whitelist(self, account: str, sources: tuple[str, ...] | None) -> None:
        fact = WhitelistStated(account, sources or (), everyone=sources is None)
        self.expects(lambda world: say(world, fact, self.at_us), {}, "whitelist")
        self.whitelists.pop(account, None)
        if sources is not None:
            self.whitelists[account] = sources

    @act(data=PICK, parts=st.integers(1, 3))
    def split(self, data: st.DataObject, parts: int) -> None:
        register, start, stop, holder, _ = data.draw(st.sampled_from(self.titles()))
        beside = data.draw(st.sampled_from([0, 0, 0, 1]))
        sizes = tuple(data.draw(st.integers(0, (stop - start) // parts + 1)) for _ in range(parts))
        named = Named(self.urn(register), start, stop + beside)
        whole = self.chosen(holder, Selection((named,))) if not beside else None
        rest = None if whole is None else self.chosen(holder, Selection((named,)))
        sound = min(sizes) > 0 and sum(sizes) <= stop - start and sizes[0] != stop - start
        before = len(self.scene.model.starts[Right.ATTRIBUTE])
        at_us = self.at_us
        code = self.expects(
            lambda world: split(world, Split(holder, named, sizes), at_us), {} if rest and sound else None, "split"
        )
        cuts = len(sizes) - (sum(sizes) == stop - start)
        assert len(self.scene.model.starts[Right.ATTRIBUTE]) - before == (0 if code else cuts)

    def urn(self, register: int) -> str:
        return self.scene.world.books.registers.urn(register)

    # Kept for somebody.

    @act(data=PICK, beneficiary=ANYBODY, hours=st.sampled_from([0, 1, 4, -1]))
    def reserve(self, data: st.DataObject, beneficiary: str, hours: int) -> None:
        account, asked = self.drawn_asked(data, "held")
        at_us = self.at_us
        until_us = at_us + hours * HOUR_US if hours else 0
        places = self.chosen(account, asked) if hours >= 0 else None
        asks = Reserve(account, asked, beneficiary, until_us)
        self.expects(lambda world: reserve(world, asks, at_us), self.into(places, "reserved", account), "reserve")

    @act(data=PICK, beneficiary=st.sampled_from(["owner", "trader", "buyer", ""]))
    def release(self, data: st.DataObject, beneficiary: str) -> None:
        account, asked = self.drawn_asked(data, "reserved")
        at_us = self.at_us
        places = self.chosen(account, asked, ("reserved",), timely=False)
        if places and any(self.scene.model.kept_from(one, beneficiary, at_us) for one in places):
            places = None
        asks = Release(account, asked, beneficiary)
        self.expects(lambda world: release(world, asks, at_us), self.into(places, "held", account), "release")

    @act()
    def sweep(self) -> None:
        """What is kept no longer, and what has expired."""
        model, at_us = self.scene.model, self.at_us
        over = [place for place, (_, until_us) in model.kept.items() if until_us and until_us <= at_us]
        freed = {place: ("held", model.of()[place][1]) for place in over}
        self.expects(lambda world: lapse(world, at_us), freed or None, "lapse")
        late = {
            place: ("expired", holder)
            for place, (state, holder) in model.of().items()
            if state in ("held", "reserved") and model.made[Right.ATTRIBUTE][place].expired(at_us)
        }
        self.expects(lambda world: expire(world, at_us), late or None, "expire")

    # Used up.

    @act(data=PICK, beneficiary=ANYBODY, by=MEMBERS, tariff=st.booleans())
    def retire(self, data: st.DataObject, beneficiary: str, by: str, tariff: bool) -> None:
        account, asked = self.drawn_asked(data)
        asked = asked if asked.spans else Selection(quantity_wh=2)
        at_us, reason = self.at_us, green_tariff("roofs for all") if tariff else "a public promise"
        places = self.usable(account, asked, beneficiary)
        places = places if places and self.allowed(by, account, len(places)) else None
        asks = Retirement(account, asked, beneficiary, reason, by=by)
        self.expects(lambda world: retire(world, asks, at_us), self.into(places, "retired", account), "retire")

    @act(quarters=st.integers(0, 2), length_us=LENGTHS)
    def issue_consumption(self, quarters: int, length_us: int) -> None:
        if quarters:
            self.scene.meter(quarters, roof=6, home=8, mill=3)
        self.ask(lambda world: consume(world, self.scene.readings, ZONE, Terms(length_us)))

    def cells(self, right: Right, *accounts: str) -> Counter[tuple[str, int, int]]:
        """Units that accounts hold and that are valid, by zone and interval."""
        model, numbers = self.scene.model, [self.number(one) for one in accounts]
        made = model.made[right]
        mine = (place for place, (state, holder) in model.of(right).items() if state == "held" and holder in numbers)
        return Counter(made[place].cell for place in mine if not made[place].expired(self.at_us))

    @act(data=PICK, consumers=CONSUMERS)
    def claim(self, data: st.DataObject, consumers: tuple[str, ...]) -> None:
        account, asked = self.drawn_asked(data)
        asked = asked if asked.spans else Selection(quantity_wh=2)
        at_us, places = self.at_us, self.usable(account, asked, account)
        if places is not None:
            made = self.scene.model.made[Right.ATTRIBUTE]
            wanted = Counter(made[place].cell for place in places)
            drawn = self.cells(Right.CONSUMPTION, *consumers)
            places = places if wanted <= drawn else None
        asks = ClaimCertificates(account, asked, consumers)
        expected = self.into(places, "claimed", account)
        self.expects(lambda world: claim_certificates(world, asks, at_us), expected, "claim")

    @act(account=ANYBODY, consumers=CONSUMERS, hours=st.sampled_from([400, 1, 2]))
    def match(self, account: str, consumers: tuple[str, ...], hours: int) -> None:
        """Of every interval as much is claimed as both sides have."""
        start_us = self.scene.start_us
        stop_us = start_us + hours * HOUR_US
        drawn = self.cells(Right.CONSUMPTION, *consumers)
        both = self.cells(Right.ATTRIBUTE, account) & drawn
        due = Counter({cell: wh for cell, wh in both.items() if start_us <= cell[1] < stop_us})
        before = {right: dict(self.scene.model.of(right)) for right in Right}
        at_us = self.at_us
        code = self.ask(lambda world: match_hours(world, Hours(account, start_us, stop_us, consumers), at_us))
        REACHED[f"match: {code or 'done'}"] += 1
        assert (code == "") == bool(due)
        for right in (Right.ATTRIBUTE, Right.CONSUMPTION):
            made, after = self.scene.model.made[right], self.scene.model.of(right)
            changed = [place for place, owned in after.items() if before[right][place] != owned]
            assert Counter(made[place].cell for place in changed) == due
            assert all(after[place][0] == "claimed" for place in changed)

    @act(length_us=LENGTHS, then=st.sampled_from(list(Then)), to=ANYBODY)
    def together(self, length_us: int, then: Then, to: str) -> None:
        self.scene.meter(1, roof=7, home=5)
        target = "" if to == "owner" else to
        asks = Together(ZONE, "owner", target, then, Terms(length_us), ("owner",), reason="x")
        at_us = self.at_us
        code = self.ask(lambda world: together(world, self.scene.readings, asks, at_us))
        REACHED[f"together: {code or then.value}"] += 1
        assert code or not target or self.receives("owner", to)

    # Taken back.

    @act(data=PICK)
    def withdraw(self, data: st.DataObject) -> None:
        register, start, stop, _, _ = data.draw(st.sampled_from(self.titles()))
        low = data.draw(st.integers(start, stop - 1))
        high = data.draw(st.integers(low + 1, stop))
        model = self.scene.model
        places = {(register, unit) for unit in range(low, high)}
        gone = places & model.taken_back or any(model.of()[place][0] == "withdrawn" for place in places)
        found = {} if gone else {place: ("withdrawn", model.of()[place][1]) for place in model.reach(places)}
        asks = Withdrawal(Selection((Named(self.urn(register), low, high),)), "x")
        self.expects(lambda world: withdraw(world, asks, self.at_us), None if gone else found, "withdraw")

    # Two persons.

    @act(data=PICK, to=ANYBODY, by=st.sampled_from([TRADER, TRADER, APPROVER, STRANGER]), hours=st.integers(1, 3))
    def propose(self, data: st.DataObject, to: str, by: str, hours: int) -> None:
        account, asked = self.drawn_asked(data)
        at_us = self.at_us
        expires_us = at_us + hours * HOUR_US
        places = self.transferred(account, to, asked)
        may = places is not None and by != STRANGER and account == "owner"
        told = Propose(Transfer(account, to, asked), expires_us, by)
        code = self.expects(lambda world: propose(world, told, at_us), {} if may else None, "propose")
        if not code:
            self.proposals.append({"to": to, "asked": asked, "by": by, "until": expires_us, "wh": len(places or ())})

    @act(
        lambda self: self.proposals,
        data=PICK,
        by=st.sampled_from([APPROVER, APPROVER, TRADER, STRANGER]),
        dropped=st.sampled_from([0, 0, 1]),
    )
    def second(self, data: st.DataObject, by: str, dropped: int) -> None:
        """Another approves, or drops it."""
        number = data.draw(st.integers(0, len(self.proposals) - 1))
        told, at_us = self.proposals[number], self.at_us
        is_open = not told.get("ended") and at_us < told["until"]
        if dropped:
            fact = ProposalDropped(number + 1, by)
            code = self.ask(lambda world: drop(world, fact, at_us))
        else:
            units = self.transferred("owner", told["to"], told["asked"])
            may = is_open and by == APPROVER != told["by"] and units is not None and len(units) == told["wh"]
            approved = ActApproved(number + 1, by)
            code = self.expects(lambda world: approve(world, approved, at_us), units if may else None, "approve")
        told["ended"] = told.get("ended") or not code
