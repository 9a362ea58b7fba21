"""Correct: a register truly stood elsewhere than its last counted reading says. The past stays as it is recorded.

A downward correction withdraws, newest first, the live titles above the true position; what of it was used already -
claimed, retired, lifted, linked to what it became - is the issuer's debt. Either way another epoch begins, where
certificates end or at the true position where that is lower, and the register before issues no more. A debt is
covered by the first units that the later epochs issue: `certify` issues them as any, over their own hours, and
withdraws them in the same command. So every unit keeps its address, titles tile what was issued (law 1), and what
stands is what was truly counted plus what is still owed (law 4). A later owner of the device inherits its debt.

What was closed stays closed: an hour that was matched, a period that was paid. Later readings make up for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from penstock.energy.correction import Seam, check_correction
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Corrupt, Invalid, NotFound, Refused
from penstock.journal.correction import COUNTED_RIGHTS, live_above
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import EpochOpened, RegisterCorrected
from penstock.journal.kinds.energy import PacketsReceived
from penstock.journal.segment import Columns
from penstock.journal.words import Form, Right
from penstock.units import INT64_MAX
from penstock.usecases.certify import withdrawn
from penstock.usecases.ingest import messages_of
from penstock.usecases.intake import prepare, record, tallies
from penstock.usecases.replace import continued_by, next_urn
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

CORRECTED: Final = "corrected: never counted"
"""Purpose of withdrawing what lies above a register's true position."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the doors ask for: a device's channel, what it truly counted [Wh], and what its counter shows now.

    Counts are on the device's own scale. ``true_count_wh`` None takes what a source that revised its history now says;
    ``shown_count_wh`` None is a counter that was put right.
    """

    device: str
    true_count_wh: int | None
    by: str
    reason: str
    shown_count_wh: int | None = None
    channel: int = 0


def plan(world: World, asked: Asked) -> RegisterCorrected:
    """The correction as a fact, still to be judged.

    Raises:
        NotFound: ``device.unknown``, ``register.unknown``. Invalid: ``correct.count``. Refused: as `revised_wh`.
    """
    register = _register(world, asked.device, asked.channel)
    start_wh = int(world.energy.epoch_start_wh[register])
    true_wh = revised_wh(world, register) + start_wh if asked.true_count_wh is None else asked.true_count_wh
    shown_wh = true_wh if asked.shown_count_wh is None else asked.shown_count_wh
    if not (0 <= true_wh <= INT64_MAX and 0 <= shown_wh <= INT64_MAX):
        raise Invalid("correct.count", "A counter shows 0 or more, and less than 2**63 Wh.", device=asked.device)
    urn = world.books.registers.urn(register)
    return RegisterCorrected(asked.device, asked.channel, urn, true_wh - start_wh, shown_wh, asked.by, asked.reason)


def revised_wh(world: World, register: int) -> int:
    """Where a register stands by what its source says now: moved as far as the last reading that it revised.

    Raises:
        Refused: ``correct.not_revised`` where nothing revised waits.
    """
    found: list[tuple[int, int]] = []
    for _, columns in world.quarantine.readings(np.array([register])):
        rows = np.flatnonzero(columns["findings"] >> ReadingVerdict.REVISED & 1)
        found += zip(columns["at_us"][rows].tolist(), columns["position_wh"][rows].tolist(), strict=True)
    if not found:
        raise Refused(
            "correct.not_revised",
            "No revised reading of this register waits.",
            hint="Say what the device truly counted.",
            register=world.books.registers.urn(register),
        )
    at_us, says_wh = max(enumerate(found), key=lambda one: (one[1][0], one[0]))[1]
    stands_wh = int(world.revisable.positions(np.array([register]), np.array([at_us]))[0])
    return int(world.energy.last_wh[register]) + says_wh - stands_wh


def correct(world: World, fact: RegisterCorrected) -> list[Entry]:
    """Facts of a correction: what was found, the new register and its epoch, and what is withdrawn of both rights.

    Raises:
        As `energy.correction.check_correction`; Refused ``correct.consumed`` where links filled the register further,
        ``register.closed``.
    """
    seam = check_correction(world.energy, fact)
    register = world.books.registers.id_of(fact.register)
    _check_not_filled(world, register, fact)
    start, stop = used = world.books.used_above(register, fact.true_wh)
    epoch = _epoch(world, fact, seam, debt_wh=int((stop - start).sum()))
    opened = continued_by(world, epoch)
    world.books.registers.check_open(opened)
    entries = [Entry(fact), Entry(opened), Entry(epoch)]
    for right in COUNTED_RIGHTS:
        spans = live_above(world.books.titles[right], register, fact.true_wh, used)
        entries += [withdrawn(right, spans, CORRECTED)] if len(spans["start"]) else []
    return entries


def correct_device(workspace: Workspace, asked: Asked, at_us: int) -> Row:
    """Record a correction, and take in anew what an unsigned source said that waited behind it.

    Messages that a device numbers are not taken in again: its next reading carries what they counted.

    Raises:
        As `plan` and `correct`.
    """
    fact = workspace.read(lambda world: plan(world, asked))
    waiting = _carried(workspace, fact) if asked.true_count_wh is None else []
    key = f"correct:{workspace.store.size()}"
    receipt = workspace.submit(key, b"", at_us, lambda world: correct(world, fact))
    done = _told(workspace, fact, receipt.first_seq)
    if not waiting:
        return done
    with Workers() as workers:
        again = record(workspace, prepare(workspace, waiting, workers), at_us, f"{key}:messages")
    return done | {"judged_again": dict(tallies(workspace, again))}


def _told(workspace: Workspace, fact: RegisterCorrected, first_seq: int) -> Row:
    """What a correction came to."""
    (row,) = workspace.facts(first_seq + 2, first_seq + 3)
    epoch = cast(EpochOpened, row.recorded.fact)

    def tell(world: World) -> Row:
        number = world.books.registers.id_of(fact.register)
        head_wh = max(world.books.titles[right].head(number) for right in COUNTED_RIGHTS)
        beyond_wh = max(head_wh - fact.true_wh, 0)
        return {
            "device": fact.device,
            "cause": epoch.cause.value,
            "register": fact.register,
            "stood_wh": epoch.predecessor_position_wh,
            "true_wh": fact.true_wh,
            "withdrawn_wh": beyond_wh - epoch.debt_wh,
            "debt_wh": epoch.debt_wh,
            "continued_by": epoch.register,
            "first_seq": first_seq,
        }

    return workspace.read(tell)


def debts(world: World) -> list[Row]:
    """Every register with a debt: how much it came to, how much of it is covered, in which rights [Wh]."""
    books = world.books
    owed: dict[tuple[int, int, int], list[str]] = {}
    spans: dict[tuple[Right, int], list[tuple[int, int]]] = {}
    for right, register, start, stop in books.corrections.debts:
        spans.setdefault((right, register), []).append((start, stop))
    for (right, register), found in spans.items():
        head = books.titles[right].head(register)
        debt_wh = sum(stop - start for start, stop in found)
        covered_wh = sum(max(min(stop, head) - start, 0) for start, stop in found)
        owed.setdefault((register, debt_wh, covered_wh), []).append(right.value)
    return [
        {
            "register": books.registers.urn(register),
            "debt_wh": debt_wh,
            "covered_wh": covered_wh,
            "owed_wh": debt_wh - covered_wh,
            "rights": rights,
        }
        for (register, debt_wh, covered_wh), rights in sorted(owed.items())
    ]


def _register(world: World, device: str, channel: int) -> int:
    number = world.energy.number(device)
    if number < 0:
        hint = "See: penstock device list"
        raise NotFound("device.unknown", f"There is no device {device}.", hint=hint, device=device)
    register = int(world.energy.register_of(np.array([number]), np.array([channel]))[0])
    if register < 0:
        raise NotFound("register.unknown", f"{device} has no channel {channel}.", device=device)
    return register


def _check_not_filled(world: World, register: int, fact: RegisterCorrected) -> None:
    """Consumption that energy was matched to stays what it was; raises Refused ``correct.consumed``."""
    filled = max(book.filled(register) for book in world.books.links.values())
    if filled > fact.true_wh:
        raise Refused(
            "correct.consumed",
            f"Energy was matched to what {fact.register} counted, up to {filled} Wh.",
            hint="A closed period is trued up by later readings, never restated.",
            register=fact.register,
        )


def _epoch(world: World, fact: RegisterCorrected, seam: Seam, debt_wh: int) -> EpochOpened:
    register = world.books.registers.id_of(fact.register)
    return EpochOpened(
        device=fact.device,
        channel=fact.channel,
        register=next_urn(fact.register),
        predecessor=fact.register,
        cause=seam.cause,
        predecessor_position_wh=int(world.energy.last_wh[register]),
        start_count_wh=seam.start_count_wh,
        from_us=seam.from_us,
        rolls_over_wh=int(world.energy.rolls_over_wh[register]),
        debt_wh=debt_wh,
        signature=b"",
    )


def _carried(workspace: Workspace, fact: RegisterCorrected) -> list[tuple[Form, bytes]]:
    """The unsigned messages whose readings wait of a register, in order of arrival, each once."""
    register = np.array([workspace.read(lambda world: world.books.registers.id_of(fact.register))])
    waiting = workspace.read(lambda world: list(world.quarantine.readings(register)))
    rows = {root: sorted(set(columns["packet"].tolist())) for root, columns in waiting}
    return [one for root in rows for one in _messages(workspace, root, rows[root]) if one[0] is Form.CARRIED]


def _messages(workspace: Workspace, root: bytes, rows: list[int]) -> Iterator[tuple[Form, bytes]]:
    for row in workspace.facts():
        received = row.recorded.fact
        if isinstance(received, PacketsReceived) and received.segment.root == root:
            columns: Columns | None = workspace.columns(row)
            if columns is None:
                raise Corrupt("store.segment_missing", "A fact names bulk that its row does not.", seq=row.recorded.seq)
            yield from messages_of({name: column[rows] for name, column in columns.items()})
            return
