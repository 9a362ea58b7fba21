"""The contracts Tranche, Registry and Dollar as plain Python: the same integers, the same refusals, no chain.

Every refusal carries the contract's own reason. Amounts are Python integers, so nothing here can overflow; where the
contract would, the twin says so by hand.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

SCALE_BITS = 64
WHOLE = 2**256 - 1
ACCUMULATOR_MAX = 2**152 - 1
WEEK_S = 7 * 86_400
FORCE_VALID_S = 30 * 86_400
CAST_MAX_S = 31 * 86_400


class Refusal(Exception):
    """What the contract would revert with."""


def require(holds: bool, reason: str) -> None:
    """Raise ``Refusal(reason)`` unless ``holds``."""
    if not holds:
        raise Refusal(reason)


@dataclass
class Admission:
    """A holder in the registry; a removed one keeps only its freeze."""

    expires_at_s: int = 0
    investor_class: int = 0
    frozen: bool = False


@dataclass
class Holder:
    """One holder's slot and its neighbours."""

    balance: int = 0
    settled_at: int = 0
    credit: int = 0
    barred: bool = False
    part_frozen: int = 0
    cast: int = 0
    arrived: int = 0
    until_s: int = 0


@dataclass
class Twin:
    """The whole house. Keys are names of accounts; time is ``now_s``."""

    supply: int
    classes: int
    force_delay_s: int
    now_s: int
    registry: dict[str, Admission] = field(default_factory=lambda: defaultdict(Admission))
    holders: dict[str, Holder] = field(default_factory=lambda: defaultdict(Holder))
    allowance: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    dollars: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    forces: dict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))
    accumulator: int = 0
    dust: int = 0
    lane_unpaid: int = 0
    settlements: int = 0
    pause_flag: bool = False
    paused_until_s: int = 0

    # ------------------------------------------------------------ registry

    def admit(self, by: str, holder: str, investor_class: int, expires_at_s: int) -> None:
        require(by == "registrar", "roles.not_holder")
        require(expires_at_s > self.now_s, "registry.expired")
        entry = self.registry[holder]
        self.registry[holder] = Admission(expires_at_s, investor_class, entry.frozen)

    def remove(self, by: str, holder: str) -> None:
        require(by == "registrar", "roles.not_holder")
        require(self.registry[holder].expires_at_s != 0, "registry.unknown")
        self.registry[holder] = Admission(frozen=self.registry[holder].frozen)

    def move(self, by: str, lost: str, replacement: str) -> None:
        require(by == "registrar", "roles.not_holder")
        old, new = self.registry[lost], self.registry[replacement]
        require(old.expires_at_s != 0, "registry.unknown")
        require(new.expires_at_s == 0, "registry.known")
        self.registry[lost] = Admission(frozen=old.frozen)
        self.registry[replacement] = Admission(old.expires_at_s, old.investor_class, old.frozen or new.frozen)

    def registry_freeze(self, by: str, holder: str, frozen: bool) -> None:
        require(by == "compliance", "roles.not_holder")
        self.registry[holder].frozen = frozen

    def may_hold(self, holder: str) -> bool:
        entry = self.registry[holder]
        in_class = bool(self.classes >> entry.investor_class & 1)
        return not entry.frozen and entry.expires_at_s > self.now_s and in_class

    # ----------------------------------------------------------- transfers

    def owed(self, holder: str) -> int:
        one = self.holders[holder]
        return one.credit + (one.balance * (self.accumulator - one.settled_at) >> SCALE_BITS)

    def settle(self, holder: str) -> None:
        one = self.holders[holder]
        one.credit, one.settled_at = self.owed(holder), self.accumulator
        self.settlements += 1

    def paused(self) -> bool:
        return self.pause_flag and self.now_s < self.paused_until_s

    def transfer(self, by: str, receiver: str, amount: int) -> None:
        self.transfer_many(by, [(receiver, amount)])

    def transfer_many(self, by: str, parts: list[tuple[str, int]]) -> None:
        """Checks in the contract's order: single transfers ask the registry first, batches the balance."""
        total = sum(amount for _, amount in parts)
        one = self.holders[by]
        batch = len(parts) != 1
        require(not batch or one.balance >= total, "tranche.balance")
        for receiver, _ in parts:
            self._check_one(by, receiver, total, batch=batch)
        self.settle(by)
        one.balance -= total
        for receiver, amount in parts:
            self.settle(receiver)
            self.holders[receiver].balance += amount

    def _check_one(self, by: str, receiver: str, total: int, *, batch: bool) -> None:
        require(not self.registry[by].frozen and self.may_hold(receiver), "tranche.registry")
        one = self.holders[by]
        if not batch:
            require(one.balance >= total, "tranche.balance")
        require(not self.paused(), "tranche.paused")
        require(not (one.barred or self.holders[receiver].barred), "tranche.barred")
        require(one.part_frozen == 0 or one.part_frozen <= one.balance - total, "tranche.frozen")
        require(self.cast_shares(by)[0] <= one.balance - total, "tranche.cast")

    def approve(self, by: str, spender: str, amount: int) -> None:
        self.allowance[by, spender] = amount

    def transfer_from(self, by: str, sender: str, receiver: str, amount: int) -> None:
        allowed = self.allowance[sender, by]
        require(allowed >= amount, "tranche.allowance")
        self.transfer(sender, receiver, amount)
        if allowed != WHOLE:
            self.allowance[sender, by] -= amount

    # -------------------------------------------------------------- income

    def fill(self, amount: int) -> None:
        self.lane_unpaid += amount

    def pull(self) -> int:
        received, self.lane_unpaid = self.lane_unpaid, 0
        self.dollars["tranche"] += received
        grown, self.dust = divmod((received << SCALE_BITS) + self.dust, self.supply) if received else (0, self.dust)
        self.accumulator += grown
        return received

    def withdraw(self, by: str, receiver: str) -> int:
        require(not self.holders[by].barred, "tranche.barred")
        self.settle(by)
        amount, self.holders[by].credit = self.holders[by].credit, 0
        self.dollars["tranche"] -= amount
        self.dollars[receiver] += amount
        return amount

    def pay_many(self, holders: list[str]) -> int:
        return sum(self.withdraw(one, one) for one in holders if not self.holders[one].barred)

    # --------------------------------------------------------------- votes

    def cast_shares(self, holder: str) -> tuple[int, int]:
        """Shares that stay put, and until when; zeros where none."""
        one = self.holders[holder]
        return (one.cast, one.until_s) if self.now_s < one.until_s else (0, 0)

    def _open(self, holder: str) -> Holder:
        """The holder, without a lock that is over."""
        one = self.holders[holder]
        if self.now_s >= one.until_s:
            one.cast = one.arrived = one.until_s = 0
        return one

    def cast(self, by: str, holder: str, until_s: int) -> int:
        require(by == "governor", "tranche.not_governor")
        require(self.now_s < until_s <= self.now_s + CAST_MAX_S, "tranche.cast_time")
        require(not self.holders[holder].barred, "tranche.barred")
        require(not self.registry[holder].frozen, "tranche.registry")
        one = self._open(holder)
        one.cast, one.until_s = one.balance, max(until_s, one.until_s)
        return one.balance - one.arrived

    def _follow(self, holder: str, receiver: str, amount: int) -> None:
        old, new = self._open(holder), self._open(receiver)
        left = old.balance - amount
        moved = max(0, old.cast - left)
        if moved:
            old.cast, old.arrived = left, min(old.arrived, left)
            new.cast, new.arrived = new.cast + moved, new.arrived + moved
            new.until_s = max(new.until_s, old.until_s)

    # ---------------------------------------------------- freeze and pause

    def set_frozen(self, by: str, holder: str, amount: int) -> None:
        require(by == "agent", "roles.not_holder")
        self.holders[holder].part_frozen = amount

    def set_barred(self, by: str, holder: str, barred: bool) -> None:
        require(by == "agent", "roles.not_holder")
        self.holders[holder].barred = barred

    def pause(self, by: str) -> None:
        require(by == "guardian", "roles.not_holder")
        require(self.now_s >= self.paused_until_s + WEEK_S, "tranche.paused_lately")
        self.paused_until_s, self.pause_flag = self.now_s + WEEK_S, True

    def unpause(self, by: str) -> None:
        require(self.pause_flag, "tranche.not_paused")
        if self.now_s < self.paused_until_s:
            require(by == "guardian", "roles.not_holder")
            self.paused_until_s = self.now_s
        self.pause_flag = False

    # ------------------------------------------ forced transfer, recovery

    def propose_force(self, by: str, holder: str, receiver: str, amount: int) -> None:
        require(by == "agent", "roles.not_holder")
        require(holder != receiver, "tranche.same")
        require(self.now_s >= self.forces[holder, receiver, amount] + FORCE_VALID_S, "tranche.proposed")
        self.forces[holder, receiver, amount] = self.now_s + self.force_delay_s

    def cancel_force(self, by: str, holder: str, receiver: str, amount: int) -> None:
        require(self.forces[holder, receiver, amount] != 0, "tranche.not_proposed")
        own = by == holder and amount == WHOLE and not self.holders[holder].barred
        require(own or by in ("agent", "trustee"), "roles.not_holder")
        self.forces[holder, receiver, amount] = 0

    def _confirm(self, by: str, holder: str, receiver: str, amount: int) -> None:
        require(by == "trustee", "roles.not_holder")
        ready_at_s = self.forces[holder, receiver, amount]
        require(ready_at_s != 0, "tranche.not_proposed")
        require(self.now_s >= ready_at_s, "tranche.too_early")
        require(self.now_s < ready_at_s + FORCE_VALID_S, "tranche.too_late")
        require(not self.holders[receiver].barred, "tranche.barred")
        require(self.may_hold(receiver), "tranche.registry")

    def _force(self, holder: str, receiver: str, amount: int) -> None:
        self._follow(holder, receiver, amount)
        self.settle(holder)
        self.settle(receiver)
        self.holders[holder].balance -= amount
        self.holders[receiver].balance += amount

    def forced_transfer(self, by: str, holder: str, receiver: str, amount: int) -> None:
        self._confirm(by, holder, receiver, amount)
        one = self.holders[holder]
        require(one.balance >= amount, "tranche.balance")
        one.part_frozen = min(one.part_frozen, one.balance - amount)
        self._force(holder, receiver, amount)
        self.forces[holder, receiver, amount] = 0

    def recover(self, by: str, lost: str, replacement: str) -> None:
        self._confirm(by, lost, replacement, WHOLE)
        old, new = self.holders[lost], self.holders[replacement]
        new.part_frozen, old.part_frozen = min(WHOLE, new.part_frozen + old.part_frozen), 0
        self._force(lost, replacement, old.balance)
        new.credit, old.credit = new.credit + old.credit, 0
        self.forces[lost, replacement, WHOLE] = 0
