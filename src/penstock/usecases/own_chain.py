"""A workspace's own chain: the embedded node over the folder ``chain``, its genesis written down beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from penstock.chain.node import Genesis, Node, wall_clock
from penstock.chain.well_known import well_known_code
from penstock.errors import Corrupt, NotFound
from penstock.usecases.workspace import CHAIN_FOLDER

GENESIS_FILE: Final = "genesis.json"
NODE_FILE: Final = "chain.sqlite"


def has_chain(workspace: Path) -> bool:
    """Whether a chain was founded in this workspace."""
    return (workspace / CHAIN_FOLDER / GENESIS_FILE).is_file()


def chain_file(workspace: Path) -> Path:
    """The file of the workspace's chain."""
    return workspace / CHAIN_FOLDER / NODE_FILE


def found_chain(workspace: Path, alloc: Mapping[bytes, int], now: Callable[[], int] = wall_clock) -> Node:
    """Open the workspace's chain, founding it with ``alloc`` (address to balance [wei]) where there is none yet.

    A chain founded from now on starts with the contracts of `well_known`; their code is in its genesis file, so that
    a later edition of them leaves the chain what it is.

    Raises:
        As `Node` and `open_chain`.
    """
    folder = workspace / CHAIN_FOLDER
    if not has_chain(workspace):
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / GENESIS_FILE, Genesis(dict(alloc), code=well_known_code()))
    return open_chain(workspace, now)


def open_chain(workspace: Path, now: Callable[[], int] = wall_clock) -> Node:
    """Open the workspace's chain.

    Raises:
        NotFound: ``chain.none_here``. Corrupt: ``chain.genesis_damaged``. As `Node`.
    """
    folder = workspace / CHAIN_FOLDER
    if not has_chain(workspace):
        hint = "Run: penstock certificate chain found"
        raise NotFound("chain.none_here", "This workspace has no chain of its own.", hint=hint)
    return Node(_read(folder / GENESIS_FILE), chain_file(workspace), now=now)


def _write(path: Path, genesis: Genesis) -> None:
    body = {
        "alloc": {address.hex(): str(wei) for address, wei in sorted(genesis.alloc.items())},
        "chain_id": genesis.chain_id,
        "at_s": genesis.at_s,
        "gas_limit": genesis.gas_limit,
        "code": {address.hex(): code.hex() for address, code in sorted(genesis.code.items())},
    }
    draft = path.with_suffix(".new")
    with draft.open("w") as file:
        file.write(json.dumps(body, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _read(path: Path) -> Genesis:
    try:
        body = json.loads(path.read_text())
        alloc = {bytes.fromhex(address): int(wei) for address, wei in body["alloc"].items()}
        code = {bytes.fromhex(address): bytes.fromhex(one) for address, one in body.get("code", {}).items()}
        return Genesis(alloc, int(body["chain_id"]), int(body["at_s"]), int(body["gas_limit"]), code)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Corrupt(
            "chain.genesis_damaged",
            "The chain's genesis cannot be read.",
            hint="Restore the chain folder from a backup.",
            path=path,
        ) from None
