"""One process writes; others are told which, and may read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engines import Engine
from record_kit import account, planned

from penstock.errors import NotFound, Refused, Unavailable

HOLD = "import sys; from pathlib import Path; from penstock.store.opening import open_store\n"
HOLD += "store = open_store(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"


def test_a_second_writer_is_refused_and_told_the_process(engine: Engine, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    environment = os.environ | engine.environment(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(Unavailable) as caught:
            engine.open(tmp_path)
        assert caught.value.code == "store.in_use"
        assert caught.value.ids["pid"] == str(holder.pid)
        with engine.open(tmp_path, read_only=True) as reader:
            assert reader.size() == 0
        holder.kill()
    with engine.open(tmp_path) as store:  # the lease goes with the process, however it ended
        assert store.commit([account("k")]) == 0


def test_the_same_process_is_refused_too(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path), pytest.raises(Unavailable) as caught:
        engine.open(tmp_path)
    assert caught.value.ids["pid"] == str(os.getpid())
    engine.open(tmp_path).close()


def test_a_reader_follows_the_writer_and_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as writer, engine.open(tmp_path, read_only=True) as reader:
        for size in range(1, 4):
            writer.commit([account(f"k{size}")])
            assert (reader.size(), reader.head()) == (size, writer.head())
            assert list(reader.facts()) == list(writer.facts())
            assert reader.tree().root() == writer.tree().root()
        assert reader.identity == writer.identity
        with pytest.raises(Refused) as caught:
            reader.commit([account("k9")])
        assert caught.value.code == "store.read_only"
        with pytest.raises(Unavailable) as unreadable:
            reader.outbox.add([planned("x")])
        assert unreadable.value.code == "store.unreadable"
        assert writer.size() == 3


def test_a_reader_makes_no_workspace(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        engine.open(tmp_path / "nothing", read_only=True)
    assert caught.value.code == "store.no_workspace"
    assert list(tmp_path.iterdir()) == []


def test_names_with_odd_characters_open(engine: Engine, tmp_path: Path) -> None:
    odd = tmp_path / "a #1?mode=ro %20 ü"
    with engine.open(odd) as store:
        store.commit([account("k")])
    with engine.open(odd, read_only=True) as reader:
        assert reader.size() == 1
