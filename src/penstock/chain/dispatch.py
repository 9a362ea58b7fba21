"""JSON-RPC 2.0 requests into answers: single or batch, every error in the code wallets expect."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any, Final

from penstock.chain.json_forms import Json, text
from penstock.chain.methods import Methods
from penstock.chain.rpc_params import data
from penstock.errors import Corrupt, Invalid, PenstockError
from penstock.journal.nesting import deeper_than

BATCH_MAX: Final = 1_000
NESTING_MAX: Final = 100
_SEND: Final = "eth_sendRawTransaction"
_CODES: Final = {
    "rpc.parse": -32700,
    "rpc.request": -32600,
    "rpc.method": -32601,
    "rpc.params": -32602,
    "chain.reverted": 3,
}
_LOG: Final = logging.getLogger(__name__)


class Dispatch:
    """Answers requests from the allow-list of ``methods``; one at a time, under the node's lock."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods
        self._arities = {name: _arity(act) for name, act in methods.table.items()}

    def answer_text(self, body: bytes) -> bytes:
        """The JSON answer to a JSON body; empty where only notifications were sent."""
        try:
            request = _parsed(body)
        except ValueError:
            return _encoded(_failed(None, Invalid("rpc.parse", "parse error")))
        answer = self.answer(request)
        return b"" if answer is None else _encoded(answer)

    def answer(self, request: Json) -> Json:
        """The answer to a parsed request or batch."""
        if isinstance(request, list):
            return self._batch(request)
        return self._single(request)

    def _batch(self, requests: list[Json]) -> Json:
        if not 0 < len(requests) <= BATCH_MAX:
            return _failed(None, Invalid("rpc.request", f"a batch holds 1 to {BATCH_MAX} requests"))
        if all(_is_send(request) for request in requests):
            return self._send_many(requests)
        answers = [self._single(request) for request in requests]
        return [answer for answer in answers if answer is not None] or None

    def _send_many(self, requests: list[Json]) -> Json:
        """A batch of nothing but sendings shares its blocks, and one wait for the disk."""
        try:
            raws = [data(request["params"][0]) for request in requests]
            results = self._methods.node.send_many(raws)
        except PenstockError:
            return [self._single(request) for request in requests]
        return [
            _failed(request["id"], result) if isinstance(result, PenstockError) else _done(request["id"], text(result))
            for request, result in zip(requests, results, strict=True)
        ]

    def _single(self, request: Json) -> Json:
        request_id = request.get("id") if isinstance(request, dict) else None
        try:
            answer = _done(request_id, self._result(request))
        except PenstockError as refused:
            answer = _failed(request_id, refused)
        except Exception:  # the door of the process: a fault becomes an answer, and a line in the log
            _LOG.exception("a JSON-RPC method failed")
            answer = _error(request_id, -32603, "internal error", {})
        is_call = isinstance(request, dict) and isinstance(request.get("method"), str)
        return None if is_call and "id" not in request else answer

    def _result(self, request: Json) -> Json:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            raise Invalid("rpc.request", "invalid request")
        method, params = request["method"], request.get("params") or []
        act = self._methods.table.get(method)
        if act is None:
            raise Invalid("rpc.method", f"the method {method[:64]} does not exist/is not available")
        low, high = self._arities[method]
        if not isinstance(params, list) or not low <= len(params) <= high:
            raise Invalid("rpc.params", f"{method} takes {low} to {high} parameters in a list")
        with self._methods.node.lock:
            return act(*params)


def _parsed(body: bytes) -> Json:
    # The engine raises the interpreter's recursion limit to 100,000, so deeply nested JSON would no longer end in a
    # RecursionError but overflow the C stack. Hence the depth is counted first, where there are enough brackets.
    text = body.decode()
    if deeper_than(text, NESTING_MAX):
        raise ValueError("nested too deep")
    return json.loads(text)


def _is_send(request: Json) -> bool:
    return (
        isinstance(request, dict)
        and request.get("method") == _SEND
        and "id" in request
        and isinstance(request.get("params"), list)
        and len(request["params"]) == 1
    )


def _arity(act: Any) -> tuple[int, int]:
    parameters = inspect.signature(act).parameters.values()
    if any(x.kind is inspect.Parameter.VAR_POSITIONAL for x in parameters):
        return 0, 8
    return sum(x.default is inspect.Parameter.empty for x in parameters), len(parameters)


def _done(request_id: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def _failed(request_id: Json, refused: PenstockError) -> Json:
    if isinstance(refused, Corrupt):
        return _error(request_id, -32603, refused.message, {"code": refused.code})
    code = _CODES.get(
        refused.code, -32602 if isinstance(refused, Invalid) and refused.code.startswith("rpc.") else -32000
    )
    reverted = refused.ids.get("data")
    return _error(request_id, code, refused.message, reverted if reverted is not None else {"code": refused.code})


def _error(request_id: Json, code: int, message: str, about: Json) -> Json:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, "data": about}}


def _encoded(answer: Json) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
