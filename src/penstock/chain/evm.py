"""The engine behind a small protocol: run transactions on a state, read it, give its new root.

`PragueEvm` is py-evm's Prague. Everything about blocks, storage and JSON-RPC lies outside, so another engine takes its
place by these few methods; the raw transactions and headers kept by the node let it replay the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from eth._utils.address import generate_contract_address
from eth.abc import AtomicDatabaseAPI, ComputationAPI, MessageAPI
from eth.exceptions import Revert
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState, PragueTransactionExecutor
from eth.vm.message import Message
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError
from eth_utils.logging import get_extended_debug_logger

from penstock.chain.accounts import WarmAccounts
from penstock.chain.header import Header
from penstock.chain.opcodes import LeanPrague
from penstock.chain.tx import Tx
from penstock.errors import Refused

EventLog = tuple[bytes, tuple[int, ...], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction or call came to. ``gas_peak`` is gas used before refunds; ``fault`` is empty on success."""

    gas_used: int
    gas_peak: int
    output: bytes
    logs: tuple[EventLog, ...]
    contract: bytes | None
    fault: str
    reverted: bool


class Execution(Protocol):
    """One state being built on, from a root and in a block's environment."""

    def apply(self, tx: Tx) -> Outcome:
        """Run ``tx``; a transaction that is not valid here leaves the state as it was and raises ``Refused``."""

    def enter(self, header: Header, ancestors: Iterable[bytes]) -> None:
        """Go on from the persisted state in the environment of ``header``."""

    def persist(self) -> bytes:
        """Write the new trie nodes and return the state root."""

    def nonce(self, address: bytes) -> int: ...

    def balance(self, address: bytes) -> int: ...

    def code(self, address: bytes) -> bytes: ...

    def storage(self, address: bytes, slot: int) -> int: ...

    def set_account(self, address: bytes, balance: int, code: bytes, nonce: int) -> None:
        """Place an account; for a genesis only."""


class Evm(Protocol):
    """An engine: opens executions."""

    def open(self, nodes: AtomicDatabaseAPI, header: Header, root: bytes, ancestors: Iterable[bytes]) -> Execution:
        """An execution over ``nodes`` from ``root`` in the environment of ``header``.

        ``ancestors`` are the hashes of earlier blocks, newest first, read only when BLOCKHASH asks.
        """


class _Executor(PragueTransactionExecutor):
    def build_evm_message(self, transaction: Any) -> MessageAPI:
        """Buy the gas, take the nonce, and say what is called. The engine's own also words a line for an unread log."""
        state, tx = cast(_State, self.vm_state), transaction
        state.delta_balance(tx.sender, -tx.gas * state.get_gas_price(tx))
        state.increment_nonce(tx.sender)
        refund = self.calc_message_refund(tx)
        gas = tx.gas - tx.intrinsic_gas
        if not tx.to:
            contract = generate_contract_address(Address(tx.sender), tx.nonce)
            return Message(gas, tx.to, tx.sender, tx.value, b"", tx.data, create_address=contract, refund=refund)
        code, delegate = self.get_code_at_address(tx.to)
        delegated = delegate is not None
        return Message(gas, tx.to, tx.sender, tx.value, tx.data, code, refund=refund, is_delegation=delegated)


class _State(PragueState):
    """Prague, without leaving an empty account where nothing was paid (EIP-161), its accounts kept warm."""

    account_db_class = WarmAccounts  # type: ignore[assignment]
    transaction_executor_class = _Executor
    computation_class = LeanPrague
    logger = get_extended_debug_logger("eth.vm.state")  # the engine's property looks it up at every use

    def set_system_contracts(self) -> None:
        """Nothing: they are in the genesis or not at all, and looking for them costs two reads an execution."""

    def delta_balance(self, address: Address, delta: int) -> None:
        if delta:
            super().delta_balance(address, delta)

    # One list of changes for accounts, slots, transient slots and warmth; the root moves only between transactions.

    def snapshot(self) -> Any:
        return self._account_db.record()

    def revert(self, snapshot: Any) -> None:
        self._account_db.discard(snapshot)

    def commit(self, snapshot: Any) -> None:
        """Nothing: what an outer checkpoint undoes is still on the list."""

    def get_transient_storage(self, address: Address, slot: int) -> bytes:
        return cast(WarmAccounts, self._account_db).get_transient(address, slot)

    def set_transient_storage(self, address: Address, slot: int, value: bytes) -> None:
        cast(WarmAccounts, self._account_db).set_transient(address, slot, value)

    def clear_transient_storage(self) -> None:
        """Nothing: `lock_changes` does it before every transaction."""


class PragueEvm:
    """py-evm's Prague for one chain id."""

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id

    def open(self, nodes: AtomicDatabaseAPI, header: Header, root: bytes, ancestors: Iterable[bytes]) -> Execution:
        state = _State(nodes, _context(header, ancestors, self.chain_id), Hash32(root))
        return _PragueExecution(state, self.chain_id)


def _context(header: Header, ancestors: Iterable[bytes], chain_id: int) -> ExecutionContext:
    return ExecutionContext(
        Address(header.coinbase), header.at_s, BlockNumber(header.number), 0, Hash32(bytes(32)), header.gas_limit,
        map(Hash32, ancestors), chain_id, header.base_fee, 0,
    )  # fmt: skip


class _PragueExecution:
    def __init__(self, state: Any, chain_id: int) -> None:
        self._state = state
        self._chain_id = chain_id

    def enter(self, header: Header, ancestors: Iterable[bytes]) -> None:
        self._state.execution_context = _context(header, ancestors, self._chain_id)

    def apply(self, tx: Tx) -> Outcome:
        if tx.gas < tx.least_gas:
            raise Refused("chain.gas_too_low", f"intrinsic gas too low: gas {tx.gas}, minimum needed {tx.least_gas}")
        self._state.lock_changes()
        snapshot = self._state.snapshot()
        try:
            computation = self._state.apply_transaction(tx)
        except ValidationError as refused:
            self._state.revert(snapshot)
            raise Refused("chain.tx_invalid", str(refused)) from None
        self._state.commit(snapshot)
        return self._outcome(tx, computation)

    def _outcome(self, tx: Tx, computation: ComputationAPI) -> Outcome:
        # The sum with which the engine settles balances. Its receipt code sums differently: it caps the refund by the
        # gas used with the EIP-7623 floor already in it.
        peak = tx.gas - computation.get_gas_remaining()
        refund = self._state.get_transaction_executor().calculate_gas_refund(computation, peak)
        used = peak - refund + cast(Any, computation).data_floor_gas
        failed = computation.is_error
        return Outcome(
            used,
            peak,
            computation.output,
            () if failed else computation.get_log_entries(),
            None if tx.to else generate_contract_address(Address(tx.sender), tx.nonce),
            (str(computation.error) or type(computation.error).__name__) if failed else "",
            failed and isinstance(computation.error, Revert),
        )

    def persist(self) -> bytes:
        self._state.persist()
        return cast(bytes, self._state.state_root)

    def nonce(self, address: bytes) -> int:
        return cast(int, self._state.get_nonce(address))

    def balance(self, address: bytes) -> int:
        return cast(int, self._state.get_balance(address))

    def code(self, address: bytes) -> bytes:
        return cast(bytes, self._state.get_code(address))

    def storage(self, address: bytes, slot: int) -> int:
        return cast(int, self._state.get_storage(address, slot))

    def set_account(self, address: bytes, balance: int, code: bytes, nonce: int) -> None:
        self._state.set_balance(address, balance)
        self._state.set_nonce(address, nonce)
        if code:
            self._state.set_code(address, code)
