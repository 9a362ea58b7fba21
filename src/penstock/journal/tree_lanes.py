"""SHA-256 of many messages of one length, sixteen at a time: the compiled part of ``tree_kernel``.

Imported only for large inputs, since numba takes long to load. Message words are held as (word, lane), so the
innermost loop runs over lanes and LLVM turns it into vector instructions. Working variables rotate by name over
eight unrolled rounds, so they stay in registers. Source: FIPS 180-4, sections 4.1.2, 5.1.1, 6.2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES: Final = 16
BLOCK_BYTES: Final = 64
DIGEST_BYTES: Final = 32
WORDS: Final = 8

Words = NDArray[np.uint32]


def _root_fractions(count: int, root: Callable[[int], int]) -> Words:
    """First 32 fraction bits of the roots of the first primes: FIPS 180-4, 4.2.2 and 5.3.3."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, isqrt(n) + 1))]
    return np.array([root(prime) & 0xFFFFFFFF for prime in primes[:count]], np.uint32)


def _cube_root_32(prime: int) -> int:
    """floor(2**32 * cube root of ``prime``)."""
    low, high = 0, 1 << 36
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
    return low


ROUND_CONSTANTS: Final = _root_fractions(64, _cube_root_32)
FIRST_STATE: Final = np.repeat(_root_fractions(8, lambda prime: isqrt(prime << 64)), LANES)


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use; keep the machine code on disk where there is a place to write it."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(nogil=True)(function)


@_compiled
def _rotated(x, bits):  # type: ignore[no-untyped-def]
    return np.uint32(np.uint32(x >> np.uint32(bits)) | np.uint32(x << np.uint32(32 - bits)))


@_compiled
def _swapped(x):  # type: ignore[no-untyped-def]
    """Bytes in the other order: messages and digests are big-endian (FIPS 180-4, 3.1), processors little."""
    return np.uint32((x >> 24) | ((x >> 8) & 0xFF00) | ((x & 0xFF00) << 8) | ((x & 0xFF) << 24))


@_compiled
def _round(a, b, c, d, e, f, g, h, word):  # type: ignore[no-untyped-def]
    """One round (6.2.2, step 3): the new ``d`` and ``h``; ``word`` is message word plus round constant."""
    sum_e = np.uint32(_rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25))
    sum_a = np.uint32(_rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22))
    t = np.uint32(h + word + sum_e + (g ^ (e & (f ^ g))))
    return np.uint32(d + t), np.uint32(t + sum_a + ((a & b) | (c & (a | b))))


@_compiled
def _word(w0, w1, w9, w14):  # type: ignore[no-untyped-def]
    """The message word that follows 16 others, of which it takes these four (6.2.2, step 1)."""
    low = np.uint32(_rotated(w1, 7) ^ _rotated(w1, 18) ^ np.uint32(w1 >> np.uint32(3)))
    high = np.uint32(_rotated(w14, 17) ^ _rotated(w14, 19) ^ np.uint32(w14 >> np.uint32(10)))
    return np.uint32(w0 + low + w9 + high)


@_compiled
def _schedule(w):  # type: ignore[no-untyped-def]
    """Words 16 to 63 from words 0 to 15, four in one pass over the lanes (a shorter loop would lose its vectors)."""
    for t in range(0, 48 * LANES, 4 * LANES):
        for i in range(LANES):
            p = _word(w[t + i], w[t + 16 + i], w[t + 144 + i], w[t + 224 + i])
            q = _word(w[t + 16 + i], w[t + 32 + i], w[t + 160 + i], w[t + 240 + i])
            w[t + 256 + i], w[t + 272 + i] = p, q
            w[t + 288 + i] = _word(w[t + 32 + i], w[t + 48 + i], w[t + 176 + i], p)
            w[t + 304 + i] = _word(w[t + 48 + i], w[t + 64 + i], w[t + 192 + i], q)


@_compiled
def _rounds(s, w, k):  # type: ignore[no-untyped-def]
    """All 64 rounds (6.2.2, step 3), eight in one pass over the lanes: a to h trade places and never move."""
    for t in range(0, 64, 8):
        k0, k1, k2, k3, k4, k5, k6, k7 = k[t], k[t + 1], k[t + 2], k[t + 3], k[t + 4], k[t + 5], k[t + 6], k[t + 7]
        for i in range(LANES):
            j = LANES * t + i
            a, b, c, d = s[i], s[16 + i], s[32 + i], s[48 + i]
            e, f, g, h = s[64 + i], s[80 + i], s[96 + i], s[112 + i]
            d, h = _round(a, b, c, d, e, f, g, h, np.uint32(k0 + w[j]))
            c, g = _round(h, a, b, c, d, e, f, g, np.uint32(k1 + w[j + 16]))
            b, f = _round(g, h, a, b, c, d, e, f, np.uint32(k2 + w[j + 32]))
            a, e = _round(f, g, h, a, b, c, d, e, np.uint32(k3 + w[j + 48]))
            h, d = _round(e, f, g, h, a, b, c, d, np.uint32(k4 + w[j + 64]))
            g, c = _round(d, e, f, g, h, a, b, c, np.uint32(k5 + w[j + 80]))
            f, b = _round(c, d, e, f, g, h, a, b, np.uint32(k6 + w[j + 96]))
            e, a = _round(b, c, d, e, f, g, h, a, np.uint32(k7 + w[j + 112]))
            s[i], s[16 + i], s[32 + i], s[48 + i] = a, b, c, d
            s[64 + i], s[80 + i], s[96 + i], s[112 + i] = e, f, g, h


@_compiled
def _compress(s, before, w, k):  # type: ignore[no-untyped-def]
    """One block into the state ``s`` of every lane (6.2.2); ``w`` holds its 16 words in front. All are (word, lane)."""
    for i in range(WORDS * LANES):
        before[i] = s[i]
    _schedule(w)
    _rounds(s, w, k)
    for i in range(WORDS * LANES):
        s[i] = np.uint32(s[i] + before[i])


@_compiled
def _digests(rows, padded, message, first, k, out):  # type: ignore[no-untyped-def]
    """sha256 of every padded row into ``out`` (n, 8); ``message`` is ``padded`` seen as words (lane, word)."""
    count, width = rows.shape
    s, before = np.empty(WORDS * LANES, np.uint32), np.empty(WORDS * LANES, np.uint32)
    w = np.empty(64 * LANES, np.uint32)
    for start in range(0, count, LANES):
        for i in range(LANES):
            row = min(start + i, count - 1)  # a last group that is not full repeats the last row
            for place in range(width):
                padded[i, 1 + place] = rows[row, place]
        for j in range(WORDS * LANES):
            s[j] = first[j]
        for block in range(0, message.shape[1], 16):
            for t in range(16):
                for i in range(LANES):
                    w[LANES * t + i] = _swapped(message[i, block + t])
            _compress(s, before, w, k)
        for i in range(min(LANES, count - start)):
            for word in range(WORDS):
                out[start + i, word] = _swapped(s[LANES * word + i])


def hash_rows(rows: NDArray[np.uint8], prefix: bytes, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """sha256(prefix || row) for each row of (n, width) uint8, as (n, 32) uint8.

    ``out`` may share memory with ``rows`` if both start at the same place and rows are no shorter than digests: a
    group is read before it is written. Gives up the interpreter lock while hashing.
    """
    out = np.empty((len(rows), DIGEST_BYTES), np.uint8) if out is None else out
    padded = np.tile(_padded(rows.shape[1], prefix), (LANES, 1))
    _digests(rows, padded, padded.view(np.uint32), FIRST_STATE, ROUND_CONSTANTS, out.view(np.uint32))
    return out


def fold(level: NDArray[np.uint8], prefix: bytes) -> NDArray[np.uint8]:
    """Root over the nodes ``level`` (n, 32), n > 0, as (1, 32); every level overwrites the one below, in ``level``."""
    count = len(level)
    while count > 1:
        pairs, odd = divmod(count, 2)
        hash_rows(level[: 2 * pairs].reshape(pairs, 2 * DIGEST_BYTES), prefix, level)
        if odd:
            level[pairs] = level[count - 1]
        count = pairs + odd
    return level[:1]


def _padded(width: int, prefix: bytes) -> NDArray[np.uint8]:
    """Prefix, room for ``width`` bytes, a one bit, zeros, the length in bits (FIPS 180-4, 5.1.1)."""
    length = len(prefix) + width
    zeros = -(length + 9) % BLOCK_BYTES
    return np.frombuffer(prefix + bytes(width) + b"\x80" + bytes(zeros) + (8 * length).to_bytes(8, "big"), np.uint8)
