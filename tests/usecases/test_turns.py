"""One leads, the others sleep; the lead is never lost."""

from __future__ import annotations

import threading

import pytest

from penstock.usecases.turns import Turn, Turns

Names = Turns[str, str]


class Interrupted(Turn[str, str]):
    def sleep(self) -> None:
        raise KeyboardInterrupt


def drain(turns: Names, turn: Turn[str, str], most: int = 2) -> None:
    while turn.left:
        for item in turns.take(most):
            item.settle(item.work.upper())
    turns.leave(turn)


def enter(turns: Names, *works: str) -> Turn[str, str]:
    turn: Turn[str, str] = Turn(works)
    turns.enter(turn)
    return turn


def follow(turns: Names, *works: str) -> tuple[Turn[str, str], threading.Thread]:
    """A caller asleep in the queue, and its thread, which leads when it must."""
    turn: Turn[str, str] = Turn(works)

    def run() -> None:
        turns.enter(turn)
        if turn.leads:
            drain(turns, turn)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not any(item.turn is turn for item in turns._queue):
        thread.join(0.001)
    return turn, thread


def test_who_comes_alone_leads_every_time() -> None:
    turns = Names()
    for name in "ab":
        turn = enter(turns, name)
        assert turn.leads
        drain(turns, turn)
        assert turn.answers() == [name.upper()]


def test_the_leader_works_for_others_until_its_own_is_done() -> None:
    turns = Names()
    leader = enter(turns, "a", "b", "c")
    second, second_thread = follow(turns, "d")
    third, third_thread = follow(turns, "e", "f")
    drain(turns, leader)  # in twos: a b, c d; the rest is left to the third
    for thread in (second_thread, third_thread):
        thread.join(20)
    assert [turn.answers() for turn in (leader, second, third)] == [["A", "B", "C"], ["D"], ["E", "F"]]
    assert (second.leads, third.leads) == (False, True)
    assert enter(turns, "g").leads


def test_what_is_put_back_keeps_its_order() -> None:
    turns = Names()
    enter(turns, "a", "b", "c")
    taken = turns.take(2)
    turns.put_back(taken)
    assert [item.work for item in turns.take(5)] == ["a", "b", "c"]


def test_an_interrupted_follower_withdraws() -> None:
    turns = Names()
    leader = enter(turns, "a")
    with pytest.raises(KeyboardInterrupt):
        turns.enter(Interrupted(["b"]))
    assert [item.work for item in turns._queue] == ["a"]
    drain(turns, leader)
    assert enter(turns, "c").leads


def test_an_interrupted_follower_that_was_to_lead_hands_it_on() -> None:
    turns = Names()
    leader = enter(turns, "a")
    interrupted: Turn[str, str] = Turn(["b"])
    turns._queue.extend(interrupted.waiting)
    other, thread = follow(turns, "c")
    for item in turns.take(1):
        item.settle("A")
    turns.leave(leader)
    assert interrupted.leads
    turns.leave(interrupted)  # as `enter` does when its sleep is interrupted
    thread.join(20)
    assert other.answers() == ["C"]
    assert enter(turns, "d").leads


def test_an_interrupted_leader_hands_on_what_is_not_its_own() -> None:
    turns = Names()
    leader = enter(turns, "a", "b", "c")
    other, thread = follow(turns, "d")
    turns.take(2)
    turns.leave(leader)
    thread.join(20)
    assert other.answers() == ["D"]
