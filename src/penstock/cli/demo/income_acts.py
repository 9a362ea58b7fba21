"""The stage where money reaches people: holders withdraw, servicers are paid, tariffs go back to the roofs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from penstock.capital.exact import unpaid
from penstock.capital.program import Program
from penstock.chain.artefact import call_data
from penstock.cli.demo.capital_acts import ROOFS_PAYEE, TARIFFS, deal_of, shares_of
from penstock.cli.demo.cast import SERVICERS, Holder
from penstock.cli.demo.play import DEAL, HOLDERS_OF, SERVICER, Stagehand
from penstock.cli.demo.pool_acts import servicer
from penstock.cli.demo.together import send_together
from penstock.journal.kinds.capital import IncomePulled
from penstock.usecases.ballot import know_contracts
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.close import pull
from penstock.usecases.follow import follow
from penstock.usecases.launch import tranche_contract
from penstock.usecases.take_fees import take_fees
from penstock.usecases.withdraw import record_withdrawals, taken_by, tranche_account


def income(hand: Stagehand) -> dict[str, Any]:
    """Every holder takes its income; servicers and roofs are paid."""
    _, program = deal_of(hand)
    tranches = [name for name in HOLDERS_OF if name in program.payee_lanes]
    taken = {tranche: _withdraw_tranche(hand, tranche) for tranche in tranches}
    roofs = _pay_roofs(hand, program)
    fees = _pay_servicers(hand, program.payee_lanes[SERVICER])
    return {
        "holders": {tranche: sum(1 for amount in amounts.values() if amount) for tranche, amounts in taken.items()},
        "withdrawn_usdc_micro": {tranche: sum(amounts.values()) for tranche, amounts in taken.items()},
        "coupons_usdc_micro": {tranche: sorted(amounts.values()) for tranche, amounts in taken.items()},
        "servicers_paid": fees,
        "roofs_paid": len(roofs),
        "tariff_usdc_micro": sum(roofs.values()),
        "largest_tariff": max(roofs.items(), key=lambda item: item[1], default=("", 0)),
    }


def _withdraw_tranche(hand: Stagehand, tranche: str) -> dict[str, int]:
    name = tranche_contract(DEAL, tranche)
    names = {holder.key.address: holder.name for holder in hand.holders}
    key = f"withdraw:{tranche}"
    if not hand.recorded(key):
        done = taken_by(hand.desk.events(name, "Withdrawn"), names)
        waiting = [
            holder for holder in hand.holders[: hand.settings.size.holders_of(tranche)] if holder.name not in done
        ]
        _send_withdrawals(hand, name, waiting if hand.desk.view(name, "accumulator") else [])
    taken = taken_by(hand.desk.events(name, "Withdrawn"), names)
    shares, source = shares_of(hand, tranche), tranche_account(DEAL, tranche)
    at_us = hand.week.stop_us
    hand.workspace.submit(
        key, b"", at_us, lambda world: record_withdrawals(world, DEAL, tranche, source, shares, taken)
    )
    return taken


def _send_withdrawals(hand: Stagehand, name: str, holders: Sequence[Holder]) -> None:
    contract = hand.desk.contract(name)
    send_together(hand, f"withdrawing {name}", holders, contract.address, call_data(contract.artefact, "withdraw"))


def _pay_servicers(hand: Stagehand, lane: int) -> dict[str, int]:
    """Who served the deal takes its fees under its own key: one until it was replaced, the other since."""
    at_us = hand.week.stop_us
    follow(hand.workspace, hand.desk, DEAL, at_us)
    for name in SERVICERS:
        desk = ChainDesk(hand.workspace, hand.desk.client, hand.cast.chain_key(name))
        hand.workspace.read(partial(know_contracts, desk=desk, name=DEAL))
        if _is_owed(desk, lane):
            take_fees(hand.workspace, desk, DEAL, at_us)
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    taken = [fact for fact in facts if isinstance(fact, IncomePulled) and fact.payee == SERVICER]
    return {
        servicer(hand) if fact.lane else SERVICER: sum(moved.usdc_micro for moved in fact.transfers) for fact in taken
    }


def _is_owed(desk: ChainDesk, lane: int) -> bool:
    own = bytes.fromhex(desk.view(DEAL, "payee", lane).removeprefix("0x")) == desk.address
    return bool(desk.view(DEAL, "owed_former", desk.address) or (own and desk.view(DEAL, "unpaid", lane)))


def _pay_roofs(hand: Stagehand, program: Program) -> dict[str, int]:
    """The operator pulls the roofs' lane and sends each roof its tariff of the week."""
    lane, at_us, last = program.payee_lanes[ROOFS_PAYEE], hand.week.stop_us, len(hand.days) - 1
    if not hand.recorded("pull:roofs"):
        amount = hand.workspace.read(lambda world: unpaid(world.capital.deal(DEAL).state, lane))
        hand.desk.act("pull:roofs", DEAL, "withdraw", lane)
        count = len(hand.roofs)
        hand.workspace.submit(
            "pull:roofs",
            b"",
            at_us,
            lambda world: pull(world, DEAL, ROOFS_PAYEE, program, last, TARIFFS, amount, count),
        )
    earned = hand.workspace.read(lambda world: _tariffs(world, [roof.name for roof in hand.roofs]))
    if not hand.recorded("tariffs paid"):
        for roof, amount in earned.items():
            hand.desk.plan(f"tariff:{roof}", "Dollar", "transfer", hand.cast.roof_wallet(roof), amount)
        hand.desk.settle()
    sold = hand.workspace.read(lambda world: _sold(world, list(earned)))
    hand.workspace.submit(
        "tariffs paid", b"", at_us, lambda world: record_withdrawals(world, DEAL, ROOFS_PAYEE, TARIFFS, sold, earned)
    )
    return earned


def _tariffs(world: Any, roofs: list[str]) -> dict[str, int]:
    registers = world.books.registers
    return {roof: int(registers.read[registers.id_of(f"{roof}/tariff")]) for roof in roofs}


def _sold(world: Any, roofs: list[str]) -> dict[str, int]:
    from penstock.journal.words import LinkKind

    registers, allocated = world.books.registers, world.books.links[LinkKind.ALLOCATE]
    exports = {roof: registers.id_of(f"{roof}/export") for roof in roofs}
    return {roof: allocated.linked("source", one, 0, int(registers.read[one])) for roof, one in exports.items()}
