"""The registry unit by unit: a dictionary of every Wh, folded from the facts by rules written down a second time.

Slow, small and plain. It knows nothing of spans that are kept together, of plans or of indexes: each fact is unfolded
into units, and each unit's next state has to follow on the one it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock.journal.fact import Recorded
from penstock.journal.kinds.device import EpochOpened, RegisterCorrected
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.kinds.lift import ReturnCause, TitlesLifted, TitlesReturned
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.words import TITLE_STATES, LinkKind, Right
from penstock.usecases.registry.storage import UNCERTIFIED
from penstock.usecases.world import World

Place = tuple[int, int]  # register, unit
Owned = tuple[str, int]  # state, holder
Units = dict[Place, Owned]

LIVE = ("held", "reserved", "expired")
USED = ("claimed", "retired", "lifted", "exported")
NEXT = {
    "held": ("held", "reserved", "lifted", "claimed", "retired", "withdrawn", "expired", "exported"),
    "reserved": ("held", "claimed", "retired", "withdrawn", "expired"),
    "lifted": ("held", "claimed", "retired"),
    "claimed": ("withdrawn",),
    "expired": ("withdrawn",),
    "exported": ("held",),
    "retired": (),
    "withdrawn": (),
}


@dataclass(frozen=True)
class Made:
    """What a unit was issued as: its interval, until when it is valid (0: for ever), where, and from storage or not."""

    interval_us: int
    length_us: int
    valid_until_us: int
    zone: str
    stored: bool

    def expired(self, at_us: int) -> bool:
        return bool(self.valid_until_us) and at_us >= self.valid_until_us

    @property
    def cell(self) -> tuple[str, int, int]:
        return self.zone, self.interval_us, self.length_us


@dataclass
class Model:
    """Every unit of every right; what it was made as, kept for, linked to; what is on chain; what issuers owe.

    ``number`` is a register's number by its name, ``issues`` whether it issues a right.
    """

    number: Callable[[str], int]
    issues: Callable[[int, Right], bool]
    units: dict[Right, Units] = field(default_factory=lambda: {right: {} for right in Right})
    made: dict[Right, dict[Place, Made]] = field(default_factory=lambda: {right: {} for right in Right})
    starts: dict[Right, set[Place]] = field(default_factory=lambda: {right: set() for right in Right})
    heads: Counter[tuple[Right, int]] = field(default_factory=Counter)
    kept: dict[Place, tuple[str, int]] = field(default_factory=dict)
    forward: dict[LinkKind, dict[Place, Place]] = field(default_factory=lambda: {kind: {} for kind in LinkKind})
    back: dict[LinkKind, dict[Place, Place]] = field(default_factory=lambda: {kind: {} for kind in LinkKind})
    vault: dict[bytes, list[Place]] = field(default_factory=dict)
    due: tuple[set[Place], str] | None = None
    lifts: dict[int, tuple[bytes, list[list[Place]], list[int]]] = field(default_factory=dict)
    burned: int = 0
    follows: dict[int, int] = field(default_factory=dict)
    true_wh: dict[int, int] = field(default_factory=dict)
    taken_back: set[Place] = field(default_factory=set)
    undone: set[Place] = field(default_factory=set)
    owed: Counter[tuple[Right, int]] = field(default_factory=Counter)
    covers: set[tuple[Right, Place]] = field(default_factory=set)
    fresh: list[tuple[Right, Place]] = field(default_factory=list)
    worthless: set[Place] = field(default_factory=set)
    above: dict[int, set[int]] = field(default_factory=dict)

    def of(self, right: Right = Right.ATTRIBUTE) -> Units:
        return self.units[right]

    # Facts, one after the other.

    def apply(self, recorded: Recorded, columns: Any) -> None:
        match recorded.fact:
            case TitlesIssued() as fact:
                self._issue(fact, columns)
            case TitlesMoved() as fact:
                self._move(fact, columns, recorded.at_us)
            case SpansLinked() as fact:
                self._link(fact, columns)
            case TitlesLifted() as fact:
                self._lift(fact, columns, recorded.seq)
            case TitlesReturned() as fact:
                self._give_back(fact)
            case CertificatesWithdrawn():
                self._withdraw(columns)
            case RegisterCorrected() as fact:
                self.true_wh[self.number(fact.register)] = fact.true_wh
            case EpochOpened() as fact:
                self._follow(fact)

    def _issue(self, fact: TitlesIssued, columns: Any) -> None:
        owned, told = self.units[fact.right], self.made[fact.right]
        for register, start, stop, holder, interval_us in rows(columns, "register", *SPAN, "holder", "interval_us"):
            assert start == self.heads[fact.right, register] < stop
            valid_until_us = interval_us + fact.interval_us + fact.valid_us if fact.valid_us else 0
            made = Made(interval_us, fact.interval_us, valid_until_us, fact.zone, fact.stored)
            for unit in range(start, stop):
                owned[register, unit], told[register, unit] = ("held", holder), made
                self.fresh.append((fact.right, (register, unit)))
            self.starts[fact.right].add((register, start))
            self.heads[fact.right, register] = stop

    def _move(self, fact: TitlesMoved, columns: Any, at_us: int) -> None:
        moved: set[Place] = set()
        for register, start, stop, source, target in rows(columns, "register", *SPAN, "source", "target"):
            for unit in range(start, stop):
                self._move_unit(fact, (register, unit), source, target, at_us)
                assert (register, unit) not in moved
                moved.add((register, unit))
            self._cut(fact.right, register, start, stop)
        if fact.right is Right.ATTRIBUTE and self.due is not None:
            assert self.due == (moved, fact.state.value)
            self.due = None

    def _move_unit(self, fact: TitlesMoved, place: Place, source: int, target: int, at_us: int) -> None:
        state, holder = self.units[fact.right][place]
        into = fact.state.value
        assert holder == source and into in NEXT[state]
        if fact.purpose == UNCERTIFIED:
            self.worthless.add(place)
        if fact.right is Right.ATTRIBUTE:
            self._check_attribute(fact, place, (state, source != target), at_us)
        self.units[fact.right][place] = (into, target)

    def _check_attribute(self, fact: TitlesMoved, place: Place, was: tuple[str, bool], at_us: int) -> None:
        state, goes, into = was[0], was[1], fact.state.value
        if "lifted" in (state, into):
            assert self.due is not None and place in self.due[0]
        if state == "claimed":
            assert place in self.undone
        if state in ("held", "reserved"):
            late, freed = self.made[fact.right][place].expired(at_us), state == "reserved" and into == "held"
            assert late == (into == "expired") or into == "withdrawn" or (late and freed and not goes)
        if state == "reserved" and into not in ("withdrawn", "expired"):
            assert self.kept_from(place, fact.beneficiary, at_us) is False
        self.kept.pop(place, None)
        if into == "reserved":
            self.kept[place] = (fact.beneficiary, fact.stop_us)

    def _cut(self, right: Right, register: int, start: int, stop: int) -> None:
        self.starts[right].add((register, start))
        if stop < self.heads[right, register]:
            self.starts[right].add((register, stop))

    def kept_from(self, place: Place, beneficiary: str, at_us: int) -> bool:
        """Whether a unit is kept for somebody else."""
        told = self.kept.get(place)
        if told is None:
            return False
        who, until_us = told
        return not (until_us and at_us >= until_us) and who != beneficiary

    def _link(self, fact: SpansLinked, columns: Any) -> None:
        names = ("source", "source_start", "source_stop", "target", "target_start", "target_stop")
        for source, first, last, target, low, high in rows(columns, *names):
            if fact.link is LinkKind.AVOID:
                continue
            assert last - first == high - low
            for number in range(last - first):
                self._link_unit(fact.link, (source, first + number), (target, low + number))

    def _link_unit(self, kind: LinkKind, source: Place, target: Place) -> None:
        assert source not in self.forward[kind] and target not in self.back[kind]
        self.forward[kind][source], self.back[kind][target] = target, source

    def _lift(self, fact: TitlesLifted, columns: Any, seq: int) -> None:
        assert self.due is None
        pieces = [[(r, unit) for unit in range(a, b)] for r, a, b in rows(columns, "register", *SPAN)]
        places = [place for piece in pieces for place in piece]
        assert len(places) == fact.quantity == len(set(places))
        self.lifts[seq] = fact.certificate, pieces, [self.of()[piece[0]][1] for piece in pieces]
        self.vault.setdefault(fact.certificate, []).extend(places)
        self.due = set(places), "lifted"

    def _give_back(self, fact: TitlesReturned) -> None:
        assert self.due is None
        queue = self.vault[fact.certificate]
        assert 0 < fact.quantity <= len(queue)
        if fact.cause is ReturnCause.LAPSED:
            taken, queue[:] = queue[-fact.quantity :], queue[: -fact.quantity]
        else:
            assert fact.number == self.burned
            self.burned += 1
            taken, queue[:] = queue[: fact.quantity], queue[fact.quantity :]
        into = {ReturnCause.RETIRED: "retired", ReturnCause.CLAIMED: "claimed"}.get(fact.cause, "held")
        self.due = set(taken), into

    def _cover(self) -> None:
        """The next units that a register issues cover what it owes; those without a certificate behind them do not."""
        for right, place in self.fresh:
            bare = right is Right.ATTRIBUTE and place in self.worthless
            if self.owed[right, place[0]] and not bare:
                self.owed[right, place[0]] -= 1
                self.covers.add((right, place))
        self.fresh.clear()

    def _withdraw(self, columns: Any) -> None:
        """What is taken back of claimed units is what of storage's certificates is live behind them."""
        self._cover()
        named = {(r, unit) for r, a, b in rows(columns, "register", *SPAN) for unit in range(a, b)}
        assert not named & self.taken_back
        found = self.reach(named)
        self.undone |= {place for place in found if self.of()[place][0] == "claimed"}
        self.taken_back |= named
        for register, _ in named - found:
            self.owed[Right.ATTRIBUTE, self.heir(register)] += 1

    def _follow(self, fact: EpochOpened) -> None:
        """Another register goes on. What of one that was corrected is used above its true position is owed."""
        self._cover()
        before, after = self.number(fact.predecessor), self.number(fact.register)
        self.follows[before] = after
        if before in self.true_wh:
            self.above[before] = self._used_above(before)
            assert fact.debt_wh == len(self.above[before])
        for right in (Right.ATTRIBUTE, Right.ENERGY, Right.CONSUMPTION):
            if self.issues(before, right):
                self.owed[right, after] += self.owed.pop((right, before), 0) + fact.debt_wh

    def _used_above(self, register: int) -> set[int]:
        """Units above a true position that somebody used in any right, or that cover a debt."""
        rights = (Right.ATTRIBUTE, Right.ENERGY, Right.CONSUMPTION)
        head = max(self.heads[right, register] for right in rights)
        above = [(register, unit) for unit in range(self.true_wh[register], head)]
        return {
            place[1]
            for place in above
            if any(self.of(right).get(place, ("", 0))[0] in USED or (right, place) in self.covers for right in rights)
            or any(place in links for links in self.forward.values())
        }

    def reach(self, named: set[Place]) -> set[Place]:
        """What of named units is withdrawn, and of storage's certificates that came of them."""
        found: set[Place] = set()
        for place in named:
            found |= self._reach(place)
        return found

    def _reach(self, place: Place) -> set[Place]:
        state = self.of().get(place, ("", 0))[0]
        if state in LIVE:
            return {place}
        if state != "claimed" or place not in self.forward[LinkKind.CLAIM]:
            return set()
        out = self.forward[LinkKind.STORE].get(self.forward[LinkKind.CLAIM][place])
        deeper = self._reach(out) if out is not None else set()
        return {place} | deeper if deeper else set()

    def heir(self, register: int) -> int:
        """The register that goes on where this one ended."""
        while register in self.follows:
            register = self.follows[register]
        return register

    # What holds at any time.

    def check(self, world: World) -> None:
        """The books say of every unit what the model says."""
        self._cover()
        for right in Right:
            owned: Units = {}
            starts: set[Place] = set()
            for register, start, stop, holder, state in rows(
                world.books.titles[right].columns(), "register", *SPAN, "holder", "state"
            ):
                starts.add((register, start))
                owned |= dict.fromkeys(((register, unit) for unit in range(start, stop)), (word(state), holder))
            assert owned == self.units[right]
            assert starts == self.starts[right]
        self._check_sums(world)
        self._check_chain()
        self._check_origins()
        self._check_debts()
        self._check_owed(world)

    def _check_sums(self, world: World) -> None:
        """What was issued is, state by state, what accounts have."""
        for right, owned in self.units.items():
            book = world.books.titles[right]
            counted = Counter((holder, state) for state, holder in owned.values())
            for (holder, state), wh in counted.items():
                assert book.balance(holder, TITLE_STATES[STATE_CODES[state]]) == wh
            assert sum(counted.values()) == sum(wh for (one, _), wh in self.heads.items() if one is right)

    def _check_chain(self) -> None:
        """What is lifted is in the vault, and nothing else is."""
        lifted = {place for place, (state, _) in self.of().items() if state == "lifted"}
        there = [place for queue in self.vault.values() for place in queue]
        assert len(there) == len(set(there)) and set(there) == lifted and self.due is None

    def _check_origins(self) -> None:
        """What stands of a storage's certificates came of one claimed unit each."""
        for place, made in self.made[Right.ATTRIBUTE].items():
            state = self.of()[place][0]
            if made.stored and state != "withdrawn":
                origin = self.back[LinkKind.CLAIM][self.back[LinkKind.STORE][place]]
                assert self.of()[origin][0] == "claimed"

    def _check_owed(self, world: World) -> None:
        """Each register owes what is used of what it gave and was taken back, or was never counted."""
        owed: Counter[tuple[Right, int]] = Counter()
        for right, register, start, stop in world.books.corrections.debts:
            owed[right, register] += max(stop - max(start, self.heads[right, register]), 0)
        assert +owed == +self.owed

    def _check_debts(self) -> None:
        """What covers a debt is withdrawn; above a true position nothing is live but what is used in another right."""
        assert all(self.of(right)[place][0] == "withdrawn" for right, place in self.covers)
        assert all(self.of()[place][0] == "withdrawn" for place in self.worthless)
        for owned in self.units.values():
            for (register, unit), (state, _) in owned.items():
                gone = register in self.true_wh and unit >= self.true_wh[register] and unit not in self.above[register]
                assert not gone or state not in LIVE


SPAN = ("start", "stop")
STATE_CODES = {state.value: code for code, state in enumerate(TITLE_STATES)}


def word(code: int) -> str:
    return TITLE_STATES[code].value


def rows(columns: Any, *names: str) -> Iterator[tuple[int, ...]]:
    return zip(*(columns[name].tolist() for name in names), strict=True)
