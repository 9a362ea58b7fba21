"""The spool keeps, cuts once, knows repeats, is bounded and belongs to one process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.connect.ports import Arrived
from penstock.connect.spool import BATCH_SPAN_US, REPEATS_US, Head, Spool
from penstock.errors import Unavailable
from penstock.journal.words import Form


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


def messages(*numbers: int) -> list[Arrived]:
    return [Arrived(Form.COSE, b"message %d" % number) for number in numbers]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite", clock=clock) as made:
        yield made


def test_what_came_leaves_in_order(spool: Spool) -> None:
    assert spool.put(messages(1, 2)) == 2
    assert spool.put([Arrived(Form.OCMF, b"message 1")]) == 1  # the same bytes in another form are another message
    batch = spool.cut()
    assert batch is not None
    assert batch.messages == (*messages(1, 2), Arrived(Form.OCMF, b"message 1"))
    spool.done(batch.number)
    assert spool.cut() is None
    assert spool.waiting().messages == spool.waiting().bytes == 0


def test_a_batch_once_cut_is_the_same_for_good(spool: Spool, tmp_path: Path, clock: Clock) -> None:
    spool.put(messages(1, 2, 3))
    first = spool.cut(messages_max=2)
    clock.now_us += 5
    spool.put(messages(4))
    assert spool.cut(messages_max=100) == first
    spool.close()
    with Spool(tmp_path / "spool.sqlite", clock=clock) as again:
        assert again.cut() == first
        assert first is not None and len(first.messages) == 2
        again.done(first.number)
        again.done(first.number)  # told twice: nothing more is forgotten
        rest = again.cut()
        assert rest is not None
        assert rest.messages == tuple(messages(3, 4))
        assert rest.key != first.key
        assert rest.received_us == clock.now_us


def test_a_batch_is_bounded_by_bytes_and_by_time(spool: Spool, clock: Clock) -> None:
    spool.put(messages(1, 2, 3))
    small = spool.cut(bytes_max=len(b"message 1") * 2)
    assert small is not None and len(small.messages) == 2
    spool.done(small.number)
    clock.now_us += BATCH_SPAN_US + 1
    spool.put(messages(4))
    apart = spool.cut()
    assert apart is not None and apart.messages == tuple(messages(3))
    single = Spool.cut(spool, bytes_max=1)
    assert single == apart  # one message at least, however long


def test_the_same_bytes_are_kept_once_while_they_wait_and_a_while_after(spool: Spool, clock: Clock) -> None:
    assert spool.put(messages(1, 1, 2)) == 2
    batch = spool.cut()
    assert batch is not None
    assert spool.put(messages(2)) == 0
    spool.done(batch.number)
    assert spool.put(messages(1, 2)) == 0
    clock.now_us += REPEATS_US + 1
    assert spool.put(messages(1)) == 1  # judged anew: its device may have been enrolled meanwhile


def test_a_token_is_good_once(spool: Spool) -> None:
    assert spool.put(messages(1), token="file:1") == 1
    assert spool.put(messages(2), token="file:1") == 0
    assert spool.knows("file:1") and not spool.knows("file:2")
    assert spool.waiting().messages == 1


def test_what_is_full_refuses_whole_and_opens_again(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", bytes_max=20) as spool:
        spool.put(messages(1, 2))
        with pytest.raises(Unavailable) as caught:
            spool.put(messages(3), token="late", heads=[Head("d", 0, b"h", b"{}")])
        assert caught.value.code == "connect.full"
        assert not spool.knows("late") and spool.head("d") is None
    with Spool(tmp_path / "spool.sqlite", bytes_max=20) as spool:
        assert spool.waiting().bytes == 18
        batch = spool.cut()
        assert batch is not None
        spool.done(batch.number)
        assert spool.put(messages(3), token="late", heads=[Head("d", 0, b"h", b"{}")]) == 1
        assert spool.head("d") == Head("d", 0, b"h", b"{}")


def test_one_process_has_a_spool(spool: Spool, tmp_path: Path) -> None:
    spool.put(messages(1))
    with pytest.raises(Unavailable) as caught:
        Spool(tmp_path / "spool.sqlite")
    assert caught.value.code == "connect.spool_in_use"


def test_what_is_no_spool_is_said_to_have_failed(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"garbage" * 1_000)
    with pytest.raises(Unavailable) as caught:
        Spool(tmp_path / "spool.sqlite")
    assert caught.value.code == "connect.spool_failed"


def test_a_commit_that_fails_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(messages(1))
        spool._sql.execute("PRAGMA max_page_count = 1")  # as a full disk: the file cannot grow
        with pytest.raises(Unavailable) as caught:
            spool.put([Arrived(Form.COSE, bytes(100_000))], token="t")
        assert caught.value.code == "connect.spool_failed"
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        spool._sql.execute("PRAGMA max_page_count = 1000000")
        assert spool.waiting().bytes == len(b"message 1")
        assert spool.put([Arrived(Form.COSE, bytes(100_000))], token="t") == 1
