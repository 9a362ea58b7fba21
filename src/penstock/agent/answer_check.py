"""Is an answer what was asked for? Shape and figures at once; sameness by asking somebody else too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Unverified

SAME_MIN: Final = 0.999
"""Cosine of two honest answers of one model to one text is at least this, whatever machine computed them."""
LENGTH_OFF_MAX: Final = 1e-3
WIDTH_MAX: Final = 65_536


def read_vectors(body: Mapping[str, Any], count: int, model: str) -> NDArray[np.float32]:
    """The vectors of an answer to ``count`` texts, in order: [count, width], finite, of length one, no two texts' zero.

    Source: the OpenAI API reference, "The embedding object".

    Raises:
        Unverified: ``answer.wrong``, saying in what.
    """
    try:
        rows = sorted(body["data"], key=lambda row: int(row["index"]))
        places = [row["index"] for row in rows]
        vectors = np.asarray([row["embedding"] for row in rows], np.float32)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _wrong("it has another form") from None
    if body.get("model") != model:
        raise _wrong(f"it is by {str(body.get('model'))[:60]!r}")
    if places != list(range(count)) or vectors.ndim != 2 or not 1 < vectors.shape[1] <= WIDTH_MAX:
        raise _wrong(f"{len(rows)} vectors came for {count} texts")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not np.isfinite(vectors).all() or (np.abs(lengths - 1) > LENGTH_OFF_MAX).any():
        raise _wrong("a vector is not of length one")
    return vectors


def check_same(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Unverified ``answer.differs`` where two providers of one model do not agree."""
    if one.shape != other.shape or float((one * other).sum(axis=1).min()) < SAME_MIN:
        hint = "One of the two runs another model, or none: ask a third."
        raise Unverified("answer.differs", "Two providers answer differently to the same texts.", hint=hint)


def check_texts(texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Unverified ``answer.wrong`` where all of several different texts got one and the same vector."""
    if len(set(texts)) > 1 and np.ptp(vectors, axis=0).max() < 1e-6:
        raise _wrong("different texts got one vector")


def _wrong(why: str) -> Unverified:
    hint = "It counts as not delivered; nothing more is bought there."
    return Unverified("answer.wrong", f"The answer is not what was asked for: {why}.", hint=hint)
