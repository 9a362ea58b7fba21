"""No payment leaves for a facilitator that nobody named."""

from __future__ import annotations

import ast
import asyncio
import socket
from typing import Any

import httpx
import pytest
from payment_kit import ROOT, Scene, signed

from penstock.connect.x402.remote import RemoteFacilitator
from penstock.errors import Invalid, Unavailable

SOURCES = sorted((ROOT / "src" / "penstock").rglob("*.py"))


@pytest.mark.parametrize("url", ["", "facilitator", "ftp://x", "http://", "http://far.example", "https://"])
def test_an_address_is_given_and_secret(url: str) -> None:
    with pytest.raises(Invalid, match=r"payment\.facilitator_url"):
        RemoteFacilitator(url)


def test_no_source_builds_a_client_without_an_address() -> None:
    """The package's own client goes to a public facilitator where it is given no address: it is not used here."""
    named = {"HTTPFacilitatorClient", "HTTPFacilitatorClientSync", "FacilitatorConfig", "DEFAULT_FACILITATOR_URL"}
    assert len(SOURCES) > 100
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        imported = {one.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names}
        assert not named & (used | imported), path


def test_nothing_but_the_named_address_is_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"location": "https://elsewhere.example/settle"})

    def no_socket(*_: Any, **__: Any) -> Any:
        raise AssertionError("a socket was opened")

    async def go() -> None:
        terms = scene.requirements()
        async with RemoteFacilitator("https://named.example", transport=httpx.MockTransport(answer)) as remote:
            with monkeypatch.context() as patched:
                patched.setattr(socket.socket, "connect", no_socket)
                with pytest.raises(Unavailable, match=r"payment\.facilitator"):
                    await remote.settle(signed(terms), terms)

    asyncio.run(go())
    assert asked == ["https://named.example/settle"]  # the redirect was not followed


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(502), httpx.Response(200, content=b"<html>"), httpx.Response(200, json={"success": "perhaps"}),
     httpx.Response(200, content=b"x" * 70_000)],
    ids=["502", "html", "nonsense", "large"],
)  # fmt: skip
def test_what_is_no_answer_is_unavailable(scene: Scene, answer: httpx.Response) -> None:
    async def go() -> None:
        terms = scene.requirements()
        transport = httpx.MockTransport(lambda _: answer)
        async with RemoteFacilitator("https://named.example", transport=transport) as remote:
            with pytest.raises(Unavailable, match=r"payment\.facilitator"):
                await remote.settle(signed(terms), terms)

    asyncio.run(go())
