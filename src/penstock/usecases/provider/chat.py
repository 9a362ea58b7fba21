"""Chat: answers whose length nobody knows ahead. The most a request allows is paid first; what is not used is returned
as the payer's balance. What is begun is finished, paid and recorded, whether or not the asker still listens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

from penstock.connect.inference.engine import Usage
from penstock.connect.inference.gate import Admitted, Asked, TurnedAway
from penstock.errors import Invalid, PenstockError, Unavailable
from penstock.usecases.provider.desk import Answered, Desk, Request, finished

TEMPLATE_TOKENS: Final = 16
"""What a chat template adds to a message at most, as assumed for the price."""
ANSWER_TOKENS: Final = 1_024
"""How long an answer may be where its request does not say."""
_END: Final = b""
_DATA: Final = b"data: "


class Chats(Protocol):
    """An engine that chats."""

    async def chat(self, body: dict[str, Any]) -> bytes:
        """The whole answer."""

    def stream(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        """The answer as it comes, its usage at the end."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A chat request: the body to pass on, its texts, and the most tokens that its answer may have, 0 where unsaid."""

    model: str
    body: dict[str, Any]
    texts: tuple[str, ...]
    most_tokens: int


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer on its way."""

    parts: AsyncIterator[bytes]
    payment_id: bytes
    headers: Mapping[str, str]


async def chat(desk: Desk, request: Request, talk: Talk) -> Answered | TurnedAway:
    """A whole answer.

    Raises:
        Invalid: ``model.no_chat``, ``request.too_many_tokens``. NotFound: ``model.unknown``. As the upstream.
    """
    engine = _chats(desk, talk)
    with desk.place():
        talk, most = await _bounded(desk, talk)
        admitted = await _admitted(desk, request, talk.model, most)
        if isinstance(admitted, TurnedAway):
            return admitted
        if admitted.stored is not None:
            return Answered(admitted.stored, admitted.payment_id, -1, admitted.headers)
        return await finished(_chatted(desk, engine, request, talk, admitted))


async def _chatted(desk: Desk, engine: Chats, request: Request, talk: Talk, admitted: Admitted) -> Answered:
    started_us = desk.clock()
    try:
        body = await engine.chat(talk.body)
        usage = usage_of(json.loads(body), desk.clock())
    except Exception as error:
        await _failed(desk, admitted, error)
        raise
    return await _kept(desk, request, talk, admitted, body, usage, started_us)


async def stream(desk: Desk, request: Request, talk: Talk) -> Streamed | Answered | TurnedAway:
    """An answer as it comes; the whole one where this payment was answered before. Raises as `chat`."""
    engine = _chats(desk, talk)
    with desk.place():
        talk, most = await _bounded(desk, talk)
        admitted = await _admitted(desk, request, talk.model, most)
    if isinstance(admitted, TurnedAway):
        return admitted
    if admitted.stored is not None:
        return Answered(admitted.stored, admitted.payment_id, -1, admitted.headers)
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    task = asyncio.create_task(_pump(desk, engine, request, talk, admitted, queue))
    return Streamed(_drain(queue, task), admitted.payment_id, admitted.headers)


async def _pump(
    desk: Desk, engine: Chats, request: Request, talk: Talk, admitted: Admitted, queue: asyncio.Queue[bytes]
) -> None:
    """From the engine into the queue, to the end, whoever reads it."""
    started_us, first_us, whole = desk.clock(), 0, bytearray()
    desk.figures.running += 1
    try:
        async for part in engine.stream(talk.body):
            first_us = first_us or desk.clock()
            whole += part
            queue.put_nowait(part)
        usage = streamed_usage(bytes(whole), first_us or desk.clock(), desk.clock())
        await _kept(desk, request, talk, admitted, bytes(whole), usage, started_us)
    except Exception as error:
        await _failed(desk, admitted, error)
        queue.put_nowait(_event(error))
    finally:
        desk.figures.running -= 1
        queue.put_nowait(_END)


async def _drain(queue: asyncio.Queue[bytes], task: asyncio.Task[None]) -> AsyncIterator[bytes]:
    while part := await queue.get():
        yield part
    await task  # held until here, so that nobody collects it


def _event(error: Exception) -> bytes:
    """A failure in the middle of a stream, as OpenAI's clients read it."""
    code = error.code if isinstance(error, PenstockError) else "api.fault"
    said = {"error": {"message": "The answer broke off.", "type": "server_error", "param": None, "code": code}}
    return _DATA + json.dumps(said).encode() + b"\n\n"


def _chats(desk: Desk, talk: Talk) -> Chats:
    desk.check_model(talk.model)
    if not hasattr(desk.engine, "chat"):
        raise Invalid("model.no_chat", "This model embeds; it does not chat.", param="model")
    return cast(Chats, desk.engine)


async def _bounded(desk: Desk, talk: Talk) -> tuple[Talk, int]:
    """The request with its answer's length bounded, whether or not it bounds it, and the most tokens of both."""
    prompt = sum(await desk.in_thread(lambda: desk.engine.count(talk.texts)))
    prompt += TEMPLATE_TOKENS * (len(talk.texts) + 1)
    room = min(desk.limits.tokens, desk.engine.context_tokens) - prompt
    most = talk.most_tokens or min(ANSWER_TOKENS, room)
    if most < 1 or most > room:
        raise Invalid("request.too_many_tokens", "Prompt and answer together are longer than the model takes.")
    return replace(talk, body={**talk.body, "max_tokens": most}, most_tokens=most), prompt + most


async def _admitted(desk: Desk, request: Request, model: str, most: int) -> Admitted | TurnedAway:
    price = desk.price.cost_up(most)
    return await desk.gate.admit(Asked(request.url, request.headers, request.digest, model, most, price, capped=True))


async def _kept(
    desk: Desk, request: Request, talk: Talk, admitted: Admitted, body: bytes, usage: Usage, started_us: int
) -> Answered:
    number, _, used = await desk.in_thread(lambda: desk.record(request, talk.model, body, started_us, usage, admitted))
    return await desk.answered(request, admitted, body, used, number)


async def _failed(desk: Desk, admitted: Admitted, error: Exception) -> None:
    desk.figures.failed += 1
    await asyncio.shield(desk.gate.failed(admitted, type(error).__name__))


def usage_of(answer: Any, now_us: int) -> Usage:
    """What an answer says it used. Raises Unavailable ``upstream.failed`` where it does not say."""
    try:
        used = answer["usage"]
        prompt, output = int(used["prompt_tokens"]), int(used.get("completion_tokens", 0))
        if prompt < 0 or output < 0:
            raise ValueError("tokens")
        return Usage(prompt, output, now_us, now_us, 0)
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("upstream.failed", "The upstream server does not say what an answer used.") from error


def streamed_usage(whole: bytes, first_us: int, now_us: int) -> Usage:
    """What the last event with usage says. Raises Unavailable ``upstream.failed`` where none does."""
    for line in reversed(whole.splitlines()):
        if line.startswith(_DATA) and b'"usage"' in line:
            try:
                said = json.loads(line[len(_DATA) :])
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("usage"):
                used = usage_of(said, now_us)
                return Usage(used.prompt_tokens, used.output_tokens, first_us, now_us, 0)
    raise Unavailable("upstream.failed", "The upstream server does not say what an answer used.")
