"""Transactions that wait: by sender and nonce, admitted by the rules wallets know.

Pure: what the pool needs of the state (nonce, balance) comes as arguments. Messages are worded as wallets match them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from penstock.chain.tx import INITCODE_BYTES_MAX, Tx
from penstock.errors import Refused

WAITING_MAX = 50_000
NONCE_AHEAD_MAX = 1_000


class Mempool:
    """Waiting transactions; of one sender at most one per nonce."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, dict[int, Tx]] = {}
        self._by_hash: dict[bytes, Tx] = {}
        self.added: set[bytes] = set()  # since the waiting list was last saved
        self.removed: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, tx_hash: bytes) -> Tx | None:
        """The waiting transaction of that hash."""
        return self._by_hash.get(tx_hash)

    def add(self, tx: Tx) -> Tx | None:
        """Let ``tx`` wait; returns the one it replaces.

        Raises:
            Refused: ``chain.already_known``, ``chain.underpriced``, ``chain.pool_full``.
        """
        if tx.hash in self._by_hash:
            raise Refused("chain.already_known", "already known", tx=tx.hash.hex())
        old = self._by_sender.get(tx.sender, {}).get(tx.nonce)
        if old is not None and not _outbids(tx, old):
            raise Refused("chain.underpriced", "replacement transaction underpriced", tx=old.hash.hex())
        if old is None and len(self._by_hash) >= WAITING_MAX:
            raise Refused("chain.pool_full", "txpool is full")
        if old is not None:
            self.remove(old)
        self._by_sender.setdefault(tx.sender, {})[tx.nonce] = tx
        self._by_hash[tx.hash] = tx
        self.added.add(tx.hash)
        self.removed.discard(tx.hash)
        return old

    def remove(self, tx: Tx) -> None:
        """Take ``tx`` out, where it waits."""
        if self._by_hash.pop(tx.hash, None) is not None:
            (self.added.discard if tx.hash in self.added else self.removed.add)(tx.hash)
            mine = self._by_sender[tx.sender]
            del mine[tx.nonce]
            if not mine:
                del self._by_sender[tx.sender]

    def settle(self, removed: Iterable[bytes] = ()) -> None:
        """Count additions and removals anew, from a saved list that still holds ``removed``."""
        self.added, self.removed = set(), set(removed)

    def ready(self, nonce_of: Callable[[bytes], int]) -> Iterator[Tx]:
        """Those that can run now, in order of arrival as far as each sender's nonces allow.

        One whose nonce is used up already (an EIP-7702 authorization takes one too) comes as well, to be refused.
        """
        expected: dict[bytes, int] = {}
        passed: set[bytes] = set()
        for tx in list(self._by_hash.values()):
            passed.add(tx.hash)
            if tx.sender not in expected:
                expected[tx.sender] = nonce_of(tx.sender)
            if tx.nonce < expected[tx.sender]:
                yield tx
                continue
            mine = self._by_sender[tx.sender]
            while (turn := mine.get(expected[tx.sender])) is not None and turn.hash in passed:
                expected[tx.sender] += 1
                yield turn

    def next_nonce(self, sender: bytes, nonce: int) -> int:
        """The first nonce from ``nonce`` on that no waiting transaction of ``sender`` has taken."""
        mine = self._by_sender.get(sender, {})
        while nonce in mine:
            nonce += 1
        return nonce


def admit(tx: Tx, nonce: int, balance: int, code: bytes, gas_limit: int, base_fee: int) -> None:
    """Whether a sender with this ``nonce``, ``balance`` [wei] and ``code`` may send ``tx``.

    Raises:
        Refused: ``chain.nonce_too_low``, ``chain.nonce_too_high``, ``chain.insufficient_funds``,
            ``chain.gas_too_low``, ``chain.gas_limit``, ``chain.tip_above_cap``, ``chain.fee_below_base``,
            ``chain.initcode_size``, ``chain.sender_not_account`` (EIP-3607).
    """
    if tx.nonce < nonce:
        raise Refused("chain.nonce_too_low", f"nonce too low: next nonce {nonce}, tx nonce {tx.nonce}")
    if tx.nonce > nonce + NONCE_AHEAD_MAX:
        raise Refused("chain.nonce_too_high", f"nonce too high: next nonce {nonce}, tx nonce {tx.nonce}")
    if tx.gas < tx.least_gas:
        raise Refused("chain.gas_too_low", f"intrinsic gas too low: gas {tx.gas}, minimum needed {tx.least_gas}")
    if tx.gas > gas_limit:
        raise Refused("chain.gas_limit", "exceeds block gas limit")
    if tx.max_priority_fee_per_gas > tx.max_fee_per_gas:
        raise Refused("chain.tip_above_cap", "max priority fee per gas higher than max fee per gas")
    if tx.max_fee_per_gas < base_fee:
        raise Refused("chain.fee_below_base", f"max fee per gas less than block base fee: baseFee {base_fee}")
    if not tx.to and len(tx.data) > INITCODE_BYTES_MAX:
        raise Refused("chain.initcode_size", "max initcode size exceeded")
    if code and not code.startswith(b"\xef\x01\x00"):
        raise Refused("chain.sender_not_account", "sender not an eoa")
    if balance < tx.value + tx.gas * tx.max_fee_per_gas:
        raise Refused("chain.insufficient_funds", "insufficient funds for gas * price + value")


def _outbids(new: Tx, old: Tx) -> bool:
    """A replacement raises both the cap and the tip by a tenth."""
    return all(
        getattr(new, fee) * 10 >= getattr(old, fee) * 11 and getattr(new, fee) > getattr(old, fee)
        for fee in ("max_fee_per_gas", "max_priority_fee_per_gas")
    )
