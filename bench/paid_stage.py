"""A door that sells answers on an embedded chain: what `paid_call.py` and `credits.py` are measured on."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from fastapi import FastAPI, Request, Response

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.client import ChainClient
from penstock.chain.node import CHAIN_ID, Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.connect.inference.gate import Asked, Gate, TurnedAway
from penstock.connect.x402.gate import PaymentGate
from penstock.connect.x402.tool_call import NO_USAGE
from penstock.keys import ChainKey
from penstock.usecases.facilitate import make_facilitator, now_us
from penstock.usecases.take_payments import OpenTill, Selling

NETWORK: Final = f"eip155:{CHAIN_ID}"
PRICE: Final = 370
RICH: Final = 10**12
BODY: Final = b"a text to embed"
ANSWER: Final = b"x" * 8_192
OPERATOR, FACILITATOR, PROVIDER = (ChainKey(keccak(text=name)) for name in ("operator", "facilitator", "provider"))


@dataclass
class Stage:
    """The chain in a file, a dollar on it, the provider's till and gate."""

    client: ChainClient
    dollar: bytes
    till: OpenTill

    @property
    def gate(self) -> PaymentGate:
        """The provider's gate."""
        return self.till.gate

    def payer(self, number: int) -> ChainKey:
        """A payer with dollars."""
        key = ChainKey(keccak(text=f"payer {number}"))
        mint = call_data(load_artefact("Dollar"), "mint", _hexed(key.address), RICH)
        self.client.transact(OPERATOR, self.dollar, mint)
        return key

    def balance(self) -> int:
        """Micro-dollars of the provider."""
        data = call_data(load_artefact("Dollar"), "balanceOf", _hexed(PROVIDER.address))
        return int.from_bytes(self.client.call(self.dollar, data), "big")


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage in files of its own, as durable as in earnest."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        rich = {key.address: 10**24 for key in (OPERATOR, FACILITATOR)}
        node = stack.enter_context(Node(Genesis(rich), Path(folder) / "chain.sqlite"))
        client = ChainClient(NodeProvider(node))
        dollar = client.deploy(OPERATOR, load_artefact("Dollar"), _hexed(OPERATOR.address))
        facilitator = make_facilitator(client, FACILITATOR, Path(folder) / "settled.sqlite", [dollar])
        stack.callback(facilitator.close)
        selling = Selling(dollar, "Test Dollar", "2", PROVIDER.address)
        yield Stage(client, dollar, stack.enter_context(OpenTill(Path(folder), client, facilitator, selling, now_us)))


def asked(headers: dict[str, str], body: bytes = BODY) -> Asked:
    """A request for an answer of the price."""
    return Asked("http://127.0.0.1/answer", headers, hashlib.sha256(body).digest(), "model", 37, PRICE)


def door(gate: Gate) -> FastAPI:
    """``POST /answer`` behind ``gate``; the work itself is nothing, so that only the payment is measured."""
    app = FastAPI()

    @app.post("/answer")
    async def answer(request: Request) -> Response:
        admitted = await gate.admit(asked(dict(request.headers), await request.body()))
        if isinstance(admitted, TurnedAway):
            return Response(admitted.body, admitted.status, dict(admitted.headers), admitted.media_type)
        headers = {**admitted.headers, **await gate.answered(admitted, ANSWER, NO_USAGE, PRICE)}
        return Response(ANSWER, 200, headers)

    return app


def _hexed(account: bytes) -> str:
    return str(to_checksum_address(account))
