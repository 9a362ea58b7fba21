"""Intake: messages from any door, verified outside the sequencer, recorded once, answered row by row.

A batch's key is the hash of its messages: the same batch again records nothing and gets the same answer.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import cbor2
import numpy as np

from penstock.energy.forms.cose import UNREADABLE
from penstock.energy.parsed import Messages
from penstock.energy.signers import Signers, signers_of
from penstock.errors import Corrupt, Invalid
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.segment import Column, Columns
from penstock.journal.words import Form
from penstock.usecases.files import ALL_READERS, messages_in
from penstock.usecases.ingest import ingest
from penstock.usecases.salted import salted
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workers import Prepared, Workers
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

BATCH: Final = 32_768
BATCH_BYTES: Final = 1 << 24
"""Messages and bytes a command holds at most: memory stays bounded however many come, and however long."""
_AHEAD: Final = 2
_OWN: Final = ".cbor"
Progress = Callable[[int, int], None]
"""Told after each batch how many messages are recorded, of how many."""


class Answer(NamedTuple):
    """What became of a batch: its receipt, and verdict and findings for each message and reading.

    ``packets`` are columns of packet/2: the first rows are the messages as they were given, behind them come those
    that had waited for one of these. ``readings`` are columns of reading/2; ``packet`` there is a row of these.
    """

    receipt: Receipt
    packets: Columns
    readings: Columns


def take(workspace: Workspace, messages: Messages, received_us: int, workers: Workers, key: str = "") -> Answer:
    """Take a batch in; returns once it is durable. ``key`` makes it one command; by default its content does.

    Raises:
        Conflict: ``journal.key_reused``. Unavailable: where the store could not take it; nothing is recorded then.
    """
    return answer(workspace, record(workspace, prepare(workspace, messages, workers), received_us, key))


def prepare(workspace: Workspace, messages: Messages, workers: Workers) -> Prepared:
    """Parse and verify against the devices as they stand; nothing is decided yet, and the workspace stays free."""

    def look_up(lists: Sequence[list[str]]) -> list[Signers]:
        return workspace.read(lambda world: [signers_of(names, world.energy) for names in lists])

    return workers.prepare(messages, look_up)


def record(workspace: Workspace, prepared: Prepared, received_us: int, key: str = "", asked: bytes = b"") -> Receipt:
    """Judge and record a prepared batch; ``asked`` is what the key stands for, its messages by default.

    Raises as `take`.
    """
    asked = asked or content_of(prepared.messages)
    key = key or f"ingest:{asked.hex()[:48]}"

    def decide(world: World) -> list[Entry]:
        return sealed(workspace, world, ingest(world, prepared, received_us))

    return workspace.submit(key, asked, received_us, decide)


def sealed(workspace: Workspace, world: World, entries: list[Entry]) -> list[Entry]:
    """The same facts, with salted leaves where readings of a personal site are among them: those can be erased."""
    energy, personal = world.energy, world.energy.ownership.personal()
    if not personal.any():
        return entries
    numbers = [_devices_of(world, entry.segment.columns) for entry in entries if entry.segment is not None]
    return salted(workspace.store, entries) if personal[energy.site[np.concatenate(numbers)]].any() else entries


def _devices_of(world: World, columns: Columns) -> Column:
    """The devices that rows of packets or readings are about."""
    if "device" in columns:
        device = columns["device"]
    else:
        device = world.energy.device_of[columns["register"][columns["register"] >= 0]]
    return device[device >= 0]


def content_of(messages: Messages) -> bytes:
    """A hash over messages, their forms and their order."""
    digest = hashlib.sha256(b"penstock/messages/1")
    for form, raw in messages:
        digest.update(bytes([form]) + len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def answer(workspace: Workspace, receipt: Receipt) -> Answer:
    """Verdicts for each message and reading of a receipt, from the record."""
    rows = list(workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts))
    found = {type(row.recorded.fact): workspace.columns(row) for row in rows}
    packets, readings = found.get(PacketsReceived), found.get(ReadingsVerified)
    if packets is None or readings is None:
        raise Corrupt("store.segment_missing", "An intake's facts have no bulk.", seq=receipt.first_seq)
    return Answer(receipt, packets, readings)


def packets_in(raw: bytes) -> list[bytes]:
    """The packets of a CBOR sequence (RFC 8742), each as its own bytes.

    Raises:
        Invalid: ``meter.not_a_sequence`` where the bytes are not one.
    """
    stream, packets, start = io.BytesIO(raw), [], 0
    while start < len(raw):
        try:
            cbor2.CBORDecoder(stream).decode()
        except UNREADABLE:
            raise Invalid("meter.not_a_sequence", "This is not a sequence of CBOR messages.", at_byte=start) from None
        packets.append(raw[start : stream.tell()])
        start = stream.tell()
    return packets


def ingest_file(workspace: Path, file: Path, progress: Progress | None = None) -> dict[str, int]:
    """Judge and record a file of messages; its sha256 is the command's key, so a repeat records nothing.

    The suffix says what it holds, as in a watched folder; without one that is known, our own packets one after another.

    Raises:
        Invalid: ``meter.not_a_sequence`` behind whole packets, which are recorded; what the file's reader raises.
    """
    raw = file.read_bytes()
    messages, fault = _messages_of(file, raw)
    received_us = file.stat().st_mtime_ns // 1_000
    key = f"ingest:{hashlib.sha256(raw).hexdigest()[:48]}"
    counts: dict[str, int] = {"packets": len(messages)}
    with Workspace(workspace) as opened, Workers() as workers:
        parts = batches(messages)
        done = 0
        for number, prepared in enumerate(prepared_ahead(opened, parts, workers)):
            named = (f"{key}:{number}", b"") if number else (key, raw)
            receipt = record(opened, prepared, received_us, *named)
            for name, count in tallies(opened, receipt):
                counts[name] = counts.get(name, 0) + count
            done += len(prepared.messages)
            if progress is not None:
                progress(done, len(messages))
    if fault and "rows" not in fault.ids:
        fault.ids["messages_recorded"] = str(len(messages))
        raise fault
    return counts | ({"rows not taken": int(fault.ids["rows"])} if fault else {})


def _messages_of(file: Path, raw: bytes) -> tuple[Messages, Invalid | None]:
    if file.suffix in ALL_READERS and file.suffix != _OWN:
        return messages_in(file)
    try:
        return [(Form.COSE, one) for one in packets_in(raw)], None
    except Invalid as fault:  # what is whole before it is taken all the same
        if fault.ids["at_byte"] == "0":
            raise
        return [(Form.COSE, one) for one in packets_in(raw[: int(fault.ids["at_byte"])])], fault


def prepared_ahead(workspace: Workspace, parts: Iterable[Messages], workers: Workers) -> Iterator[Prepared]:
    """Batches in order, the next ones being parsed and verified while one is recorded."""
    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting: deque[Future[Prepared]] = deque()
        for part in parts:
            waiting.append(threads.submit(prepare, workspace, part, workers))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def batches(messages: Messages) -> Iterator[Messages]:
    """Messages in parts of a command each; one empty part where there are none."""
    start = size = 0
    for stop, (_, raw) in enumerate(messages):
        if stop - start == BATCH or (size and size + len(raw) > BATCH_BYTES):
            yield messages[start:stop]
            start, size = stop, 0
        size += len(raw)
    yield messages[start:]


def tallies(workspace: Workspace, receipt: Receipt) -> Iterator[tuple[str, int]]:
    """How many of which verdict a receipt's facts tell of, packets first."""
    for row in workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts):
        match row.recorded.fact:
            case PacketsReceived() as received:
                yield from ((f"packets {tally.name}", tally.count) for tally in received.verdicts)
            case ReadingsVerified() as verified:
                yield from ((f"readings {tally.name}", tally.count) for tally in verified.verdicts)
