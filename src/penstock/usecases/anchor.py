"""Anchor: sign the journal's head, put it on chain with the proof that it extends the last."""

from __future__ import annotations

from penstock.journal.checkpoint import Checkpoint, sign
from penstock.journal.fact import Entry
from penstock.journal.kinds.chain import CheckpointAnchored
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.keys import SigningKey
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.workspace import Workspace


def sign_checkpoint(workspace: Workspace, key: str, origin: str, log_key: SigningKey, at_us: int) -> CheckpointSigned:
    """Sign the tree as it stands and record the note; repeated under one ``key``, the first note comes back."""
    tree = workspace.tree()
    size = len(tree)
    checkpoint = Checkpoint(origin, size, tree.root(size))
    signed = CheckpointSigned(size, checkpoint.root, sign(checkpoint, origin, log_key))
    receipt = workspace.submit(key, key.encode(), at_us, lambda _: [Entry(signed)])
    (row,) = workspace.facts(receipt.first_seq, receipt.first_seq + 1)
    if not isinstance(row.recorded.fact, CheckpointSigned):
        raise TypeError(key)
    return row.recorded.fact


def anchor_checkpoint(workspace: Workspace, desk: ChainDesk, checkpoint: CheckpointSigned, at_us: int) -> None:
    """Publish a signed checkpoint and record, once it is final, that it stands. A repeat changes nothing."""
    size, root = checkpoint.size, checkpoint.root
    anchored: tuple[int, bytes] = desk.view("Anchor", "latest")
    if anchored[0] < size:
        proof = workspace.tree().consistency_proof(anchored[0], size) if anchored[0] else ()
        desk.act(f"anchor:{size}", "Anchor", "publish", size, root, anchored[0], list(proof))
    fact = CheckpointAnchored(size, root)
    workspace.submit(f"anchored:{size}", root, at_us, lambda _: [Entry(fact)])
