"""Challenges: which of a provider's answers are done again elsewhere, drawn so that nobody could know before.

Three steps, in this order of the journal. Challengers commit to secrets. The provider states its work and is bound by
the statement's Merkle root. The secrets are shown, and with the root they are the seed of the draw. Who states the
work does not know the secrets; who knows a secret cannot change it, nor the root.

One thing is left: whoever learns the seed and holds one of the secrets may withhold it. A challenger who is the
provider's friend so chooses between two draws; `detection.missed_with_friends` says what that is worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from penstock.errors import Invalid

SECRET_BYTES: Final = 32
HASH_BYTES: Final = 32
_COMMITMENT: Final = b"penstock/challenge/1"
_WORD_BYTES: Final = 8
_WORDS: Final = 1 << (8 * _WORD_BYTES)


def commitment(provider: str, challenger: str, secret: bytes) -> bytes:
    """What a challenger publishes before the work is stated [32 bytes].

    Bound to both names, so that a copied commitment is worth nothing to whoever copied it.

    Raises:
        Invalid: ``challenge.secret`` for a secret that has not 32 bytes.
    """
    return hashlib.sha256(_COMMITMENT + _framed(provider) + _framed(challenger) + _checked(secret)).digest()


def seed_of(secrets: Sequence[bytes], work_root: bytes) -> bytes:
    """The seed of a draw [32 bytes]: sha256 of all secrets, in order of commitment, and the root of the work.

    Raises:
        Invalid: ``challenge.secret`` for none, or for one that has not 32 bytes; ``challenge.root`` for a root that
            has not.
    """
    if not secrets:
        raise Invalid("challenge.secret", "A draw needs at least one secret.")
    if len(work_root) != HASH_BYTES:
        raise Invalid("challenge.root", "A root has 32 bytes.")
    return hashlib.sha256(b"".join(map(_checked, secrets)) + work_root).digest()


def draw(seed: bytes, count: int, rows: int) -> tuple[int, ...]:
    """``rows`` different row numbers below ``count``, ascending; all of them where there are no more.

    Words of sha256(seed || counter), those beyond the last whole multiple of ``count`` thrown away: every set of rows
    is as likely as any other, whatever ``count`` is.

    Raises:
        Invalid: ``challenge.rows`` unless ``count`` and ``rows`` are at least 1.
    """
    if count < 1 or rows < 1:
        raise Invalid("challenge.rows", "At least one row is drawn, of at least one.", count=count, rows=rows)
    wanted = min(rows, count)
    # Of more than half it is quicker to draw those that stay out; the set is as likely.
    out = wanted * 2 > count
    drawn: set[int] = set()
    words = _words(seed)
    limit = _WORDS - _WORDS % count
    while len(drawn) < (count - wanted if out else wanted):
        word = next(words)
        if word < limit:
            drawn.add(word % count)
    return tuple(row for row in range(count) if row not in drawn) if out else tuple(sorted(drawn))


def _words(seed: bytes) -> Iterator[int]:
    counter = 0
    while True:
        block = hashlib.sha256(seed + counter.to_bytes(_WORD_BYTES, "big")).digest()
        yield from (int.from_bytes(block[at : at + _WORD_BYTES], "big") for at in range(0, len(block), _WORD_BYTES))
        counter += 1


def _framed(name: str) -> bytes:
    raw = name.encode()
    return len(raw).to_bytes(4, "big") + raw


def _checked(secret: bytes) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise Invalid("challenge.secret", f"A secret has {SECRET_BYTES} bytes.")
    return secret
