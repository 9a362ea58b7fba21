"""Take fees: an account takes what a deal owes it for service, and what stayed owed to it when another took its place.

Tranches pull their lanes as a period is paid; whoever serves a deal comes itself, under its own key.
"""

from __future__ import annotations

from typing import Final

from penstock.errors import Refused
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.follow import follow
from penstock.usecases.originate import recompile
from penstock.usecases.workspace import Workspace

FORMER: Final = "until replaced"
"""What is owed to a payee who was replaced: no lane is its own any more. No payee can be called so."""


def take_fees(workspace: Workspace, desk: ChainDesk, name: str, at_us: int) -> dict[str, int]:
    """What the desk's account took, by payee, and under `FORMER` what it had been owed before [micro-dollars].

    Resumable: what is taken already is owed no more, and is recorded by following the chain.

    Raises:
        NotFound: ``deal.unknown``. Refused: ``deal.not_a_payee``, ``chain.act_refused``. As `follow`.
    """
    follow(workspace, desk, name, at_us)
    deal, program = workspace.read(lambda world: recompile(world.capital.deal(name).originated))
    lanes = {fee.name: program.payee_lanes[fee.name] for fee in deal.fees}
    own = {payee: lane for payee, lane in lanes.items() if _is(desk, desk.view(name, "payee", lane))}
    former = desk.view(name, "owed_former", desk.address)
    owed = {payee: desk.view(name, "unpaid", lane) for payee, lane in own.items()} | {FORMER: former}
    if not own and not former:
        hint = "Fees are taken under the key of the account that the deal names as their payee."
        raise Refused("deal.not_a_payee", "The deal owes this account nothing.", hint=hint, account=desk.address)
    taken = {payee: amount for payee, amount in owed.items() if amount}
    for payee in taken:
        key = f"take:{name}:{payee}:{desk.address.hex()}:{desk.view(name, 'words', 0)}"
        desk.act(key, name, *(("withdraw_former",) if payee == FORMER else ("withdraw", own[payee])))
    follow(workspace, desk, name, at_us)
    return taken


def _is(desk: ChainDesk, address: str) -> bool:
    return bytes.fromhex(address.removeprefix("0x")) == desk.address
