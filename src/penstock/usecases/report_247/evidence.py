"""What a report rests on: the facts themselves, each proven in one tree, and which of them each figure needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.errors import Invalid, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.chain import CheckpointAnchored
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.journal.segment import Column
from penstock.journal.tree import leaf_hash
from penstock.journal.tree_proof import verify_inclusion
from penstock.usecases.replay import segment_ref
from penstock.usecases.workspace import Workspace

RESTS_ON: Final = {
    "drawn": ("readings",),
    "matched": ("readings", "claims", "certificates"),
    "volume": ("readings", "claims", "certificates", "retirements"),
    "carbon_free": ("readings", "claims", "certificates", "factors"),
    "location": ("readings", "factors"),
    "market_annual": ("readings", "claims", "certificates", "retirements", "factors"),
    "market_hourly": ("readings", "claims", "certificates", "factors"),
    "avoided": ("readings", "claims", "certificates", "factors"),
}
"""Which groups of facts each figure needs."""


@dataclass(frozen=True, slots=True)
class Head:
    """The tree that proofs lead to: its size and root, its signed note (empty: none yet), whether it is anchored."""

    size: int
    root: bytes
    note: str
    anchored: bool


def head_of(workspace: Workspace, size: int, last: int) -> Head:
    """The newest signed tree of the first ``size`` facts that holds fact ``last``; else the tree of all of them."""
    signed: CheckpointSigned | None = None
    anchored = 0
    for row in workspace.facts(0, size):
        match row.recorded.fact:
            case CheckpointSigned() as fact if fact.size > last:
                signed = fact
            case CheckpointAnchored() as fact:
                anchored = max(anchored, fact.size)
    if signed is None:
        return Head(size, workspace.tree().root(size), "", False)
    return Head(signed.size, signed.root, signed.note, anchored >= signed.size)


def evidence(
    workspace: Workspace,
    size: int,
    groups: Mapping[str, Iterable[int]],
    rests_on: Mapping[str, Sequence[str]] = RESTS_ON,
) -> dict[str, Any]:
    """Every fact of the groups with its proof, and which figure needs which group."""
    seqs = {name: sorted({int(seq) for seq in found}) for name, found in groups.items()}
    needed = sorted({seq for found in seqs.values() for seq in found})
    head, tree = head_of(workspace, size, needed[-1] if needed else 0), workspace.tree()
    facts = [_fact(workspace, seq, tree.inclusion_proof(seq, head.size)) for seq in needed]
    return {
        "size": head.size,
        "root": head.root.hex(),
        "note": head.note,
        "anchored": head.anchored,
        "groups": seqs,
        "rests_on": {figure: list(names) for figure, names in rests_on.items()},
        "facts": facts,
    }


def _fact(workspace: Workspace, seq: int, proof: Iterable[bytes]) -> dict[str, Any]:
    (row,) = workspace.facts(seq, seq + 1)
    recorded: Recorded = row.recorded
    ref = segment_ref(recorded.fact)
    return {
        "seq": seq,
        "kind": recorded.fact.KIND,
        "rows": ref.rows if ref else 0,
        "segment_root": ref.root.hex() if ref else "",
        "body": recorded.body.decode(),
        "proof": [one.hex() for one in proof],
    }


def check_evidence(told: Mapping[str, Any]) -> int:
    """Check every proof of a report, offline; returns how many facts stand in its tree.

    Raises:
        Unverified: ``report.evidence`` where one does not.
    """
    try:
        root, size = bytes.fromhex(told["root"]), int(told["size"])
        for fact in told["facts"]:
            proof = [bytes.fromhex(one) for one in fact["proof"]]
            verify_inclusion(leaf_hash(fact["body"].encode()), int(fact["seq"]), size, proof, root)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, Invalid, Unverified) as error:
        hint = "Do not rely on this report."
        raise Unverified(
            "report.evidence", "A fact does not stand in the tree that the report names.", hint=hint
        ) from error
    return len(told["facts"])


def seqs_of(*columns: Column) -> list[int]:
    """The distinct facts that columns name; -1 names none."""
    found = np.unique(np.concatenate(columns)) if columns else np.zeros(0, dtype=np.int64)
    return [int(seq) for seq in found if seq >= 0]
