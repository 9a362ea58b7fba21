"""Writes commands to a workspace until it is killed: at the ``count``-th passing of ``point``, or from outside.

Says each key on standard output once it is acknowledged. Arguments: folder, seed, point, count.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

from sequencer_kit import AT_US, Accounts, issues, opened, opens

from penstock.usecases.sequencer import Command


def suicide(point: str, count: int):  # type: ignore[no-untyped-def]
    left = [count]

    def at_point(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    return at_point


def commands_of(number: int, seed: int) -> list[Command[Accounts]]:
    """The ``number``-th group: the same for the same seed, whoever asks."""
    dice = random.Random(seed * 1_000_003 + number)  # noqa: S311
    group = []
    for each in range(dice.choice([1, 1, 2, 5])):
        key = f"c{number}-{each}"
        decide = issues(dice.randrange(1, 400), 10_000 * number) if dice.random() < 0.4 else opens(key, key + "b")
        group.append(Command(key, key.encode(), AT_US + number, decide))
    return group


def main(folder: str, seed: str, point: str, count: str) -> None:
    store, sequencer = opened(Path(folder), suicide(point, int(count)))
    start = store.size() and int(next(store.facts(store.size() - 1)).key.partition("-")[0][1:])
    print("open", flush=True)
    for number in range(start, start + 10_000):
        group = commands_of(number, int(seed))
        for command, answer in zip(group, sequencer.submit_many(group), strict=True):
            if isinstance(answer, Exception):
                raise answer
            print(command.key, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
