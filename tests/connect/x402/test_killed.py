"""The provider killed with SIGKILL at each state of its till: charged once, served once or paid back once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from payment_kit import PAYER, PRICE, PROVIDER, ROOT, Scene, signed
from x402.http.utils import encode_payment_signature_header

from penstock.chain.rpc import serve

VICTIM = Path(__file__).with_name("provider_victim.py")


def _provider(folder: Path, rpc: str, dollar: bytes, header: str, where: str) -> tuple[int, list[str]]:
    run = subprocess.run(
        [sys.executable, str(VICTIM), str(folder), rpc, dollar.hex(), header, where],
        capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout.split(maxsplit=2)


@pytest.mark.parametrize(
    "where",
    ["payment sent", *(pytest.param(state, marks=pytest.mark.nightly)
     for state in ("before settling", "after settling", "before answering", "answer kept"))],
)  # fmt: skip
def test_killed_and_started_again_it_charges_once_and_answers(scene: Scene, tmp_path: Path, where: str) -> None:
    before = scene.balance(PROVIDER)
    header = encode_payment_signature_header(signed(scene.requirements()))
    with serve(scene.node, 0) as rpc:
        killed, nothing = _provider(tmp_path, rpc, scene.dollar, header, where)
        charged = scene.balance(PROVIDER) - before
        status, answered = _provider(tmp_path, rpc, scene.dollar, header, "")
    assert (killed, nothing) == (-9, [])
    assert charged == (0 if where == "before settling" else PRICE)
    assert (status, answered[:2]) == (0, ["200", "1"])
    assert scene.balance(PROVIDER) == before + PRICE


@pytest.mark.nightly
def test_killed_while_it_pays_back_it_pays_back_once(scene: Scene, tmp_path: Path) -> None:
    scene.mint(PROVIDER)
    before = scene.balance(PAYER), scene.balance(PROVIDER)
    header = encode_payment_signature_header(signed(scene.requirements()))
    with serve(scene.node, 0) as rpc:
        killed, nothing = _provider(tmp_path, rpc, scene.dollar, header, "refund sent")
        sent_back = scene.balance(PAYER), scene.balance(PROVIDER)
        status, answered = _provider(tmp_path, rpc, scene.dollar, header, "")
    assert (killed, nothing) == (-9, [])
    assert (status, answered[:2]) == (0, ["409", "0"])
    assert "payment.refunded" in answered[2]
    assert sent_back == before == (scene.balance(PAYER), scene.balance(PROVIDER))
