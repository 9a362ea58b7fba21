"""From rows to an answer of a schema, from an error to a refusal with the error object of all doors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import CallToolResult, TextContent

from penstock.errors import Invalid, PenstockError

_FIELD: Final = re.compile(r"^([a-z_]{1,64})(?:\.[^ ]*)?$", re.MULTILINE)
"""How the names of fields stand in what the official server says of malformed arguments: alone on their lines."""


def answer(work: Callable[[], Mapping[str, Any]], meta: Mapping[str, Any] | None = None) -> CallToolResult:
    """What ``work`` returns, as structured content and as the same JSON in text; an error of ours as a refusal."""
    try:
        return told(work(), meta=meta)
    except PenstockError as error:
        return told(error.to_json(), is_error=True)


async def as_refusals(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """What the official server says in words alone - a malformed argument, a tool that is not there - as a refusal."""
    result = await call_next(ctx)
    if not isinstance(result, dict) or not result.get("isError") or result.get("structuredContent") is not None:
        return result
    said = "".join(str(part.get("text", "")) for part in result.get("content", ()))
    names = sorted(set(_FIELD.findall(said)))
    what = f"Malformed or missing: {', '.join(names)}." if names else "The tool cannot be called like that."
    refused = Invalid("mcp.arguments", what, hint="See the tools and their schemas.").to_json()
    return {**result, "structuredContent": refused, "content": [{"type": "text", "text": json.dumps(refused)}]}


def told(said: Mapping[str, Any], *, is_error: bool = False, meta: Mapping[str, Any] | None = None) -> CallToolResult:
    """An object as an answer."""
    text = TextContent(type="text", text=json.dumps(said, default=str))
    made = CallToolResult(content=[text], structured_content=dict(said), is_error=is_error)
    return made.model_copy(update={"meta": dict(meta)}) if meta else made
