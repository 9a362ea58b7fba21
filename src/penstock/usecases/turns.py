"""Whose turn it is to do the work of all who wait: leader and followers over one queue.

Whoever comes while nobody leads leads at once, without a thread in between; the others sleep. The leader does the work
at the head of the queue, also for others, until its own is done, then hands the lead to whoever stands first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

Work = TypeVar("Work")
Answer = TypeVar("Answer")


class Waiting(Generic[Work, Answer]):
    """One piece of work, and its answer once there is one."""

    __slots__ = ("answer", "turn", "work")

    def __init__(self, work: Work, turn: Turn[Work, Answer]) -> None:
        self.work, self.turn = work, turn
        self.answer: Answer | None = None

    def settle(self, answer: Answer) -> None:
        """Give the answer; whoever waits for its last one wakes up."""
        self.answer = answer
        self.turn.left -= 1
        if not self.turn.left:
            self.turn.wake()


class Turn(Generic[Work, Answer]):
    """What one caller wants done, and its sleep until it is done or must lead."""

    __slots__ = ("_asleep", "leads", "left", "waiting")

    def __init__(self, works: Iterable[Work]) -> None:
        self.waiting = [Waiting(work, self) for work in works]
        self.left, self.leads = len(self.waiting), False
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def sleep(self) -> None:
        """Return once `wake` was called."""
        self._asleep.acquire()

    def wake(self) -> None:
        """Let `sleep` return; the leader, awake already, may be woken once more."""
        self._asleep.release()

    def answers(self) -> list[Answer]:
        """The answers, in the order of the works."""
        return [item.answer for item in self.waiting if item.answer is not None]


class Turns(Generic[Work, Answer]):
    """The queue. Threads may share it."""

    def __init__(self) -> None:
        self._queue: deque[Waiting[Work, Answer]] = deque()
        self._lock, self._led = threading.Lock(), False

    def enter(self, turn: Turn[Work, Answer]) -> None:
        """Queue up; returns when all is answered, or with ``turn.leads`` when this caller must do the work."""
        with self._lock:
            self._queue.extend(turn.waiting)
            turn.leads, self._led = not self._led, True
        if not turn.leads:
            try:
                turn.sleep()
            except BaseException:
                self.leave(turn)
                raise

    def leave(self, turn: Turn[Work, Answer]) -> None:
        """Withdraw what is not begun, and hand the lead on where this caller has it."""
        with self._lock:
            if turn.left:
                self._queue = deque(item for item in self._queue if item.turn is not turn)
            if not turn.leads:
                return
            self._led = bool(self._queue)
            if self._queue:
                following = self._queue[0].turn
                following.leads = True
                following.wake()

    @property
    def waiting(self) -> int:
        """Pieces of work that nobody has taken yet."""
        return len(self._queue)

    def take(self, most: int) -> list[Waiting[Work, Answer]]:
        """The next pieces of work; for the leader."""
        with self._lock:
            return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def put_back(self, items: Sequence[Waiting[Work, Answer]]) -> None:
        """To the head of the queue again, in this order."""
        with self._lock:
            self._queue.extendleft(reversed(items))
