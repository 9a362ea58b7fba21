"""The one writer: orders commands, decides them against the world, commits them in groups.

Whoever submits while another commits waits, and the next to lead commits for all who wait (`turns`), so one fsync
serves many. A command's decision sees everything before it, also of its own group; readers see committed facts
only. Whatever fails in a commit, the world in memory is dropped and made anew from the record, and nobody is told
that a command was recorded that was not.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from penstock.errors import Conflict, Invalid, Unavailable
from penstock.journal.canonical import dump, to_plain
from penstock.journal.fact import Entry, Kinds, Recorded
from penstock.journal.segment import Columns, check_columns
from penstock.store.ports import NewFact, OutboxRow, RecordedCommand, Store, Upkeep, Write
from penstock.usecases.replay import AnyWorld, replay, segment_ref
from penstock.usecases.turns import Turn, Turns, Waiting

W = TypeVar("W", bound=AnyWorld)
T = TypeVar("T")
Outbox = Sequence[OutboxRow] | Callable[[Sequence[Recorded]], Sequence[OutboxRow]]
GROUP_MAX: Final = 1_000
KEY_CHARS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Command(Generic[W]):
    """Something to decide. A ``key`` is used once: repeated, it gets the first answer again.

    ``input`` is what the caller asked for, bytes or a dataclass of canonical values: a key repeated with another
    input is refused. ``decide`` is a pure function of the world. ``outbox`` names transactions to plan in the same
    commit, or makes them from the facts just decided. ``upkeep`` says, once it is decided, what that commit moves and
    forgets in the store; a world that rests on what was forgotten is made anew.

    Raises:
        Invalid: ``journal.key_malformed`` unless ``key`` has 1 to 64 printable characters.
    """

    key: str
    input: Any
    at_us: int
    decide: Callable[[W], Sequence[Entry]]
    outbox: Outbox = ()
    upkeep: Callable[[], Upkeep] | None = None

    def __post_init__(self) -> None:
        if not (0 < len(self.key) <= KEY_CHARS_MAX and self.key.isprintable()):
            raise Invalid("journal.key_malformed", f"A key has 1 to {KEY_CHARS_MAX} printable characters.")


class Receipt(NamedTuple):
    """What a command recorded: facts ``[first_seq, first_seq + facts)``; ``repeated`` if it had been recorded before.

    A command that decided on no facts leaves no record and may be decided again.
    """

    key: str
    first_seq: int
    facts: int
    repeated: bool = False


Answer = Receipt | Exception
_Waiting = Waiting[tuple[Command[Any], bytes], Answer]


class _Group(Generic[W]):
    """Commands decided and applied but not yet committed, with the answers they get once they are."""

    def __init__(self, world: W, first_seq: int, known: Collection[RecordedCommand]) -> None:
        self.world, self.seq = world, first_seq
        self.receipts = {each.key: Receipt(each.key, each.first_seq, each.facts) for each in known}
        self.input_hashes = {each.key: each.input_hash for each in known}
        self.writes: list[Write] = []
        self.answers: list[Answer] = []


class _Misapplied(Exception):
    """A decided fact did not apply: the world in memory is no longer what the record says."""


class Sequencer(Generic[W]):
    """The writer of one store, or a reader beside it. Threads may share it.

    Raises as `replay`: the world is made from the record at once.
    """

    def __init__(self, store: Store, fresh_world: Callable[[], W], kinds: Kinds) -> None:
        self._store, self._fresh_world, self._kinds = store, fresh_world, kinds
        self._turns: Turns[tuple[Command[Any], bytes], Answer] = Turns()
        self._lock = threading.Lock()
        self._world: W | None = None
        self._applied = 0
        self._live()

    def submit(
        self,
        key: str,
        input: Any,
        at_us: int,
        decide: Callable[[W], Sequence[Entry]],
        outbox: Outbox = (),
        upkeep: Callable[[], Upkeep] | None = None,
    ) -> Receipt:
        """Decide and record one command; returns when it is durable.

        Raises:
            Conflict: ``journal.key_reused`` where the key stands for another input.
            Invalid: ``journal.key_malformed``, ``journal.segment_mismatch``, ``canonical.type`` and its like.
            Unavailable: where the store could not take it; the same call may succeed later.
            PenstockError: whatever ``decide`` raised.
        """
        (answer,) = self.submit_many([Command(key, input, at_us, decide, outbox, upkeep)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def submit_many(self, commands: Sequence[Command[W]]) -> list[Answer]:
        """Decide and record commands in order, up to 1,000 a commit; a command that failed stands as its error."""
        turn: Turn[tuple[Command[Any], bytes], Answer] = Turn((each, hash_input(each.input)) for each in commands)
        if not turn.left:
            return []
        self._turns.enter(turn)
        if turn.leads:
            try:
                while turn.left:
                    with self._lock:
                        self._next_group()
            finally:
                self._turns.leave(turn)
        return turn.answers()

    @property
    def waiting(self) -> int:
        """Commands whose turn has not come."""
        return self._turns.waiting

    def read(self, look: Callable[[W], T]) -> T:
        """What ``look`` finds in the world of committed facts; it must not change or keep what it is shown."""
        with self._lock:
            return look(self._live())

    def _live(self) -> W:
        """The world up to the last committed fact: made anew where it was dropped, read on where another writes."""
        world, size = self._world, self._store.size()
        if world is None:
            world, self._applied = self._fresh_world(), 0
        if self._applied < size:
            self._world = None
            replay(self._store, self._kinds, world, self._applied, size)
        self._world, self._applied = world, size
        return world

    def _next_group(self) -> None:
        taken = self._turns.take(GROUP_MAX)
        try:
            group = self._decide_all(taken)
            if group.writes:
                self._store.commit(group.writes)
                self._applied = group.seq
                if any(write.upkeep and write.upkeep.erases for write in group.writes):
                    self._world = None
            for item, answer in zip(taken, group.answers, strict=True):
                item.settle(answer)
        except _Misapplied:
            self._world = None
            self._turns.put_back([item for item in taken if item.answer is None])
        except Exception as error:
            self._fail(taken, error)
        except BaseException as error:
            self._fail(taken, Unavailable("journal.interrupted", "The writer was interrupted.", hint="Send it again."))
            raise error

    def _fail(self, taken: Iterable[_Waiting], error: Exception) -> None:
        self._world = None
        for item in taken:
            if item.answer is None:
                item.settle(error)

    def _decide_all(self, taken: Sequence[_Waiting]) -> _Group[W]:
        known = self._store.receipts([item.work[0].key for item in taken])
        group = _Group(self._live(), self._store.size(), known.values())
        for item in taken:
            try:
                answer: Answer = self._decide(group, *item.work)
            except _Misapplied as error:
                item.settle(error.__cause__ if isinstance(error.__cause__, Exception) else error)
                raise
            except Exception as error:
                answer = error
            group.answers.append(answer)
        return group

    def _decide(self, group: _Group[W], command: Command[W], input_hash: bytes) -> Receipt:
        before = group.receipts.get(command.key)
        if before:
            return _repeat(before, same=group.input_hashes[command.key] == input_hash)
        recorded, columns, facts = self._record(command.decide(group.world), command.at_us, group.seq)
        outbox = command.outbox(recorded) if callable(command.outbox) else command.outbox
        _apply(group.world, recorded, columns)  # last: what raises above has changed nothing
        receipt = Receipt(command.key, group.seq, len(facts))
        if facts or outbox:
            upkeep = command.upkeep() if command.upkeep else None
            group.writes.append(Write(command.key, input_hash, facts, outbox, upkeep))
        if facts:
            group.receipts[command.key], group.input_hashes[command.key] = receipt, input_hash
            group.seq += len(facts)
        return receipt

    def _record(
        self, entries: Sequence[Entry], at_us: int, first_seq: int
    ) -> tuple[list[Recorded], list[Columns | None], list[NewFact]]:
        """What the world applies, and what the store takes; one pass, for a group is a thousand of these."""
        recorded, columns, facts = [], [], []
        for seq, entry in enumerate(entries, first_seq):
            made = self._kinds.record(entry.fact, at_us, seq)
            recorded.append(made)
            columns.append(_checked_columns(entry))
            facts.append(NewFact(made.fact.KIND, at_us, made.body, entry.segment))
        return recorded, columns, facts


def hash_input(value: Any) -> bytes:
    """sha256 of what a caller asked for: bytes as they are, a dataclass by its name and canonical form.

    Raises:
        Invalid: ``canonical.type``.
    """
    if isinstance(value, bytes):
        return hashlib.sha256(value).digest()
    return hashlib.sha256(dump({"act": type(value).__name__, "data": to_plain(value)})).digest()


def _repeat(receipt: Receipt, *, same: bool) -> Receipt:
    if not same:
        hint = "Use a new key for a new command."
        raise Conflict("journal.key_reused", "This key was used for another command.", hint=hint, key=receipt.key)
    return receipt._replace(repeated=True)


def _apply(world: AnyWorld, recorded: Sequence[Recorded], columns: Sequence[Columns | None]) -> None:
    try:
        for fact, bulk in zip(recorded, columns, strict=True):
            world.apply(fact, bulk)
    except Exception as error:
        raise _Misapplied from error


def _checked_columns(entry: Entry) -> Columns | None:
    """The segment's columns as a reader will find them; raises Invalid ``journal.segment_mismatch``.

    The root is not hashed again here, which would double the cost of bulk; an audit does.
    """
    ref, segment = segment_ref(entry.fact), entry.segment
    if ref is None and segment is None:
        return None
    if ref is None or segment is None or (ref.format, ref.rows) != (segment.format.name, len(segment)):
        raise Invalid("journal.segment_mismatch", "A fact and its segment are not about the same rows.")
    return check_columns(segment.format, segment.columns)
