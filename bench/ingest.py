"""Ingest, durable: hourly packets of four readings from a million devices, against bare signature verification.

Ours decodes, verifies, chains, checks, dedupes, seals, journals and makes durable; the peer calls the library's
Ed25519 verification alone, on the same messages, on every core at once. They take turns.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import struct
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from bench.result import Result, is_small
from penstock.energy.forms.cose import FIRST, Packet, parse, sign
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.tree_kernel import load_kernel
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Form, Technology
from penstock.keys import KEY_KINDS, KeyKind, SigningKey, derive_seed
from penstock.period import HOUR_US, QUARTER_HOUR_US
from penstock.usecases.enrol_fleet import Fleet, enrol_fleet
from penstock.usecases.intake import BATCH, prepared_ahead, record
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace

DEVICES: Final = 1_000_000
ROUNDS: Final = 4
SAMPLE: Final = 40_000
GOAL, GOAL_MB = 0.5, 2_000
START_US: Final = 1_700_000_000_000_000 // HOUR_US * HOUR_US
READINGS: Final = 4
_MADE: Final = 8_192


def name_of(number: int) -> str:
    """A device's name."""
    return f"device-{number:07d}"


def key_of(number: int) -> SigningKey:
    """A device's key."""
    return SigningKey(derive_seed(b"bench", name_of(number)))


def make(folder: str, first: int, stop: int) -> list[bytes]:
    """Write the messages of devices ``[first, stop)`` to a file, each behind its length; returns their public keys."""
    at_us = tuple(START_US + quarter * QUARTER_HOUR_US for quarter in range(1, READINGS + 1))
    publics = []
    with (Path(folder) / f"{first:07d}").open("wb") as file:
        for number in range(first, stop):
            key = key_of(number)
            raw = sign(Packet(name_of(number), 0, FIRST, at_us, tuple(number % 700 + 50 * n for n in range(4))), key)
            file.write(struct.pack("<I", len(raw)) + raw)
            publics.append(key.public)
    return publics


def messages_in(folder: Path) -> Iterator[tuple[Form, bytes]]:
    """All messages, file by file."""
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<I", data, at)
            yield Form.COSE, data[at + 4 : at + 4 + length]
            at += 4 + length


def verify_alone(rows: list[tuple[bytes, bytes, bytes]]) -> float:
    """Verifications a second on one core: the library's calls and nothing else."""
    start = time.perf_counter()
    for public, signed, signature in rows:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    return len(rows) / (time.perf_counter() - start)


class Peer:
    """Bare verification, on every core at once."""

    def __init__(self, folder: Path, publics: list[bytes], count: int) -> None:
        said = [parse(raw) for (_, raw), _ in zip(messages_in(folder), range(count), strict=False)]
        self.rows = [(public, one.signed, one.signature) for public, one in zip(publics, said, strict=False)]
        self.cores = len(os.sched_getaffinity(0))
        self.pool = ProcessPoolExecutor(self.cores, multiprocessing.get_context("spawn"))
        list(self.pool.map(verify_alone, [self.rows[:64]] * self.cores))

    def rate(self) -> float:
        """Verifications a second, summed over the cores."""
        parts = [self.rows[core :: self.cores] for core in range(self.cores)]
        return sum(self.pool.map(verify_alone, parts))


def enrolled(workspace: Workspace, publics: list[bytes]) -> None:
    """All devices on one site, by one fact."""
    count = len(publics)
    columns: dict[str, NDArray[Any]] = {
        "technology": np.full(count, TECHNOLOGIES.index(Technology.SOLAR_PV), np.uint8),
        "key_kind": np.full(count, KEY_KINDS.index(KeyKind.ED25519), np.uint8),
        "assurance": np.full(count, ASSURANCES.index(Assurance.METER_SIGNED), np.uint8),
        "capacity_w": np.full(count, 5_000, np.int64),
        "commissioned_us": np.full(count, START_US, np.int64),
        "tilt_deg": np.full(count, -1, np.int16),
        "azimuth_deg": np.full(count, -1, np.int16),
        "rolls_over_wh": np.zeros(count, np.int64),
    }
    fleet = Fleet([name_of(number) for number in range(count)], publics, [""] * count, columns)
    site = [Entry(AccountOpened("aggregator")), Entry(SiteRegistered("fleet", "XX", "", "aggregator"))]
    workspace.submit("site", b"", START_US, lambda _: site)
    workspace.submit("fleet", b"", START_US, lambda world: enrol_fleet(world, "fleet", fleet))


def batches(folder: Path, size: int) -> Iterator[list[tuple[Form, bytes]]]:
    """The messages, a command's at a time."""
    batch: list[tuple[Form, bytes]] = []
    for message in messages_in(folder):
        batch.append(message)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class Ours:
    """Batches through the intake, each recorded while the next ones are being parsed and verified."""

    def __init__(self, folder: Path, workers: Workers, publics: list[bytes]) -> None:
        self.workspace, self.workers = Workspace(folder), workers
        enrolled(self.workspace, publics)

    def take(self, messages: list[list[tuple[Form, bytes]]]) -> float:
        """Messages a second, durable."""
        start, count = time.perf_counter(), 0
        for prepared in prepared_ahead(self.workspace, messages, self.workers):
            record(self.workspace, prepared, START_US + HOUR_US)
            count += len(prepared.messages)
        return count / (time.perf_counter() - start)


def run() -> Result:
    """Interleaved rounds; at the end every message is accepted and every Wh counted."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), 40_000 if is_small() else DEVICES)


def measure(folder: Path, devices: int) -> Result:
    """The figures, in ``folder``."""
    made = folder / "messages"
    made.mkdir()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn")) as pool:
        firsts = list(range(0, devices, _MADE))
        stops = [min(first + _MADE, devices) for first in firsts]
        parts = pool.map(make, [str(made)] * len(firsts), firsts, stops)
        publics = [public for part in parts for public in part]
    load_kernel()
    with Workers() as workers:
        ours = Ours(folder / "workspace", workers, publics)
        peer = Peer(made, publics, min(devices, SAMPLE))
        publics.clear()
        rates, peer_rates = race(ours, peer, made, devices)
        memory_mb = resident_mb()
        check(ours.workspace, devices)
        ours.workspace.store.close()
    ratios = [one / other for one, other in zip(rates, peer_rates, strict=True)]
    spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return Result(
        name="ingest",
        ours=median(rates),
        unit="messages/s, durable",
        peer=median(peer_rates),
        ratio=median(ratios),
        peer_name=f"bare Ed25519 verification on {peer.cores} cores",
        notes=(
            f"{devices:,} devices, an hourly packet of {READINGS} readings; ratio by round: {spread} (goal {GOAL})",
            f"{median(rates) * READINGS:,.0f} readings/s decoded, verified, chained, checked, sealed and committed",
            f"at most {memory_mb:,.0f} MB resident, workers included (goal {GOAL_MB:,} MB)",
        ),
    )


def race(ours: Ours, peer: Peer, made: Path, devices: int) -> tuple[list[float], list[float]]:
    """Rates of both, round by round, a share of the messages each."""
    rates, peer_rates = [], []
    share = -(-devices // ROUNDS)
    source = batches(made, min(BATCH, share))
    for _ in range(ROUNDS):
        peer_rates.append(peer.rate())
        taken = list(itertools.islice(source, -(-share // min(BATCH, share))))
        if taken:
            rates.append(ours.take(taken))
    return rates, peer_rates[: len(rates)]


def resident_mb() -> float:
    """The most memory this process had resident, and each worker as much as the greediest child."""
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + child * (len(os.sched_getaffinity(0)))) / 1024


def check(workspace: Workspace, devices: int) -> None:
    """Every message was accepted, every reading counted, once."""
    accepted = counted_wh = 0
    for row in workspace.facts():
        if isinstance(row.recorded.fact, PacketsReceived):
            assert [one.name for one in row.recorded.fact.verdicts] == ["accepted"]
            accepted += row.recorded.fact.segment.rows
        elif isinstance(row.recorded.fact, ReadingsVerified):
            assert [one.name for one in row.recorded.fact.verdicts] == ["accepted"]
            counted_wh += row.recorded.fact.counted_wh
    assert accepted == devices
    assert counted_wh == sum(number % 700 + 50 * (READINGS - 1) for number in range(devices))
