"""Outbox rows are planned with the facts that ask for them, once, and move on from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import Engine
from record_kit import account, planned, small

from penstock.errors import NotFound
from penstock.store.ports import Observation, Write

WEI = 2**200 + 1


def test_rows_are_planned_with_the_facts(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        store.commit([account("k0"), Write("k1", b"i" * 32, [small("a")], [planned("b"), planned("a", value=WEI)])])
    with engine.open(tmp_path) as store:
        assert store.outbox.rows() == [planned("b"), planned("a", value=WEI)]


def test_a_row_is_planned_once(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        assert store.outbox.add([planned("x")]) == 1
        assert store.outbox.add([planned("x", value=5)]) == 0
        store.commit(
            [Write("k", b"i" * 32, [small("a")], [planned("x", value=6), planned("y"), planned("y", value=7)])]
        )
        assert store.outbox.rows() == [planned("x"), planned("y")]


def test_a_row_moves_on_and_keeps_what_is_not_given(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        assert store.outbox.add(planned(name) for name in "xy") == 2
        store.outbox.change("x", {"state": "signed", "nonce": 0, "raw": b"raw", "tx_hash": b"h" * 32})
        store.outbox.change("x", {"state": "sent", "note": "once"})
        sent = planned("x", state="sent", nonce=0, raw=b"raw", tx_hash=b"h" * 32, note="once")
        assert store.outbox.rows("sent") == [sent]
        assert store.outbox.rows("planned") == [planned("y")]
        with pytest.raises(NotFound) as caught:
            store.outbox.change("z", {"state": "sent"})
        assert caught.value.code == "store.no_outbox_row"


def seen(block: int, fork: bytes, index: int = 0, **changes: object) -> Observation:
    topics = (b"a" * 32, b"b" * 32)
    return Observation(block, fork * 32, index, b"t" * 32, b"c" * 20, topics, b"data", **changes)  # type: ignore[arg-type]


def test_observations_come_and_go_until_final(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        table = store.observations
        assert table.add([seen(2, b"2", 1), seen(2, b"2", 0), seen(1, b"1"), seen(3, b"3")]) == 4
        assert table.add([seen(2, b"2", 1), seen(3, b"x"), seen(3, b"x")]) == 1
        assert table.add([]) == 0
        assert [(item.block_number, item.log_index) for item in table.rows()] == [
            (1, 0),
            (2, 0),
            (2, 1),
            (3, 0),
            (3, 0),
        ]
        assert table.settle(1) == 1
        assert table.drop(from_block=1) == 4
        assert table.rows() == [seen(1, b"1", final=True)]
        assert table.rows(2) == table.rows(0, 1) == table.rows(final=False) == []


def test_the_cursor_is_kept(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        assert store.observations.cursor() is None
        for text in ("one", "two"):
            store.observations.keep_cursor(text)
    with engine.open(tmp_path) as store:
        assert store.observations.cursor() == "two"
