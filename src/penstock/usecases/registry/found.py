"""Found: a workspace gets a chain of its own, with the contracts that certificates are lifted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.chain.client import ChainClient
from penstock.chain.keystore import COST_LOG2
from penstock.chain.provider import NodeProvider
from penstock.errors import Corrupt, Refused
from penstock.keys import ChainKey
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.launch import BASE, QUORUM, Roles, adopt_chain
from penstock.usecases.open_log import opening
from penstock.usecases.own_chain import found_chain, has_chain
from penstock.usecases.registry.chain_certificates import BASE_URI
from penstock.usecases.registry.lift import CONTRACTS, found_certificates
from penstock.usecases.sealed_keys import sealed_key
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
FUNDS_WEI: Final = 10**24
ATTESTERS: Final = ("attester-1", "attester-2", "attester-3")


@dataclass(frozen=True, slots=True)
class Founding:
    """Where the operator's keys are, sealed under a passphrase; who attests [20 bytes each], else keys made there.

    ``base_uri`` is where badges and certificates are shown.
    """

    keys: Path
    passphrase: str
    attesters: Sequence[bytes] = ()
    base_uri: str = BASE_URI
    cost_log2: int = COST_LOG2


def found(workspace: Workspace, asked: Founding, at_us: int) -> Row:
    """Found the workspace's own chain, deploy what certificates need, and record which chain it is; resumable.

    Raises:
        Refused: ``log.unnamed`` before the log has a name, ``chain.attesters`` for fewer than the quorum or one twice.
        Corrupt: ``chain.lost`` where the chain that was acted on is gone. As `found_chain`, `adopt_chain`,
        `found_certificates` and `sealed_key`.
    """
    _check(workspace, asked)
    operator = sealed_key(asked.keys / "operator.json", ChainKey, asked.passphrase, cost_log2=asked.cost_log2)
    attesters = tuple(asked.attesters) or _own_attesters(asked)
    roles = Roles(attesters, operator.address, operator.address, operator.address)
    with found_chain(workspace.path, dict.fromkeys([operator.address, *attesters], FUNDS_WEI)) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), operator)
        adopt_chain(workspace, desk, roles, at_us)
        found_certificates(workspace, desk, asked.base_uri, at_us)
        identity = desk.identity
        contracts = {name: "0x" + desk.contract(name).address.hex() for name in (*BASE, *CONTRACTS)}
    return {
        "chain_id": identity.chain_id,
        "genesis": identity.genesis.hex(),
        "operator": "0x" + operator.address.hex(),
        "contracts": contracts,
    }


def _check(workspace: Workspace, asked: Founding) -> None:
    if opening(workspace) is None:
        hint = "penstock store init --origin NAME, in an empty workspace."
        raise Refused("log.unnamed", "What is anchored on a chain needs a log with a name.", hint=hint)
    if asked.attesters and not len(set(asked.attesters)) == len(asked.attesters) >= QUORUM:
        raise Refused("chain.attesters", f"A measure needs {QUORUM} attesters or more, each named once.")
    acted = any(row.tx_hash for row in workspace.store.outbox.rows())
    if acted and not has_chain(workspace.path):
        hint = "Restore the chain folder from a backup."
        raise Corrupt("chain.lost", "The chain that this workspace acted on is gone.", hint=hint, path=workspace.path)


def _own_attesters(asked: Founding) -> tuple[bytes, ...]:
    keys = (
        sealed_key(asked.keys / f"{name}.json", ChainKey, asked.passphrase, cost_log2=asked.cost_log2)
        for name in ATTESTERS
    )
    return tuple(key.address for key in keys)
