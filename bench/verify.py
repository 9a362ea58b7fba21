"""Signatures of three kinds, each by a key of its own: verify_many against the bare libraries, one process a core."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Final, NamedTuple

import coincurve
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bench.result import Race, Result, race, seconds
from penstock.keys import KEY_KINDS, KeyKind, PointKey, Scheme, SigningKey, derive_seed, verify_many

SIGNATURES: Final = 3_000
ROUNDS: Final = 9
MESSAGE_BYTES: Final = 120
Signed = list[tuple[bytes, bytes, bytes]]
"""Public key, message, signature."""
_SHA256: Final = ec.ECDSA(hashes.SHA256())


def signed_by(kind: KeyKind, count: int) -> Signed:
    """Messages, each signed by a key of its own."""
    rows = []
    for number in range(count):
        seed = derive_seed(b"bench of signatures", str(number))
        key = SigningKey(seed) if kind is KeyKind.ED25519 else PointKey(kind, seed)
        message = (seed * 4)[:MESSAGE_BYTES]
        rows.append((key.public, message, key.sign(message)))
    return rows


def as_library_takes(kind: KeyKind, rows: Signed) -> Signed:
    """The same with signatures as the bare library reads them: ECDSA in DER."""
    if kind is KeyKind.ED25519:
        return rows
    return [
        (public, message, encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")))
        for public, message, raw in rows
    ]


def bare_loop(kind: KeyKind, rows: Signed) -> int:
    """How many signatures hold: key from bytes, then the library's own call, in a plain loop."""
    if kind is KeyKind.SECP256K1:
        return sum(coincurve.PublicKey(public).verify(raw, message) for public, message, raw in rows)
    if kind is KeyKind.ED25519:
        for public, message, raw in rows:
            Ed25519PublicKey.from_public_bytes(public).verify(raw, message)
    else:
        curve = ec.SECP256R1()
        for public, message, raw in rows:
            ec.EllipticCurvePublicKey.from_encoded_point(curve, public).verify(raw, message, _SHA256)
    return len(rows)


class Part(NamedTuple):
    """Signatures that hold, and the processor's seconds that it took to find out."""

    holding: int
    cpu_s: float


_held: list[Signed] = []


def hold(*shares: Signed) -> None:
    """Rows reach a worker when it starts, so that no timing holds their way there."""
    _held.extend(shares)


def bare_part(kind: KeyKind, start: int, stop: int) -> Part:
    """A worker's share by the bare library."""
    began_s = time.process_time()
    return Part(bare_loop(kind, _held[1][start:stop]), time.process_time() - began_s)


def our_part(kind: KeyKind, start: int, stop: int) -> Part:
    """A worker's share by verify_many, as intake's workers call it."""
    began_s = time.process_time()
    return Part(how_many(kind, _held[0][start:stop], threads=1), time.process_time() - began_s)


def how_many(kind: KeyKind, rows: Signed, threads: int | None = None) -> int:
    """How many signatures hold by verify_many."""
    publics, messages, signatures = ([row[place] for row in rows] for place in (0, 1, 2))
    kinds = [KEY_KINDS.index(kind)] * len(rows)
    schemes = [Scheme.EDDSA if kind is KeyKind.ED25519 else Scheme.ECDSA_SHA256_RAW] * len(rows)
    return int(verify_many(kinds, publics, schemes, messages, signatures, threads).sum())


class Rates(NamedTuple):
    """Processes against the bare libraries in processes: wall clock, processor's time; threads in one process."""

    race: Race
    our_cpu_s: float
    bare_cpu_s: float
    threads_s: float


def compared(kind: KeyKind, count: int = SIGNATURES) -> Rates:
    """verify_many and the bare library, in turn, in one process a core; then verify_many on threads."""
    ours = signed_by(kind, count)
    bare = as_library_takes(kind, ours)
    cores = os.cpu_count() or 1
    cuts = [count * core // cores for core in range(cores + 1)]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), hold, (ours, bare)) as pool:

        def on_all_cores(part: Callable[[KeyKind, int, int], Part]) -> Part:
            parts = list(pool.map(part, [kind] * cores, cuts[:-1], cuts[1:]))
            return Part(sum(each.holding for each in parts), sum(each.cpu_s for each in parts))

        assert on_all_cores(our_part)[0] == on_all_cores(bare_part)[0] == how_many(kind, ours) == count
        assert how_many(kind, [*ours[:-1], (*ours[-1][:2], bytes(64))]) == count - 1
        found = race(lambda: on_all_cores(our_part), lambda: on_all_cores(bare_part), ROUNDS)
        cpu = [(on_all_cores(our_part).cpu_s, on_all_cores(bare_part).cpu_s) for _ in range(ROUNDS)]
        our_cpu_s, bare_cpu_s = (median(each[side] for each in cpu) for side in (0, 1))
        return Rates(found, our_cpu_s, bare_cpu_s, min(seconds(lambda: how_many(kind, ours)) for _ in range(3)))


def run() -> Result:
    """The least favourable of the three kinds is the result; the notes say all."""
    found = {kind: compared(kind) for kind in (KeyKind.ED25519, KeyKind.P256, KeyKind.SECP256K1)}
    least = min(found, key=lambda kind: found[kind].race.ratio)
    return Result(
        name="verify",
        ours=SIGNATURES / median(found[least].race.ours_s),
        unit=f"signatures/s ({least}, the least favourable of three)",
        peer=SIGNATURES / median(found[least].race.peer_s),
        ratio=found[least].race.ratio,
        peer_name="bare cryptography / coincurve, one process a core",
        notes=(
            *(told(kind, rates) for kind, rates in found.items()),
            f"{SIGNATURES:,} signatures of each kind, each by a key of its own, read from its bytes on both sides; "
            f"{os.cpu_count()} cores; goal: at least 0.9 times",
        ),
    )


def told(kind: KeyKind, rates: Rates) -> str:
    """One kind's figures."""
    ours, peer = (SIGNATURES / median(times) for times in (rates.race.ours_s, rates.race.peer_s))
    return (
        f"{kind}: {ours:,.0f}/s against {peer:,.0f}/s, {rates.race.ratio:.2f} times; {rates.race.spread}; "
        f"processor's time alone: {rates.bare_cpu_s / rates.our_cpu_s:.2f} times; "
        f"threads of one process, best round: {SIGNATURES / rates.threads_s:,.0f}/s"
    )
