"""The agent pays an MCP tool by the official client: same mandate, same book, same wallet."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import payment_kit as kit
import pytest
from test_agent_pays import URL, Provider, mandate
from test_tool_call import served

from mcp import Client
from penstock.agent.payment import Call, Payer
from penstock.agent.quotes import read_quote
from penstock.agent.spending import PAID, Book
from penstock.agent.tool_call import ToolTransport
from penstock.agent.wallet import Wallet
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.till import Till
from penstock.errors import Refused
from penstock.usecases.facilitate import now_us


def payer(scene: kit.Scene, till: Till, facilitator: ChainFacilitator, folder: Path, works: list[str]) -> Payer:
    gate = kit.make_gate(scene, till, facilitator, terms=scene.terms(schemes=("exact",)))
    http = httpx.Client(transport=ToolTransport(lambda: Client(served(gate, works))))
    return Payer(mandate(scene), Wallet(kit.PAYER), Book(folder / "book.sqlite"), http, now_us, lambda _: None)


def test_a_tool_is_paid_within_the_mandate(
    scene: kit.Scene, till: Till, facilitator: ChainFacilitator, tmp_path: Path
) -> None:
    works: list[str] = []
    before = scene.balance(kit.PROVIDER)
    one = payer(scene, till, facilitator, tmp_path, works)
    quote = read_quote(Provider(scene, kit.make_gate(scene, till, facilitator)).signed_quote(), one.mandate.venues[0])
    answer = one.call(quote, Call("/tools/embed", {"text": "hello"}, kit.PRICE))
    assert answer.body["digest"] == hashlib.sha256(b"hello").hexdigest()
    assert answer.paid_usdc_micro == scene.balance(kit.PROVIDER) - before == kit.PRICE
    assert [payment.state for payment in one.book.payments()] == [PAID]
    assert works == ["hello"]


def test_a_tool_that_asks_more_than_was_quoted_is_not_paid(
    scene: kit.Scene, till: Till, facilitator: ChainFacilitator, tmp_path: Path
) -> None:
    works: list[str] = []
    one = payer(scene, till, facilitator, tmp_path, works)
    quote = read_quote(Provider(scene, kit.make_gate(scene, till, facilitator)).signed_quote(), one.mandate.venues[0])
    with pytest.raises(Refused) as caught:
        one.call(quote, Call("/tools/embed", {"text": "hello"}, kit.PRICE - 1))
    assert caught.value.code == "payment.dearer"
    assert (works, quote.url) == ([], URL)
