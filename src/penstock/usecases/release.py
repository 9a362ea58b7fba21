"""Release: somebody decides about what waits in quarantine, and it is judged again; nothing recorded changes.

Readings wait by register, since a register counts on: whoever lifts its quarantine says which findings no longer hold
them, and all of them are judged anew, one after the other. Messages wait for one that is missing before them; where
that is lost for good, its device's chain can go on without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from penstock.energy.forms.table import parse
from penstock.energy.release import HELD_BACK, judge_again
from penstock.energy.verdict import READING_RULES, ReadingVerdict
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import VERDICTS
from penstock.journal.kinds.quarantine import GapAccepted, QuarantineLifted
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Form, Outcome
from penstock.units import INT64_MAX
from penstock.usecases.ingest import verified
from penstock.usecases.intake import prepare, record, sealed, tallies
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


def lift(
    world: World, registers: Sequence[str], overruled: Sequence[str], by: str, reason: str, until_us: int = INT64_MAX
) -> list[Entry]:
    """Let the readings of ``registers`` that wait be judged again, as if readings up to ``until_us`` had no
    ``overruled`` findings (names as in `ReadingVerdict`, in lower case).

    One fact that says so, and one of readings for each batch of packets that they came in.

    Raises:
        NotFound: ``register.unknown``. Invalid: ``quarantine.finding`` for a finding that holds nothing.
        Refused: ``quarantine.nothing`` where nothing of these registers waits, ``quarantine.reviewed`` where what the
        review of a day found of them is not among ``overruled``.
    """
    return lifted(world, QuarantineLifted(tuple(registers), until_us, tuple(sorted(overruled)), by, reason))


def lifted(world: World, fact: QuarantineLifted) -> list[Entry]:
    """The facts that come of lifting a quarantine. Raises as `lift`."""
    numbers = np.array([world.books.registers.id_of(urn) for urn in fact.registers], dtype=np.int32)
    waiting, overruled = list(world.quarantine.readings(numbers)), _bits(fact.overruled)
    if not waiting and not _held(world, numbers).any():
        raise Refused("quarantine.nothing", "Nothing of these registers waits.", registers=", ".join(fact.registers))
    _check_doubts(world, numbers, overruled)
    if not waiting:
        return [Entry(fact)]
    judged = judge_again([columns for _, columns in waiting], overruled, fact.until_us, world.energy)
    roots = [root for root, _ in waiting]
    return [Entry(fact), *(_entry(world, root, columns) for root, columns in zip(roots, judged, strict=True))]


def accept_gap(world: World, device: str, by: str, reason: str) -> list[Entry]:
    """Give up the messages missing before the first one of ``device`` that waits: its chain goes on with that one.

    Then `ingest` what waits (`waiting_messages`), or wait for the device's next message, which brings it along.

    Raises:
        NotFound: ``device.unknown``. Refused: ``quarantine.no_gap`` where no message of the device waits.
    """
    number = _device(world, device)
    waiting = world.quarantine.messages(number)
    if not waiting:
        raise Refused("quarantine.no_gap", "No message of this device waits for another.", device=device)
    sequence, first = next(iter(waiting.items()))
    return [Entry(GapAccepted(device, sequence, parse(first.form, first.raw).previous, by, reason))]


def waiting_messages(world: World, device: str) -> list[tuple[Form, bytes]]:
    """The messages of a device that wait, in order; NotFound ``device.unknown``."""
    return [(one.form, one.raw) for one in world.quarantine.messages(_device(world, device)).values()]


def release_device(
    workspace: Workspace, device: str, overruled: Sequence[str], by: str, reason: str, at_us: int
) -> Iterator[tuple[str, int]]:
    """Lift the quarantine of all registers of a device that wait; what their readings came to, counted by verdict.

    Raises:
        As `lift`; NotFound ``device.unknown``.
    """

    def decide(world: World) -> list[Entry]:
        own = np.flatnonzero(world.energy.device_of == _device(world, device))
        parts = [part["register"] for _, part in world.quarantine.readings(own)]
        waiting = np.unique(np.concatenate([own[_held(world, own)], *parts]))
        if not len(waiting):
            raise Refused("quarantine.nothing", "No reading of this device waits.", device=device)
        urns = [world.books.registers.urn(number) for number in waiting.tolist()]
        return sealed(workspace, world, lift(world, urns, overruled, by, reason))

    return tallies(workspace, workspace.submit(f"release:{workspace.store.size()}", b"", at_us, decide))


def skip_gap(workspace: Workspace, device: str, by: str, reason: str, at_us: int) -> Iterator[tuple[str, int]]:
    """Let a device's chain go on without what is missing, and take in what waited; counted by verdict.

    Raises:
        As `accept_gap`.
    """
    key = f"skip-gap:{workspace.store.size()}"
    workspace.submit(key, b"", at_us, lambda world: accept_gap(world, device, by, reason))
    messages = workspace.read(lambda world: waiting_messages(world, device))
    with Workers() as workers:
        return tallies(workspace, record(workspace, prepare(workspace, messages, workers), at_us, f"{key}:messages"))


def _held(world: World, registers: Column) -> Column:
    """Which registers are in quarantine, whether or not a reading of theirs waits: a review may have found them."""
    held: Column = world.energy.held_from_us(registers) != INT64_MAX
    return held


def _check_doubts(world: World, registers: Column, overruled: int) -> None:
    """What a day's review found has to be overruled by name: nothing judges a whole day again."""
    found = int(np.bitwise_or.reduce(world.energy.doubts[registers[_held(world, registers)]], initial=0)) & ~overruled
    if found:
        names = ", ".join(code.name.lower() for code in READING_RULES if found >> code & 1)
        hint = "Overrule them by name if they are wrong."
        raise Refused("quarantine.reviewed", f"The review of a day found: {names}.", hint=hint)


def _device(world: World, device: str) -> int:
    number = world.energy.number(device)
    if number < 0:
        raise NotFound("device.unknown", f"There is no device {device}.", device=device)
    return number


def _entry(world: World, packets_root: bytes, columns: Columns) -> Entry:
    segment = Segment(VERDICTS, columns)
    return Entry(verified(world, segment, packets_root), segment)


def _bits(overruled: Sequence[str]) -> int:
    """The findings of these names as bits; raises as `lift`."""
    holding = {code.name.lower(): code for code, rule in READING_RULES.items() if rule.outcome is Outcome.QUARANTINED}
    for name in overruled:
        if name not in holding or holding[name] is ReadingVerdict.HELD_BACK:
            known = ", ".join(sorted(holding.keys() - {HELD_BACK}))
            raise Invalid("quarantine.finding", f"There is no finding {name} to overrule.", hint=f"One of: {known}.")
    return sum(1 << holding[name] for name in overruled)
