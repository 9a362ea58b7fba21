"""What a chain starts from, and opening the store that holds it: made once, recognised ever after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from penstock.chain.archive import Archive
from penstock.chain.evm import Evm
from penstock.chain.header import BASE_FEE_GENESIS, EMPTY_ROOT, GAS_LIMIT, ZERO_HASH, Header
from penstock.chain.state_store import StateStore, new_file, open_file, place
from penstock.errors import Conflict, Corrupt

CHAIN_ID: Final = 743_100
GENESIS_AT_S: Final = 1_735_689_600  # 2025-01-01T00:00:00Z, fixed so that equal parameters give an equal genesis
COINBASE: Final = b"\0" * 19 + b"\xfe"


@dataclass(frozen=True, slots=True)
class Genesis:
    """What a chain starts from; equal parameters give an equal genesis hash.

    ``alloc``: address -> balance [wei]. ``code``: address -> runtime code that stands there from the first block.
    """

    alloc: Mapping[bytes, int] = field(default_factory=dict)
    chain_id: int = CHAIN_ID
    at_s: int = GENESIS_AT_S
    gas_limit: int = GAS_LIMIT
    code: Mapping[bytes, bytes] = field(default_factory=dict)

    def header(self) -> Header:
        """The genesis header, its state root still empty."""
        empty = (ZERO_HASH, COINBASE, EMPTY_ROOT, EMPTY_ROOT, EMPTY_ROOT, bytes(256))
        return Header(*empty, 0, self.gas_limit, 0, self.at_s, BASE_FEE_GENESIS, b"penstock")


def open_chain(genesis: Genesis, path: Path | None, evm: Evm) -> StateStore:
    """The store of the chain that starts from ``genesis``: in memory, or in the file at ``path``, made where missing.

    Raises:
        Corrupt: ``chain.store_damaged``, ``chain.header``; a damaged file is never taken for a missing one.
        Conflict: ``chain.wrong_chain`` where the file holds another chain.
        Unavailable: ``chain.store_in_use``.
    """
    if path is None:
        return _found(genesis, StateStore(None), evm)
    if not path.exists():
        if path.with_name(path.name + "-wal").exists():
            raise Corrupt(
                "chain.store_damaged",
                "The chain's log is there but its file is not.",
                hint="Restore the chain folder from a backup.",
                path=path,
            )
        return place(_found(genesis, new_file(path), evm), path)
    store = open_file(path)
    try:
        _recognise(genesis, store, evm)
    except BaseException:
        store.close()
        raise
    return store


def _found(genesis: Genesis, store: StateStore, evm: Evm) -> StateStore:
    """Write the genesis block."""
    Archive(store, genesis.chain_id).save(_first_block(genesis, store, evm), [])
    store.write("insert into meta values (?, ?)", ("chain_id", str(genesis.chain_id).encode()))
    store.commit()
    return store


def _first_block(genesis: Genesis, store: StateStore, evm: Evm) -> Header:
    header = genesis.header()
    execution = evm.open(store, header, EMPTY_ROOT, ())
    for address in sorted(genesis.alloc.keys() | genesis.code.keys()):
        code = genesis.code.get(address, b"")
        execution.set_account(address, genesis.alloc.get(address, 0), code, 1 if code else 0)  # nonce 1: EIP-161
    return replace(header, state_root=execution.persist())


def _recognise(genesis: Genesis, store: StateStore, evm: Evm) -> None:
    archive = Archive(store, genesis.chain_id)
    first, head = archive.header(0), archive.head()
    if first is None or head is None:
        raise Corrupt(
            "chain.store_damaged",
            "The chain's file has no genesis or no head.",
            hint="Restore the chain folder from a backup.",
            path=store.path,
        )
    meta = store.row("select v from meta where k = 'chain_id'")
    wanted = _first_block(genesis, StateStore(None), evm).hash
    if first.hash != wanted or meta != (str(genesis.chain_id).encode(),):
        raise Conflict(
            "chain.wrong_chain",
            "The file holds another chain.",
            hint="Its genesis or its file was exchanged: put the right one back.",
            found=first.hash.hex(),
            wanted=wanted.hex(),
        )
    if head.state_root not in store:
        raise Corrupt(
            "chain.store_damaged",
            "The head's state is missing.",
            hint="Restore the chain folder from a backup.",
            number=head.number,
        )
