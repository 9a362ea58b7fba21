"""A paid call (x402 exact, embedded chain) against the same call unpaid; fifty payers at once.

The official Python client asks over HTTP on loopback; the chain and the till are files, every payment is durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from statistics import median
from typing import Final

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address
from x402 import x402Client
from x402.http.clients import x402AsyncTransport
from x402.mechanisms.evm.exact.client import ExactEvmScheme

from bench.paid_stage import BODY, NETWORK, PRICE, Stage, door, stage
from bench.result import Result, is_small
from penstock.api.running import serve_in_thread
from penstock.connect.inference.gate import OpenGate
from penstock.keys import ChainKey

GOAL_MS: Final = 30.0
PAYERS: Final = 50
WARM: Final = 5


def run() -> Result:
    """Milliseconds that paying adds to a call, at the median."""
    rounds = 10 if is_small() else 100
    with stage() as stand:
        payer = stand.payer(0)
        payers = [stand.payer(number) for number in range(1, PAYERS + 1)]
        with serve_in_thread(door(stand.gate)) as paid, serve_in_thread(door(OpenGate())) as unpaid:
            before = stand.balance()
            paid_ms, unpaid_ms = asyncio.run(_by_turns(stand, payer, paid.url, unpaid.url, rounds))
            assert stand.balance() - before == (WARM + rounds) * PRICE
            work_ms = asyncio.run(_work_ms(stand, payer, paid.url, rounds))
            before = stand.balance()
            together_s = asyncio.run(_together(stand, payers, paid.url))
            assert stand.balance() - before == PAYERS * PRICE
    adds, late = median(paid_ms) - median(unpaid_ms), sorted(paid_ms)[int(0.95 * rounds)]
    return Result(
        "paid-call", adds, "ms added at the median",
        notes=(
            f"paid p50 {median(paid_ms):.1f}, p95 {late:.1f}, unpaid p50 {median(unpaid_ms):.1f} ms; {rounds} each",
            f"goal {GOAL_MS:.0f} ms: {'holds' if adds <= GOAL_MS else 'fails'}",
            f"{work_ms:.1f} ms of processor time a paid call: client, door, gate, till, facilitator and node together",
            f"{PAYERS} payers at once: all settled and answered in {together_s:.2f} s",
            "asked by the official Python client: refused with 402, signed, settled in a block, answered",
        ),
    )  # fmt: skip


async def _by_turns(
    stand: Stage, payer: ChainKey, paid: str, unpaid: str, rounds: int
) -> tuple[list[float], list[float]]:
    async with _client(stand, payer) as paying, httpx.AsyncClient() as plain:
        for _ in range(WARM):  # imports, connections, first pages
            await _asked(paying, paid)
            await _asked(plain, unpaid)
        both = [
            (await _took_ms(lambda: _asked(paying, paid)), await _took_ms(lambda: _asked(plain, unpaid)))
            for _ in range(rounds)
        ]
    return [one for one, _ in both], [one for _, one in both]


async def _work_ms(stand: Stage, payer: ChainKey, url: str, rounds: int) -> float:
    """Processor time a paid call [ms]: what other work on the machine does not lengthen."""
    async with _client(stand, payer) as client:
        await _asked(client, url)
        start = time.process_time()
        for _ in range(rounds):
            await _asked(client, url)
        return (time.process_time() - start) / rounds * 1e3


async def _together(stand: Stage, payers: list[ChainKey], url: str) -> float:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(stand, payer)) for payer in payers]
        start = time.perf_counter()
        await asyncio.gather(*(_asked(client, url) for client in clients))
        return time.perf_counter() - start


async def _asked(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post(url + "/answer", content=BODY)
    assert answer.status_code == 200, answer.text


async def _took_ms(act: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await act()
    return (time.perf_counter() - start) * 1e3


def _client(stand: Stage, payer: ChainKey) -> httpx.AsyncClient:
    """The official client, which may spend our dollar."""
    official = x402Client()
    official.register(NETWORK, ExactEvmScheme(Account.from_key(payer.secret)))
    asset = to_checksum_address(stand.dollar)
    allowed = {"network": NETWORK, "asset": asset, "max_amount_per_payment": str(PRICE)}
    official.set_spend_controls({"allowed_assets": [allowed]})  # type: ignore[arg-type]
    plain = httpx.AsyncHTTPTransport(verify=False)  # loopback has no certificates, and loading them takes 30 ms
    return httpx.AsyncClient(transport=x402AsyncTransport(official, plain), timeout=60)
