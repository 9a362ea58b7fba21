"""The week by hour: what became of the roofs' certificates and of the battery's; what the rack's own meter drew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.battery import OWNER
from penstock.cli.demo.forward_acts import OFFTAKER
from penstock.cli.demo.play import Stagehand
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.trace.lineage import Node
from penstock.usecases.world import World

Ints = NDArray[np.int64]


def energy_by_hour(hand: Stagehand) -> list[dict[str, Any]]:
    """One row an hour of the week, from the titles and from the rack's verified readings [Wh].

    Of the roofs' own, ``certified_wh``: ``claimed_wh`` by the rack, ``stored_wh`` for what the battery took,
    ``retired_wh``, ``forward_wh`` with who bought them ahead. Of what it gave back, ``returned_wh``: ``evening_wh``
    claimed by the rack. No Wh is in two of them.
    """
    columns = {**_titles_wh(hand), "drawn_wh": _drawn_wh(hand)}
    hours = [iso(hour.start_us) for hour in hand.week.steps(HOUR_US)]
    rows = zip(hours, *columns.values(), strict=True)
    return [dict(zip(("hour", *columns), row, strict=True)) for row in rows]


def planted_at(hand: Stagehand) -> list[dict[str, Any]]:
    """Where the plan put its bad packets, in order of time: hour of the week, roof and kind."""
    placed = sorted((hour, meter, kind) for (meter, hour), kind in hand.plan.kinds.items())
    return [
        {"hour": iso(hand.week.start_us + hour * HOUR_US), "device": hand.roofs[meter].name, "kind": kind}
        for hour, meter, kind in placed
    ]


def _titles_wh(hand: Stagehand) -> dict[str, list[int]]:
    titles, is_stored, store, offtaker = hand.workspace.read(_titles)
    energy_wh, state = titles["stop"] - titles["start"], titles["state"]
    claimed = state == TITLE_STATES.index(TitleState.CLAIMED)
    retired = state == TITLE_STATES.index(TitleState.RETIRED)
    by_store = titles["holder"] == store
    kinds = {
        "certified_wh": ~is_stored,
        "claimed_wh": ~is_stored & claimed & ~by_store,
        "stored_wh": ~is_stored & claimed & by_store,
        "retired_wh": ~is_stored & retired,
        "forward_wh": ~is_stored & (titles["holder"] == offtaker),
        "returned_wh": is_stored,
        "evening_wh": is_stored & claimed,
    }
    return {name: _summed(hand, titles["interval_us"], energy_wh * rows) for name, rows in kinds.items()}


def _titles(world: World) -> tuple[dict[str, Ints], NDArray[np.bool_], int, int]:
    """All certificates, which of them came out of a storage; the storage's account and that of who bought ahead."""
    titles, accounts = world.books.titles[Right.ATTRIBUTE].columns(), world.books.accounts
    is_stored = world.books.lots.column("stored")[titles["lot"]]
    return dict(titles), is_stored, accounts.id_of(OWNER), accounts.id_of(OFFTAKER)


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
    return hours_of(hand, [one for one in nodes_of(node) if not one.children])


def hours_of(hand: Stagehand, nodes: Iterable[Node]) -> list[str]:
    """The hours that the certificates under these nodes say."""
    return hand.workspace.read(lambda world: sorted({hour for node in nodes for hour in _hours(world, node)}))


def nodes_of(node: Node) -> Iterator[Node]:
    """A lineage's nodes, this one first."""
    yield node
    for child in node.children:
        yield from nodes_of(child)


def _hours(world: World, node: Node) -> list[str]:
    titles = world.books.titles[Right.ATTRIBUTE].columns()
    ours = titles["register"] == world.books.registers.id_of(node.register)
    inside = ours & (titles["start"] < node.stop) & (node.start < titles["stop"])
    return [iso(int(at_us)) for at_us in np.unique(titles["interval_us"][inside])]
