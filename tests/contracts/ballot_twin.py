"""``Ballot`` as plain Python over twins of its tranches: the same state, the same refusals in the same order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from twin import Twin, require

DAY_S = 86_400
VALID_S = 14 * DAY_S


@dataclass
class Proposal:
    """One vote. ``payload`` is whatever was hashed, the terms in force included."""

    kind: int
    payload: Any
    ends_at_s: int
    passed_at_s: int = 0
    reached: int = 0
    done: bool = False
    yes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    no: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    voted: set[tuple[str, int]] = field(default_factory=set)


@dataclass
class BallotTwin:
    """Rules are (classes as bits, share in basis points) by kind; ``lanes`` are those of the tranches."""

    tranches: list[Twin]
    rules: list[tuple[int, int]]
    vote_s: int
    delay_s: int
    lanes: tuple[int, ...]
    proposals: list[Proposal] = field(default_factory=list)
    terms: bytes = bytes(32)
    changes: int = 0
    deal_refuses: bool = False

    @property
    def now_s(self) -> int:
        return self.tranches[0].now_s

    def _may_propose(self, who: str, classes: int) -> bool:
        held = [one.holders[who].balance * 20 >= one.supply for i, one in enumerate(self.tranches) if classes >> i & 1]
        return who in ("sponsor", "trustee") or any(held)

    def propose(self, by: str, kind: int, payload: Any) -> int:
        require(kind < 3 and self.rules[kind][0] != 0, "ballot.kind")
        require(payload is not None, "ballot.no_hash")
        require(self._may_propose(by, self.rules[kind][0]), "ballot.not_a_proposer")
        self.proposals.append(Proposal(kind, payload, self.now_s + self.vote_s))
        return len(self.proposals)

    def _one(self, number: int) -> Proposal:
        require(0 < number <= len(self.proposals), "ballot.unknown")
        return self.proposals[number - 1]

    def vote(self, by: str, number: int, tranche: int, support: bool) -> None:
        one = self._one(number)
        classes, share_bp = self.rules[one.kind]
        require(one.passed_at_s == 0, "ballot.passed")
        require(self.now_s < one.ends_at_s, "ballot.over")
        require(bool(classes >> tranche & 1), "ballot.class")
        require((by, tranche) not in one.voted, "ballot.voted")
        token = self.tranches[tranche]
        before = vars(token.holders[by]).copy()
        shares = token.cast("governor", by, one.ends_at_s)
        if not shares:
            vars(token.holders[by]).update(before)
        require(shares != 0, "ballot.no_shares")
        one.voted.add((by, tranche))
        (one.yes if support else one.no)[tranche] += shares
        if support and one.yes[tranche] * 10_000 >= token.supply * share_bp:
            one.reached |= 1 << tranche
            one.passed_at_s = self.now_s if one.reached == classes else 0

    def execute(self, number: int, kind: int, payload: Any, lane: int | None = None) -> None:
        require(lane is None or (lane < 256 and lane not in self.lanes), "ballot.lane")
        one = self._one(number)
        require(one.kind == kind, "ballot.kind")
        require(not one.done, "ballot.done")
        require(one.passed_at_s != 0, "ballot.not_passed")
        ready_at_s = one.passed_at_s + self.delay_s
        require(self.now_s >= ready_at_s, "ballot.delay")
        require(self.now_s < ready_at_s + VALID_S, "ballot.expired")
        require(one.payload == payload, "ballot.payload")
        require(not self.deal_refuses, "deal.refuses")
        one.done = True
        self.changes += 1
