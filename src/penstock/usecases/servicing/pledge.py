"""Pledge: an asset backs one deal, by whatever name it is pledged, and none whose output is sold forward."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import Conflict
from penstock.usecases.world import World


def check_pledge(world: World, names: Sequence[str]) -> None:
    """That assets of these names - of their own, of registers, devices or sites - are free to be pledged together.

    Raises:
        Conflict: ``deal.pledged_twice``, ``deal.sold_forward``.
    """
    book, forwards = world.capital.servicing, world.forwards
    book.check_free(names)
    forwards.check_unsold(names)
    mine = {name: forwards.registers_named(name) for name in names}
    if not any(mine.values()):
        return
    taken = {root: other for other in book.pledged for root in forwards.registers_named(other)}
    for name, roots in mine.items():
        other = next((taken[root] for root in roots if root in taken), None)
        if other is not None:
            deal = book.pledged[other]
            sentence = f"{name} is pledged to another deal as {other}."
            raise Conflict("deal.pledged_twice", sentence, asset=name, deal=deal)
