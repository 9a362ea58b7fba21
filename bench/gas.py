"""Gas of a payment to a hundred holders, and of each act of a tranche, against the plain way.

Ours accrues for all holders in one transaction (`Tranche.pull`); the peer pushes dollars to each. Holders then withdraw
when they like, so the notes state what everyone withdrawing at once would cost. Both run on the embedded node in this
process; the figures are those of whole transactions and repeat to the unit.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HOLDERS = 100
PER_HOLDER = 1_000_000


@cache
def rooms() -> Any:
    """The scene of the contract tests: accounts, deployments, the table of acts."""
    sys.path.insert(0, str(ROOT / "tests" / "contracts"))
    import gas_table
    import nodes
    import scene

    return nodes, scene, gas_table


def plain(chain: Any, scene: Any) -> dict[str, int]:
    """The plain contract's gas for the acts it shares with ours."""
    _, scenes, tables = rooms()
    code = scenes.compile_file(Path(__file__).parent / "PlainShare.vy")
    terms = (scene.dollar.address, scene.registry.address, scenes.SUPPLY, scene.at("sponsor"))
    share = chain.deploy_code(code, *terms)
    crowd, act = tables.checksummed(chain, HOLDERS), share.functions
    payer, unlimited = scene.by("payer"), 2**256 - 1
    chain.send(scene.dollar.functions.mint(payer.address, 10**12), scene.by("minter"))
    chain.send(scene.dollar.functions.approve(share.address, unlimited), payer)
    for one in crowd:
        chain.send(act.transfer(one, tables.STAKE), scene.by("sponsor"))
    whole = PER_HOLDER * scenes.SUPPLY // tables.STAKE
    first = chain.gas(act.push(crowd, whole), payer)
    assert scene.dollar.functions.balanceOf(crowd[0]).call() == PER_HOLDER
    found = {"push, first": first, "push, later": chain.gas(act.push(crowd, whole), payer)}
    for role in ("holder", "buyer"):
        chain.send(act.transfer(scene.at(role), tables.STAKE), scene.by("sponsor"))
    step = act.transfer(scene.at("buyer"), PER_HOLDER)
    found["transfer"] = chain.gas(step, scene.by("holder"))
    for _ in range(2):
        chain.send(act.distribute(PER_HOLDER), payer)
        found["transfer that settles both"] = chain.gas(step, scene.by("holder"))
    return found


def the_plain_way(node: Any) -> dict[str, int]:
    """The plain contract's gas, on a chain with the holders admitted."""
    nodes, scenes, tables = rooms()
    chain = nodes.Chain(node, "plain")
    scene = scenes.build(chain)
    scene.admit("holder", "buyer")
    entries = [scenes.admission(one) for one in tables.checksummed(chain, HOLDERS)]
    chain.send(scene.registry.functions.admit_many(entries), scene.by("registrar"))
    return plain(chain, scene)


def run() -> dict[str, Any]:
    """Pull for a hundred holders against a push to each, with the whole table in the notes."""
    nodes, _, tables = rooms()
    with nodes.embedded() as node:
        table = tables.measure(nodes.Chain(node, tables.SALT))
        peer = the_plain_way(node)
    ours = table[f"tranche pull, {HOLDERS} holders more"]
    return {
        "name": "gas",
        "ours": ours,
        "unit": f"gas to pay {HOLDERS} holders",
        "peer": peer["push, later"],
        "ratio": peer["push, later"] / ours,
        "peer_name": "a loop that pushes to each holder",
        "notes": notes(table, peer),
    }


def notes(table: dict[str, int], peer: dict[str, int]) -> list[str]:
    """What the headline leaves out, then every act."""
    pushed, withdraw = peer["push, later"], table["tranche withdraw, later"]
    everyone = table["tranche pull, later"] + HOLDERS * withdraw
    enough = -(-HOLDERS * withdraw // (pushed - table["tranche pull, later"]))
    settled = table["tranche transfer that settles both, later"]
    lines = [
        f"the pull is the same for any number of holders; all {HOLDERS} withdrawing after every payment would cost "
        f"{everyone:,} in all, {everyone / pushed:.1f} times the push: a pull is the cheaper "
        f"from {enough} payments a withdrawal on",
        f"transfer to an existing holder: {table['tranche transfer, existing holder']:,} against {peer['transfer']:,} "
        f"with a slot for each value; settling both {settled:,} against {peer['transfer that settles both']:,}",
        f"first push to {HOLDERS} holders without dollars: {peer['push, first']:,}",
    ]
    return lines + [f"{act}: {gas:,}" for act, gas in table.items()]
