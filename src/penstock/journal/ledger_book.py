"""The ledger: micro-dollars that accounts hold, by double entry.

Only transfers change balances. They are entered in a bracket that closes only if its debits equal its credits, and
that changes nothing before it closes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from penstock.errors import Corrupt, Invalid, Refused
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.register import Accounts


@dataclass(slots=True)
class Bracket:
    """Entries being made: the balances they would leave, by account, and the sums of both sides [micro-dollars]."""

    after: dict[int, int] = field(default_factory=dict)
    debits: int = 0
    credits: int = 0
    paid_in: int = 0
    paid_out: int = 0


class Ledger:
    """What each account holds. External accounts stand for the world outside and may go below zero."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._balances: dict[int, int] = {}
        self._paid_in = self._paid_out = 0

    @property
    def paid_in(self) -> int:
        """Everything that external accounts ever paid to others here [micro-dollars]."""
        return self._paid_in

    @property
    def paid_out(self) -> int:
        """Everything that external accounts ever received from others here [micro-dollars]."""
        return self._paid_out

    def balance(self, account: int) -> int:
        """What an account holds [micro-dollars]."""
        return self._balances.get(account, 0)

    def balances(self) -> dict[int, int]:
        """All balances by account number, of accounts that were ever in a transfer. A copy."""
        return dict(self._balances)

    def check(self, transfers: Iterable[Transfer]) -> Bracket:
        """Enter transfers in their order, without changing anything.

        Raises:
            NotFound: ``account.unknown``. Invalid: ``ledger.amount`` for an amount that is not above 0, or a transfer
            from an account to itself. Refused: ``ledger.overdrawn`` where a transfer takes more than is there.
        """
        bracket = Bracket()
        for transfer in transfers:
            self._enter(bracket, transfer)
        return bracket

    def _enter(self, bracket: Bracket, transfer: Transfer) -> None:
        source, target = self._accounts.id_of(transfer.source), self._accounts.id_of(transfer.target)
        if transfer.usdc_micro <= 0 or source == target:
            raise Invalid("ledger.amount", "A transfer takes an amount above 0 from one account to another.")
        self._debit(bracket, source, transfer)
        bracket.credits += transfer.usdc_micro
        bracket.after[target] = bracket.after.get(target, self.balance(target)) + transfer.usdc_micro
        outward = self._accounts.is_external(target) - self._accounts.is_external(source)
        bracket.paid_in += transfer.usdc_micro if outward < 0 else 0
        bracket.paid_out += transfer.usdc_micro if outward > 0 else 0

    def _debit(self, bracket: Bracket, source: int, transfer: Transfer) -> None:
        left = bracket.after.get(source, self.balance(source)) - transfer.usdc_micro
        if left < 0 and not self._accounts.is_external(source):
            raise Refused(
                "ledger.overdrawn",
                f"{transfer.source} lacks {-left} micro-dollars of the {transfer.usdc_micro} it would pay.",
                hint="Only external accounts go below zero.",
                account=transfer.source,
            )
        bracket.debits += transfer.usdc_micro
        bracket.after[source] = left

    def close(self, bracket: Bracket) -> None:
        """Make a bracket's entries count.

        Raises:
            Corrupt: ``ledger.unbalanced`` unless debits equal credits and the entries change no total.
        """
        moved = sum(after - self.balance(account) for account, after in bracket.after.items())
        if bracket.debits != bracket.credits or moved != 0:
            raise Corrupt("ledger.unbalanced", f"Debits of {bracket.debits} meet credits of {bracket.credits}.")
        self._balances.update(bracket.after)
        self._paid_in += bracket.paid_in
        self._paid_out += bracket.paid_out

    def post(self, transfers: Iterable[Transfer]) -> None:
        """Enter transfers and close, all or nothing; raises as `check`."""
        self.close(self.check(transfers))

    def digest(self) -> bytes:
        """sha256 over totals and balances."""
        said = [("in", self._paid_in), ("out", self._paid_out), *sorted(self._balances.items())]
        return hashlib.sha256("\n".join(f"{name}={value}" for name, value in said).encode()).digest()
