"""Answers done again: every way to state, show or compute something else has its own finding."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.compute.reexecution import VECTOR_TOLERANCE, Asked, Disclosure, Finding, Stated, distance, held, opened

TEXTS = ("sunlight on a roof", "water in a pipe")
VECTORS = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
REQUEST = json.dumps({"model": "m", "input": list(TEXTS)}).encode()


def written(vectors: Any = None, model: str = "m", tokens: Any = 9) -> bytes:
    rows = VECTORS.tolist() if vectors is None else vectors
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
    return json.dumps({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens}}).encode()


ANSWER = written()


def stated(request: bytes = REQUEST, answer: bytes = ANSWER) -> Stated:
    return Stated("m", 9, 0, hashlib.sha256(request).digest(), hashlib.sha256(answer).digest())


def shown(request: bytes = REQUEST, answer: bytes = ANSWER) -> Asked | Finding:
    return opened(stated(request, answer), Disclosure(request, answer))


def asked() -> Asked:
    found = shown()
    assert isinstance(found, Asked)
    return found


def test_what_was_stated_is_read_as_it_was_asked_and_answered() -> None:
    found = asked()
    assert (found.texts, found.model, found.prompt_tokens) == (TEXTS, "m", 9)
    assert np.array_equal(found.vectors, VECTORS)


def test_one_text_and_base64_are_other_ways_to_write_it() -> None:
    request = json.dumps({"model": "m", "input": TEXTS[0]}).encode()
    found = shown(request, written([base64.b64encode(VECTORS[0].astype("<f4").tobytes()).decode()]))
    assert isinstance(found, Asked)
    assert found.texts == TEXTS[:1]
    assert np.array_equal(found.vectors, VECTORS[:1])


@pytest.mark.parametrize(
    ("disclosure", "finding"),
    [
        (Disclosure(None, None), Finding.UNDISCLOSED),
        (Disclosure(REQUEST, None), Finding.UNDISCLOSED),
        (Disclosure(REQUEST + b" ", ANSWER), Finding.REQUEST_DIFFERS),
        (Disclosure(REQUEST, ANSWER + b" "), Finding.ANSWER_DIFFERS),
    ],
)
def test_what_is_shown_is_what_was_stated(disclosure: Disclosure, finding: Finding) -> None:
    assert opened(stated(), disclosure) is finding


@pytest.mark.parametrize(
    ("request_body", "answer"),
    [
        (b"", ANSWER),
        (b"[" * 100_000, ANSWER),
        (b'{"model":"m","input":[1]}', ANSWER),
        (REQUEST, b"\xff"),
        (REQUEST, b"{}"),
        (REQUEST, written([VECTORS[0].tolist()])),
        (REQUEST, written([[0.6, 0.8], [1.0]])),
        (REQUEST, written([[0.6, 0.8], "%"])),
        (REQUEST, written([[0.6, True], [1.0, 0.0]])),
        (REQUEST, written([[0.6, 0.8], "AAA="])),
        (REQUEST, written([[0.6, 0.8], [10**400, 0.0]])),
        (REQUEST, written(tokens="9")),
        (REQUEST, ANSWER.replace(b'"index": 1', b'"index": 0')),
    ],
    ids=repr,
)
def test_a_stated_answer_that_is_none_fails(request_body: bytes, answer: bytes) -> None:
    assert shown(request_body, answer) is Finding.UNREADABLE


def test_an_answer_in_another_models_name_fails() -> None:
    assert shown(answer=written(model="n")) is Finding.MODEL_DIFFERS


def test_the_same_work_agrees_and_a_little_noise_does() -> None:
    assert held(stated(), asked(), 9, VECTORS) is Finding.AGREES
    noise = np.float32(VECTOR_TOLERANCE / 3)
    assert held(stated(), asked(), 9, VECTORS + noise) is Finding.AGREES
    assert held(stated(), asked(), 9, VECTORS + 9 * noise) is Finding.VECTOR_DIFFERS


def test_one_text_of_many_is_enough_to_differ() -> None:
    again = VECTORS.copy()
    again[1] = [0.0, 1.0]
    assert held(stated(), asked(), 9, again) is Finding.VECTOR_DIFFERS
    assert distance(VECTORS, again) == pytest.approx(np.sqrt(2))


def test_tokens_charged_are_tokens_there_are() -> None:
    assert held(stated(), asked(), 8, VECTORS) is Finding.TOKENS_DIFFER
    assert held(replace(stated(), prompt_tokens=8), asked(), 8, VECTORS) is Finding.TOKENS_DIFFER
    assert held(replace(stated(), output_tokens=1), asked(), 9, VECTORS) is Finding.TOKENS_DIFFER


def test_what_is_no_number_is_far_from_every_vector() -> None:
    assert distance(np.full((1, 2), np.nan, np.float32), VECTORS[:1]) == float("inf")
    assert distance(VECTORS, VECTORS[:, :1]) == float("inf")
