"""A market in memory: providers that quote, ask, cash and answer, well or ill; an agent with a mandate over them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from eth_account import Account
from eth_account.messages import encode_typed_data

from penstock.agent.decision_log import DecisionLog
from penstock.agent.mandate import Mandate
from penstock.agent.mandate_file import read_mandate
from penstock.agent.payment import Payer
from penstock.agent.spending import ANY, Book, Purpose
from penstock.agent.wallet import Wallet
from penstock.keys import ChainKey, SigningKey, derive_seed
from penstock.keys.dsse import QUOTE, STATEMENT, canonical, seal, statement
from penstock.period import SECOND_US, parse_iso

NOW_US = parse_iso("2026-11-23T00:00:00Z")
NETWORK, ASSET = "eip155:743100", "0x" + "da" * 20
MODEL = "all-MiniLM-L6-v2"
AGENT = ChainKey(derive_seed(b"agent", "key"))
WIDTH = 8


@dataclass(slots=True)
class Time:
    """A clock that moves when somebody waits."""

    now_us: int = NOW_US

    def __call__(self) -> int:
        return self.now_us

    def wait(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND_US)


@dataclass(slots=True)
class Provider:
    """One provider. What it does wrong is set on it: `fault` is asked before each paid answer."""

    name: str
    clock: Time
    price: int = 100
    carbon: int = 100_000
    energy: int = 400_000
    technology: str = "solar_pv"
    matched_bp: int = 5_000
    as_of_us: int | None = None
    valid_us: int = 60 * SECOND_US
    said: dict[str, Any] = field(default_factory=dict)
    offer: dict[str, Any] = field(default_factory=dict)
    fault: Callable[[Provider], httpx.Response | Exception | None] = lambda _: None
    vectors: Callable[[list[str]], list[list[float]]] = field(default=lambda texts: [vector_of(text) for text in texts])
    after: Callable[[Provider], None] = lambda _: None
    counts: int = 1
    cashed: dict[str, int] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.name}.test"

    @property
    def key(self) -> SigningKey:
        return SigningKey(derive_seed(b"provider", self.name))

    @property
    def pay_to(self) -> str:
        return "0x" + ChainKey(derive_seed(b"payee", self.name)).address.hex()

    def quote(self) -> bytes:
        at_us = self.clock() if self.as_of_us is None else self.as_of_us
        said = {
            "provider": self.name, "url": self.url, "model": MODEL, "price_usdc_micro_per_1k_tokens": self.price,
            "minimum_usdc_micro": 1, "schemes": ["exact", "upto"], "pay_to": self.pay_to, "asset": ASSET,
            "network": NETWORK, "energy_mj_per_1k_tokens": self.energy, "carbon_mg_per_kwh": self.carbon,
            "source": {"technology": self.technology, "matched_bp": self.matched_bp}, "load_bp": 5_000, "sku": "cpu",
            "as_of_us": at_us, "valid_until_us": at_us + self.valid_us,
        } | self.said  # fmt: skip
        digest = sha256(canonical(said)).hexdigest()
        return seal(statement(self.name, digest, QUOTE, said), STATEMENT, self.key).to_json()

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/quote":
            return httpx.Response(200, content=self.quote())
        self.asked += 1
        body = json.loads(request.content)
        tokens = self.counts * sum(len(text.split()) + 2 for text in body["input"])
        header = request.headers.get("PAYMENT-SIGNATURE")
        if header is None:
            return httpx.Response(402, headers={"PAYMENT-REQUIRED": encoded(self.required(tokens))}, json={})
        return self.paid(header, request.content, body, tokens)

    def required(self, tokens: int) -> dict[str, Any]:
        one = {
            "scheme": "exact", "network": NETWORK, "asset": ASSET, "amount": str(-(-self.price * tokens // 1_000)),
            "payTo": self.pay_to, "maxTimeoutSeconds": 300,
            "extra": {"name": "Test Dollar", "version": "1", "paymentFlow": "upfront"},
        } | self.offer  # fmt: skip
        return {"x402Version": 2, "error": "pay", "resource": {"url": self.url}, "accepts": [one]}

    def paid(self, header: str, raw: bytes, body: Mapping[str, Any], tokens: int) -> httpx.Response:
        """As a till: the same payment is cashed once, and answered the same again."""
        payment = json.loads(base64.b64decode(header))
        told = payment["payload"]["authorization"]
        assert signer_of(payment) == "0x" + AGENT.address.hex()
        first = told["nonce"] not in self.cashed
        self.cashed[told["nonce"]] = int(told["value"])
        if first:
            self.after(self)
        fault = self.fault(self)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        rows = [{"index": place, "embedding": vector} for place, vector in enumerate(self.vectors(list(body["input"])))]
        answer = json.dumps({"model": MODEL, "data": rows, "usage": {"prompt_tokens": tokens}}).encode()
        kept = self.answers.setdefault(told["nonce"] + sha256(raw).hexdigest(), answer)
        settled = {"success": True, "transaction": "0x" + "ab" * 32, "network": NETWORK, "payer": told["from"]}
        return httpx.Response(200, headers={"PAYMENT-RESPONSE": encoded(settled)}, content=kept)


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def signer_of(payment: Mapping[str, Any]) -> str:
    """Who signed an exact payment (EIP-3009 under EIP-712), by this test's own reading of the standard."""
    told, accepted = payment["payload"]["authorization"], payment["accepted"]
    names = {"from": "address", "to": "address", "value": "uint256", "validAfter": "uint256", "validBefore": "uint256"}
    fields = [{"name": name, "type": kind} for name, kind in (names | {"nonce": "bytes32"}).items()]
    domain = {"name": accepted["extra"]["name"], "version": accepted["extra"]["version"]}
    chain = {"chainId": int(accepted["network"].split(":")[1]), "verifyingContract": accepted["asset"]}
    message = {name: int(told[name]) if "uint" in kind else told[name] for name, kind in names.items()}
    typed = encode_typed_data(
        domain | chain, {"TransferWithAuthorization": fields}, message | {"nonce": bytes.fromhex(told["nonce"][2:])}
    )
    return str(Account.recover_message(typed, signature=payment["payload"]["signature"])).lower()


def vector_of(text: str) -> list[float]:
    """A vector of length one that the text alone decides."""
    drawn = np.frombuffer(sha256(text.encode()).digest(), np.uint8)[:WIDTH].astype(np.float64) + 1
    return [float(x) for x in drawn / np.linalg.norm(drawn)]


def mandate_text(providers: list[Provider], **changes: Any) -> str:
    """A mandate over these providers, as YAML's JSON; ``changes`` by top word."""
    said: dict[str, Any] = {
        "penstock": "mandate/1",
        "name": "test",
        "valid": {"from": "2026-11-22T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
        "budget_usd": {"call": "0.5", "hour": "2", "total": "5"},
        "price_max_usd": {"per_1k_tokens": "0.01"},
        "energy": {"carbon_max_g_per_kwh": "500"},
        "venues": [{"url": one.url, "pay_to": one.pay_to, "key": one.key.public.hex()} for one in providers],
        "payments": [{"network": NETWORK, "asset": ASSET, "schemes": ["exact"]}],
    }
    return json.dumps(said | changes)


@dataclass(slots=True)
class Scene:
    """Providers, a clock, an agent's folder."""

    folder: Path
    clock: Time
    providers: list[Provider]

    def mandate(self, **changes: Any) -> Mandate:
        return read_mandate(mandate_text(self.providers, **changes))

    @property
    def http(self) -> httpx.Client:
        by_host = {f"{one.name}.test": one for one in self.providers}
        return httpx.Client(transport=httpx.MockTransport(lambda request: by_host[request.url.host].answer(request)))

    @property
    def book(self) -> Book:
        return Book(self.folder / "spending.sqlite")

    @property
    def log(self) -> DecisionLog:
        return DecisionLog(self.folder / "decisions.jsonl")

    def payer(self, mandate: Mandate, purpose: Purpose = ANY) -> Payer:
        return Payer(mandate, Wallet(AGENT), self.book, self.http, self.clock, self.clock.wait, purpose)


def scene(folder: Path, *names: str, **each: Any) -> Scene:
    clock = Time()
    return Scene(folder, clock, [Provider(name, clock, **each) for name in names])
