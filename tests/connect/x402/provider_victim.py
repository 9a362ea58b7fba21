"""A provider in a process of its own, to be killed: pays, then dies where it is told to, or answers.

Arguments: folder, address of the chain's JSON-RPC, the dollar, the payment header, where to die
(a state of the till, see below, or nowhere: then it goes on from there, when the dead one's leases have run out).
Prints the status, how many answers there are, and the answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from payment_kit import BODY, FACILITATOR, PROVIDER, Door
from starlette.requests import Request
from starlette.responses import Response
from web3 import HTTPProvider
from x402.schemas import SettleResponse

from penstock.chain.client import ChainClient
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.settlements import LEASE_US, Settlements
from penstock.usecases import take_payments
from penstock.usecases.facilitate import ChainOfPayments, now_us
from penstock.usecases.take_payments import OpenTill, Selling


def die() -> None:
    """As the machine would: no handler, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


class MortalChain(ChainOfPayments):
    """A chain whose caller dies when the transaction is out, and the receipt is not in."""

    where = ""

    def send(self, raw: bytes) -> None:
        super().send(raw)
        if self.where == ("refund sent" if self.address == PROVIDER.address else "payment sent"):
            die()


class LastDoor(Door):
    """A door that dies with its answer in its hand."""

    where = ""

    async def answer(self, request: Request) -> Response:
        found = await super().answer(request)
        if self.where == "answer kept":
            die()
        return found


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
    MortalChain.where = LastDoor.where = Mortal.where = where
    take_payments.ChainOfPayments = MortalChain  # type: ignore[attr-defined]
    clock = now_us if where else lambda: now_us() + LEASE_US + 1
    facilitator = Mortal(MortalChain(client, FACILITATOR), Settlements(folder / "settled.sqlite", clock), [dollar])
    selling = Selling(dollar, "Test Dollar", "2", PROVIDER.address, PROVIDER)

    async def before_work() -> None:
        if where == "before answering":
            die()

    with OpenTill(folder, client, facilitator, selling, clock) as till:
        door = LastDoor(till.gate, before_work=before_work, fails=where == "refund sent")
        async with door.plain() as asker:
            answer = await asker.post("/answer", content=BODY, headers={"PAYMENT-SIGNATURE": header} if header else {})
            rows = len(await till.till.answers(0))
    facilitator.close()
    sys.stdout.write(f"{answer.status_code} {rows} {answer.headers.get('payment-required') or answer.text}\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]), sys.argv[4], sys.argv[5]))
