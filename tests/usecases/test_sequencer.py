"""One writer: keys are used once, groups are one commit, and nobody hears of what is not recorded."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sequencer_kit import AT_US, Accounts, command, issues, opened, opens, state, state_from_nothing

from penstock.errors import Conflict, Invalid, PenstockError, Refused, Unavailable
from penstock.journal.fact import Entry
from penstock.journal.formats import TITLES
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.energy import Tally
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Segment
from penstock.store.ports import OutboxRow
from penstock.store.sql_store import SqlStore
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases.sequencer import Command, Receipt, Sequencer, hash_input
from penstock.usecases.turns import Turn, Waiting

Pair = tuple[SqlStore, Sequencer[Accounts]]


class Points:
    """An `AtPoint` that counts, and at ``fail_at`` raises once."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fail_at, self.error = "", OSError(errno.ENOSPC, "full")
        self.on_insert = threading.Event(), threading.Event()
        self.hold = False

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if self.hold and name == "rows_inserted":
            reached, go_on = self.on_insert
            reached.set()
            assert go_on.wait(20)
        if name == self.fail_at:
            self.fail_at = ""
            raise self.error


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def pair(tmp_path: Path, points: Points) -> Iterator[Pair]:
    store, sequencer = opened(tmp_path, points)
    with store:
        yield store, sequencer


def test_a_command_is_recorded_and_applied(pair: Pair) -> None:
    store, sequencer = pair
    assert sequencer.submit("k1", b"x", AT_US, opens("a", "b")) == Receipt("k1", 0, 2)
    assert sequencer.submit("k2", b"x", AT_US, issues(3)) == Receipt("k2", 2, 1)
    names, titled_wh, _ = state(sequencer)
    assert (names, titled_wh, store.size()) == (["a", "b"], 30, 3)
    assert state_from_nothing(store) == state(sequencer)


def test_a_repeated_key_gets_the_first_answer(pair: Pair) -> None:
    store, sequencer = pair
    first = sequencer.submit("k", b"x", AT_US, opens("a", "b"))
    again = sequencer.submit("k", b"x", AT_US + 5, opens("a", "b"))
    assert (first.repeated, again) == (False, Receipt("k", 0, 2, repeated=True))
    assert store.size() == 2


def test_a_repeated_key_is_known_after_a_restart(tmp_path: Path) -> None:
    store, sequencer = opened(tmp_path)
    with store:
        sequencer.submit("k", b"x", AT_US, opens("a"))
    store, sequencer = opened(tmp_path)
    with store:
        assert sequencer.submit("k", b"x", AT_US, opens("a")).repeated
        assert store.size() == 1


def test_a_key_with_another_input_is_a_conflict(pair: Pair) -> None:
    store, sequencer = pair
    sequencer.submit("k", b"x", AT_US, opens("a"))
    with pytest.raises(Conflict) as caught:
        sequencer.submit("k", b"y", AT_US, opens("b"))
    assert caught.value.code == "journal.key_reused"
    assert store.size() == 1


def test_keys_are_compared_within_a_group_too(pair: Pair) -> None:
    _, sequencer = pair
    same, other = Command("k", b"", AT_US, opens("a")), Command("k", b"other", AT_US, opens("b"))
    first, again, reused = sequencer.submit_many([same, same, other])
    assert (first, again) == (Receipt("k", 0, 1), Receipt("k", 0, 1, repeated=True))
    assert isinstance(reused, Conflict)


@pytest.mark.parametrize("key", ["", "x" * 65, "tab\there", "null\0"])
def test_a_malformed_key_is_refused(pair: Pair, key: str) -> None:
    with pytest.raises(Invalid) as caught:
        pair[1].submit(key, b"x", AT_US, opens("a"))
    assert caught.value.code == "journal.key_malformed"


def test_inputs_are_hashed_by_name_and_value() -> None:
    @dataclass(frozen=True)
    class OpenAccount:
        account: str

    @dataclass(frozen=True)
    class CloseAccount:
        account: str

    hashes = {hash_input(value) for value in (OpenAccount("a"), OpenAccount("b"), CloseAccount("a"), b"a")}
    assert len(hashes) == 4
    assert hash_input(OpenAccount("a")) == hash_input(OpenAccount("a"))


def test_a_group_is_one_commit_and_sees_its_own_effects(pair: Pair, points: Points) -> None:
    sequencer = pair[1]
    answers = sequencer.submit_many([command("k1", "a"), command("k2", "a"), command("k3", "b")])
    assert answers[0] == Receipt("k1", 0, 1)
    assert isinstance(answers[1], Refused)
    assert answers[2] == Receipt("k3", 1, 1)
    assert points.seen.count("committed") == 1
    assert state(sequencer)[0] == ["a", "b"]


def test_large_groups_are_cut(pair: Pair, points: Points) -> None:
    answers = pair[1].submit_many([command(f"k{each}") for each in range(2500)])
    assert [answer.first_seq for answer in answers if isinstance(answer, Receipt)] == list(range(2500))
    assert points.seen.count("committed") == 3


def test_a_decision_that_raises_costs_only_itself(pair: Pair) -> None:
    store, sequencer = pair

    def broken(_world: Accounts) -> list[Entry]:
        raise ZeroDivisionError

    answers = sequencer.submit_many([command("k1"), Command("k2", b"x", AT_US, broken), command("k3")])
    assert isinstance(answers[1], ZeroDivisionError)
    assert (store.size(), state(sequencer)[0]) == (2, ["k1", "k3"])


def test_no_facts_no_record(pair: Pair) -> None:
    store, sequencer = pair
    assert sequencer.submit("k", b"x", AT_US, lambda _: []) == Receipt("k", 0, 0)
    assert store.size() == 0
    assert sequencer.submit("k", b"x", AT_US, opens("a")) == Receipt("k", 0, 1)


@pytest.mark.parametrize("point", ["segment_written", "folder_synced", "rows_inserted"])
def test_a_failed_commit_reaches_everyone_and_leaves_no_trace(pair: Pair, points: Points, point: str) -> None:
    store, sequencer = pair
    sequencer.submit("k0", b"x", AT_US, opens("before"))
    before = state(sequencer)
    points.fail_at = point
    group = [command("k1"), Command("k2", b"x", AT_US, issues(3)), command("k3", "k1")]
    answers = sequencer.submit_many(group)
    assert all(isinstance(answer, Unavailable) and answer.code == "store.disk_full" for answer in answers)
    assert (state(sequencer), store.size()) == (before, 1)
    first, second, third = sequencer.submit_many(group)  # the same again, once there is room
    assert (first, second) == (Receipt("k1", 1, 1), Receipt("k2", 2, 1))
    assert isinstance(third, Refused)
    assert state(sequencer) == state_from_nothing(store)


def test_a_commit_that_stood_despite_an_error_is_answered_on_repeat(pair: Pair, points: Points) -> None:
    store, sequencer = pair
    points.fail_at = "committed"
    with pytest.raises(Unavailable):
        sequencer.submit("k", b"x", AT_US, opens("a"))
    assert sequencer.submit("k", b"x", AT_US, opens("a")) == Receipt("k", 0, 1, repeated=True)
    assert (store.size(), state(sequencer)[0]) == (1, ["a"])


def test_a_fact_that_does_not_apply_is_not_recorded(pair: Pair) -> None:
    store, sequencer = pair
    answers = sequencer.submit_many([command("k1"), command("k2", "poison"), command("k3", "k1"), command("k4")])
    assert (answers[0], answers[3]) == (Receipt("k1", 0, 1), Receipt("k4", 1, 1))
    assert isinstance(answers[1], AssertionError)
    assert isinstance(answers[2], Refused)
    assert state(sequencer)[0] == ["k1", "k4"]
    assert state(sequencer) == state_from_nothing(store)


def test_an_interrupted_writer_leaves_nobody_waiting(pair: Pair, points: Points) -> None:
    store, sequencer = pair
    points.fail_at, points.error = "rows_inserted", KeyboardInterrupt()  # type: ignore[assignment]
    other = Waiting((command("k0"), b""), Turn[Any, Any]([None]))
    sequencer._turns._queue.append(other)  # what another thread does before it waits
    with pytest.raises(KeyboardInterrupt):
        sequencer.submit("k1", b"x", AT_US, opens("a"))
    assert isinstance(other.answer, Unavailable)
    assert other.answer.code == "journal.interrupted"
    assert store.size() == 0
    assert sequencer.submit("k1", b"x", AT_US, opens("a")) == Receipt("k1", 0, 1)


def test_readers_see_only_what_is_committed(pair: Pair, points: Points) -> None:
    store, sequencer = pair
    reached, go_on = points.on_insert
    points.hold, points.fail_at = True, "rows_inserted"
    seen: list[list[str]] = []
    errors: list[str] = []

    def write() -> None:
        try:
            sequencer.submit("k", b"x", AT_US, opens("a"))
        except PenstockError as error:
            errors.append(error.code)

    writer = threading.Thread(target=write)
    reader = threading.Thread(target=lambda: seen.append(state(sequencer)[0]))
    writer.start()
    assert reached.wait(20)  # decided, applied, inserted, not committed
    reader.start()
    reader.join(0.05)
    assert seen == []
    assert store.size() == 0
    go_on.set()
    writer.join(20)
    reader.join(20)
    assert (errors, seen) == (["store.disk_full"], [[]])


def test_many_threads_are_served_once_each_in_few_commits(pair: Pair, points: Points) -> None:
    store, sequencer = pair
    receipts: dict[str, Receipt] = {}
    reached, go_on = points.on_insert

    def client(number: int) -> None:
        for each in range(10):
            key = f"k{number}-{each}"
            receipts[key] = sequencer.submit(key, b"x", AT_US, opens(key))

    points.hold = True
    clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in clients:
        thread.start()
    assert reached.wait(20)
    until = time.monotonic() + 20
    while len(sequencer._turns._queue) < 7 and time.monotonic() < until:
        time.sleep(0.001)
    go_on.set()
    for thread in clients:
        thread.join(60)
    assert len(receipts) == store.size() == 80
    assert sorted(receipt.first_seq for receipt in receipts.values()) == list(range(80))
    assert points.seen.count("committed") <= 80 - 6  # the seven who waited went together
    assert all(
        fact.key == key
        for key, receipt in receipts.items()
        for fact in store.facts(receipt.first_seq, receipt.first_seq + 1)
    )
    assert state(sequencer) == state_from_nothing(store)


def test_outbox_rows_come_with_the_facts_they_follow_from(pair: Pair, points: Points) -> None:
    store, sequencer = pair
    row = OutboxRow("given", b"s" * 20, None, b"")
    sequencer.submit("k1", b"x", AT_US, opens("a"), [row])
    made = Command(
        "k2",
        b"x",
        AT_US,
        opens("b", "c"),
        lambda facts: [OutboxRow(f"fact-{fact.seq}", b"s" * 20, None, fact.body) for fact in facts],
    )
    points.fail_at = "rows_inserted"
    assert isinstance(sequencer.submit_many([made])[0], Unavailable)
    assert [row.id for row in store.outbox.rows()] == ["given"]
    assert sequencer.submit_many([made, made])[1] == Receipt("k2", 1, 2, repeated=True)
    assert [row.id for row in store.outbox.rows()] == ["given", "fact-1", "fact-2"]


def decides(entry: Entry) -> Callable[[Accounts], list[Entry]]:
    return lambda _world: [entry]


def test_what_cannot_be_read_back_is_not_recorded(pair: Pair) -> None:
    store, sequencer = pair
    (good,) = issues(3)(Accounts())
    assert good.segment is not None
    (short,) = issues(2)(Accounts())
    bad: list[tuple[str, Entry]] = [
        ("journal.unknown_kind", Entry(Tally("a", 1))),  # type: ignore[arg-type]
        ("canonical.type", Entry(AccountOpened(1.5))),  # type: ignore[arg-type]
        ("canonical.malformed", Entry(AccountOpened("a", 1))),  # type: ignore[arg-type]
        ("journal.segment_mismatch", Entry(good.fact)),
        ("journal.segment_mismatch", Entry(AccountOpened("a"), good.segment)),
        ("journal.segment_mismatch", Entry(good.fact, short.segment)),
    ]
    answers = sequencer.submit_many([Command(f"k{i}", b"x", AT_US, decides(e)) for i, (_, e) in enumerate(bad)])
    assert [getattr(answer, "code", answer) for answer in answers] == [code for code, _ in bad]
    assert (store.size(), state(sequencer)[0]) == (0, [])


def test_bulk_is_seen_as_it_will_be_read(pair: Pair) -> None:
    store, sequencer = pair
    (entry,) = issues(5)(Accounts())
    assert entry.segment is not None
    loose = {name: column.astype(np.int64) for name, column in entry.segment.columns.items()}
    sequencer.submit("k", b"x", AT_US, decides(Entry(entry.fact, Segment(TITLES, loose))))
    assert state(sequencer) == state_from_nothing(store)


def test_the_clock_is_the_callers(pair: Pair) -> None:
    store, sequencer = pair
    sequencer.submit("k", b"x", 5, opens("a"))
    assert [fact.at_us for fact in store.facts()] == [5]
    with pytest.raises(Invalid):
        sequencer.submit("k2", b"x", np.int64(5), opens("b"))  # type: ignore[arg-type]
    assert state(sequencer)[0] == ["a"]


def test_a_reader_follows_the_writer_and_records_nothing(tmp_path: Path, pair: Pair) -> None:
    _, writer = pair
    writer.submit("k1", b"x", AT_US, opens("a"))
    with SqliteStore.open(tmp_path, read_only=True) as store:
        reader = Sequencer(store, Accounts, KINDS)
        assert state(reader) == state(writer)
        writer.submit("k2", b"x", AT_US, opens("b"))
        assert state(reader) == state(writer)
        assert reader.submit("k1", b"x", AT_US, opens("a")).repeated
        with pytest.raises(Refused) as caught:
            reader.submit("k3", b"x", AT_US, opens("c"))
        assert caught.value.code == "store.read_only"
        assert state(reader) == state(writer)
