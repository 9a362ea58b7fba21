"""The provider killed with SIGKILL between taking a payment and answering it: charged once, served in the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from payment_kit import PRICE, PROVIDER, ROOT, Scene, signed
from x402.http.utils import encode_payment_signature_header

from penstock.chain.rpc import serve

VICTIM = Path(__file__).with_name("provider_victim.py")


def _provider(folder: Path, rpc: str, dollar: bytes, header: str, where: str) -> tuple[int, list[str]]:
    run = subprocess.run(
        [sys.executable, str(VICTIM), str(folder), rpc, dollar.hex(), header, where],
        capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout.split(maxsplit=2)


@pytest.mark.parametrize(
    "where",
    [pytest.param("before settling", marks=pytest.mark.nightly), "after settling",
     pytest.param("before answering", marks=pytest.mark.nightly)],
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
