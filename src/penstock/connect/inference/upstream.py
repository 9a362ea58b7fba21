"""Any OpenAI-compatible server as an engine: vLLM and its like. What it answers is passed on as it is.

Tokens are counted by the server's own ``/tokenize`` (vLLM) where it has one; else a text's bytes bound them from
above, and a price by the bound is more than the answer costs: the rest stays the payer's. Calls may overlap, since such
a server batches; its usage figures are believed.
"""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import numpy as np

from penstock.connect.inference.engine import Usage, Vectors
from penstock.errors import Invalid, PenstockError, Refused, Unavailable

WAIT_S: Final = 300.0
ANSWER_MAX: Final = 64 * 2**20
CONTEXT_TOKENS: Final = 131_072
_CONNECTIONS: Final = httpx.Limits(max_connections=256, max_keepalive_connections=64)


class Upstream:
    """The server at ``url``, its ``model`` (its first by default), and the key it asks for, if any.

    Raises:
        Invalid: ``upstream.url``. Unavailable: ``upstream.unreachable``, ``upstream.failed``.
    """

    parallel = 64

    def __init__(
        self, url: str, model: str = "", key: str = "", *, transport: httpx.BaseTransport | None = None,
        async_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise Invalid("upstream.url", "An upstream server has an http or https address.", url=url)
        self._base = url.rstrip("/").removesuffix("/v1")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        how: dict[str, Any] = {"headers": headers, "timeout": WAIT_S, "follow_redirects": False, "trust_env": False}
        self._sync = httpx.Client(transport=transport, limits=_CONNECTIONS, **how)
        self._async = httpx.AsyncClient(transport=async_transport, limits=_CONNECTIONS, **how)
        served = {str(one["id"]): one for one in self._json("GET", "/v1/models")["data"]}
        if not served or (model and model not in served):
            raise Invalid("upstream.model", "The upstream server does not have this model.", model=model)
        self._model = model or next(iter(served))
        self.context_tokens = int(served[self._model].get("max_model_len") or CONTEXT_TOKENS)
        self._tokenizes = True

    def models(self) -> tuple[str, ...]:
        """The one that is sold."""
        return (self._model,)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the server; or bytes, which are no fewer, and two for its ends."""
        if self._tokenizes:
            try:
                asked = [self._json("POST", "/tokenize", {"model": self._model, "prompt": text}) for text in texts]
                return [int(one["count"]) for one in asked]
            except (PenstockError, KeyError, TypeError, ValueError):
                self._tokenizes = False
        return [len(text.encode()) + 2 for text in texts]

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        """Vectors as the server gives them, and its count of tokens."""
        if not texts:
            raise Invalid("engine.no_text", "There is no text to embed.")
        body = {"model": self._model, "input": list(texts), "encoding_format": "base64"}
        said = self._json("POST", "/v1/embeddings", body)
        try:
            rows = sorted(said["data"], key=lambda row: int(row["index"]))
            vectors = np.stack([_vector(row["embedding"]) for row in rows])
            tokens = int(said["usage"]["prompt_tokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise _failed("The upstream server's answer has another form.") from error
        if len(vectors) != len(texts):
            raise _failed("The upstream server answered fewer texts than it was asked.")
        now_us = time.time_ns() // 1_000
        return vectors, Usage(tokens, 0, now_us, now_us, 0)

    async def chat(self, body: dict[str, Any]) -> bytes:
        """The whole answer to ``POST /v1/chat/completions``, byte for byte."""
        try:
            answer = await self._async.post(f"{self._base}/v1/chat/completions", json=body)
        except httpx.HTTPError as error:
            raise _unreachable() from error
        return _checked(answer.status_code, answer.content)

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        """The answer's events as they come, with the usage as the last."""
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        try:
            async with self._async.stream("POST", f"{self._base}/v1/chat/completions", json=asked) as answer:
                if answer.status_code != 200:
                    _checked(answer.status_code, await answer.aread())
                async for part in answer.aiter_bytes():
                    yield part
        except httpx.HTTPError as error:
            raise _unreachable() from error

    def close(self) -> None:
        """Close the connections of calls that do not wait on an event loop."""
        self._sync.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._sync.request(method, self._base + path, json=body)
        except httpx.HTTPError as error:
            raise _unreachable() from error
        _checked(answer.status_code, answer.content)
        try:
            return answer.json()
        except ValueError as error:
            raise _failed("The upstream server's answer is not JSON.") from error


def _checked(status: int, content: bytes) -> bytes:
    """A good answer's bytes; a request that the server refuses is the asker's, everything else is the server's."""
    if status in (400, 404, 413, 422):
        raise Refused("upstream.refused", "The model's server refuses this request.", status=status)
    if status != 200 or len(content) > ANSWER_MAX:
        raise _failed("The upstream server failed.")
    return content


def _vector(said: str | list[float]) -> Vectors:
    if isinstance(said, str):
        return np.frombuffer(b64decode(said, validate=True), dtype="<f4").astype(np.float32)
    return np.array(said, dtype=np.float32)


def _failed(sentence: str) -> Unavailable:
    return Unavailable("upstream.failed", sentence, hint="Try again; nothing is charged.")


def _unreachable() -> Unavailable:
    return Unavailable("upstream.unreachable", "The model's server does not answer.", hint="Nothing is charged.")
