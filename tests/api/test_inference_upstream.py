"""Any OpenAI-compatible server behind the desk: embeddings and chats passed on, streams too, and what it does wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from penstock.api.inference.app import make_app
from penstock.api.running import serve_in_thread
from penstock.compute.price import Price
from penstock.connect.inference.upstream import Upstream
from penstock.connect.inference.workbook import Workbook
from penstock.errors import Invalid, Refused, Unavailable
from penstock.usecases.provider.desk import Desk

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import HandClock, PaidGate, WordEngine

MODEL = "large"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass
class Server:
    """A server of the kind, which counts tokens as words, and how it misbehaves."""

    tokenizes: bool = True
    says_usage: bool = True
    status: int = 200
    seen: dict[str, Any] | None = None

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        def models() -> dict[str, Any]:
            return {"data": [{"id": MODEL, "max_model_len": 512}]}

        @app.post("/tokenize")
        async def tokenize(request: Request) -> Response:
            if not self.tokenizes:
                return JSONResponse({"detail": "Not Found"}, 404)
            return JSONResponse({"count": len((await request.json())["prompt"].split())})

        @app.post("/v1/embeddings")
        async def embeddings(request: Request) -> Response:
            texts = (await request.json())["input"]
            vector = b64encode(np.array([0.6, 0.8], dtype="<f4").tobytes()).decode()
            rows = [{"index": place, "embedding": vector} for place in range(len(texts))]
            return JSONResponse({"data": rows[::-1], "usage": {"prompt_tokens": 7}}, self.status)

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            self.seen = await request.json()
            if self.status != 200:
                return JSONResponse({"error": "secret inside"}, self.status)
            if self.seen.get("stream"):
                return StreamingResponse(self.events(), media_type="text/event-stream")
            message = {"index": 0, "message": {"role": "assistant", "content": "sun"}, "finish_reason": "stop"}
            usage = {"usage": USAGE} if self.says_usage else {}
            return JSONResponse(
                {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [message], **usage}
            )

        return app

    async def events(self) -> AsyncIterator[bytes]:
        about = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
        for word in ("sun ", "shine"):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            yield b"data: " + json.dumps({**about, "choices": [choice]}).encode() + b"\n\n"
        if self.says_usage:
            yield b"data: " + json.dumps({**about, "choices": [], "usage": USAGE}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def upstream(server: Server) -> Iterator[Upstream]:
    with serve_in_thread(server.app()) as running, Upstream(running.url) as made:
        yield made


@pytest.fixture
def gate() -> PaidGate:
    return PaidGate(paid_usdc_micro=1_000)


@pytest.fixture
def desk(tmp_path: Path, upstream: Upstream, gate: PaidGate) -> Iterator[Desk]:
    with Workbook(tmp_path) as workbook, Desk(upstream, workbook, Price(1_000), HandClock(step_us=7), gate) as desk:
        yield desk


@pytest.fixture
def client(desk: Desk) -> Iterator[openai.OpenAI]:
    with (
        serve_in_thread(make_app(desk)) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_chat_is_passed_on_and_recorded(client: openai.OpenAI, desk: Desk, server: Server) -> None:
    found = client.chat.completions.create(model=MODEL, messages=says("what shines"), max_tokens=20, temperature=0.5)
    assert found.choices[0].message.content == "sun"
    assert server.seen is not None
    assert (server.seen["max_tokens"], server.seen["temperature"]) == (20, 0.5)
    row = desk.workbook.answers(0, 2**62)
    assert (row["prompt_tokens"].tolist(), row["output_tokens"].tolist()) == ([7], [3])
    assert row["paid_usdc_micro"].tolist() == [10]  # ten tokens' worth is a sale; the rest stays the payer's


def test_a_stream_comes_as_it_is_made_and_is_recorded_whole(client: openai.OpenAI, desk: Desk) -> None:
    parts = client.chat.completions.create(model=MODEL, messages=says("what shines"), stream=True)
    words = [part.choices[0].delta.content for part in parts if part.choices]
    assert words == ["sun ", "shine"]
    row = desk.workbook.answers(0, 2**62)
    assert row["output_tokens"].tolist() == [3]
    assert row["arrived_us"][0] <= row["first_us"][0] <= row["done_us"][0]
    assert desk.workbook.bodies(0)[1].endswith(b"data: [DONE]\n\n")


def test_embeddings_of_another_server(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model=MODEL, input=["one", "two"])
    assert np.allclose(found.data[1].embedding, [0.6, 0.8])
    assert found.usage.prompt_tokens == 7


def test_tokens_are_bounded_where_nobody_counts_them(server: Server, upstream: Upstream) -> None:
    assert upstream.count(["one two"]) == [2]
    server.tokenizes = False
    assert upstream.count(["one two"]) == [9]  # bytes are no fewer than tokens


@pytest.mark.parametrize(("status", "code"), [(500, 502), (400, 409)])
def test_what_fails_behind_us_goes_back_and_tells_no_inside(
    client: openai.OpenAI, desk: Desk, gate: PaidGate, server: Server, status: int, code: int
) -> None:
    server.status = status
    with pytest.raises(openai.APIStatusError) as found:
        client.chat.completions.create(model=MODEL, messages=says("a"))
    assert found.value.status_code == code
    assert "secret" not in str(found.value)
    assert (gate.taken, gate.gone_back, desk.workbook.count()) == (1, 1, 0)


def test_an_answer_without_usage_is_no_sale(client: openai.OpenAI, gate: PaidGate, server: Server) -> None:
    server.says_usage = False
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=MODEL, messages=says("a"))
    body = {"model": MODEL, "messages": says("a"), "stream": True}
    assert "broke off" in httpx.post(f"{client.base_url}chat/completions", json=body).text
    assert gate.gone_back == 2


def test_more_than_the_model_takes_is_refused_before_it_is_paid(client: openai.OpenAI, gate: PaidGate) -> None:
    with pytest.raises(openai.BadRequestError, match="longer"):
        client.chat.completions.create(model=MODEL, messages=says("a " * 500), max_tokens=100)
    assert gate.taken == 0


def test_a_model_that_embeds_does_not_chat(tmp_path: Path) -> None:
    with (
        Workbook(tmp_path) as workbook,
        Desk(WordEngine(), workbook, Price(1), HandClock()) as desk,
        serve_in_thread(make_app(desk)) as running,
    ):
        answer = httpx.post(f"{running.url}/v1/chat/completions", json={"model": "words", "messages": says("a")})
    assert answer.json()["error"]["code"] == "model.no_chat"


def test_addresses_and_models_that_are_none(upstream: Upstream, server: Server) -> None:
    for url in ("ftp://somewhere", "nowhere", "http://"):
        with pytest.raises(Invalid, match=r"upstream\.url"):
            Upstream(url)
    with pytest.raises(Unavailable, match=r"upstream\.unreachable"):
        Upstream("http://127.0.0.1:1")
    server.status = 422
    with pytest.raises(Refused, match=r"upstream\.refused"):
        upstream.embed(["a"])
    with pytest.raises(Refused, match=r"upstream\.refused"):
        asyncio.run(upstream.chat({"model": MODEL, "messages": []}))


@pytest.mark.parametrize(
    "strange",
    [
        {"chat_template": "{{ x }}"},
        {"min_tokens": 100_000},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "file": "/etc/passwd"}]}]},
    ],
    ids=["template", "longer", "address", "file"],
)
def test_what_a_server_would_fetch_or_run_is_not_passed_on(
    client: openai.OpenAI, server: Server, gate: PaidGate, strange: dict[str, Any]
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "what shines"}], "max_tokens": 20} | strange
    with pytest.raises(openai.BadRequestError, match=r"not taken here|messages: "):
        client.post("/chat/completions", body=body, cast_to=object)
    assert server.seen is None and gate.taken == 0


def test_tools_are_counted_as_what_they_are_text(client: openai.OpenAI, server: Server) -> None:
    tool: Any = {"type": "function", "function": {"name": "look", "description": "word " * 600}}
    with pytest.raises(openai.BadRequestError, match=r"longer than the model takes"):
        client.chat.completions.create(model=MODEL, messages=says("what shines"), max_tokens=20, tools=[tool])
    assert server.seen is None


def test_a_server_that_counts_less_than_nothing_gives_no_money_away(
    client: openai.OpenAI, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USAGE, "completion_tokens", -1_000_000)
    with pytest.raises(openai.InternalServerError, match=r"does not say"):
        client.chat.completions.create(model=MODEL, messages=says("what shines"), max_tokens=20)
