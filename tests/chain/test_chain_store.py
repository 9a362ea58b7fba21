"""Durability: restart, kill -9, damage. What was acknowledged is there; what is damaged is said to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chain_kit import GENESIS, INVESTOR, OPERATOR, ROOT, deploy_dollar, sign

from penstock.chain.node import Node
from penstock.chain.state_store import StateStore
from penstock.errors import Corrupt, PenstockError, Unavailable

TO = INVESTOR.address


def test_restart_keeps_head_state_receipts_and_the_waiting(tmp_path: Path) -> None:
    with Node(GENESIS, tmp_path / "chain") as node:
        deployed = node.send(deploy_dollar(OPERATOR, 0))
        node.send(sign(OPERATOR, 1, TO, value=5))
        waiting = node.send(sign(OPERATOR, 3, TO, value=7))
        before = (node.head, node.archive.tx(deployed), node.archive.logs(0, 9))
    assert [path.name for path in tmp_path.iterdir()] == ["chain"]
    with Node(GENESIS, tmp_path / "chain") as node:
        assert (node.head, node.archive.tx(deployed), node.archive.logs(0, 9)) == before
        assert node.pool.get(waiting) is not None
        assert node.view.code(before[1].contract or b"")  # type: ignore[union-attr]
        node.send(sign(OPERATOR, 2, TO))
        assert node.archive.tx(waiting) is not None


def test_memory_and_file_build_the_same_chain(tmp_path: Path) -> None:
    def clock() -> int:
        return GENESIS.at_s + 60

    with Node(GENESIS, tmp_path / "chain", now=clock) as filed, Node(GENESIS, now=clock) as remembered:
        for node in (filed, remembered):
            node.send(deploy_dollar(OPERATOR, 0))
            node.send_many([sign(OPERATOR, n, TO, value=n) for n in range(1, 20)])
        assert filed.head == remembered.head


_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from chain_kit import GENESIS, INVESTOR, OPERATOR, sign
from penstock.chain.node import Node
node = Node(GENESIS, Path({path!r}))
nonce = node.view.nonce(bytes.fromhex(OPERATOR.address[2:]))
print("open", flush=True)
while True:
    gap = nonce % 5 == 3  # now and then a later nonce first, so that some acknowledged ones only wait
    for n in (nonce + 1, nonce) if gap else (nonce,):
        print(node.send(sign(OPERATOR, n, INVESTOR.address, value=1)).hex(), flush=True)
    nonce += 2 if gap else 1
"""


def acknowledged_until_killed(path: Path, after_s: float) -> list[str]:
    """Run a writer, kill it -9 after ``after_s`` of writing; the hashes it had acknowledged."""
    script = _WRITER.format(path=str(path), tests=str(ROOT / "tests/chain"))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout and writer.stdout.readline() == "open\n"
        time.sleep(after_s)
        os.kill(writer.pid, signal.SIGKILL)
        return [line.strip() for line in writer.stdout if len(line) == 65]


@pytest.mark.parametrize("after_s", [0.06, 0.25])
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, after_s: float) -> None:
    sent: list[str] = []
    for more in (0.0, 0.017):
        sent += acknowledged_until_killed(tmp_path / "chain", after_s + more)
        with Node(GENESIS, tmp_path / "chain") as node:
            known = [node.archive.tx(bytes.fromhex(h)) or node.pool.get(bytes.fromhex(h)) for h in sent]
            assert sent and all(known), f"{known.count(None)} of {len(sent)} acknowledged transactions are gone"
            mined = node.view.balance(bytes.fromhex(TO[2:])) - GENESIS.alloc[bytes.fromhex(TO[2:])]
            assert mined == node.view.nonce(bytes.fromhex(OPERATOR.address[2:])) == node.head.number + _doubles(node)


def _doubles(node: Node) -> int:
    """Blocks with a second transaction: a gap filled."""
    return sum(len(node.archive.tx_hashes(n)) - 1 for n in range(1, node.head.number + 1))


def written(path: Path) -> bytes:
    """A chain of some blocks at ``path``; its file's bytes."""
    with Node(GENESIS, path) as node:
        node.send(deploy_dollar(OPERATOR, 0))
        node.send_many([sign(OPERATOR, n, TO) for n in range(1, 60)])
    return path.read_bytes()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda raw: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "cut to its first page": lambda raw: raw[:4096],
    "not a database": lambda raw: b"\x00" * len(raw),
    "overwritten in the middle": lambda raw: raw[:12_288] + b"\xa5" * 8_192 + raw[20_480:],
    "another database": lambda raw: _other_database(),
}


def _other_database() -> bytes:
    import sqlite3

    with sqlite3.connect(":memory:") as sql:
        sql.execute("create table something(x)")
        return sql.serialize()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_corrupt_and_never_a_new_genesis(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "chain"
    raw = DAMAGES[damage](written(path))
    path.write_bytes(raw)
    with pytest.raises(Corrupt):
        Node(GENESIS, path)
    assert path.read_bytes() == raw


@pytest.mark.parametrize(
    "statement", ["delete from block", "delete from block where number = 0", "update block set header = x'c0'"]
)
def test_missing_or_changed_rows_are_corrupt(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "chain"
    written(path)
    store = StateStore(path)
    store.sql.execute(statement)
    store.close()
    with pytest.raises(Corrupt):
        Node(GENESIS, path)


def test_the_heads_state_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    with Node(GENESIS, path) as node:
        node.send(sign(OPERATOR, 0, TO))
        root = node.head.state_root
    store = StateStore(path)
    store.sql.execute("delete from node where k = ?", (root,))
    store.close()
    with pytest.raises(Corrupt, match="state is missing"):
        Node(GENESIS, path)


def test_a_log_without_its_file_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "chain-wal").write_bytes(b"left behind")
    with pytest.raises(Corrupt):
        Node(GENESIS, tmp_path / "chain")


def test_a_leftover_draft_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "chain.new").write_bytes(b"half a genesis")
    with Node(GENESIS, tmp_path / "chain") as node:
        assert node.head.number == 0


def test_one_process_owns_a_chain(tmp_path: Path) -> None:
    with Node(GENESIS, tmp_path / "chain"), pytest.raises(Unavailable) as refused:
        Node(GENESIS, tmp_path / "chain")
    assert refused.value.code == "chain.store_in_use"


def test_a_failed_commit_rolls_back_rows_nodes_and_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Node(GENESIS, tmp_path / "chain") as node:
        before = node.head
        real = StateStore.commit

        def failing(self: StateStore) -> None:
            raise PenstockError("chain.store_io", "The disk is full.")

        monkeypatch.setattr(StateStore, "commit", failing)
        raw = sign(OPERATOR, 0, TO)
        with pytest.raises(PenstockError, match="disk is full"):
            node.send(raw)
        monkeypatch.setattr(StateStore, "commit", real)
        assert (node.head, node.archive.head(), len(node.pool)) == (before, before, 0)
        tx_hash = node.send(raw)
        assert node.archive.tx(tx_hash) and node.head.number == 1
