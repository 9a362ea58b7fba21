"""Prove: trace an answer or a reading through the books, write the bundle of an answer or a certificate, check one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from penstock.errors import Invalid, NotFound, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns
from penstock.journal.tree import Proof
from penstock.journal.words import LinkKind
from penstock.span import Span
from penstock.trace import verify
from penstock.trace.bundle import build_bundle, build_certificate_bundle
from penstock.trace.lineage import Node, answer_span, back, forward, notes_of
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World


class JournalRecord:
    """A workspace as the record that a bundle is made from."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._rows: list[FactRow] = list(workspace.facts())

    def facts(self, start: int = 0, stop: int | None = None) -> Iterable[Recorded]:
        """Facts ``[start, stop)`` in order."""
        return (row.recorded for row in self._rows[start:stop])

    def columns(self, seq: int) -> Columns:
        """The columns of the segment that fact ``seq`` names. Raises NotFound ``trace.no_segment``."""
        columns = self._workspace.columns(self._rows[seq])
        if columns is None:
            raise NotFound("trace.no_segment", "This fact names no segment.", seq=seq)
        return columns

    def sealed(self, seq: int) -> SealedRows:
        """The same rows with all that proves them. Raises as `columns`."""
        sealed = self._workspace.sealed(self._rows[seq])
        if sealed is None:
            raise NotFound("trace.no_segment", "This fact names no segment.", seq=seq)
        return sealed

    def inclusion_proof(self, seq: int, size: int) -> Proof:
        """Hashes that prove fact ``seq`` in the tree of ``size`` facts."""
        return self._workspace.tree().inclusion_proof(seq, size)

    def checkpoint(self) -> str:
        """The latest signed note. Raises NotFound ``trace.no_checkpoint``."""
        signed = [row.recorded.fact for row in self._rows if isinstance(row.recorded.fact, CheckpointSigned)]
        if not signed:
            raise NotFound("trace.no_checkpoint", "No checkpoint is signed yet.", hint="Run the demo to its end.")
        return signed[-1].note


def trace_answer(workspace: Workspace, rack: str, number: int) -> tuple[Node, Node]:
    """An answer's tokens, back to the roofs and forward to the coupons.

    Raises:
        NotFound: ``trace.no_rack``, ``trace.no_answer``.
    """
    facts = [row.recorded for row in workspace.facts()]
    return workspace.read(lambda world: _trace_answer(world, facts, rack, number))


def _trace_answer(world: World, facts: list[Recorded], rack: str, number: int) -> tuple[Node, Node]:
    registered = world.compute.racks.get(rack)
    if registered is None:
        raise NotFound("trace.no_rack", f"There is no rack {rack}.", rack=rack)
    span = answer_span(world.books, registered, number)
    notes = notes_of(facts, world.compute.racks)
    register = registered.token_register
    return (
        back(world.books, register, span, notes=notes, joined=True),
        forward(world.books, register, span, notes=notes, joined=True),
    )


def trace_reading(workspace: Workspace, register: str, start: int, stop: int) -> Node:
    """A span of a register, forward to everything it became. Raises NotFound ``register.unknown``."""
    facts = [row.recorded for row in workspace.facts()]

    def look(world: World) -> Node:
        notes = notes_of(facts, world.compute.racks)
        return forward(world.books, register, Span(start, stop), notes=notes, joined=True)

    return workspace.read(look)


def widest_answers(workspace: Workspace, rack: str, within: int = 4_000) -> list[int]:
    """Numbers of the first ``within`` answers, those of the most tokens first: good ones to show."""

    def look(world: World) -> list[int]:
        registered = world.compute.racks[rack]
        served = world.books.links[LinkKind.SERVE].columns()
        rows = np.flatnonzero(served["target"] == world.books.registers.id_of(registered.token_register))[:within]
        tokens = served["target_stop"][rows] - served["target_start"][rows]
        return [int(number) for number in np.argsort(-tokens, kind="stable")]

    return workspace.read(look)


def write_bundle(workspace: Workspace, rack: str, number: int, file: Path) -> int:
    """Write the proof bundle of an answer; its size [bytes]. The file appears whole or not at all.

    Raises as `build_bundle`.
    """
    record = JournalRecord(workspace)
    return _write(workspace.read(lambda world: build_bundle(record, world.books, rack, number)), file)


def write_certificate_bundle(workspace: Workspace, register: str, span: Span, file: Path) -> int:
    """Write the proof bundle of a certificate, as `write_bundle`. Raises as `build_certificate_bundle`."""
    record = JournalRecord(workspace)
    return _write(workspace.read(lambda world: build_certificate_bundle(record, world.books, register, span)), file)


def _write(raw: bytes, file: Path) -> int:
    draft = file.with_name(file.name + ".new")
    draft.write_bytes(raw)
    draft.replace(file)
    return len(raw)


def verify_bundle_file(file: Path, log_key: str = "") -> dict[str, Any]:
    """Check a bundle offline; nothing but the file is read.

    Raises:
        Unverified: the verifier's code, as ``docs/bundle.md`` lists them. Invalid: ``bundle.log_key_form``.
    """
    try:
        pinned = bytes.fromhex(log_key) if log_key else None
    except ValueError:
        raise Invalid("bundle.log_key_form", "A log key is 64 hex digits.") from None
    try:
        report = verify.verify_any(file.read_bytes(), pinned)
    except verify.VerificationError as error:
        raise Unverified(error.code, error.message, hint="Do not rely on this bundle.", file=file.name) from None
    subject = _answer(report) if isinstance(report, verify.Report) else _certificate(report)
    return {
        **subject,
        "roofs": len(report.roofs),
        "storages": [{"storage": name, "given_wh": given, "lost_wh": lost} for name, given, lost in report.storages],
        "checked": dict(report.counts),
        "keys": list(report.keys),
        "assumptions": list(report.assumptions),
        "text": report.lines(),
    }


def _answer(report: verify.Report) -> dict[str, Any]:
    return {
        "answer": report.number,
        "rack": report.rack,
        "tokens": report.tokens,
        "energy_mj": report.energy_mj,
        "billed_usdc_micro": report.billed_usdc_micro,
        "collected_usdc_micro": report.collected_usdc_micro,
    }


def _certificate(report: verify.CertificateReport) -> dict[str, Any]:
    names = ("start", "stop", "state", "holder")
    return {
        "certificate": report.register,
        "start": report.start,
        "stop": report.stop,
        "issued": report.issued,
        "states": [dict(zip(names, state, strict=True)) for state in report.states],
        "events": [{"at_us": at_us, "what": told} for at_us, told in report.events],
    }
