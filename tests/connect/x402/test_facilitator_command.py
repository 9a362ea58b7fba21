"""`penstock compute facilitator serve` in a process of its own: it settles over the chain's JSON-RPC, and stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import cast

import httpx
import pytest
from payment_kit import FACILITATOR, NETWORK, PRICE, PROVIDER, Scene, hexed, signed

from penstock.api.facilitator.app import make_facilitator_app
from penstock.chain.keystore import save_key
from penstock.chain.rpc import serve
from penstock.connect.x402.ports import Facilitator


def test_it_serves_until_it_is_told_to_stop(scene: Scene, tmp_path: Path) -> None:
    save_key(tmp_path / "gas.json", FACILITATOR, "open", cost_log2=4)
    asked, before = scene.requirements(), scene.balance(PROVIDER)
    body = {
        "x402Version": 2,
        "paymentPayload": signed(asked).model_dump(by_alias=True, exclude_none=True),
        "paymentRequirements": asked.model_dump(by_alias=True, exclude_none=True),
    }
    with serve(scene.node, 0) as rpc:
        command = [
            sys.executable, "-m", "penstock", "compute", "facilitator", "serve", "--rpc", rpc, "--key",
            str(tmp_path / "gas.json"), "--asset", hexed(scene.dollar), "--store", str(tmp_path / "settled.sqlite"),
            "--port", "0", "--json",
        ]  # fmt: skip
        environment = os.environ | {"PENSTOCK_PASSPHRASE": "open"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stdout is not None
                said = json.loads(process.stdout.readline())
                settled = httpx.post(said["url"] + "/settle", json=body, timeout=30).json()
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert said["network"] == NETWORK and settled["success"]
    assert scene.balance(PROVIDER) == before + PRICE


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("localhost:8402", 200), ("evil.example", 421)])
def test_a_page_elsewhere_does_not_reach_it_by_a_name_of_its_own(host: str, status: int) -> None:
    class Nobody:
        """Settles nothing."""

    app = make_facilitator_app(cast("Facilitator", Nobody()), "eip155:1")

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return (await client.get("/health", headers={"Host": host})).status_code

    assert asyncio.run(ask()) == status
