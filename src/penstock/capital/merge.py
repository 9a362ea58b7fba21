"""Waterfalls of several states become one list of steps with masks; neighbours become vector steps.

Each state still runs exactly its own steps in its own order: a step's mask names the states it runs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.capital.program import ADVANCE_A, ADVANCE_B, ADVANCE_C, Raw

ITEMS_MAX = 16
Masked = tuple[Raw, int]


def merge(waterfalls: Sequence[Sequence[Raw]]) -> list[Masked]:
    """One list for all states; steps that two states share in order stand once. State s has bit s of the mask."""
    merged: list[Masked] = []
    for state, steps in enumerate(waterfalls):
        merged = _interleave(merged, list(steps), 1 << state)
    return merged


def _interleave(merged: list[Masked], steps: list[Raw], bit: int) -> list[Masked]:
    """The longest common subsequence stands once; what lies between comes from both, old before new."""
    longest = _common(merged, steps)
    out: list[Masked] = []
    i = j = 0
    while i < len(merged) and j < len(steps):
        if merged[i][0] == steps[j]:
            out.append((merged[i][0], merged[i][1] | bit))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            out.append(merged[i])
            i += 1
        else:
            out.append((steps[j], bit))
            j += 1
    return out + merged[i:] + [(step, bit) for step in steps[j:]]


def _common(merged: list[Masked], steps: list[Raw]) -> list[list[int]]:
    table = [[0] * (len(steps) + 1) for _ in range(len(merged) + 1)]
    for i in range(len(merged) - 1, -1, -1):
        for j in range(len(steps) - 1, -1, -1):
            same = merged[i][0] == steps[j]
            table[i][j] = table[i + 1][j + 1] + 1 if same else max(table[i + 1][j], table[i][j + 1])
    return table


def vectorise(steps: Sequence[Masked]) -> list[Masked]:
    """Neighbouring payments from one account, whose dues, caps and payees lie in a row, become one step."""
    out: list[Masked] = []
    for raw, mask in steps:
        if out and out[-1][1] == mask and (joined := _joined(out[-1][0], raw)):
            out[-1] = (joined, mask)
        else:
            out.append((raw, mask))
    return out


def _joined(one: Raw, two: Raw) -> Raw | None:
    items = (one.low & 15) + 1
    if one.op != "PAY" or two.op != "PAY" or one.a != two.a or two.low or items == ITEMS_MAX:
        return None
    flags = 0
    for first, second, flag in ((one.e, two.e, ADVANCE_A), (one.b, two.b, ADVANCE_B), (one.c, two.c, ADVANCE_C)):
        advances = bool(first) and second == first + items
        if not advances and second != first:
            return None
        flags |= flag if advances else 0
    if items > 1 and flags != one.low & ~15:
        return None
    label = one.label if one.label == two.label else f"{one.label}; {two.label}"
    return replace(one, low=items | flags, label=label)
