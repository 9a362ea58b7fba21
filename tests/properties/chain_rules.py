"""Rules of a machine whose certificates leave for a chain that may be reorganised, and come back from it."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import hypothesis.strategies as st
import numpy as np
from acts import PICK, Acting, act
from hypothesis.stateful import invariant
from lifting import BatchTuple, Row
from registry_scene import ACCOUNTS, ZONE, Scene
from reorg_chain import Chain, Contract, minted_rows
from unit_model import Place, Units

from penstock.journal.kinds.lift import TitlesLifted
from penstock.journal.words import Right
from penstock.period import HOUR_US, QUARTER_HOUR_US, SECOND_US
from penstock.usecases.certify import Terms, certify
from penstock.usecases.registry.lift import ON_CHAIN, Lifting, batch_words, lift, proofs
from penstock.usecases.registry.lower import burns_of, lapsed, returned
from penstock.usecases.registry.selection import Named, Selection, select

ANYBODY = st.sampled_from(ACCOUNTS)
LENGTHS = st.sampled_from([QUARTER_HOUR_US, 2 * QUARTER_HOUR_US, HOUR_US])
HOLDERS: Final = [f"0x{number:040x}" for number in (1, 2)]
HOLDER = st.sampled_from(HOLDERS)
LOWERED_TO = st.sampled_from([*ACCOUNTS, "somebody unknown", ""])
WORDS: Final = {"Lowered": "account", "Retired": "purpose", "Claimed": "subject"}
"""What else each burn's event says."""
Asked = tuple[str, Selection]
REACHED: Counter[str] = Counter()
"""What happened how often, so that a machine can be seen to do what it is for."""


class Template:
    """A founded registry, copied for each example."""

    _folder: Path | None = None

    @classmethod
    def copied(cls, into: Path) -> Scene:
        if cls._folder is None:
            cls._folder = Path(tempfile.mkdtemp(prefix="registry-")) / "founded"
            Scene(cls._folder).founded().workspace.store.close()
        copytree(cls._folder, into)
        return Scene(into)


class ChainRules(Acting):
    """A registry that counts and certifies, and a chain."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.scene = Template.copied(Path(self.temporary.name) / "registry")
        self.chain = Chain(self.scene.at_us // SECOND_US)
        self.anchored: list[int] = []
        self.seen: set[str] = set()
        self.scene.meter(4, roof=40, turbine=10, home=15, inlet=10)
        self.scene.meter(2, roof=9, turbine=6, home=9)
        self.ask(lambda world: certify(world, self.scene.readings, ZONE, Terms(QUARTER_HOUR_US)))
        for wh, to, seconds in ((7, HOLDERS[0], 36_000), (5, HOLDERS[1], 3_600)):
            asked = Lifting("owner", bytes.fromhex(to[2:]), self.at_us // SECOND_US + seconds)
            self.lift_chosen("owner", Selection(quantity_wh=wh), asked)
            if to == HOLDERS[0]:
                self.send_all(2)

    def teardown(self) -> None:
        try:
            self.scene.close()
        finally:
            self.scene.workspace.store.close()
            self.temporary.cleanup()

    # What rules are made of.

    @property
    def at_us(self) -> int:
        return self.scene.at_us

    def ask(self, decide: Any) -> str:
        return self.scene.ask(decide)

    def expects(self, decide: Any, expected: Units | None, name: str = "") -> str:
        """An act changes exactly these units - or, None, is refused."""
        before = dict(self.scene.model.of())
        code = self.ask(decide)
        assert (code == "") == (expected is not None), (name, code, expected)
        REACHED[f"{name}: {code or 'done'}"] += 1
        after = self.scene.model.of()
        changed = {place: owned for place, owned in after.items() if before.get(place) != owned}
        assert changed == {place: owned for place, owned in (expected or {}).items() if before.get(place) != owned}
        return code

    def number(self, account: str) -> int:
        return self.scene.world.books.accounts.id_of(account)

    def titles(self) -> list[tuple[int, int, int, str, str]]:
        """Register, start, stop, holder and state of every certificate."""
        books, spans = self.scene.world.books, self.scene.model.starts[Right.ATTRIBUTE]
        found = []
        for register, start in sorted(spans):
            stops = [at for one, at in spans if one == register and at > start]
            stop = min(stops, default=self.scene.model.heads[Right.ATTRIBUTE, register])
            state, holder = self.scene.model.of()[register, start]
            found.append((register, start, stop, books.accounts.name(holder), state))
        return found

    def drawn_asked(self, data: st.DataObject, *states: str) -> Asked:
        """Whose, and a certificate or a part of it, or a quantity or share; at times not theirs or one unit beside."""
        wanted = [one for one in self.titles() if not states or one[-1] in states] or self.titles()
        register, start, stop, holder, _ = data.draw(st.sampled_from(wanted))
        account = data.draw(st.sampled_from([*[holder] * 4, *ACCOUNTS]))
        how = data.draw(st.sampled_from(["part", "whole", "beside", "quantity", "part", "share"]))
        if how == "quantity":
            return account, Selection(quantity_wh=data.draw(st.integers(1, 30)))
        if how == "share":
            return account, Selection(share_basis_points=data.draw(st.integers(1, 10_000)))
        low = data.draw(st.integers(start, stop - 1)) if how == "part" else start
        high = data.draw(st.integers(low + 1, stop)) if how == "part" else stop
        urn = self.scene.world.books.registers.urn(register)
        return account, Selection((Named(urn, low, high + (how == "beside")),))

    def chosen(
        self, account: str, asked: Selection, states: tuple[str, ...] = ("held",), timely: bool = True
    ) -> list[Place] | None:
        """The units that a selection comes to; None where it is refused. As `select`, unit by unit."""
        model, holder = self.scene.model, self.number(account)
        owned = model.of()
        made = model.made[Right.ATTRIBUTE]
        if asked.spans:
            (span,) = asked.spans
            register = self.scene.world.books.registers.id_of(span.register)
            places = [(register, unit) for unit in range(span.start, span.stop)]
            fits = all(
                place in owned
                and owned[place][1] == holder
                and owned[place][0] in states
                and not (timely and made[place].expired(self.at_us))
                for place in places
            )
            return places if fits else None
        first = states[:1]
        mine = [place for place, one in owned.items() if one[0] in first and one[1] == holder]
        mine = [place for place in mine if not (timely and made[place].expired(self.at_us))]
        mine.sort(key=lambda place: (made[place].interval_us, place))
        wanted = asked.quantity_wh or len(mine) * asked.share_basis_points // 10_000
        return mine[:wanted] if 0 < wanted <= len(mine) else None

    def usable(self, account: str, asked: Selection, beneficiary: str) -> list[Place] | None:
        """As `chosen`; named ones may be reserved for whom they are used, or for whom the time has passed."""
        places = self.chosen(account, asked, ("held", "reserved"))
        if places is None or any(self.scene.model.kept_from(one, beneficiary, self.at_us) for one in places):
            return None
        return places

    # Time goes on here, and what was counted is certified.

    @act(quarters=st.integers(1, 4), roof=st.integers(0, 20), turbine=st.integers(0, 9), home=st.integers(0, 15))
    def count(self, quarters: int, roof: int, turbine: int, home: int) -> None:
        self.scene.meter(quarters, roof=roof, turbine=turbine, home=home)
        self.ask(lambda world: certify(world, self.scene.readings, ZONE, Terms(QUARTER_HOUR_US)))

    @act(length_us=LENGTHS, valid=st.integers(0, 3))
    def issue(self, length_us: int, valid: int) -> None:
        terms = Terms(length_us, valid_us=valid * HOUR_US)
        self.ask(lambda world: certify(world, self.scene.readings, ZONE, terms))

    # Certificates leave.

    @act(data=PICK, to=HOLDER, seconds=st.sampled_from([36_000, 3_600, 900, 300, 0]))
    def lift(self, data: st.DataObject, to: str, seconds: int) -> None:
        account, asked = self.drawn_asked(data, "held")
        deadline_s = self.at_us // SECOND_US + seconds
        self.lift_chosen(account, asked, Lifting(account, bytes.fromhex(to[2:]), deadline_s))

    def lift_chosen(self, account: str, asked: Selection, asks: Lifting) -> None:
        at_us = self.at_us
        places = self.chosen(account, asked) if asks.deadline_s * SECOND_US > at_us else None
        chain = self.number(ON_CHAIN)
        expected: Units | None = None if places is None else dict.fromkeys(places, ("lifted", chain))
        self.expects(
            lambda world: lift(world, select(world, account, asked, at_us=at_us), asks, at_us), expected, "lift"
        )

    def batches(self) -> list[int]:
        return list(self.scene.model.lifts)

    def batch(self, number: int) -> BatchTuple:
        (row,) = self.scene.workspace.facts(number, number + 1)
        assert isinstance(row.recorded.fact, TitlesLifted)
        return batch_words(row.recorded.fact, row.recorded.at_us)

    @act()
    def anchor(self) -> None:
        size = self.scene.workspace.store.size()
        root = self.scene.workspace.tree().root(size)
        self.anchored.append(size)
        self.chain.send(lambda contract, _: contract.twin.roots.__setitem__(size, root))

    @act(lambda self: self.batches() and self.anchored, data=PICK)
    def open(self, data: st.DataObject) -> None:
        number, size = data.draw(st.sampled_from(self.batches())), data.draw(st.sampled_from(self.anchored))
        batch = self.batch(number)
        proof = list(self.scene.workspace.tree().inclusion_proof(number, size)) if number < size else []
        self.chain.send(lambda contract, at_s: contract.twin.open(at_s, batch, number, size, proof))

    @act(lambda self: self.batches(), data=PICK, forged=st.sampled_from([False, False, False, True]))
    def mint(self, data: st.DataObject, forged: bool) -> None:
        number = data.draw(st.sampled_from(self.batches()))
        batch = self.batch(number)
        told = data.draw(st.sampled_from(list(proofs(self.scene.workspace, number))))
        self.send_row(batch, told["index"], told["row"], told["proof"], forged)

    @act(lambda self: self.batches(), blocks=st.integers(0, 4))
    def send_all(self, blocks: int) -> None:
        """What the operator's desk does: anchor, open every batch, mint every row."""
        self.anchor()
        size, workspace = self.anchored[-1], self.scene.workspace
        for number in self.batches():
            batch, proof = self.batch(number), list(workspace.tree().inclusion_proof(number, size))
            self.chain.send(lambda c, at_s, b=batch, n=number, p=proof: c.twin.open(at_s, b, n, size, p))  # type: ignore[misc]
            for told in proofs(workspace, number):
                self.send_row(batch, told["index"], told["row"], told["proof"])
        for _ in range(blocks):
            self.chain.mine(self.chain.head.at_s)

    def send_row(self, batch: BatchTuple, index: int, said: Any, proof: list[bytes], forged: bool = False) -> None:
        register, start, stop, holder = said
        row: Row = (register, start, stop + forged, f"0x{bytes(holder).hex()}")
        self.chain.send(lambda contract, at_s: contract.twin.lift(at_s, batch, index, row, proof))

    # There they change hands, and are burned.

    def on_chain(self, data: st.DataObject) -> tuple[int, str, int]:
        """An id, whose, and an amount: mostly of what is there."""
        there = [(place, amount) for place, amount in self.chain.head.state.twin.balances.items() if amount]
        if not there:
            return 1, HOLDERS[0], 1
        (certificate, holder), amount = data.draw(st.sampled_from(there))
        return certificate, holder, data.draw(st.sampled_from([amount, max(amount // 2, 1), 1, amount + 1]))

    @act(data=PICK, to=HOLDER)
    def pass_on(self, data: st.DataObject, to: str) -> None:
        certificate, holder, amount = self.on_chain(data)
        self.chain.send(lambda contract, _: contract.twin.transfer(holder, holder, to, [(certificate, amount)]))

    @act(data=PICK, event=st.sampled_from(["Lowered", "Lowered", "Retired", "Claimed"]), account=LOWERED_TO)
    def burn(self, data: st.DataObject, event: str, account: str) -> None:
        self.burn_of(*self.on_chain(data), event, account)
        if data.draw(st.booleans()):
            self.chain.mine(self.chain.head.at_s)

    def burn_of(self, certificate: int, holder: str, amount: int, event: str, account: str) -> None:

        def act(contract: Contract, at_s: int) -> None:
            twin = contract.twin
            if event == "Lowered":
                twin.lower(holder, certificate, amount, account)
            elif event == "Retired":
                twin.retire(at_s, holder, [(certificate, amount)], "somebody", account)
            else:
                twin.claim(holder, holder, holder, certificate, amount)
            said = {"id": certificate, "holder": holder, "amount": amount, WORDS[event]: account or "x"}
            contract.burn(event, said | ({"badge": len(twin.badges)} if event == "Retired" else {}))

        self.chain.send(act)

    @act(seconds=st.sampled_from([12, 0, 600, 4_000]), blocks=st.sampled_from([1, 4, 2, 3]), data=PICK)
    def mine(self, seconds: int, blocks: int, data: st.DataObject) -> None:
        """Blocks: the first takes what waits, or some of it in another order."""
        waiting = self.chain.waiting
        some = data.draw(st.booleans()) and len(waiting) > 1
        order = data.draw(st.permutations(range(len(waiting)))) if some else list(range(len(waiting)))
        taken = [waiting[at] for at in order[: len(order) - some]]
        for number in range(blocks):
            self.chain.mine(self.chain.head.at_s + seconds, taken if number == 0 else None)

    @act(depth=st.integers(1, 4), lost=st.booleans())
    def reorganise(self, depth: int, lost: bool) -> None:
        """The last blocks are gone; what they held waits again, or is lost."""
        before = self.chain.head.state
        gone = self.chain.forget(depth)
        after = self.chain.head.state
        REACHED["burn forgotten"] += len(after.burns) < len(before.burns)
        REACHED["mint forgotten"] += sum(b.minted for b in before.twin.batches.values()) > sum(
            b.minted for b in after.twin.batches.values()
        )
        if lost and gone:
            del self.chain.waiting[: (gone + 1) // 2]

    # What is final comes back.

    @act()
    def collect(self) -> None:
        final = self.chain.final.state
        for burn in burns_of(final.burns)[self.scene.world.books.vault.next_number :]:
            assert self.ask(lambda world, b=burn: returned(world, b)) == "", burn
            REACHED[f"returned: {burn.cause.value}"] += 1
        for number, told in list(self.scene.world.books.vault.lifts.items()):
            if not told.lapsed and self.chain.final.at_s >= told.fact.deadline_s:
                self.lapse(number)

    def lapse(self, number: int) -> None:
        """By what the head says: nothing is minted from the deadline on, so no fork says otherwise any more."""
        minted = np.array(list(minted_rows(self.chain.head.state.twin, self.batch(number))))
        if not minted.all():
            assert self.ask(lambda world: lapsed(world, number, minted)) == ""
            REACHED["lapsed"] += 1

    @act(lambda self: self.batches(), data=PICK)
    def lapse_at_will(self, data: st.DataObject) -> None:
        """What lapsed does not lapse again."""
        number = data.draw(st.sampled_from(self.batches()))
        if self.scene.world.books.vault.lifts[number].lapsed:
            count = self.batch(number)[5]
            assert self.ask(lambda world: lapsed(world, number, np.zeros(count, dtype=bool))) != ""

    @act(lambda self: self.chain.head.state.burns, data=PICK)
    def burn_out_of_turn(self, data: st.DataObject) -> None:
        """What was taken in is not taken in again, and none before its turn."""
        for burn in burns_of(self.chain.head.state.burns):
            if burn.number != self.scene.world.books.vault.next_number:
                assert self.ask(lambda world, b=burn: returned(world, b)) == "vault.order"
        later = replace(burns_of(self.chain.head.state.burns)[0], number=10**6)
        assert self.ask(lambda world: returned(world, later)) == "vault.order"

    # What holds after every step.

    @invariant()
    def laws_hold_and_every_unit_is_as_the_model_says(self) -> None:
        self.scene.check()

    @invariant()
    def one_place(self) -> None:
        """By whichever block the chain ends: what lives there or may still be minted has left from here, Wh for Wh."""
        for block in (self.chain.head, self.chain.final):
            self.check_block(block.at_s, block.state)

    def check_block(self, at_s: int, state: Contract) -> None:
        model, vault = self.scene.model, self.scene.world.books.vault
        there = dict.fromkeys(model.vault, 0)
        for (certificate, _), amount in state.twin.balances.items():
            if amount:
                there[certificate.to_bytes(32)] += amount
        for burn in burns_of(state.burns)[vault.next_number :]:
            there[burn.certificate] += burn.quantity
        for number, (name, pieces, _) in model.lifts.items():
            batch = self.batch(number)
            left = [len(piece) for piece, done in zip(pieces, minted_rows(state.twin, batch), strict=True) if not done]
            assert at_s >= batch[2] or not vault.lifts[number].lapsed
            there[name] += 0 if vault.lifts[number].lapsed else sum(left)
        assert there == {name: len(queue) for name, queue in model.vault.items()}
