"""A $50M stake in thousands of positions: gas to pay all of them in one moment, against a push to each.

One pull accrues a month's income to every position at once, and each withdraws to the micro-dollar when it likes. The
pull is measured with one position and with all; the peer pushes dollars to each, a hundred a transaction. Whole
transactions on the embedded node in this process; the figures repeat to the unit.
"""

from __future__ import annotations

import os
from typing import Any, Final

from bench.gas import HOLDERS, rooms, the_plain_way
from bench.result import SMALL

POSITIONS: Final = 5_000
INCOME_USDC_MICRO: Final = 239_583_333_333  # a month of 5.75 %
BATCH: Final = 200


def place(scene: Any, people: list[str]) -> list[int]:
    """The whole supply goes to ``people`` in uneven positions; the last takes what is left."""
    scenes = rooms()[1]
    each = scenes.SUPPLY // (2 * len(people))
    stakes = [each + 1009 * n for n in range(len(people) - 1)]
    stakes.append(scenes.SUPPLY - sum(stakes))
    act, registry = scene.tranche.functions, scene.registry.functions
    for start in range(0, len(people), BATCH):
        some = people[start : start + BATCH]
        scene.chain.send(registry.admit_many([scenes.admission(one) for one in some]), scene.by("registrar"))
        scene.chain.send(act.transfer_many(some, stakes[start : start + BATCH]), scene.by("sponsor"))
    return stakes


def pulled(scene: Any) -> int:
    """Gas of a pull of a month's income."""
    return int(scene.income(INCOME_USDC_MICRO)["gasUsed"])


def run() -> dict[str, Any]:
    """A pull for all positions against a push to each."""
    positions = 400 if os.environ.get(SMALL) else POSITIONS
    nodes, scenes, tables = rooms()
    with nodes.embedded() as node:
        scene = scenes.build(nodes.Chain(node, "a stake"))
        alone = [pulled(scene) for _ in range(3)][-1]
        people = tables.checksummed(scene.chain, positions)
        stakes = place(scene, people)
        before = pulled(scene)
        all_at_once = pulled(scene)
        owed = [int(scene.tranche.functions.withdrawable(one).call()) for one in people]
        pushed = the_plain_way(node)["push, later"]
    fair = [2 * INCOME_USDC_MICRO * stake // scenes.SUPPLY for stake in stakes]
    assert all(0 <= got - due <= 1 for got, due in zip(owed, fair, strict=True))
    assert 0 <= 2 * INCOME_USDC_MICRO - sum(owed) <= positions
    assert abs(all_at_once - alone) <= 24, (alone, before, all_at_once)  # zero bytes of call data, nothing else
    peer = pushed * positions // HOLDERS
    return {
        "name": "stake",
        "ours": all_at_once,
        "unit": f"gas to pay {positions:,} positions of a $50M tranche in one moment",
        "peer": peer,
        "ratio": peer / all_at_once,
        "peer_name": "a push of dollars to each position",
        "notes": [
            f"the same pull with one position: {alone:,}",
            f"each of the {positions:,} is owed its part of two months to the micro-dollar; left undivided: "
            f"{2 * INCOME_USDC_MICRO - sum(owed):,} micro-dollars",
        ],
    }
