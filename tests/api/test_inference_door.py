"""The provider's door: OpenAI's own client unmodified, and what it says to requests that cannot be answered."""

from __future__ import annotations

import base64
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from penstock.api.inference.app import BODY_BYTES_MAX, make_app
from penstock.api.running import serve_in_thread
from penstock.compute.price import Price
from penstock.connect.inference.workbook import Workbook
from penstock.usecases.provider.desk import Desk, Limits

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import MODEL, HandClock, WordEngine


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with (
        Workbook(tmp_path) as workbook,
        Desk(
            WordEngine(), workbook, Price(1_000, 5), HandClock(step_us=10), limits=Limits(texts=4, tokens=100)
        ) as desk,
    ):
        yield desk


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    with serve_in_thread(make_app(desk)) as running:
        yield running.url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_official_client_reads_models_and_vectors(client: openai.OpenAI, desk: Desk) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    found = client.embeddings.create(model=MODEL, input=["one two", "three"])
    plain = client.embeddings.create(model=MODEL, input="one two", encoding_format="float")
    assert found.usage.prompt_tokens == 3
    assert np.allclose(found.data[0].embedding, plain.data[0].embedding)
    assert [row.index for row in found.data] == [0, 1]
    assert desk.workbook.count() == 2


def test_answers_are_recorded_before_they_are_sent(url: str, desk: Desk) -> None:
    body = json.dumps({"model": MODEL, "input": "one two three", "encoding_format": "base64"}).encode()
    answer = httpx.post(f"{url}/v1/embeddings", content=body)
    number = int(answer.headers["Penstock-Answer"])
    payment = bytes.fromhex(answer.headers["Penstock-Payment"])
    assert desk.workbook.number_of(payment) == number == 0
    assert desk.workbook.bodies(0) == (body, answer.content)
    row = desk.workbook.answers(0, 2**62)
    assert row["prompt_tokens"].tolist() == [3]
    assert row["arrived_us"][0] < row["started_us"][0] < row["done_us"][0]
    vector = np.frombuffer(base64.b64decode(answer.json()["data"][0]["embedding"]), dtype="<f4")
    assert np.isclose(np.linalg.norm(vector), 1)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"{", 400, "request.malformed"),
        (b"\xff\xfe", 400, "request.malformed"),
        (b"[" * 50_000, 400, "request.malformed"),
        (b'{"model": NaN}', 400, "request.malformed"),
        (b'{"model": "words"}', 400, "request.malformed"),
        (b'{"model": "words", "input": [1, 2]}', 400, "request.malformed"),
        (b'{"model": "words", "input": []}', 400, "engine.no_text"),
        (b'{"model": "other", "input": "a"}', 404, "model.unknown"),
        (b'{"model": "words", "input": "a", "dimensions": 8}', 400, "request.dimensions"),
        (b'{"model": "words", "input": ["a", "a", "a", "a", "a"]}', 400, "request.too_many_texts"),
        (json.dumps({"model": MODEL, "input": "a " * 65}).encode(), 400, "engine.too_long"),
        (json.dumps({"model": MODEL, "input": ["a " * 60] * 2}).encode(), 400, "request.too_many_tokens"),
        (json.dumps({"model": MODEL, "input": "a" * 10_000_000}).encode(), 413, "request.too_large"),
    ],
)
def test_requests_that_cannot_be_answered(url: str, desk: Desk, sent: bytes, status: int, code: str) -> None:
    answer = httpx.post(f"{url}/v1/embeddings", content=sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert desk.workbook.count() == 0
    assert desk.engine.calls == 0  # type: ignore[attr-defined]


def test_a_body_without_a_length_is_bounded_too(url: str) -> None:
    parts = (b"a" * 65_536 for _ in range(BODY_BYTES_MAX // 65_536 + 2))
    answer = httpx.post(f"{url}/v1/embeddings", content=parts)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request.too_large")


def test_the_official_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"no model"):
        client.embeddings.create(model="other", input="a")
    with pytest.raises(openai.BadRequestError) as found:
        client.embeddings.create(model=MODEL, input="a " * 65)
    assert found.value.code == "engine.too_long"


def test_a_broken_engine_is_our_fault_and_tells_nothing(url: str, desk: Desk) -> None:
    desk.engine.breaks = True  # type: ignore[attr-defined]
    answer = httpx.post(f"{url}/v1/embeddings", json={"model": MODEL, "input": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "api.fault")
    assert "broke" not in answer.text
    assert desk.figures.failed == 1
    assert desk.workbook.count() == 0


def test_a_full_desk_turns_away_before_it_is_paid(tmp_path: Path) -> None:
    with (
        Workbook(tmp_path) as workbook,
        Desk(WordEngine(), workbook, Price(1), HandClock(), limits=Limits(waiting=0)) as full,
        serve_in_thread(make_app(full)) as running,
    ):
        answer = httpx.post(f"{running.url}/v1/embeddings", json={"model": MODEL, "input": "a"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "provider.busy")
        assert answer.headers["Retry-After"] == "1"


def test_other_paths_methods_and_hosts(url: str) -> None:
    assert httpx.get(f"{url}/v1/nowhere").json()["error"]["code"] == "request.no_path"
    assert httpx.get(f"{url}/v1/embeddings").json()["error"]["code"] == "request.method"
    foreign = httpx.get(f"{url}/health", headers={"Host": "elsewhere.example"})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (421, "request.host")
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as raw:
        raw.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999999999\r\n\r\n")
        assert b"413" in raw.recv(4096).split(b"\r\n")[0]
