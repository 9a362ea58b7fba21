"""A provider in a process of its own, to be killed: pays, then dies where it is told to, or answers.

Arguments: folder, address of the chain's JSON-RPC, the dollar, the payment header, where to die
(``before settling``, ``after settling``, ``before answering`` or nowhere). Prints the status and the answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from payment_kit import BODY, FACILITATOR, PROVIDER, Door
from web3 import HTTPProvider
from x402.schemas import SettleResponse

from penstock.chain.client import ChainClient
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.settlements import Settlements
from penstock.usecases.facilitate import ChainOfPayments, now_us
from penstock.usecases.take_payments import OpenTill, Selling


def die() -> None:
    """As the machine would: no handler, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(ChainFacilitator):
    """A facilitator in the provider's process that dies with it."""

    where = ""

    async def settle(self, payload: Any, requirements: Any) -> SettleResponse:
        if self.where == "before settling":
            die()
        answer = await super().settle(payload, requirements)
        if self.where == "after settling":
            die()
        return answer


async def main(folder: Path, rpc: str, dollar: bytes, header: str, where: str) -> None:
    client = ChainClient(HTTPProvider(rpc))
    facilitator = Mortal(ChainOfPayments(client, FACILITATOR), Settlements(folder / "settled.sqlite", now_us), [dollar])
    facilitator.where = where
    selling = Selling(dollar, "Test Dollar", "2", PROVIDER.address)

    async def before_work() -> None:
        if where == "before answering":
            die()

    with OpenTill(folder, client, facilitator, selling) as till:
        door = Door(till.gate, before_work=before_work)
        async with door.plain() as asker:
            answer = await asker.post("/answer", content=BODY, headers={"PAYMENT-SIGNATURE": header} if header else {})
            rows = len(await till.till.answers(0))
    facilitator.close()
    sys.stdout.write(f"{answer.status_code} {rows} {answer.headers.get('payment-required') or answer.text}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]), sys.argv[4], sys.argv[5]))
