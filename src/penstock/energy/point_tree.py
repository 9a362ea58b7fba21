"""Sites' measuring-point trees: which register counts what others count too, which issues and which check."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Refused
from penstock.journal.growing import Growing, Layout
from penstock.journal.words import Direction, PointRole

DIRECTIONS: Final = tuple(Direction)
ROLES: Final = tuple(PointRole)
NOWHERE: Final = 255
_POINT: Final = {
    "parent_of": Layout("int32", -1),
    "direction": Layout("uint8", NOWHERE),
    "role": Layout("uint8", NOWHERE),
}


class PointTree(Growing):
    """By register number: ``parent_of`` (-1 none), ``direction`` and ``role`` (codes; 255 where it was not placed).

    A register that was not placed is a tree of its own.
    """

    def __init__(self) -> None:
        super().__init__(_POINT)

    def check_place(self, register: int, direction: Direction, role: PointRole, parent: int) -> None:
        """That a register may stand there.

        Raises:
            Conflict: ``point.placed``. Refused: ``point.direction`` where the parent counts another way,
            ``point.parent`` where it was not placed, ``point.issues_twice`` where one above or below issues.
        """
        if self["direction"][register] != NOWHERE:
            raise Conflict("point.placed", "This register has its place in the tree already.", register=register)
        if parent < 0:
            return
        if self["direction"][parent] == NOWHERE or parent == register:
            raise Refused("point.parent", "The register above has no place in the tree yet.", hint="Place it first.")
        if self["direction"][parent] != DIRECTIONS.index(direction):
            raise Refused("point.direction", "The register above counts another direction.")
        issues = ROLES.index(PointRole.ISSUES)
        if role is PointRole.ISSUES and (self["role"][self.above(parent)] == issues).any():
            raise Refused(
                "point.issues_twice",
                "A register above this one issues the same energy.",
                hint="Let one of them check: a register per carrier and direction issues.",
            )

    def place(self, register: int, direction: Direction, role: PointRole, parent: int) -> None:
        """Give a register its place; raises as `check_place`. Parents come before children, so none is below yet."""
        self.reach(max(register, parent) + 1)
        self.check_place(register, direction, role, parent)
        self["parent_of"][register] = parent
        self["direction"][register] = DIRECTIONS.index(direction)
        self["role"][register] = ROLES.index(role)

    def succeed(self, register: int, predecessor: int) -> None:
        """A register takes the place of the one it continues, and the ones below follow it."""
        self.reach(max(register, predecessor) + 1)
        for name in ("parent_of", "direction", "role"):
            self[name][register] = self[name][predecessor]
        below = np.flatnonzero(self["parent_of"] == predecessor)
        self["parent_of"][below] = register
        self["parent_of"][predecessor] = -1

    def above(self, register: int) -> NDArray[Any]:
        """A register and all above it, lowest first."""
        path = []
        while register >= 0:
            path.append(register)
            register = int(self["parent_of"][register])
        return np.array(path)
