"""The embedded chain: takes signed transactions, builds blocks, answers from any past state.

A transaction is acknowledged only after the block, or the waiting list that holds it, is committed. Whatever is refused
leaves no trace; whatever fails inside leaves the chain as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Self

from penstock.chain.archive import Archive, Entry, entry, join_blooms, ordered_root
from penstock.chain.evm import Evm, Execution, Outcome, PragueEvm
from penstock.chain.genesis import CHAIN_ID as CHAIN_ID
from penstock.chain.genesis import COINBASE as COINBASE
from penstock.chain.genesis import Genesis as Genesis
from penstock.chain.genesis import open_chain
from penstock.chain.header import Header, check_child, next_base_fee
from penstock.chain.mempool import Mempool, admit
from penstock.chain.state_store import StateStore
from penstock.chain.tx import Tx, decode
from penstock.errors import Corrupt, PenstockError, Refused


def wall_clock() -> int:
    """The real time [s since 1970]; the one place of this edge that reads it."""
    return int(time.time())


class Node:
    """One chain in one process. Every public method takes the lock, so reads and block building never interleave.

    Args:
        genesis: the chain's parameters.
        path: the SQLite file, made where missing; None keeps the chain in memory.
        now: the clock [s since 1970]; a block's time is the later of its floor and the parent's time.
        automine: a block for each sending; else transactions wait for `mine`.

    Raises:
        Corrupt: ``chain.store_damaged``, ``chain.header``.
        Conflict: ``chain.wrong_chain`` where the file holds another chain.
        Unavailable: ``chain.store_in_use``.
    """

    def __init__(
        self,
        genesis: Genesis,
        path: Path | None = None,
        *,
        now: Callable[[], int] = wall_clock,
        automine: bool = True,
        evm: Evm | None = None,
    ) -> None:
        self.genesis = genesis
        self.chain_id = genesis.chain_id
        self.automine = automine
        self.lock = RLock()
        self._now = now
        self._evm = evm or PragueEvm(genesis.chain_id)
        self._store = open_chain(genesis, path, self._evm)
        self.archive = Archive(self._store, genesis.chain_id)
        self.pool = Mempool()
        self.head = self._head()
        self._view: Execution | None = None
        self._faulty: set[bytes] = set()
        self._restore()

    def _head(self) -> Header:
        head = self.archive.head()
        if head is None:
            raise Corrupt(
                "chain.store_damaged",
                "The chain's file has no head.",
                hint="Restore the chain folder from a backup.",
                path=self._store.path,
            )
        return head

    def _restore(self) -> None:
        """Take head and waiting transactions from what is committed."""
        self.head = self._head()
        self._view = None
        self.pool = Mempool()
        for (raw,) in self._store.rows("select raw from pool order by arrived"):
            tx = decode(raw, self.chain_id)
            self.pool.add(tx)
            if tx.hash in self._faulty:
                self.pool.remove(tx)
        self.pool.settle(self._faulty)
        self._fresh: list[tuple[Header, list[Entry]]] = []

    def close(self) -> None:
        """Release the file."""
        with self.lock:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # sending

    def send(self, raw: bytes) -> bytes:
        """Take one signed transaction; its hash, once durable. Raises as `decode`, `admit` and `Mempool.add`."""
        (result,) = self.send_many([raw])
        if isinstance(result, PenstockError):
            raise result
        return result

    def send_many(self, raws: Sequence[bytes]) -> list[bytes | PenstockError]:
        """Take many, in one block as far as its gas allows; for each its hash or why it was refused."""
        with self.lock, self._durable():
            results = [self._taken(raw) for raw in raws]
            refused = self._mine_ready() if self.automine else {}
            self._save_waiting()
        return [refused.get(result, result) if isinstance(result, bytes) else result for result in results]

    def mine(self) -> Header:
        """Build one block of what waits, empty if nothing does."""
        with self.lock, self._durable():
            self._build()
            self._save_waiting()
            return self.head

    @contextmanager
    def _durable(self) -> Iterator[None]:
        """All of the work inside, or none of it."""
        try:
            yield
            self._store.commit()
        except BaseException:
            self._store.rollback()
            self._restore()
            raise
        for header, entries in self._fresh:
            self.archive.note(header, entries)
        self._fresh = []

    def _taken(self, raw: bytes) -> bytes | PenstockError:
        try:
            tx = decode(raw, self.chain_id)
            view = self.view
            nonce, balance, code = view.nonce(tx.sender), view.balance(tx.sender), view.code(tx.sender)
            admit(tx, nonce, balance, code, self.head.gas_limit, next_base_fee(self.head))
            self.pool.add(tx)
        except PenstockError as refused:
            return refused
        return tx.hash

    def _mine_ready(self) -> dict[bytes, PenstockError]:
        """Blocks until nothing more can run; what turned out not to be valid, with why."""
        refused: dict[bytes, PenstockError] = {}
        while len(self.pool):
            before = len(self.pool)
            refused |= self._build(only_filled=True)
            if len(self.pool) == before:
                break
        return refused

    def _build(self, only_filled: bool = False) -> dict[bytes, PenstockError]:
        draft = self.next_header()
        execution = self.view
        execution.enter(draft, self.archive.ancestors(draft.number))
        entries, refused = self._run(draft, execution)
        if entries or not only_filled:
            self._seal(draft, execution, entries)
        return refused

    def _run(self, draft: Header, execution: Execution) -> tuple[list[Entry], dict[bytes, PenstockError]]:
        entries: list[Entry] = []
        refused: dict[bytes, PenstockError] = {}
        stuck: set[bytes] = set()
        gas = logs = 0
        for tx in self.pool.ready(self.view.nonce):
            if tx.sender in stuck or gas + tx.gas > draft.gas_limit or tx.max_fee_per_gas < draft.base_fee:
                stuck.add(tx.sender)
                continue
            self.pool.remove(tx)
            try:
                outcome = execution.apply(tx)
            except Refused as why:
                refused[tx.hash] = why
                stuck.add(tx.sender)
                continue
            except Exception:
                self._faulty.add(tx.hash)  # the engine failed on it: it must not stop the chain again
                raise
            entries.append(entry(tx, outcome, draft, len(entries), logs, gas))
            gas += outcome.gas_used
            logs += len(outcome.logs)
        return entries, refused

    def _seal(self, draft: Header, execution: Execution, entries: list[Entry]) -> None:
        header = replace(
            draft,
            state_root=execution.persist(),
            tx_root=ordered_root([e.mined.tx.raw for e in entries]),
            receipt_root=ordered_root([e.receipt() for e in entries]),
            bloom=join_blooms(entries),
            gas_used=entries[-1].mined.gas_cumulative if entries else 0,
        )
        check_child(header, self.head)
        self.archive.save(header, entries)
        self._fresh.append((header, entries))
        self.head = header

    def _save_waiting(self) -> None:
        """Make the stored waiting list equal the one in memory."""
        pool = self.pool
        if pool.removed:
            self._store.write("delete from pool where hash = ?", *((tx_hash,) for tx_hash in pool.removed))
        fresh = [tx for tx in map(pool.get, pool.added) if tx is not None] if pool.added else []
        if fresh:
            self._store.write("insert into pool(hash, raw) values (?, ?)", *((tx.hash, tx.raw) for tx in fresh))
        pool.settle()

    # reading

    def next_header(self) -> Header:
        """The header of the block that would come now, still empty."""
        return self.head.child(self._now(), COINBASE)

    @property
    def view(self) -> Execution:
        """The state after the head, kept warm: blocks are built on it, everybody else only reads."""
        if self._view is None:
            self._view = self.state(self.head)
        return self._view

    def state(self, header: Header) -> Execution:
        """The state after block ``header``, in that block's environment."""
        return self._evm.open(self._store, header, header.state_root, self.archive.ancestors(header.number))

    def account_at(self, address: bytes, root: bytes) -> tuple[int, int]:
        """Nonce and balance [wei] of an account in the state of ``root``."""
        at_head = root == self.head.state_root
        view = self.view if at_head else self._evm.open(self._store, self.head, root, ())
        return view.nonce(address), view.balance(address)

    def call(self, tx: Tx, header: Header, root: bytes) -> Outcome:
        """What ``tx`` would come to on ``root`` in the environment of ``header``, without cost and without trace.

        Raises:
            Refused: as `Execution.apply`.
        """
        free = replace(header, base_fee=0)
        with self.lock:
            return self._evm.open(self._store, free, root, self.archive.ancestors(header.number)).apply(tx)

    @property
    def nodes(self) -> StateStore:
        """The trie nodes, for proofs."""
        return self._store
