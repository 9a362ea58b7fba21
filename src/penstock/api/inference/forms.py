"""What requests hold, read once: bytes to values, and vectors to an answer's bytes.

Source: the OpenAI API reference, "Create embeddings", "Create chat completion".
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from penstock.connect.inference.engine import Usage, Vectors
from penstock.errors import Invalid
from penstock.keys.half_character import half_character
from penstock.keys.nesting import deeper_than
from penstock.usecases.provider.chat import Talk

NESTING_MAX: Final = 32
Form = TypeVar("Form", bound=BaseModel)
MODEL_CHARS_MAX: Final = 256


class EmbeddingsForm(BaseModel):
    """The body of ``POST /v1/embeddings``. Texts only: tokens of another tokenizer mean nothing here."""

    model_config = ConfigDict(extra="ignore", strict=True)
    model: str = Field(max_length=MODEL_CHARS_MAX)
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts, one or many."""
        return [self.input] if isinstance(self.input, str) else self.input


def read_json(body: bytes) -> Any:
    """A body's JSON. Raises Invalid ``request.malformed``."""
    try:
        text = body.decode()
        if deeper_than(text, NESTING_MAX):
            raise Invalid("request.malformed", f"A body here nests at most {NESTING_MAX} levels.")
        found = json.loads(text, parse_constant=_no_constant)
        if half_character(text, found):
            raise Invalid(
                "request.malformed", "A text of the body holds half a character: an escape D800 to DFFF alone."
            )
        return found
    except (ValueError, RecursionError) as error:
        raise Invalid("request.malformed", "The body is not JSON in UTF-8.") from error


def read_embeddings(body: bytes) -> EmbeddingsForm:
    """The form in a body. Raises Invalid ``request.malformed`` naming the first field that is."""
    return _validated(EmbeddingsForm, body)


def _validated(kind: type[Form], body: bytes) -> Form:
    raw = read_json(body)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0]) if first["loc"] else "body"
        raise Invalid("request.malformed", f"{place}: {first['msg']}.", param=place) from error


class Part(BaseModel):
    """A part of a message. Text alone: a picture's address would be fetched by the model's server, from wherever it
    stands, and its tokens are counted by nobody beforehand."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat; what else it holds is passed on, and counted as text."""

    model_config = ConfigDict(extra="allow")
    role: str = Field(max_length=64)
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """All of it that the model reads."""
        parts = [part.text for part in self.content] if isinstance(self.content, list) else [self.content or ""]
        return "\n".join([*parts, *([json.dumps(self.model_extra)] if self.model_extra else [])])


PASSED_ON: Final = frozenset(
    {
        "temperature", "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty",
        "repetition_penalty", "logit_bias", "response_format", "tools", "tool_choice", "parallel_tool_calls",
        "reasoning_effort", "stream_options", "user", "metadata", "store",
    }
)  # fmt: skip
"""What else a chat may ask for. Servers know fields that run templates, open files or make answers longer than paid."""
READ: Final = ("tools", "response_format")
"""Of those, what the model reads: counted as text."""


class ChatForm(BaseModel):
    """The body of ``POST /v1/chat/completions``; of fields not named here `PASSED_ON` are passed on, others refused."""

    model_config = ConfigDict(extra="allow")
    model: str = Field(max_length=MODEL_CHARS_MAX)
    messages: list[Message] = Field(min_length=1, max_length=1_024)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    n: int = Field(1, ge=1, le=1)
    stream: bool = False

    @model_validator(mode="after")
    def _known(self) -> ChatForm:
        strange = sorted(set(self.model_extra or ()) - PASSED_ON)
        if strange:
            raise ValueError(f"{strange[0][:64]!r} is not taken here")
        return self

    def talk(self) -> Talk:
        """What is passed on."""
        most = self.max_completion_tokens or self.max_tokens or 0
        body = self.model_dump(exclude_unset=True, exclude={"stream", "stream_options", "max_completion_tokens"})
        more = self.model_extra or {}
        read = [json.dumps(more[name]) for name in READ if name in more]
        texts = (*(message.text for message in self.messages), *read)
        return Talk(self.model, body, texts, most)


def read_chat(body: bytes) -> ChatForm:
    """The form in a body. Raises Invalid ``request.malformed`` naming the first field that is."""
    return _validated(ChatForm, body)


@dataclass(frozen=True, slots=True)
class EmbeddingsAnswer:
    """How to write vectors: for which model, as numbers or as base64 of little-endian float32."""

    model: str
    encoding: str

    def __call__(self, vectors: Vectors, usage: Usage) -> bytes:
        """The answer's bytes."""
        rows = [
            {"object": "embedding", "index": place, "embedding": self._written(vector)}
            for place, vector in enumerate(vectors)
        ]
        counted = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens + usage.output_tokens}
        answer = {"object": "list", "data": rows, "model": self.model, "usage": counted}
        return json.dumps(answer, separators=(",", ":")).encode()

    def _written(self, vector: Vectors) -> str | list[float]:
        if self.encoding == "base64":
            return b64encode(vector.astype("<f4").tobytes()).decode()
        numbers: list[float] = vector.astype(float).tolist()
        return numbers


def _no_constant(word: str) -> Any:
    raise ValueError(word)
