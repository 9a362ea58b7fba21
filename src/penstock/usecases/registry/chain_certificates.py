"""A workspace's certificates and its own chain: what was lifted is sent there, what was burned is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from penstock.chain.client import ChainClient
from penstock.chain.provider import NodeProvider
from penstock.errors import NotFound
from penstock.journal.kinds.chain import ChainAdopted
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.keys import ChainKey, SigningKey
from penstock.period import SECOND_US
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.open_log import opening
from penstock.usecases.own_chain import open_chain
from penstock.usecases.registry.lift import batches, found_certificates, mint, open_batch
from penstock.usecases.registry.lower import lapse_on, take_in
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
BASE_URI: Final = "http://127.0.0.1:8000"
"""Where badges and certificates are shown, unless somebody says otherwise: the served pages."""


@contextmanager
def own_desk(workspace: Workspace, key: ChainKey, at_us: int, base_uri: str = BASE_URI) -> Iterator[ChainDesk]:
    """The operator's desk at the workspace's own chain, which knows the contracts of certificates.

    Raises:
        NotFound: ``chain.none_here``. As `open_chain` and `found_certificates`.
    """
    with open_chain(workspace.path) as node:
        desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), key)
        for one in _adopted(workspace).contracts:
            desk.know(one.name, one.name, one.address)
        found_certificates(workspace, desk, base_uri, at_us)
        yield desk


def _adopted(workspace: Workspace) -> ChainAdopted:
    for row in workspace.facts():
        if isinstance(row.recorded.fact, ChainAdopted):
            return row.recorded.fact
    hint = "Run: penstock certificate chain found"
    raise NotFound("chain.none_here", "This workspace knows no chain yet.", hint=hint)


def send(
    workspace: Workspace,
    desk: ChainDesk,
    log_key: SigningKey,
    at_us: int,
    step: Callable[[int], None] = lambda _: None,
) -> list[Row]:
    """Anchor the journal as it stands, open every batch that waits, and mint its rows to their holders; resumable.

    Raises as `sign_checkpoint`, `anchor_checkpoint`, `open_batch` and `mint`.
    """
    final_s = desk.client.head().at_s
    waiting = [row for row in batches(workspace) if not row["lapsed"] and row["deadline_s"] > final_s]
    newest = max((row["batch"] for row in waiting), default=-1)
    if waiting and desk.view("Anchor", "latest")[0] <= newest:
        anchor_checkpoint(workspace, desk, _checkpoint(workspace, newest, log_key, at_us), at_us)
    sent = []
    for row in waiting:
        open_batch(workspace, desk, row["batch"])
        sent.append({**row, "minted_rows": mint(workspace, desk, row["batch"])})
        step(1)
    return sent


def _checkpoint(workspace: Workspace, newest: int, log_key: SigningKey, at_us: int) -> CheckpointSigned:
    """The first signed checkpoint that covers a fact; signed now where there is none."""
    for row in workspace.facts(newest + 1):
        if isinstance(row.recorded.fact, CheckpointSigned) and row.recorded.fact.size > newest:
            return row.recorded.fact
    return sign_checkpoint(workspace, f"checkpoint:lift:{newest}", _origin(workspace), log_key, at_us)


def collect(workspace: Workspace, desk: ChainDesk, at_us: int) -> dict[str, list[Row]]:
    """Record what was burned on chain, and take back what nobody minted in time. Raises as `take_in`, `lapse_on`."""
    return {"burned": take_in(workspace, desk, at_us), "lapsed": lapse_on(workspace, desk, at_us)}


def retire(
    desk: ChainDesk, key: str, certificate: bytes, quantity_wh: int, beneficiary: str, purpose: str
) -> dict[str, Any]:
    """Retire what the desk's own account holds, for a badge; once per ``key``. Raises as `ChainDesk.act`."""
    desk.act(f"retire:{key}", "Certificate", "retire", int.from_bytes(certificate), quantity_wh, beneficiary, purpose)
    found = [one for one in desk.events("Certificate", "Retired") if one["purpose"] == purpose]
    return {"badge": int(found[-1]["badge"]), "number": int(found[-1]["number"]), "energy_wh": quantity_wh}


def deadline_s(at_us: int, days: int) -> int:
    """So many days after an instant [s]."""
    return at_us // SECOND_US + days * 86_400


def _origin(workspace: Workspace) -> str:
    opened = opening(workspace)
    if opened is None:
        raise NotFound("chain.none_here", "This journal does not say what it is called.")
    return opened.origin
