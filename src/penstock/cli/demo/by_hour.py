"""The week by hour: Wh certified, Wh claimed, Wh the rack's own meter drew; and when the bad packets were planted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.play import Stagehand
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.trace.lineage import Node
from penstock.usecases.world import World

Ints = NDArray[np.int64]


def energy_by_hour(hand: Stagehand) -> list[dict[str, Any]]:
    """One row an hour of the week, from the titles and from the rack's verified readings."""
    certified, claimed = _titles_wh(hand)
    drawn = _drawn_wh(hand)
    return [
        {"hour": iso(hour.start_us), "certified_wh": made, "claimed_wh": used, "drawn_wh": took}
        for hour, made, used, took in zip(hand.week.steps(HOUR_US), certified, claimed, drawn, strict=True)
    ]


def planted_at(hand: Stagehand) -> list[dict[str, Any]]:
    """Where the plan put its bad packets, in order of time: hour of the week, roof and kind."""
    placed = sorted((hour, meter, kind) for (meter, hour), kind in hand.plan.kinds.items())
    return [
        {"hour": iso(hand.week.start_us + hour * HOUR_US), "device": hand.roofs[meter].name, "kind": kind}
        for hour, meter, kind in placed
    ]


def _titles_wh(hand: Stagehand) -> tuple[list[int], list[int]]:
    titles = hand.workspace.read(lambda world: world.books.titles[Right.ATTRIBUTE].columns())
    energy_wh = titles["stop"] - titles["start"]
    claimed = titles["state"] == TITLE_STATES.index(TitleState.CLAIMED)
    return _summed(hand, titles["interval_us"], energy_wh), _summed(hand, titles["interval_us"], energy_wh * claimed)


def _drawn_wh(hand: Stagehand) -> list[int]:
    days = [hand.readings(f"rack:{number}") for number in range(len(hand.days))]
    accepted = [day["verdict"] == ReadingVerdict.ACCEPTED for day in days]
    at_us, position_wh = (
        np.concatenate([day[name][good] for day, good in zip(days, accepted, strict=True)])
        for name in ("at_us", "position_wh")
    )
    return _summed(hand, at_us - 1, np.diff(position_wh, prepend=0))


def _summed(hand: Stagehand, at_us: Ints, energy_wh: Ints) -> list[int]:
    """Wh by the hour of the week that each instant falls in."""
    total = np.zeros((hand.week.stop_us - hand.week.start_us) // HOUR_US, dtype=np.int64)
    np.add.at(total, (at_us - hand.week.start_us) // HOUR_US, energy_wh)
    return [int(one) for one in total]


def hours_behind(hand: Stagehand, node: Node) -> list[str]:
    """The hours in which the certified Wh at the ends of a lineage were generated."""
    return hand.workspace.read(lambda world: sorted({hour for end in _ends(node) for hour in _hours(world, end)}))


def _ends(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from _ends(child)


def _hours(world: World, node: Node) -> list[str]:
    titles = world.books.titles[Right.ATTRIBUTE].columns()
    ours = titles["register"] == world.books.registers.id_of(node.register)
    inside = ours & (titles["start"] < node.stop) & (node.start < titles["stop"])
    return [iso(int(at_us)) for at_us in np.unique(titles["interval_us"][inside])]
