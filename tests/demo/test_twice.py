"""The demo twice in one workspace: nothing is done again, and all that is said and written is the same."""

from __future__ import annotations

from copy import deepcopy as copy_of
from pathlib import Path

from staging import WRITTEN, Played, on_chain, play


def written(workspace: Path) -> dict[str, bytes]:
    return {name: (workspace / name).read_bytes() for name in WRITTEN}


def test_the_second_time_adds_nothing_and_says_the_same(undisturbed: Played, copy: Path) -> None:
    first = play(copy)
    files, chain = written(copy), on_chain(copy)
    for name in WRITTEN:
        (copy / name).unlink()
    second = play(copy)
    assert undisturbed.told["facts_added"] > 0
    assert second.told["facts_added"] == 0
    assert second.root == undisturbed.root
    assert second.figures() == first.figures() == undisturbed.figures()
    assert written(copy) == files == written(undisturbed.workspace)
    assert on_chain(copy) == chain == on_chain(undisturbed.workspace)


def test_the_comparison_sees_one_changed_figure(undisturbed: Played) -> None:
    told = copy_of(undisturbed.told)
    told["stages"]["pay"]["periods"][0]["steps"][0]["paid_usdc_micro"] += 1
    assert Played(undisturbed.workspace, told).figures() != undisturbed.figures()
