"""Whoever asks may go away, as a call in MCP is cancelled: what was paid for is done, recorded and told to the gate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from provider_kit import MODEL, HandClock, PaidGate, WordEngine

from penstock.api.inference.forms import EmbeddingsAnswer
from penstock.compute.price import Price
from penstock.connect.inference.engine import Usage, Vectors
from penstock.connect.inference.gate import Admitted
from penstock.connect.inference.workbook import Workbook
from penstock.usecases.provider.desk import Desk, Request


class SlowEngine(WordEngine):
    """Takes a while."""

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        time.sleep(0.2)
        return super().embed(texts)


class TellingGate(PaidGate):
    """Remembers what it was told."""

    told = 0

    async def answered(self, admitted: Admitted, body: bytes, usage: Usage, cost_usdc_micro: int) -> Mapping[str, str]:  # type: ignore[override]
        self.told += 1
        return {}


def test_what_is_paid_for_is_finished_though_nobody_waits(tmp_path: Path) -> None:
    clock, gate = HandClock(step_us=7), TellingGate()
    body = json.dumps({"model": MODEL, "input": "what shines"}).encode()

    async def goes_away(desk: Desk) -> None:
        request = Request("http://127.0.0.1/v1/embeddings", {}, body, clock())
        asking = asyncio.ensure_future(desk.embed(request, MODEL, ["what shines"], EmbeddingsAnswer(MODEL, "float")))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.5)

    with Workbook(tmp_path) as workbook, Desk(SlowEngine(), workbook, Price(1_000), clock, gate) as desk:
        asyncio.run(goes_away(desk))
        assert (workbook.count(), gate.taken, gate.told, gate.gone_back) == (1, 1, 1, 0)
