"""Moves applied one after the other to titles cut into atoms: the one loop of the title book where order is meaning.

The titles that a batch touches are cut at every start and stop named in it. An atom is a stretch between two cuts; it
*begins* a title or continues the one before it. A move on atoms ``[first, last)`` succeeds if they lie in one title
that the source holds in a state that may change so; then they become a title of their own. `replay_moves` is plain
Python; the compiled form of the same source takes over from ``BULK_MOVES`` on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
BULK_MOVES: Final = 10_000
BEYOND: Final = -1  # ``last`` of a move that ends outside the title in which it starts


def replay_moves(
    verdict: Ints, first: Ints, last: Ints, source: Ints, target: Ints, state: Ints, allowed: Ints,
    begins: Ints, atom_holder: Ints, atom_state: Ints,
) -> None:  # fmt: skip
    """Apply moves in order to atoms, in place; moves with a verdict already are passed over.

    Args: per move verdict uint8, first and last atom, source, target, state; ``allowed[from, to]``;
    per atom whether it begins a title, its holder and its state.
    """
    for move in range(len(verdict)):
        if verdict[move] != 0:
            continue
        low, high = first[move], last[move]
        if atom_holder[low] != source[move]:
            verdict[move] = 2
            continue
        if not allowed[atom_state[low], state[move]]:
            verdict[move] = 3
            continue
        crosses = high == BEYOND
        for atom in range(low + 1, high):
            crosses = crosses or begins[atom]
        if crosses:
            verdict[move] = 4
            continue
        begins[low] = True
        if high < len(begins):
            begins[high] = True
        for atom in range(low, high):
            atom_holder[atom] = target[move]
            atom_state[atom] = state[move]


@cache
def compiled_replay() -> Callable[..., None]:
    """`replay_moves`, compiled."""
    from numba import njit

    try:
        compiled: Callable[..., None] = njit(cache=True)(replay_moves)
    except RuntimeError:  # nowhere to keep the machine code
        compiled = njit()(replay_moves)
    return compiled


def replay(moves: int) -> Callable[..., None]:
    """The form of `replay_moves` that suits so many moves."""
    return compiled_replay() if moves >= BULK_MOVES else replay_moves


def cut_atoms(title: Ints, position: Ints) -> tuple[Ints, Ints]:
    """Number the distinct cuts (title, position) in order: the number of each, and the row of each number's first."""
    order = np.lexsort((position, title))
    ordered_title, ordered_position = title[order], position[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(ordered_title) != 0) | (np.diff(ordered_position) != 0)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(fresh) - 1
    return number, order[fresh]
