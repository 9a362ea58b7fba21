"""Answers done again elsewhere, held against what their provider stated: bytes, tokens, vectors.

Request and answer are the bytes whose sha256 the provider stated before the rows were drawn. Another machine adds in
another order, so vectors agree within a bound: ``VECTOR_TOLERANCE``, far above what honest machines differ by and far
below what fewer layers or narrower weights change (docs/delivery.md). The format is that of OpenAI's embeddings; text
that is generated with chance in it cannot be judged so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.keys.nesting import deeper_than

Vectors = NDArray[np.float32]
VECTOR_TOLERANCE: Final = 1e-5
"""Largest Euclidean distance [1] between unit vectors of one text from two honest machines."""
DEPTH_MAX: Final = 8
BODY_MAX: Final = 64 * 2**20


class Finding(StrEnum):
    """What doing an answer again shows."""

    AGREES = "agrees"
    UNDISCLOSED = "undisclosed"  # the provider does not show what it was asked or answered
    REQUEST_DIFFERS = "request_differs"  # what it shows is not what it stated
    ANSWER_DIFFERS = "answer_differs"
    UNREADABLE = "unreadable"  # the stated answer is none to the stated request
    MODEL_DIFFERS = "model_differs"  # answered in another model's name
    TOKENS_DIFFER = "tokens_differ"  # more or fewer tokens charged than there are
    VECTOR_DIFFERS = "vector_differs"  # another model, another precision, or no model at all


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a provider shows of a drawn row: the request's and the answer's bytes; None where it shows nothing."""

    request: bytes | None
    answer: bytes | None


NOTHING: Final = Disclosure(None, None)


@dataclass(frozen=True, slots=True)
class Stated:
    """What the statement says of a row: model, tokens, sha256 of request and answer."""

    model: str
    prompt_tokens: int
    output_tokens: int
    request_sha256: bytes
    answer_sha256: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request and its answer as read: texts, their vectors (n, d) as answered, model and tokens as told."""

    texts: tuple[str, ...]
    vectors: Vectors
    model: str
    prompt_tokens: int


def opened(stated: Stated, shown: Disclosure) -> Asked | Finding:
    """The row as it was asked and answered, or what is wrong with it before anything is done again."""
    if shown.request is None or shown.answer is None:
        return Finding.UNDISCLOSED
    if hashlib.sha256(shown.request).digest() != stated.request_sha256:
        return Finding.REQUEST_DIFFERS
    if hashlib.sha256(shown.answer).digest() != stated.answer_sha256:
        return Finding.ANSWER_DIFFERS
    asked = _read(shown.request, shown.answer)
    if asked is None:
        return Finding.UNREADABLE
    return asked if asked.model == stated.model else Finding.MODEL_DIFFERS


def held(stated: Stated, asked: Asked, tokens: int, again: Vectors, tolerance: float = VECTOR_TOLERANCE) -> Finding:
    """What the work done again shows: ``tokens`` of all texts and a vector ``again`` for each, (n, d)."""
    if (stated.prompt_tokens, stated.output_tokens) != (tokens, 0) or asked.prompt_tokens != tokens:
        return Finding.TOKENS_DIFFER
    return Finding.AGREES if distance(asked.vectors, again) <= tolerance else Finding.VECTOR_DIFFERS


def distance(answered: Vectors, again: Vectors) -> float:
    """The largest Euclidean distance between two rows of one text [1]; infinite for other shapes or no number."""
    if answered.shape != again.shape or not np.isfinite(answered).all():
        return float("inf")
    return float(np.linalg.norm(answered.astype(np.float64) - again, axis=1).max(initial=0.0))


def _read(request: bytes, answer: bytes) -> Asked | None:
    asked, answered = _json(request), _json(answer)
    match asked, answered:
        case (
            {"model": str(), "input": str() | list() as texts},
            {"data": list(rows), "model": str(model), "usage": {"prompt_tokens": int(tokens)}},
        ):
            wanted = (texts,) if isinstance(texts, str) else tuple(texts)
            vectors = _vectors(rows)
            if vectors is None or len(vectors) != len(wanted) or not all(isinstance(text, str) for text in wanted):
                return None
            return Asked(wanted, vectors, model, tokens)
    return None


def _vectors(rows: Sequence[object]) -> Vectors | None:
    found = [
        _vector(row["embedding"])
        for place, row in enumerate(rows)
        if isinstance(row, dict) and row.get("index") == place and "embedding" in row
    ]
    widths = {None if one is None else len(one) for one in found}
    if len(found) != len(rows) or len(widths) != 1 or None in widths:
        return None
    return np.array(found, dtype=np.float32)


def _vector(written: object) -> Vectors | None:
    """Numbers, or base64 of little-endian float32."""
    try:
        if isinstance(written, str):
            return np.frombuffer(base64.b64decode(written, validate=True), dtype="<f4")
        if isinstance(written, list) and all(type(one) in (int, float) for one in written):
            return np.array(written, dtype=np.float32)
    except (binascii.Error, ValueError, OverflowError):
        return None
    return None


def _json(raw: bytes) -> Any:
    try:
        text = raw.decode()
        return None if len(raw) > BODY_MAX or deeper_than(text, DEPTH_MAX) else json.loads(text)
    except ValueError:
        return None
