"""The gas of every act a person pays for: whole transactions, as a receipt states them."""

from __future__ import annotations

from typing import Any

from nodes import Chain
from scene import FAR_S, Scene, admission, build
from signing import authorization, permit

SALT = "gas"  # names the accounts, whose bytes are call data
INCOME = 1_000_000_007
STAKE = 10**9
CROWD = 100
NONCE = b"\x5a" * 32


def many(count: int, start: int = 2**100) -> list[str]:
    """Addresses nobody has a key to, without zero bytes in the way of a fair figure."""
    return [f"0x{0x1111111111111111111111111111111111111111 + start + 257 * n:040x}" for n in range(count)]


def checksummed(chain: Chain, count: int) -> list[str]:
    return [str(chain.w3.to_checksum_address(one)) for one in many(count)]


def measure(chain: Chain) -> dict[str, int]:
    """Act -> gas, in the order a deal would live. Keys: contract, act, circumstance."""
    scene = build(chain)
    table = {
        f"{name} deploy": chain.deployed_gas[getattr(scene, name).address] for name in ("dollar", "registry", "tranche")
    }
    for part in (dollar_acts, registry_acts, transfer_acts, income_acts, crowd_acts, recovery_acts):
        table |= {name: int(receipt["gasUsed"]) for name, receipt in part(scene).items()}
    return table


def dollar_acts(scene: Scene) -> dict[str, Any]:
    send, act = scene.chain.send, scene.dollar.functions
    payer, relayer = scene.by("payer"), scene.by("relayer")
    found = {"dollar mint, first": send(act.mint(payer.address, INCOME), scene.by("minter"))}
    found["dollar transfer, new holder"] = send(act.transfer(scene.at("payee"), 1_000_000), payer)
    found["dollar transfer, existing holder"] = send(act.transfer(scene.at("payee"), 1_000_000), payer)
    for turn in ("first", "later"):
        terms = (payer.address, scene.at("spender"), 1_000_000, 0 if turn == "first" else 1, FAR_S)
        signed = permit(scene.chain, scene.dollar, payer, *terms)
        found[f"dollar permit, {turn}"] = send(act.permit(*terms[:3], FAR_S, *signed), relayer)
    order = (payer.address, scene.at("payee"), 1_000_000, 0, FAR_S, NONCE)
    signed = authorization(scene.chain, scene.dollar, payer, "TransferWithAuthorization", *order)
    found["dollar transferWithAuthorization"] = send(act.transferWithAuthorization(*order, *signed), relayer)
    return found


def registry_acts(scene: Scene) -> dict[str, Any]:
    registrar, act = scene.by("registrar"), scene.registry.functions
    entries = [admission(one) for one in checksummed(scene.chain, 200)]
    found = {"registry admit": scene.chain.send(act.admit(admission(scene.at("holder"))), registrar)}
    found["registry admit_many, 200 new"] = scene.chain.send(act.admit_many(entries), registrar)
    found["registry set_frozen"] = scene.chain.send(act.set_frozen(entries[0][0], True), scene.by("compliance"))
    scene.chain.send(act.set_frozen(entries[0][0], False), scene.by("compliance"))
    scene.admit("buyer", "replacement", "newcomer")
    return found


def transfer_acts(scene: Scene) -> dict[str, Any]:
    found = {"tranche transfer, new holder": scene.move("sponsor", "holder", STAKE)}
    scene.move("sponsor", "buyer", STAKE)
    found["tranche transfer, existing holder"] = scene.move("holder", "buyer", 1_000_000)
    for turn in ("first", "later"):
        found[f"tranche pull, {turn}"] = scene.income(INCOME)
        found[f"tranche transfer that settles both, {turn}"] = scene.move("holder", "buyer", 1_000_000)
    send, act, owner = scene.chain.send, scene.tranche.functions, scene.by("holder")
    for turn in ("first", "later"):
        terms = (owner.address, scene.at("buyer"), 10**7, 0 if turn == "first" else 1, FAR_S)
        signed = permit(scene.chain, scene.tranche, owner, *terms)
        found[f"tranche permit, {turn}"] = send(act.permit(*terms[:3], FAR_S, *signed), scene.by("relayer"))
    spend = act.transferFrom(owner.address, scene.at("buyer"), 1_000_000)
    found["tranche transferFrom, existing holder"] = send(spend, scene.by("buyer"))
    return found


def income_acts(scene: Scene) -> dict[str, Any]:
    act = scene.tranche.functions
    found: dict[str, Any] = {}
    for turn in ("first", "later"):
        scene.income(INCOME)
        found[f"tranche withdraw, {turn}"] = scene.chain.send(act.withdraw(), scene.by("holder"))
    scene.income(INCOME)
    scene.move("holder", "buyer", 1_000_000)
    scene.income(INCOME)
    found["tranche withdraw, also credited"] = scene.chain.send(act.withdraw(), scene.by("holder"))
    return found


def crowd_acts(scene: Scene) -> dict[str, Any]:
    """A hundred holders: what grows with them and what does not."""
    crowd, act = checksummed(scene.chain, CROWD), scene.tranche.functions
    stakes = [STAKE] * CROWD
    found: dict[str, Any] = {}
    for turn in ("new", "existing"):
        batch = act.transfer_many(crowd, stakes)
        found[f"tranche transfer_many, {CROWD} {turn} holders"] = scene.chain.send(batch, scene.by("sponsor"))
    found[f"tranche pull, {CROWD} holders more"] = scene.income(INCOME)
    scene.chain.send(act.pay_many(crowd), scene.by("anyone"))
    scene.income(INCOME)
    found[f"tranche pay_many, {CROWD} existing holders"] = scene.chain.send(act.pay_many(crowd), scene.by("anyone"))
    return found


def recovery_acts(scene: Scene) -> dict[str, Any]:
    chain, act = scene.chain, scene.tranche.functions
    lost, new = scene.at("holder"), scene.at("replacement")
    found = {"tranche setFrozenTokens": chain.send(act.setFrozenTokens(lost, 1_000_000), scene.by("agent"))}
    order = (lost, scene.at("newcomer"), 1_000_000)
    found["tranche propose_force"] = chain.send(act.propose_force(*order, b"\x01" * 32), scene.by("agent"))
    chain.send(act.propose_force(lost, new, 2**256 - 1, b"\x01" * 32), scene.by("agent"))
    chain.advance(172_801)
    found["tranche forcedTransfer"] = chain.send(act.forcedTransfer(*order), scene.by("trustee"))
    found["tranche recover"] = chain.send(act.recover(lost, new), scene.by("trustee"))
    return found


def pull_gas(chain: Chain, holders: int) -> int:
    """Gas of the second accrual with that many holders."""
    scene = build(chain)
    crowd = checksummed(chain, 200)[:holders]
    chain.send(scene.registry.functions.admit_many([admission(one) for one in crowd]), scene.by("registrar"))
    chain.send(scene.tranche.functions.transfer_many(crowd, [STAKE] * len(crowd)), scene.by("sponsor"))
    scene.income(INCOME)
    scene.fill(INCOME)
    return chain.gas(scene.tranche.functions.pull(), scene.by("anyone"))
