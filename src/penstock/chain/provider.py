"""web3.py on the node in the same process: no socket, no middleware, no HTTP."""

from __future__ import annotations

from typing import Any, cast

from web3 import Web3
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from penstock.chain.dispatch import Dispatch
from penstock.chain.methods import Methods
from penstock.chain.node import Node


class NodeProvider(BaseProvider):
    """A web3.py provider that asks ``node`` directly. ``may_mine`` adds ``evm_mine``."""

    def __init__(self, node: Node, *, may_mine: bool = False) -> None:
        super().__init__()
        self._dispatch = Dispatch(Methods(node, may_mine=may_mine))

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return cast(RPCResponse, self._dispatch.answer(request))

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        batch = [
            {"jsonrpc": "2.0", "id": n, "method": method, "params": list(params)}
            for n, (method, params) in enumerate(requests)
        ]
        return cast("list[RPCResponse]", self._dispatch.answer(batch))

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002 (the base class names it)
        """Always: the node is in this process."""
        return True


def web3_on(node: Node) -> Web3:
    """A `Web3` over ``node``; the one middleware gives results attributes, none alters a transaction."""
    return Web3(NodeProvider(node), middleware=[(AttributeDictMiddleware, "attributes")])
