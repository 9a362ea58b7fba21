"""A chain with a dollar on it, people with keys, a facilitator, and a small door behind the gate. People are roles."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from x402 import x402Client
from x402.http.clients import x402AsyncTransport
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.exact.client import ExactEvmScheme
from x402.mechanisms.evm.upto.client import UptoEvmScheme
from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse, SupportedResponse, VerifyResponse

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.client import ChainClient
from penstock.chain.node import CHAIN_ID, Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.chain.well_known import PERMIT2, well_known_code
from penstock.connect.inference.gate import Admitted, Asked, Gate, TurnedAway
from penstock.connect.x402.asking import Terms
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.gate import Hands, PaymentGate
from penstock.connect.x402.ports import Facilitator
from penstock.connect.x402.settlements import Settlements
from penstock.connect.x402.spend import CreditScheme
from penstock.connect.x402.till import Till
from penstock.connect.x402.tool_call import NO_USAGE
from penstock.keys import ChainKey
from penstock.usecases.facilitate import ChainOfPayments, ChainPayout, ChainWitness, now_us

ROOT = Path(__file__).resolve().parents[3]
NETWORK = f"eip155:{CHAIN_ID}"
BODY = b"embed this"
PRICE = 370
RICH = 10_000_000


def role(name: str) -> ChainKey:
    """The key of a role."""
    return ChainKey(keccak(text=name))


OPERATOR, FACILITATOR, PROVIDER, PAYER, ATTACKER = (
    role(name) for name in ("operator", "facilitator", "provider", "payer", "attacker")
)


def hexed(account: bytes) -> str:
    """An address as wallets write it."""
    return str(to_checksum_address(account))


@dataclass
class Scene:
    """The chain, and what stands on it."""

    node: Node
    client: ChainClient
    dollar: bytes

    def balance(self, who: ChainKey | bytes) -> int:
        """Micro-dollars of an account."""
        account = who if isinstance(who, bytes) else who.address
        data = call_data(load_artefact("Dollar"), "balanceOf", hexed(account))
        return int.from_bytes(self.client.call(self.dollar, data), "big")

    def mint(self, who: ChainKey, amount: int = RICH) -> ChainKey:
        """Give an account dollars."""
        data = call_data(load_artefact("Dollar"), "mint", hexed(who.address), amount)
        self.client.transact(OPERATOR, self.dollar, data)
        return who

    def approve_permit2(self, who: ChainKey) -> None:
        """Let Permit2 move an account's dollars, as payers by ``upto`` do once."""
        data = call_data(load_artefact("Dollar"), "approve", hexed(PERMIT2), 2**256 - 1)
        self.client.transact(who, self.dollar, data)

    def facilitator(self, store: Path | None = None, key: ChainKey = FACILITATOR, **more: Any) -> ChainFacilitator:
        """A facilitator; those that share ``store`` share their record."""
        chain = ChainOfPayments(self.client, key)
        return ChainFacilitator(chain, Settlements(store, now_us), [self.dollar], **more)

    def terms(self, **more: Any) -> Terms:
        """What the provider takes."""
        terms = Terms(CHAIN_ID, self.dollar, "Test Dollar", "2", PROVIDER.address, FACILITATOR.address)
        return replace(terms, **more)

    def requirements(self, **more: Any) -> PaymentRequirements:
        """A demand for the price by ``exact``."""
        extra = {"name": "Test Dollar", "version": "2", "paymentFlow": "upfront"}
        asked = PaymentRequirements(
            scheme="exact", network=NETWORK, asset=hexed(self.dollar), amount=str(PRICE),
            pay_to=hexed(PROVIDER.address), max_timeout_seconds=300, extra=extra,
        )  # fmt: skip
        return asked.model_copy(update=more)

    def upto(self, cap: int = 20_000) -> PaymentRequirements:
        """A demand for at most ``cap`` by ``upto``."""
        extra = {
            "name": "Test Dollar", "version": "2", "assetTransferMethod": "permit2",
            "facilitatorAddress": hexed(FACILITATOR.address),
        }  # fmt: skip
        return self.requirements(scheme="upto", amount=str(cap), extra=extra)


def new_scene() -> Scene:
    """A fresh chain in memory."""
    rich = {key.address: 10**21 for key in (OPERATOR, FACILITATOR, PROVIDER, PAYER, ATTACKER)}
    node = Node(Genesis(rich, code=well_known_code()))
    client = ChainClient(NodeProvider(node))
    scene = Scene(node, client, client.deploy(OPERATOR, load_artefact("Dollar"), hexed(OPERATOR.address)))
    scene.mint(PAYER)
    return scene


def signed(asked: PaymentRequirements, payer: ChainKey = PAYER) -> PaymentPayload:
    """A payment as the official Python client signs it."""
    account = Account.from_key(payer.secret)
    scheme = UptoEvmScheme(account) if asked.scheme == "upto" else ExactEvmScheme(account)
    return PaymentPayload(payload=scheme.create_payment_payload(asked), accepted=asked)


def settle(facilitator: Facilitator, payload: PaymentPayload, asked: PaymentRequirements) -> SettleResponse:
    """Settle, and wait."""
    return asyncio.run(facilitator.settle(payload, asked))


@dataclass
class Stubborn:
    """A facilitator around another that misbehaves as ``act`` says."""

    inner: ChainFacilitator
    act: Callable[[ChainFacilitator, PaymentPayload, PaymentRequirements], Awaitable[SettleResponse]]
    asked: int = 0

    async def verify(self, payload: PaymentPayload, requirements: PaymentRequirements) -> VerifyResponse:
        return await self.inner.verify(payload, requirements)

    async def settle(self, payload: PaymentPayload, requirements: PaymentRequirements) -> SettleResponse:
        self.asked += 1
        return await self.act(self.inner, payload, requirements)

    def get_supported(self) -> SupportedResponse:
        return self.inner.get_supported()


@dataclass
class Door:
    """A door behind a gate: ``POST /answer`` answers with the body's digest, and counts its work."""

    gate: Gate
    price: int = PRICE
    cost: int | None = None
    works: int = 0
    fails: bool = False
    before_work: Callable[[], Awaitable[None]] | None = None
    seen: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/answer", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        asked = Asked(
            str(request.url), request.headers, hashlib.sha256(body).digest(), "model", 37, self.price,
            capped=self.cost is not None,
        )  # fmt: skip
        admitted = await self.gate.admit(asked)
        if isinstance(admitted, TurnedAway):
            return Response(admitted.body, admitted.status, dict(admitted.headers), admitted.media_type)
        if admitted.stored is not None:
            return Response(admitted.stored, 200, dict(admitted.headers))
        return await self._work(admitted, body)

    async def _work(self, admitted: Admitted, body: bytes) -> Response:
        if self.before_work:
            await self.before_work()
        self.works += 1
        if self.fails:
            await self.gate.failed(admitted, "engine.broken")
            return Response(b"broken", 500)
        answer = json.dumps({"digest": hashlib.sha256(body).hexdigest(), "work": self.works}).encode()
        cost = self.price if self.cost is None else self.cost
        headers = {**admitted.headers, **await self.gate.answered(admitted, answer, NO_USAGE, cost)}
        return Response(answer, 200, headers)

    def plain(self) -> httpx.AsyncClient:
        """A client that knows nothing of payments."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://provider.test")

    def paying(self, scene: Scene, payer: ChainKey = PAYER, schemes: tuple[str, ...] = ("exact",)) -> httpx.AsyncClient:
        """The official Python client, its spending controls on."""
        transport = x402AsyncTransport(official(scene, payer, schemes), httpx.ASGITransport(self.app))
        return httpx.AsyncClient(transport=transport, base_url="http://provider.test")


def official(scene: Scene, payer: ChainKey = PAYER, schemes: tuple[str, ...] = ("exact",)) -> x402Client:
    """The official client with a payer's schemes; it pays in the dollar alone, and in prepaid balances."""
    client, account = x402Client(), Account.from_key(payer.secret)
    makers: dict[str, Callable[[], Any]] = {
        "exact": lambda: ExactEvmScheme(account),
        "upto": lambda: UptoEvmScheme(account),
        "credit": lambda: CreditScheme(payer, now_us),
    }
    for name in schemes:
        client.register(NETWORK, makers[name]())
    assets = [hexed(scene.dollar), "0x" + bytes(32).hex()]
    allowed = [{"network": NETWORK, "asset": one, "max_amount_per_payment": "50000"} for one in assets]
    client.set_spend_controls({"allowed_assets": allowed})  # type: ignore[arg-type]
    return client


def make_gate(
    scene: Scene,
    till: Till,
    facilitator: Facilitator,
    *,
    witness: bool = True,
    refunds: Path | None = None,
    **more: Any,
) -> PaymentGate:
    """The provider's gate; with ``refunds`` it can pay back on the chain."""
    payout = ChainPayout(ChainOfPayments(scene.client, PROVIDER), Settlements(refunds, now_us)) if refunds else None
    hands = Hands(facilitator, ChainWitness(scene.client) if witness else None, payout, None)
    terms = more.pop("terms", None) or scene.terms()
    return PaymentGate(terms, till, hands, more.pop("clock", now_us), **more)


def told(answer: httpx.Response) -> dict[str, Any]:
    """What the payment's confirmation says."""
    found: dict[str, Any] = json.loads(base64.b64decode(answer.headers["PAYMENT-RESPONSE"]))
    return found


async def payment_header(door: Door, scheme: Any, place: int = 0, body: bytes = BODY) -> dict[str, str]:
    """A payment for one way of the door's offers, as the official clients send it."""
    async with door.plain() as client:
        refused = await client.post("/answer", content=body)
    asked: Any = decode_payment_required_header(refused.headers["PAYMENT-REQUIRED"]).accepts[place]
    payload = PaymentPayload(payload=scheme.create_payment_payload(asked), accepted=asked)
    return {"PAYMENT-SIGNATURE": encode_payment_signature_header(payload)}


def exact(key: ChainKey = PAYER) -> ExactEvmScheme:
    """The official scheme of a payer."""
    return ExactEvmScheme(Account.from_key(key.secret))


def upto() -> UptoEvmScheme:
    """The official scheme of the payer."""
    return UptoEvmScheme(Account.from_key(PAYER.secret))


class Later:
    """The real time, moved on by the test."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return now_us() + self.ahead_us
