"""Calls a second paid from a prepaid balance, against calls each paid on the chain (x402 exact).

Both at the gate, fifty at once, payments signed beforehand: taken, settled or spent, answered, all of it durable.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from eth_account import Account
from x402.mechanisms.evm.exact.client import ExactEvmScheme
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements

from bench.paid_stage import ANSWER, PRICE, RICH, Stage, asked, stage
from bench.result import Result, is_small
from penstock.connect.inference.gate import Admitted, TurnedAway
from penstock.connect.x402.spend import CreditScheme
from penstock.connect.x402.till_rows import DOLLARS
from penstock.connect.x402.tool_call import NO_USAGE
from penstock.keys import ChainKey
from penstock.usecases.facilitate import now_us

AT_ONCE: Final = 50
PAID, PREPAID = 200, 2_000
ROUNDS: Final = 5
GOAL: Final = 10


def run() -> Result:
    """Prepaid calls a second, and how many times the paid ones'."""
    rounds, share = (1, 10) if is_small() else (ROUNDS, 1)
    with stage() as stand:
        payers = [stand.payer(number) for number in range(AT_ONCE)]
        pairs = [asyncio.run(_round(stand, payers, PAID // share, PREPAID // share)) for _ in range(rounds)]
    ratios = [ours / theirs for ours, theirs in pairs]
    ours, theirs = (median(one) for one in zip(*pairs, strict=True))
    return Result(
        "credits", ours, "prepaid calls/s", theirs, median(ratios), "calls/s each paid on the chain",
        (
            f"ratio over {rounds} interleaved rounds: {min(ratios):.1f} to {max(ratios):.1f}",
            f"goal {GOAL} times: {'holds' if median(ratios) >= GOAL else 'fails'}",
            f"{AT_ONCE} at once, one payer each; {PREPAID // share:,} prepaid and {PAID // share:,} paid calls a round",
        ),
    )  # fmt: skip


async def _round(stand: Stage, payers: Sequence[ChainKey], paid: int, prepaid: int) -> tuple[float, float]:
    by_exact, by_credit = await _offers(stand)
    for payer in payers:
        await stand.till.till.deposit(payer.address.ljust(32, b"\0"), payer.address, DOLLARS, RICH)
    dear = [_header(ExactEvmScheme(Account.from_key(one.secret)), by_exact) for one in _repeated(payers, paid)]
    cheap = [_header(CreditScheme(one, now_us), by_credit) for one in _repeated(payers, prepaid)]
    before = stand.balance()
    theirs = paid / await _all(stand, dear)
    assert stand.balance() - before == paid * PRICE
    held = await _held(stand, payers)
    ours = prepaid / await _all(stand, cheap)
    assert held - await _held(stand, payers) == prepaid * PRICE
    return ours, theirs


async def _held(stand: Stage, payers: Sequence[ChainKey]) -> int:
    """What all payers have left, prepaid [micro-dollars]."""
    return sum([await stand.till.till.balance(payer.address) for payer in payers])


async def _offers(stand: Stage) -> tuple[PaymentRequirements, PaymentRequirements]:
    """What the gate asks for, on the chain and from a balance."""
    refused = await stand.gate.admit(asked({}))
    assert isinstance(refused, TurnedAway)
    accepts = {one.scheme: one for one in PaymentRequired.model_validate_json(refused.body).accepts}
    return accepts["exact"], accepts["credit"]


async def _all(stand: Stage, headers: list[dict[str, str]]) -> float:
    """Seconds for all, so many at once."""
    waiting = iter(headers)

    async def one_after_the_other() -> None:
        for header in waiting:
            admitted = await stand.gate.admit(asked(header))
            assert isinstance(admitted, Admitted) and admitted.stored is None, admitted
            await stand.gate.answered(admitted, ANSWER, NO_USAGE, PRICE)

    start = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return time.perf_counter() - start


def _header(scheme: Any, terms: PaymentRequirements) -> dict[str, str]:
    payload = PaymentPayload(payload=scheme.create_payment_payload(terms), accepted=terms)
    text = payload.model_dump_json(by_alias=True, exclude_none=True)
    return {"payment-signature": base64.b64encode(text.encode()).decode()}


def _repeated(payers: Sequence[ChainKey], count: int) -> list[ChainKey]:
    return [payers[number % len(payers)] for number in range(count)]
